"""The order of a run: which scenarios are measured together, and whose turn it is."""
import dataclasses
import math
import sys

import estimate
import loads
import machine
from proxies import YARDSTICK


@dataclasses.dataclass
class Plan:
    rounds: int
    starts: int       # of all proxies anew, the rounds divided among them
    seconds: float    # of a turn


def groups(table, wanted):
    """Lists of scenarios that are measured in the same rounds, in the order of the table."""
    roots = {table[name].beside or name for name in wanted}
    members = [[table[name] for name in table if name == root or (table[name].beside == root and name in wanted)]
               for root in table if root in roots]
    return members


def progress(text):
    if sys.stderr.isatty():
        print(f"{text:<60}", file=sys.stderr, end="\r", flush=True)


def pace(scenario, targets):
    """What a paced load has to be told: half of what the yardstick can do, found now."""
    yardstick = next((target for target in targets if target.name == YARDSTICK), None)
    if not scenario.paced or not targets:
        return {}
    return {"rate": loads.most(yardstick or targets[0], 64, scenario.tls) / 2}


def take_turn(scenario, target, seconds, told):
    """A Sample, or None after saying why there is none. On a machine that is taken by others the first try may see
    nothing done."""
    for patience in (1, 4):
        bystanders = machine.Bystanders()
        try:
            sample = scenario.load(target, seconds * scenario.seconds * patience, **told)
            break
        except (machine.Failure, OSError) as failure:
            why = failure
    else:
        print(f"{scenario.name}: {target.name} is left out: {why}", flush=True)
        return None
    sample.growth, sample.others = sample.memory - target.at_rest, bystanders.share()
    return sample


class Group:
    """Scenarios measured together; collects the rounds of each."""

    def __init__(self, scenarios, crew, plan):
        self.scenarios, self.crew = scenarios, crew
        self.starts = scenarios[0].fresh or plan.starts
        self.each = 1 if scenarios[0].fresh else math.ceil(plan.rounds / plan.starts)
        self.seconds = plan.seconds
        self.rounds = {scenario.name: [] for scenario in scenarios}
        self.failed = set()   # (scenario, proxy)
        self.told = {}        # scenario -> what its load is told beside

    def turn(self, scenario, target, seconds):
        sample = take_turn(scenario, target, seconds, self.told[scenario.name])
        if not sample:
            self.failed.add((scenario.name, target.name))
        return sample

    def round(self, ready, start):
        """Every proxy has its turn in every scenario."""
        for scenario, targets in ready:
            samples = {target.name: self.turn(scenario, target, self.seconds) for target in targets
                       if (scenario.name, target.name) not in self.failed}
            self.rounds[scenario.name].append(estimate.Round(samples, start))

    def measure(self):
        names = " ".join(scenario.name for scenario in self.scenarios)
        for start in range(self.starts):
            self.crew.stop()
            ready = [(scenario, self.crew.ready(scenario)) for scenario in self.scenarios]
            for scenario, targets in ready:
                if scenario.name not in self.told:
                    self.told[scenario.name] = pace(scenario, targets)
            for number in range(self.each):
                progress(f"{names}: start {start + 1}/{self.starts}, round {number + 1}/{self.each}")
                self.round(ready, start)
        progress("")
        return self.rounds
