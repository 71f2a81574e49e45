#!/usr/bin/python3
"""./dev bench: what Portico and its rivals cost for the same work. bench/NOTES.md says how to read it."""
import argparse
import contextlib
import json
import os
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))

import estimate  # noqa: E402
import fleet  # noqa: E402
import machine  # noqa: E402
import proxies  # noqa: E402
import reloads  # noqa: E402
import results  # noqa: E402
import rounds  # noqa: E402
import syscalls  # noqa: E402
from scenarios import SCENARIOS  # noqa: E402


def arguments():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("scenario", nargs="*", help=f"syscalls, or some of: {' '.join([*SCENARIOS, *reloads.STORMS])}")
    parser.add_argument("--quick", action="store_true", help="the main scenarios in under two minutes")
    parser.add_argument("--json", type=pathlib.Path, default=machine.WORK / "last.json", metavar="FILE")
    parser.add_argument("--add", action="store_true",
                        help="keep what the file has of a run that was broken off; measure only what it lacks")
    parser.add_argument("--compare", type=pathlib.Path, metavar="OLD.json",
                        help="exit 1 on regressions beyond noise")
    parser.add_argument("--of", type=pathlib.Path, metavar="NEW.json",
                        help="measure nothing; --compare what this run has written")
    parser.add_argument("--readme", type=pathlib.Path, metavar="FILE.json",
                        help="measure nothing; write the table in README.md from what a run has written")
    parser.add_argument("--proxies",
                        help=f"comma-separated; {', '.join(proxies.REFERENCES)} are no proxies but marks to hold them against")
    parser.add_argument("--rounds", type=int, help="12, or 3 with --quick")
    parser.add_argument("--starts", type=int, help="of all proxies, the rounds divided among them: 4, or 1 with --quick")
    parser.add_argument("--seconds", type=float, default=0.2, help="of each turn")
    options = parser.parse_args()
    options.rounds = options.rounds or (3 if options.quick else 12)
    options.starts = options.starts or (1 if options.quick else 4)
    known = [*SCENARIOS, *reloads.STORMS, "syscalls"]
    if options.of and not options.compare:
        parser.error("--of NEW.json needs --compare OLD.json")
    unknown = [name for name in options.scenario if name not in known]
    if unknown:
        parser.error(f"no such scenario: {' '.join(unknown)}; there are {' '.join(known)}")
    return options


def chosen_proxies(options):
    table = proxies.PROXIES | proxies.RELAYS
    default = [name for name, proxy in proxies.PROXIES.items() if proxy.quick or not options.quick]
    wanted = options.proxies.split(",") if options.proxies else default
    if not proxies.RELAYS.keys().isdisjoint(wanted):
        machine.compile_c("relay")
    for name in wanted:
        if name != proxies.DIRECT and name not in table:
            raise machine.Failure(f"no such proxy: {name}; there are {' '.join(table)} {proxies.DIRECT}")
    missing = [name for name in wanted if name != proxies.DIRECT and not table[name].path()]
    for name in missing:
        print(f"{name} is not installed; left out")
    return [name for name in wanted if name not in missing]


class Report:
    """What a run has found. It is written whenever there is more: a run that is broken off has not been for nothing."""

    def __init__(self, options, names):
        self.path, self.began = options.json, time.monotonic()
        self.found = {"machine": machine.describe(), "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "took": 0,
                      "versions": proxies.versions(names), "rounds": options.rounds, "starts": options.starts,
                      "seconds": options.seconds, "scenarios": {}, "storms": {}}
        if options.add and self.path.exists():
            self.keep(json.loads(self.path.read_text()))
        self.before = self.found.setdefault("took", 0)

    def keep(self, earlier):
        """What another run has written, if it can stand in one table with this one."""
        for what in ("versions", "rounds", "starts", "seconds"):
            if earlier[what] != self.found[what]:
                raise machine.Failure(f"--add: {self.path} has other {what} than this run: {earlier[what]}; write to another file")
        self.found = earlier

    def lacks(self, wanted, names):
        """Of scenarios by name, those that are still to be measured; a storm with each of its proxies."""
        storms, taking_part = self.found["storms"], set(reloads.taking_part(names))
        done = {*self.found["scenarios"], *(name for name, rows in storms.items() if taking_part <= set(rows))}
        return [name for name in wanted if name not in done]

    def write(self):
        self.found["took"] = self.before + round(time.monotonic() - self.began)
        parts = {"scenarios": SCENARIOS, "storms": reloads.STORMS}
        ordered = {part: {name: self.found[part][name] for name in table if name in self.found[part]}
                   for part, table in parts.items()}
        results.write_json(self.path, {**self.found, **ordered})


