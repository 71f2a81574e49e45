"""What the lints share: the files of the house, C text without comments and strings, functions, findings.

A lint is called with no argument for the repository, or with the root of another tree (selftest.py does).
"""
import pathlib
import re
import sys
from dataclasses import dataclass

ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2]).resolve()
GATEWAY = ROOT / "gateway"

_TOKEN = re.compile(r"""/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.S)
_DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.M)
_findings = []


def finding(path, line, text):
    _findings.append(f"{path.relative_to(ROOT)}:{line}: {text}")


def report():
    print(*_findings, sep="\n", end="\n" if _findings else "")
    sys.exit(1 if _findings else 0)


def gateway_files(*suffixes):
    return sorted(path for path in GATEWAY.rglob("*") if path.suffix in suffixes)


def blank(match):
    return re.sub(r"[^\n]", " ", match.group())


def code(text):
    """The text with comments, strings and characters blanked; lines and columns stay where they were."""
    return _TOKEN.sub(blank, text)


def without_directives(stripped):
    return _DIRECTIVE.sub(blank, stripped)


@dataclass
class Function:
    name: str
    parameters: int
    line: int
    length: int
    body: str


def functions(text):
    """Formatted code: a function's body opens and closes with a brace in column 0."""
    stripped = without_directives(code(text))
    for match in re.finditer(r"^\{.*?^\}", stripped, re.M | re.S):
        signature = re.split(r"[;{}]|\n[ \t]*\n", stripped[: match.start()].rstrip())[-1]
        name, parameters = _parse_signature(signature)
        first = stripped.rindex(signature.strip(), 0, match.start()) if signature.strip() else match.start()
        line = stripped.count("\n", 0, first) + 1
        last = stripped.count("\n", 0, match.end()) + 1
        yield Function(name, parameters, line, last - line + 1, match.group())


# What a library passes to its callbacks is not ours to choose; such a function is known by the library's handle.
LIBRARY_CALLBACK = re.compile(r"nghttp2_session\s*\*")


def _parse_signature(signature):
    signature = re.sub(r"__attribute__\s*\(\(.*?\)\)", " ", signature, flags=re.S)
    match = re.search(r"(\w+)\s*\((.*)\)\s*$", signature, re.S)
    if not match:
        return "?", 0
    inside = match.group(2).strip()
    if inside in ("", "void"):
        return match.group(1), 0
    if LIBRARY_CALLBACK.match(inside):
        return match.group(1), 1
    while re.search(r"\([^()]*\)", inside):
        inside = re.sub(r"\([^()]*\)", "", inside)
    return match.group(1), inside.count(",") + 1
