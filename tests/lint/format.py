"""All C looks as .clang-format says. Without --fix it only tells; with --fix (./dev fmt) it rewrites."""
import re
import subprocess
import sys

fix = "--fix" in sys.argv
sys.argv = [argument for argument in sys.argv if not argument.startswith("--")]

from source import ROOT, finding, report  # noqa: E402  (source reads sys.argv)


def c_files():
    for folder in ("gateway", "tests"):
        for path in sorted((ROOT / folder).rglob("*.[ch]")):
            if (ROOT / "tests/lint/bad") not in path.parents and "node_modules" not in path.parts:
                yield path


def main():
    paths = list(c_files())
    mode = ["-i"] if fix else ["--dry-run", "-Werror"]
    said = subprocess.run(["clang-format-14", "--style=file", *mode, *paths], capture_output=True, text=True) \
        if paths else None
    seen = set()
    for path in paths:
        lines = re.findall(rf"^{re.escape(str(path))}:(\d+):", said.stderr, re.M)
        for line in lines[:1]:
            seen.add(path)
            finding(path, line, "not as .clang-format says; run ./dev fmt")
    if said and said.returncode and not seen:
        sys.exit(said.stderr)
    report()


main()