def measure_group(group, crew, plan, measured):
    """Adds what was found to `measured`."""
    found = rounds.Group(group, crew, plan).measure()
    for scenario in group:
        if estimate.complete(found[scenario.name]):
            measured[scenario.name] = estimate.summarize(scenario, found[scenario.name])
            results.print_scenario(scenario.name, measured)


def run(options, names, crew, report):
    measured = report.found["scenarios"]
    wanted = options.scenario or [name for name, each in SCENARIOS.items() if each.quick or not options.quick]
    wanted = [name for name in report.lacks(wanted, names) if name in SCENARIOS]
    plan = rounds.Plan(options.rounds, options.starts, options.seconds)
    if wanted:
        results.print_head()
    for group in rounds.groups(SCENARIOS, wanted):
        try:
            measure_group(group, crew, plan, measured)
        except (machine.Failure, OSError) as failure:
            print(f"{' '.join(scenario.name for scenario in group)}: not measured: {failure}", flush=True)
        report.write()
    if measured:
        results.print_targets(measured)
    return wanted


def run_storms(options, names, core, upstream, report):
    """The scenarios of lib/reloads.py; the long one only when it is asked for."""
    default = [] if options.quick else ["reloads"]
    wanted = report.lacks([name for name in options.scenario or default if name in reloads.STORMS], names)
    for name, proxy, row in reloads.measure(names, wanted, core, upstream):
        report.found["storms"].setdefault(name, {})[proxy] = row
        report.write()
    return wanted


def finish(report, wanted, names, old):
    """What is wrong, and what moved; returns the exit status."""
    measured, storms = report.found["scenarios"], report.found["storms"]
    minutes, seconds = divmod(report.found["took"], 60)
    print(f"written: {os.path.relpath(report.path)}, after {minutes}:{seconds:02} minutes")
    failed = [f"{name} portico: not measured" for name in wanted if "portico" in names
              and "portico" not in {**measured.get(name, {}).get("proxies", {}), **storms.get(name, {})}]
    failed += [f"{name} {proxy}: {row['errors']} errors" for name, each in measured.items()
              for proxy, row in each["proxies"].items() if row["errors"]]
    failed += reloads.wrong_with(storms)
    print(*failed, sep="\n", end="\n" if failed else "")
    worse = results.compare(old, report.found) if old else 0
    return 1 if worse or any(" portico:" in line for line in failed) else 0


def count_syscalls(names, crew_core, upstream, connections):
    status = 0
    for name in names:
        process, target = fleet.start_proxy(name, crew_core, upstream, ([("prefix", "/")], False), connections)
        try:
            process.wait_for(target.port)
            status |= syscalls.measure(target)
        finally:
            process.stop()
    return status


def read(path):
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise machine.Failure(f"{path}: {error}") from error


def measure(options):
    old = read(options.compare) if options.compare else None  # it may be what is written over
    proxy_core, load_core = machine.cores()
    os.sched_setaffinity(0, {load_core})
    connections = min(9500, machine.raise_file_limit() // 2 - 500)
    counting = options.scenario == ["syscalls"]
    if counting and not options.proxies:
        options.proxies = "portico"
    names = chosen_proxies(options)
    with contextlib.ExitStack() as held:
        upstream = fleet.start_upstream(held, load_core)
        if counting:
            return count_syscalls(names, proxy_core, upstream, connections) if names else 1
        report, crew = Report(options, names), fleet.Fleet(names, proxy_core, upstream, connections)
        held.callback(crew.stop)
        wanted = run(options, names, crew, report)
        crew.stop()
        wanted += run_storms(options, names, proxy_core, upstream, report)
        report.write()
        return finish(report, wanted, names, old)


def main():
    options = arguments()
    if options.readme:
        page = machine.ROOT / "README.md"
        page.write_text(results.with_table(page.read_text(), read(options.readme)))
        return 0
    if options.of:
        return 1 if results.compare(read(options.compare), read(options.of)) else 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    machine.WORK.mkdir(parents=True, exist_ok=True)
    try:
        return measure(options)
    except KeyboardInterrupt:
        sys.exit(f"bench: broken off; {os.path.relpath(options.json)} has what was measured, --add measures the rest")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except machine.Failure as failure:
        sys.exit(f"bench: {failure}")
