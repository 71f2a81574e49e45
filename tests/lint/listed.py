"""A file that no meson.build names is never compiled or never run: each one has to be listed."""
from source import GATEWAY, ROOT, finding, report

TESTS = ROOT / "tests"


def check(build_file, paths, suffix):
    listed = build_file.read_text()
    for path in sorted(paths):
        name = path.as_posix().removesuffix(suffix)
        if f"'{name}'" not in listed:
            finding(build_file, 1, f"'{name}' is missing; add it to the list, in floor order")


def main():
    sources = (path.relative_to(GATEWAY) for path in GATEWAY.glob("*/**/*.c"))
    units = (path.relative_to(TESTS / "unit") for path in TESTS.glob("unit/**/*_test.c"))
    targets = (path.relative_to(TESTS / "fuzz") for path in TESTS.glob("fuzz/*_fuzz.c"))
    check(GATEWAY / "meson.build", sources, "")
    check(TESTS / "meson.build", units, "_test.c")
    check(TESTS / "meson.build", targets, "_fuzz.c")
    report()


main()
