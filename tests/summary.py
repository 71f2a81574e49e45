"""Adds up every suite of one ./dev test: DIR/<suite>.status (exit code), DIR/<suite>.xml (junit), DIR/*-report.*.

The last line is always "N passed, N failed". A suite that ran nothing, or that failed without naming a
case, counts as one failure; so does each report that a sanitizer left.
"""
import pathlib
import sys
import xml.etree.ElementTree as xml


def cases(path):
    try:
        return list(xml.parse(path).iter("testcase"))
    except (OSError, xml.ParseError):
        return []


def count(status):
    ran = cases(status.with_suffix(".xml"))
    failed = sum(1 for case in ran if case.find("failure") is not None or case.find("error") is not None)
    skipped = sum(1 for case in ran if case.find("skipped") is not None)
    passed = len(ran) - failed - skipped
    if failed == 0 and (passed == 0 or status.read_text().strip() != "0"):
        failed = 1
    return passed, failed, skipped


def main():
    results = pathlib.Path(sys.argv[1])
    total_passed = total_failed = 0
    reports = sorted(results.glob("*-report.*"))
    for report in reports:
        print(f"\n== {report}\n{report.read_text(errors='replace')}")
    print()
    for status in sorted(results.glob("*.status"), key=lambda path: path.stat().st_mtime_ns):
        passed, failed, skipped = count(status)
        total_passed += passed
        total_failed += failed
        print(f"{status.stem:12} {passed:6} passed {failed:4} failed" + (f" {skipped:4} skipped" if skipped else ""))
    if reports:
        total_failed += len(reports)
        print(f"{'sanitizers':12} {len(reports):6} reports")
    print(f"{total_passed} passed, {total_failed} failed")
    return 1 if total_failed else 0


sys.exit(main())
