"""The arithmetic of the benchmarks, with turns whose figures are known."""
import argparse
import contextlib
import io
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "bench" / "lib")]

import estimate  # noqa: E402
import loads  # noqa: E402
import machine  # noqa: E402
import results  # noqa: E402
import rounds  # noqa: E402
import run  # noqa: E402
from loads import Sample  # noqa: E402
from scenarios import BEST, ITSELF, SCENARIOS, Scenario, Target  # noqa: E402

SCENARIO = Scenario("h1-64", "us/request", load=None)
STORM = {"reloads": 20, "failed": 0, "dropped": 0, "uploads": 20, "wrong": 0, "processes_before": 2, "processes": 2,
         "memory_before": 16000, "memory_after": 16000, "p99_before": 10, "p99": 11}


def turn(cost, others=0.0, **more):
    figures = {"rate": 1000, "p50": 100, "p99": 900, "p999": 0, "memory": 4096, "errors": 0, **more}
    return Sample(cost=cost, others=others, **figures)


def rounds_of(start_length=100, **costs):
    """Rounds of turns that cost so much, a new start every start_length rounds."""
    return [estimate.Round({proxy: turn(cost) for proxy, cost in zip(costs, together)}, number // start_length)
            for number, together in enumerate(zip(*costs.values()))]


def printed(function, *arguments):
    with contextlib.redirect_stdout(io.StringIO()) as said:
        function(*arguments)
    return said.getvalue()


def summary(**costs):
    return estimate.summarize(SCENARIO, rounds_of(**costs))


class Costs(unittest.TestCase):
    def test_the_cheapest_third_of_each_start_makes_the_cost(self):
        first, second = [turn(cost) for cost in (10, 12, 14, 90, 90, 90)], [turn(cost) for cost in (20, 22, 80, 80)]
        self.assertEqual((11 + 21) / 2, estimate.undisturbed([first, second]))

    def test_slices_count_wherever_they_were(self):
        turns = [turn(30, slices=[10, 40, 40]), turn(24, slices=[12, 20, 40])]
        self.assertEqual((10 + 12) / 2, estimate.undisturbed([turns]))

    def test_a_single_turn_is_its_cost(self):
        self.assertEqual(7, estimate.undisturbed([[turn(7)]]))

    def test_a_ratio_is_of_two_costs(self):
        found = summary(nginx=[10, 10, 30], portico=[8, 8, 8])["proxies"]
        self.assertAlmostEqual(0.8, found["portico"]["ratio"])
        self.assertEqual(1, found["nginx"]["ratio"])

    def test_what_never_varies_has_no_spread(self):
        self.assertAlmostEqual(0, summary(nginx=[10] * 6, portico=[8] * 6)["proxies"]["portico"]["spread"])

    def test_the_spread_of_a_mean_is_twice_its_standard_error(self):
        costs = [9, 11]  # both count: their mean is 10, its standard error 1
        self.assertAlmostEqual(0.2, summary(nginx=costs)["proxies"]["nginx"]["spread"])

    def test_starts_that_differ_make_the_spread_however_alike_their_rounds(self):
        starts = rounds_of(start_length=4, nginx=[8] * 4 + [10] * 4 + [12] * 4)  # standard error: 2 / sqrt(3)
        self.assertAlmostEqual(2 * 2 / 3 ** 0.5 / 10, estimate.spread(starts, "nginx", None))

    def test_nothing_over_nothing_is_level(self):
        self.assertEqual(1, estimate.over(0, 0))
        self.assertEqual(float("inf"), estimate.over(1, 0))

    def test_who_fails_once_is_left_out(self):
        both = rounds_of(nginx=[1, 1], portico=[1, 1])
        both[1].samples["portico"] = None
        self.assertEqual(["nginx"], estimate.complete(both))
        self.assertEqual([], estimate.complete([]))


class Targets(unittest.TestCase):
    def test_the_best_rival_is_the_cheapest_but_us_and_no_proxy(self):
        found = summary(portico=[1, 1], direct=[1, 1], nginx=[4, 4], h2o=[2, 2])
        self.assertEqual("h2o", found["best"])
        self.assertEqual(0.5, found["proxies"]["portico"]["of_best"])
        self.assertEqual(2, found["proxies"]["nginx"]["of_best"])

    def test_a_target_is_held_against_what_it_names(self):
        measured = {"routes-10000": summary(portico=[6, 6], nginx=[8, 8]), "routes-5": summary(portico=[4, 4])}
        for against, wanted in ((BEST, 0.75), (ITSELF, 6), ("routes-5", 1.5)):
            self.assertEqual(wanted, estimate.reached(Target(1, against), "routes-10000", measured))

    def test_without_a_rival_or_the_other_scenario_nothing_is_said(self):
        alone = {"h1-64": summary(portico=[6, 6])}
        self.assertIsNone(estimate.reached(Target(1), "h1-64", alone))
        self.assertIsNone(estimate.reached(Target(1, "routes-5"), "h1-64", alone))
        self.assertIsNone(estimate.reached(Target(1), "h1-64", {"h1-64": summary(nginx=[6, 6])}))

    def test_every_target_names_a_scenario_that_is_measured_beside(self):
        for scenario in SCENARIOS.values():
            for target in scenario.targets:
                self.assertIn(target.against, (BEST, ITSELF, scenario.beside), scenario.name)


class Comparison(unittest.TestCase):
    OLD = {"nginx": [10] * 6, "haproxy": [11] * 6, "portico": [8] * 6}

    def word(self, **new):
        return estimate.verdict(summary(**self.OLD), summary(**{**self.OLD, **new}))[2]

    def test_dearer_beyond_noise_is_a_regression(self):
        self.assertEqual("REGRESSION", self.word(portico=[9] * 6))
        self.assertEqual("better", self.word(portico=[7] * 6))
        self.assertEqual("level", self.word(portico=[8.3] * 6))

    def test_what_rivals_moved_by_is_noise(self):
        self.assertEqual("level", self.word(portico=[9] * 6, haproxy=[14] * 6))

    def test_a_slower_machine_is_no_regression(self):
        self.assertEqual("level", self.word(**{proxy: [2 * cost for cost in costs] for proxy, costs in self.OLD.items()}))

    def test_the_furthest_ratio_is_named_first(self):
        old = {"scenarios": {"h1-64": summary(**self.OLD)}}
        new = {"scenarios": {"h1-64": summary(**{**self.OLD, "portico": [8.1] * 6, "haproxy": [22] * 6})}}
        changes = estimate.agreement(old, new)
        self.assertEqual(["haproxy", "portico"], [proxy for _, proxy, _ in changes])
        self.assertAlmostEqual(1, changes[0][2])


    def test_what_is_further_apart_is_named(self):
        old = {"scenarios": {"h1-64": summary(**self.OLD), "h1-256": summary(**self.OLD)}}
        new = {"scenarios": {"h1-64": summary(**{**self.OLD, "haproxy": [22] * 6})}}
        said = printed(results.compare, old, new)
        self.assertIn("h1-64 haproxy 1.10 -> 2.20 x nginx (+100%)", said)
        self.assertIn("1 of 2 ratios agree within 5%", said)
        self.assertIn("h1-256: only the old run has it", said)

    def test_two_files_are_compared_without_measuring(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder, "run.json")
            results.write_json(file, {"scenarios": {"h1-64": summary(**self.OLD)}, "storms": {}})
            said = subprocess.run([sys.executable, ROOT / "bench/run.py", "--compare", file, "--of", file],
                                  capture_output=True, text=True)
        self.assertEqual((0, ""), (said.returncode, said.stderr))
        self.assertIn("2 of 2 ratios agree within 5%", said.stdout)


class Slices(unittest.TestCase):
    def span(self, *requests):
        slices = [loads.Work(0.1, 0.01 * number, count, 0) for number, count in enumerate(requests, 1)]
        return loads.Span(loads.Work(0.1 * len(slices), sum(each.cpu for each in slices), sum(requests), 0), slices, 0)

    def test_each_has_its_cost(self):
        costs = self.span(1000, 1000, 1000).costs(loads.requests_of)
        self.assertAlmostEqual(20, costs["cost"])
        self.assertEqual([10, 20, 30], [round(each) for each in costs["slices"]])

    def test_too_little_work_is_not_cut(self):
        costs = self.span(1000, 1000, loads.ENOUGH - 1).costs(loads.requests_of)
        self.assertEqual([costs["cost"]], costs["slices"])


class Loads(unittest.TestCase):
    def test_one_that_does_not_end_is_ended(self):
        loads.PATIENCE, before = 0.1, loads.PATIENCE
        self.addCleanup(setattr, loads, "PATIENCE", before)
        with subprocess.Popen(["sleep", "100"], stdout=subprocess.PIPE, text=True) as load:
            with self.assertRaisesRegex(machine.Failure, "sleep 100 does not end"):
                loads.end_of(load, ["sleep", "100"])
        self.assertLess(load.returncode, 0)


class Files(unittest.TestCase):
    """What a run that was broken off has written."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.options = argparse.Namespace(json=pathlib.Path(self.folder.name, "run.json"), rounds=15, starts=5, seconds=0.3,
                                          add=True)

    def test_only_what_is_missing_is_measured(self):
        first = run.Report(self.options, [])
        first.found["scenarios"]["h1-64"] = summary(nginx=[1] * 6)
        first.found["storms"]["reloads"] = {"portico": STORM}
        first.write()
        second = run.Report(self.options, [])
        self.assertEqual(["big-1m"], second.lacks(["h1-64", "big-1m"], ["portico"]))
        self.assertEqual([], second.lacks(["reloads"], ["portico"]))
        self.assertEqual(["reloads"], second.lacks(["reloads"], ["portico", "nginx"]))

    def test_scenarios_are_written_in_the_order_of_the_table(self):
        report = run.Report(self.options, [])
        scenarios = report.found["scenarios"]
        for name in ("idle", "h1-64"):  # both are the report's, although it was written in between
            scenarios[name] = summary(nginx=[1] * 6)
            report.write()
        self.assertEqual(["h1-64", "idle"], list(run.read(self.options.json)["scenarios"]))

    def test_another_kind_of_run_is_refused(self):
        run.Report(self.options, []).write()
        self.options.seconds = 1
        with self.assertRaisesRegex(machine.Failure, "other seconds"):
            run.Report(self.options, [])


class Order(unittest.TestCase):
    def test_what_is_held_against_another_is_measured_with_it(self):
        names = [[each.name for each in group] for group in rounds.groups(SCENARIOS, ["regex-100", "h1-64"])]
        self.assertEqual([["h1-64"], ["routes-5", "regex-100"]], names)


class Readme(unittest.TestCase):
    def test_the_table_says_cost_ratio_and_target(self):
        document = {"scenarios": {"h1-64": summary(portico=[8, 8], nginx=[10, 10])}, "versions": {"nginx": "nginx 1"},
                    "when": "2026-01-02T03:04:05Z", "machine": {"cpu": "some", "kernel": "6"}, "storms": {}}
        line = next(line for line in results.readme_table(document) if line.startswith("| h1-64"))
        self.assertEqual("| h1-64 | 10 us/request | 0.80 |  |  |  |  | <= 0.8 of the best rival | 0.80 |", line)

    def test_every_scenario_and_storm_has_a_row(self):
        measured = {name: summary(portico=[8, 8], nginx=[10, 10]) for name in SCENARIOS}
        document = {"scenarios": measured, "storms": {"reloads": {"portico": STORM, "nginx": {**STORM, "failed": 1295}}},
                    "versions": {"nginx": "nginx 1"}, "when": "2026-01-02T03:04:05Z",
                    "machine": {"cpu": "some", "kernel": "6"}}
        rows = [line.split(" | ") for line in results.readme_table(document) if line.startswith("| ")]
        self.assertEqual([*SCENARIOS, "reloads"], [row[0].removeprefix("| ") for row in rows[1:]])
        self.assertEqual({len(rows[0])}, {len(row) for row in rows})
        self.assertEqual(["1,295 failed, 0 dropped, 2 processes, memory x 1.00", "0 failed, 0 dropped, 2 processes, memory x 1.00"],
                         rows[-1][1:3])
        self.assertEqual("yes |", rows[-1][-1])

    def test_what_a_storm_has_cost_is_said(self):
        row = results.storm_line("reloads", {"portico": {**STORM, "failed": 3, "processes": 4}}, ["portico"])
        self.assertIn("| failed requests, more processes **no** |", row)

    def test_readme_shows_what_was_measured(self):
        text = (ROOT / "README.md").read_text()
        document = json.loads((ROOT / "bench" / "measured.json").read_text())
        self.assertEqual(results.with_table(text, document), text, "./dev bench --readme bench/measured.json")


if __name__ == "__main__":
    unittest.main()
