"""conf/REFERENCE.md is what the setting tables say: the binary ($PORTICO) prints it, the file must be equal."""
import os
import subprocess

from source import ROOT, finding, report


def main():
    page = ROOT / "conf/REFERENCE.md"
    printed = subprocess.run([os.environ["PORTICO"], "reference"], check=True, capture_output=True, text=True).stdout
    written = page.read_text().splitlines() if page.exists() else []
    wanted = printed.splitlines()
    if written != wanted:
        same = 0
        while same < min(len(written), len(wanted)) and written[same] == wanted[same]:
            same += 1
        finding(page, same + 1, "differs from the tables; run build/release/portico reference > conf/REFERENCE.md")
    report()


main()
