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
    parser.add_argument("--compare", type=pathlib.Path, metavar="OLD.json",
                        help="exit 1 on regressions beyond noise")
    parser.add_argument("--readme", type=pathlib.Path, metavar="FILE.json",
                        help="measure nothing; write the table in README.md from what a run has written")
    parser.add_argument("--proxies",
                        help=f"comma-separated; {proxies.DIRECT} is the upstream without a proxy")
    parser.add_argument("--rounds", type=int, help="15, or 3 with --quick")
    parser.add_argument("--starts", type=int, help="of all proxies, the rounds divided among them: 5, or 1 with --quick")
    parser.add_argument("--seconds", type=float, default=0.5, help="of each turn")
    options = parser.parse_args()
    options.rounds = options.rounds or (3 if options.quick else 15)
    options.starts = options.starts or (1 if options.quick else 5)
    known = [*SCENARIOS, *reloads.STORMS, "syscalls"]
    unknown = [name for name in options.scenario if name not in known]
    if unknown:
        parser.error(f"no such scenario: {' '.join(unknown)}; there are {' '.join(known)}")
    return options


def chosen_proxies(options):
    table = proxies.PROXIES
    default = [name for name, proxy in table.items() if proxy.quick or not options.quick]
    wanted = options.proxies.split(",") if options.proxies else default
    for name in wanted:
        if name != proxies.DIRECT and name not in table:
            raise machine.Failure(f"no such proxy: {name}; there are {' '.join(table)} {proxies.DIRECT}")
    missing = [name for name in wanted if name != proxies.DIRECT and not table[name].path()]
    for name in missing:
        print(f"{name} is not installed; left out")
    return [name for name in wanted if name not in missing]


def document(options, names, measured, storms):
    """What the JSON says."""
    return {"machine": machine.describe(), "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "versions": proxies.versions(names), "rounds": options.rounds, "starts": options.starts,
            "seconds": options.seconds, "scenarios": measured, "storms": storms}


def run(options, crew, names):
    """What was measured so far is written after each group: a run that is broken off has not been for nothing."""
    wanted = options.scenario or [name for name, each in SCENARIOS.items() if each.quick or not options.quick]
    plan = rounds.Plan(options.rounds, options.starts, options.seconds)
    measured = {}
    wanted = [name for name in wanted if name in SCENARIOS]
    if wanted:
        results.print_head()
    for group in rounds.groups(SCENARIOS, wanted):
        found = rounds.Group(group, crew, plan).measure()
        for scenario in group:
            if estimate.complete(found[scenario.name]):
                measured[scenario.name] = estimate.summarize(scenario, found[scenario.name])
                results.print_scenario(scenario.name, measured)
        results.write_json(options.json, document(options, names, measured, {}))
    if measured:
        results.print_targets(measured)
    return measured


def run_storms(options, names, core, upstream):
    """The scenarios of lib/reloads.py; the long one only when it is asked for."""
    default = [] if options.quick else ["reloads"]
    wanted = [name for name in options.scenario if name in reloads.STORMS] if options.scenario else default
    return reloads.measure(names, wanted, core, upstream) if wanted else {}


def finish(options, measured, storms, names, old):
    """Writes and compares; returns the exit status."""
    new = document(options, names, measured, storms)
    results.write_json(options.json, new)
    print(f"written: {os.path.relpath(options.json)}")
    failed = [f"{name} portico: not measured" for name, each in measured.items()
              if "portico" in names and "portico" not in each["proxies"]]
    failed += [f"{name} {proxy}: {row['errors']} errors" for name, each in measured.items()
              for proxy, row in each["proxies"].items() if row["errors"]]
    failed += reloads.wrong_with(storms)
    print(*failed, sep="\n", end="\n" if failed else "")
    worse = results.compare(old, new) if old else 0
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


def main():
    options = arguments()
    if options.readme:
        page = machine.ROOT / "README.md"
        page.write_text(results.with_table(page.read_text(), json.loads(options.readme.read_text())))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    machine.WORK.mkdir(parents=True, exist_ok=True)
    old = json.loads(options.compare.read_text()) if options.compare else None  # it may be what is written over
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
        crew = fleet.Fleet(names, proxy_core, upstream, connections)
        held.callback(crew.stop)
        measured = run(options, crew, names)
        crew.stop()
        return finish(options, measured, run_storms(options, names, proxy_core, upstream), names, old)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except machine.Failure as failure:
        sys.exit(f"bench: {failure}")
