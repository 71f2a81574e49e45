"""Proves that no lint is vacuous: bad/<lint>/ is a small tree with faults, bad/<lint>/expected is what it must say."""
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).parent


def check(lint):
    tree = HERE / "bad" / lint.stem
    if not tree.is_dir():
        return f"{lint.name}: no bad/{lint.stem}/ to prove that it can fail"
    env = {**os.environ, "PORTICO": str(tree / "portico")}
    ran = subprocess.run([sys.executable, lint, tree], capture_output=True, text=True, env=env)
    if ran.returncode != 1 or ran.stdout != (tree / "expected").read_text():
        return f"{lint.name}: exit {ran.returncode}, said\n{ran.stdout}{ran.stderr}but bad/{lint.stem}/expected differs"
    return None


def main():
    lints = sorted(path for path in HERE.glob("*.py") if path.stem not in ("source", "selftest"))
    failures = [failure for failure in map(check, lints) if failure]
    print(*failures or [f"{len(lints)} lints fail when they should"], sep="\n")
    sys.exit(1 if failures else 0)


main()
