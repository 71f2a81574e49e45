"""Adds up every suite of one ./dev test: DIR/<suite>.status (exit code), DIR/<suite>.xml (junit), DIR/*-report.*.

The last line is always "N passed, N failed"; what failed is named above it, since the end of a long run is
what is kept of it. A suite that ran nothing, or that failed without naming a case, counts as one failure; so
does each report that a sanitizer left.
"""
import pathlib
import sys
import xml.etree.ElementTree as xml

SHOWN = 2000  # characters of what a case says

def cases(path):
    try:
        return list(xml.parse(path).iter("testcase"))
    except (OSError, xml.ParseError):
        return []


def complaint(case):
    """What the case says of its failure; None: it did not fail."""
    for tag in "failure", "error":
        found = case.find(tag)
        if found is not None:
            return found.get("message") or found.text or ""
    return None


def count(status):
    """How many passed, the names of what failed, how many were skipped."""
    ran = cases(status.with_suffix(".xml"))
    failed = [f"{case.get('classname')}: {case.get('name')}: {said[:SHOWN]}" for case in ran if (said := complaint(case)) is not None]
    skipped = sum(1 for case in ran if case.find("skipped") is not None)
    passed = len(ran) - len(failed) - skipped
    if not failed and (passed == 0 or status.read_text().strip() != "0"):
        failed = [f"exit status {status.read_text().strip()} with {passed} passed"]
    return passed, failed, skipped


def main():
    results = pathlib.Path(sys.argv[1])
    total_passed, named = 0, []
    reports = sorted(results.glob("*-report.*"))
    for report in reports:
        print(f"\n== {report}\n{report.read_text(errors='replace')}")
    print()
    for status in sorted(results.glob("*.status"), key=lambda path: path.stat().st_mtime_ns):
        passed, failed, skipped = count(status)
        total_passed += passed
        named += [f"FAILED {status.stem}: {case}" for case in failed]
        print(f"{status.stem:12} {passed:6} passed {len(failed):4} failed" + (f" {skipped:4} skipped" if skipped else ""))
    if reports:
        named += [f"FAILED {report.name}: see above" for report in reports]
        print(f"{'sanitizers':12} {len(reports):6} reports")
    print(*named, sep="\n", end="\n" if named else "")
    print(f"{total_passed} passed, {len(named)} failed")
    return 1 if named else 0


sys.exit(main())
