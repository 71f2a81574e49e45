"""What a run prints, the JSON beside it, the table of README, and the comparison with an older run."""
import json
import re
import statistics

import estimate
import reloads
from proxies import OURS, PROXIES, YARDSTICK
from scenarios import SCENARIOS

HEAD = ("scenario", "proxy", "cost", "median", "unit", f"x {YARDSTICK}", "spread", "x best", "target",
        "per second", "p50", "p99", "p99.9", "MiB", "errors", "others")
WIDTHS = (14, 8, 6, 6, 14, 7, 6, 6, 11, 10, 7, 7, 7, 6, 6, 6)
LEFT = (0, 1, 4)
README = ("<!-- bench: written by ./dev bench --readme FILE.json -->", "<!-- bench: end -->")


def duration(microseconds):
    if microseconds <= 0:
        return "-"
    return f"{microseconds:.0f}us" if microseconds < 10000 else f"{microseconds / 1000:.1f}ms"


def digits(cost):
    return f"{cost:.3g}" if cost < 100 else f"{cost:.0f}"


def times(ratio):
    return "-" if ratio is None else f"{ratio:.2f}"


def print_cells(cells):
    print("  ".join(f"{cell:<{width}}" if index in LEFT else f"{cell:>{width}}"
                    for index, (cell, width) in enumerate(zip(cells, WIDTHS))).rstrip(), flush=True)


def print_head():
    print_cells(HEAD)
    print_cells(["-" * width for width in WIDTHS])


def verdicts(name, measured):
    """[(Target, what was reached, whether that is enough)] of one scenario."""
    figures = [(target, estimate.reached(target, name, measured)) for target in SCENARIOS[name].targets]
    return [(target, figure, figure <= target.limit) for target, figure in figures if figure is not None]


def print_scenario(name, measured):
    """`measured` has every scenario measured so far."""
    first = next(iter(verdicts(name, measured)), None)
    for proxy, row in measured[name]["proxies"].items():
        goal = f"<={first[0].limit:g} {'ok' if first[2] else 'MISS'}" if first and proxy == OURS else ""
        rate = f"{row['rate']:,.0f}" if row["rate"] else "-"
        print_cells((name, proxy, digits(row["cost"]), digits(row["median"]), measured[name]["unit"],
                     times(row["ratio"]), f"±{row['spread'] * 100:.0f}%", times(row["of_best"]), goal, rate,
                     *(duration(row[field]) for field in ("p50", "p99", "p999")), f"{row['memory'] / 1024:.1f}",
                     str(row["errors"]), f"{measured[name]['others'] * 100:.0f}%"))


def print_targets(measured):
    """Every target of the scenarios measured, and whether it is reached."""
    print()
    for name in measured:
        for target, figure, enough in verdicts(name, measured):
            print(f"{name}: {target.text()}: {figure:.2f}: {'reached' if enough else 'MISSED'}")


# comparison


def compare(old, new):
    """Prints where Portico's ratios moved beyond noise; returns the number of regressions."""
    worse = 0
    for name in [name for name in new["scenarios"] if name in old["scenarios"]]:
        before, after = old["scenarios"][name], new["scenarios"][name]
        found = estimate.verdict(before, after)
        if not found:
            continue
        change, noise, word = found
        worse += word == "REGRESSION"
        ratios = " -> ".join(f"{run['proxies'][OURS]['ratio']:.2f}" for run in (before, after))
        print(f"{name}: {ratios} x {YARDSTICK} ({change:+.0%}, noise {noise:.0%}): {word}")
    changes = estimate.agreement(old, new)
    near = sum(abs(change) <= estimate.NOISE for _, _, change in changes)
    for name, proxy, change in changes[:len(changes) - near]:
        ratios = " -> ".join(f"{run['scenarios'][name]['proxies'][proxy]['ratio']:.2f}" for run in (old, new))
        print(f"further apart than {estimate.NOISE:.0%}: {name} {proxy} {ratios} x {YARDSTICK} ({change:+.0%})")
    print(f"{near} of {len(changes)} ratios agree within {estimate.NOISE:.0%}")
    for name in [name for name in old["scenarios"] if name not in new["scenarios"]]:
        print(f"{name}: only the old run has it")
    return worse


# files


def rounded(value):
    """Four digits are more than any of it is worth."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return {key: rounded(each) for key, each in value.items()} if isinstance(value, dict) else value


def write_json(path, document):
    """One line a proxy, so that two runs can be read side by side."""
    text = json.dumps(rounded(document), indent=1)
    flat = re.sub(r'\{\s*"cost".*?\}', lambda row: re.sub(r"\s*\n\s*", " ", row.group()), text, flags=re.S)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(re.sub(r"\[[^\[\]{}]*\]", lambda row: re.sub(r"\s*\n\s*", " ", row.group()), flat) + "\n")


def readme_cell(row, unit_of, proxy):
    if not row:
        return ""
    return f"{digits(row['cost'])} {unit_of}" if proxy == YARDSTICK else times(row["ratio"])


def line_of(*cells):
    return f"| {' | '.join(cells)} |"


def scenario_line(name, measured, columns):
    each, goals = measured[name], verdicts(name, measured)
    cells = [readme_cell(each["proxies"].get(proxy), each["unit"], proxy) for proxy in columns]
    said = "; ".join(target.text() for target, _, _ in goals)
    reached = "; ".join(f"{figure:.2f}" + ("" if enough else " **no**") for _, figure, enough in goals)
    return line_of(name, *cells, said, reached)


def storm_line(name, rows, columns):
    cells = [reloads.summary(rows[proxy]) if proxy in rows else "" for proxy in columns]
    missed = ", ".join(reloads.misses(name, rows[OURS])) if OURS in rows else "not measured"
    return line_of(name, *cells, reloads.TARGET, f"{missed} **no**" if missed else "yes")


def readme_table(document):
    """The lines between the two markers in README.md."""
    columns = [YARDSTICK, OURS, *(name for name in PROXIES if name not in (YARDSTICK, OURS))]
    heads = [name if name != OURS else f"**{name}**" for name in columns]
    lines = [line_of("scenario", *heads, "target", "reached"), "|---" * (len(columns) + 3) + "|"]
    measured = document["scenarios"]
    lines += [scenario_line(name, measured, columns) for name in SCENARIOS if name in measured]
    lines += [storm_line(name, rows, columns) for name, rows in document["storms"].items()]
    versions = ", ".join(f"{name} {re.search(r'[0-9]+(?:[.][0-9]+)*', said).group()}" for name, said in document["versions"].items())
    others = statistics.median(each["others"] for each in measured.values())
    return lines + ["", f"{document['when'][:10]}, {document['machine']['cpu']}, Linux {document['machine']['kernel']}; "
                    f"{versions}. Other programs used {others:.0%} of the machine meanwhile."]


def with_table(text, document):
    """README's text with the table of this run between the two markers."""
    begin, end = README
    before, _, rest = text.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"README.md has no lines {begin} and {end}")
    return "\n".join([before + begin, "", *readme_table(document), "", end + after])
