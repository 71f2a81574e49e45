"""From samples to the table, the JSON beside it, and the comparison with an older one.

The samples of one scenario are rounds, and in each round every proxy had its turn. What disturbs a turn makes
it dearer, hardly ever cheaper, so a proxy's cost is the mean of its cheapest third of the rounds, and a ratio
is taken between two such costs. The median stands beside it.
"""
import dataclasses
import json
import statistics

from proxies import OURS, YARDSTICK

HEAD = ("scenario", "proxy", "cost", "median", "unit", f"x {YARDSTICK}", "spread", "per second",
        "p50", "p99", "MiB", "errors", "others")
WIDTHS = (12, 8, 6, 6, 14, 7, 6, 10, 7, 7, 5, 6, 6)
LEFT = (0, 1, 4)
NOISE = 0.05  # a ratio that moved by less is taken for unmoved


@dataclasses.dataclass
class Round:
    """One turn of every proxy."""
    samples: dict   # proxy -> Sample
    others: float   # share of the machine that other programs used meanwhile


def undisturbed(costs):
    """Mean of the cheapest third, of two at least."""
    cheapest = sorted(costs)[:max(2, round(len(costs) / 3))]
    return statistics.fmean(cheapest)


def ratio(costs, yardstick):
    """Of two lists with one entry a round; without a yardstick the cost itself."""
    return undisturbed(costs) / (undisturbed(yardstick) if yardstick else 1)


def spread(costs, yardstick):
    """Twice the standard error of the ratio, as a share of it (jackknife: each round is left out in turn)."""
    count = len(costs)
    if count < 2:
        return 0
    without = [ratio(costs[:skip] + costs[skip + 1:], yardstick and yardstick[:skip] + yardstick[skip + 1:])
               for skip in range(count)]
    middle = statistics.fmean(without)
    variance = (count - 1) / count * sum((each - middle) ** 2 for each in without)
    return 2 * variance ** 0.5 / middle if middle > 0 else 0


def complete(rounds):
    """The proxies that have a sample in every round."""
    return [proxy for proxy in rounds[0].samples if all(each.samples.get(proxy) for each in rounds)]


def summarize(scenario, rounds):
    """What the table and the JSON say of one scenario."""
    costs = {proxy: [each.samples[proxy].cost for each in rounds] for proxy in complete(rounds)}
    yardstick = costs.get(YARDSTICK)
    rows = {}
    for proxy, own in costs.items():
        samples = [each.samples[proxy] for each in rounds]
        rows[proxy] = {
            "cost": undisturbed(own),
            "median": statistics.median(own),
            "ratio": ratio(own, yardstick) if yardstick else None,
            "spread": spread(own, None if proxy == YARDSTICK else yardstick),
            **{field: statistics.median(getattr(sample, field) for sample in samples)
               for field in ("rate", "p50", "p99", "memory")},
            "errors": sum(sample.errors for sample in samples),
            "rounds": own,
        }
    others = statistics.median(each.others for each in rounds)
    return {"unit": scenario.unit, "others": others, "proxies": rows}


def duration(microseconds):
    if microseconds <= 0:
        return "-"
    return f"{microseconds:.0f}us" if microseconds < 10000 else f"{microseconds / 1000:.1f}ms"


def digits(cost):
    return f"{cost:.3g}" if cost < 100 else f"{cost:.0f}"


def print_cells(cells):
    print("  ".join(f"{cell:<{width}}" if index in LEFT else f"{cell:>{width}}"
                    for index, (cell, width) in enumerate(zip(cells, WIDTHS))).rstrip(), flush=True)


def print_head():
    print_cells(HEAD)
    print_cells(["-" * width for width in WIDTHS])


def print_scenario(name, measured):
    for proxy, row in measured["proxies"].items():
        times = "-" if row["ratio"] is None else f"{row['ratio']:.2f}"
        rate = f"{row['rate']:,.0f}" if row["rate"] else "-"
        print_cells((name, proxy, digits(row["cost"]), digits(row["median"]), measured["unit"], times,
                     f"±{row['spread'] * 100:.0f}%", rate, duration(row["p50"]), duration(row["p99"]),
                     f"{row['memory'] / 1024:.1f}", str(row["errors"]),
                     f"{measured['others'] * 100:.0f}%"))


def moved(old, new, proxy):
    """(change of the ratio, what of it may be noise) between two runs of one scenario; None without both."""
    before, after = old["proxies"].get(proxy), new["proxies"].get(proxy)
    if not before or not after or not before["ratio"] or not after["ratio"]:
        return None
    noise = (before["spread"] ** 2 + after["spread"] ** 2) ** 0.5
    return after["ratio"] / before["ratio"] - 1, max(NOISE, noise)


def compare(old, new):
    """Prints where Portico's ratios moved beyond noise; returns the number of regressions.

    The rivals are the same programs in both runs, so what their ratios moved by is noise, too."""
    worse = 0
    for name in [name for name in new["scenarios"] if name in old["scenarios"]]:
        before, after = old["scenarios"][name], new["scenarios"][name]
        portico = moved(before, after, OURS)
        if not portico:
            continue
        rivals = [moved(before, after, proxy) for proxy in after["proxies"] if proxy not in (OURS, YARDSTICK)]
        change, noise = portico[0], max([portico[1], *(abs(each[0]) for each in rivals if each)])
        ratios = " -> ".join(f"{run['proxies'][OURS]['ratio']:.2f}" for run in (before, after))
        verdict = "level" if abs(change) <= noise else "better" if change < 0 else "REGRESSION"
        worse += verdict == "REGRESSION"
        print(f"{name}: {ratios} x {YARDSTICK} ({change:+.0%}, noise {noise:.0%}): {verdict}")
    return worse


def write_json(path, measured):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(measured, indent=1) + "\n")
