"""The arithmetic: from turns to costs, ratios, their spread, and what moved. Knows nothing of printing.

The samples of one scenario are rounds, and in each round every proxy had its turn; after some rounds all
proxies were started anew. What disturbs makes the work dearer, hardly ever cheaper, so the cheapest slices of all
turns of a start count. Starts differ, too (where memory lies), and neither of two is the true one: the mean over
them is the cost.
"""
import dataclasses
import math
import statistics

from proxies import OURS, REFERENCES, YARDSTICK

NOISE = 0.05  # a ratio that moved by less is taken for unmoved


@dataclasses.dataclass
class Round:
    """One turn of every proxy."""
    samples: dict   # proxy -> Sample
    start: int      # which start of the proxies it belongs to


def cheapest_third(costs):
    """Mean of the cheapest third, or of the shortest when they are latencies; of two at least."""
    costs = sorted(costs)
    return statistics.fmean(costs[:max(2, round(len(costs) / 3))])


def undisturbed(starts):
    """The cost; `starts` is a list of lists of samples."""
    return statistics.fmean(cheapest_third(cost for sample in turns for cost in sample.slices or [sample.cost])
                            for turns in starts)


def by_start(rounds, proxy):
    starts = {}
    for each in rounds:
        starts.setdefault(each.start, []).append(each.samples[proxy])
    return list(starts.values())


def latency(rounds, proxy, field):
    """A percentile, by the same rule: a stall of the machine makes it longer, nothing makes it shorter."""
    return statistics.fmean(cheapest_third(getattr(sample, field) for sample in turns)
                            for turns in by_start(rounds, proxy))


def ratio(rounds, proxy, yardstick):
    """Of two costs; without a yardstick the cost itself."""
    cost = undisturbed(by_start(rounds, proxy))
    if not yardstick:
        return cost
    return over(cost, undisturbed(by_start(rounds, yardstick)))


def over(cost, other):
    """A connection may cost no memory that can be measured."""
    return cost / other if other > 0 else math.inf if cost > 0 else 1


def spread(rounds, proxy, yardstick):
    """Twice the standard error of the ratio, as a share of it (jackknife: each start is left out in turn, or each
    round when there are few starts)."""
    starts = [each.start for each in rounds]
    parts = starts if len(set(starts)) > 2 else list(range(len(rounds)))
    count = len(set(parts))
    if count < 2:
        return 0
    without = [ratio([each for each, part in zip(rounds, parts) if part != left_out], proxy, yardstick)
               for left_out in sorted(set(parts))]
    middle = statistics.fmean(without)
    variance = (count - 1) / count * sum((each - middle) ** 2 for each in without)
    return 2 * variance ** 0.5 / middle if 0 < middle < math.inf else 0


def complete(rounds):
    """The proxies that have a sample in every round."""
    return [proxy for proxy in rounds[0].samples if all(each.samples.get(proxy) for each in rounds)] if rounds else []


def row(rounds, proxy, yardstick):
    """What the table and the JSON say of one proxy in one scenario."""
    samples = [each.samples[proxy] for each in rounds]
    return {
        "cost": undisturbed(by_start(rounds, proxy)),
        "median": statistics.median(sample.cost for sample in samples),
        "ratio": ratio(rounds, proxy, yardstick) if yardstick else None,
        "spread": spread(rounds, proxy, yardstick if proxy != yardstick else None),
        **{field: latency(rounds, proxy, field) for field in ("p50", "p99", "p999")},
        **{field: statistics.median(getattr(sample, field) for sample in samples)
           for field in ("rate", "memory", "growth")},
        "errors": sum(sample.errors for sample in samples),
        "rounds": [sample.cost for sample in samples],
        "others": [sample.others for sample in samples],
    }


def summarize(scenario, rounds):
    """{unit, others, starts, proxies: {name: row}} of one scenario."""
    proxies = complete(rounds)
    yardstick = YARDSTICK if YARDSTICK in proxies else None
    rows = {proxy: row(rounds, proxy, yardstick) for proxy in proxies}
    best = best_rival(rows)
    for each in rows.values():
        each["of_best"] = over(each["cost"], rows[best]["cost"]) if best else None
    others = statistics.median(sample.others for each in rounds for sample in each.samples.values() if sample)
    return {"unit": scenario.unit, "others": others, "starts": [each.start for each in rounds], "best": best,
            "proxies": rows}


def best_rival(rows, field="cost"):
    """Who is cheapest, we and what is no proxy left aside; None when nobody else was measured."""
    rivals = [proxy for proxy in rows if proxy not in (OURS, *REFERENCES) and rows[proxy][field] > 0]
    return min(rivals, key=lambda proxy: rows[proxy][field], default=None)


def reached(target, name, measured):
    """(what was reached, the figure it is held against) of a Target, or None when something was not measured."""
    rows = measured[name]["proxies"]
    if OURS not in rows:
        return None
    own = rows[OURS][target.field]
    if target.against == "best":
        best = best_rival(rows, target.field)
        return over(own, rows[best][target.field]) if best else None
    if target.against == "itself":
        return own
    beside = measured.get(target.against, {}).get("proxies", {}).get(OURS)
    return over(own, beside[target.field]) if beside else None


def is_figure(ratio):
    return bool(ratio) and math.isfinite(ratio)


def moved(old, new, proxy):
    """(change of the ratio, what of it may be noise) between two runs of one scenario; None without both."""
    before, after = old["proxies"].get(proxy), new["proxies"].get(proxy)
    if not before or not after or not is_figure(before["ratio"]) or not is_figure(after["ratio"]):
        return None
    noise = (before["spread"] ** 2 + after["spread"] ** 2) ** 0.5
    return after["ratio"] / before["ratio"] - 1, max(NOISE, noise)


def verdict(before, after):
    """(change, noise, word) of our ratio between two runs of one scenario; None when it is not in both.

    The rivals are the same programs in both runs, so what their ratios moved by is noise, too."""
    ours = moved(before, after, OURS)
    if not ours:
        return None
    rivals = [moved(before, after, proxy) for proxy in after["proxies"] if proxy not in (OURS, YARDSTICK)]
    change, noise = ours[0], max([ours[1], *(abs(each[0]) for each in rivals if each)])
    return change, noise, "level" if abs(change) <= noise else "better" if change < 0 else "REGRESSION"


def agreement(old, new):
    """[(scenario, proxy, change)] of every ratio that both runs have, the furthest first."""
    changes = []
    for name in [name for name in new["scenarios"] if name in old["scenarios"]]:
        before, after = old["scenarios"][name], new["scenarios"][name]
        for proxy in after["proxies"]:
            change = moved(before, after, proxy) if proxy != YARDSTICK else None
            if change:
                changes.append((name, proxy, change[0]))
    return sorted(changes, key=lambda entry: -abs(entry[2]))
