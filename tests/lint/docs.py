"""Every file says what it owns, every public declaration says what it promises, and nothing is left for later."""
import re

from source import ROOT, code, finding, gateway_files, report, without_directives

LEFTOVER = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")
NO_COMMENT_NEEDED = re.compile(r"(?:struct|enum|union)\s+\w+\s*;|_Static_assert\b|static_assert\b")


def check_opening(path, text):
    opening = re.match(r"/\*.*?\*/|(?://[^\n]*\n)+", text, re.S)
    lines = opening.group().splitlines() if opening else []
    words = [line for line in lines if re.search(r"\w", line)]  # the lines that are more than /* and */
    if len(lines) < 3 or len(words) > 8:
        finding(path, 1, f"opens with {len(words)} lines of comment; "
                "say in 3 to 8 what it owns, who calls it, what it must not know")


def declarations(stripped):
    """(offset, text) of each statement at the top level."""
    depth, start = 0, None
    for offset, char in enumerate(stripped):
        if start is None and not char.isspace():
            start = offset
        depth += (char in "{(") - (char in "})")
        function_end = char == "}" and depth == 0 and stripped[offset - 1] in "\n{"
        body = start is not None and function_end and re.search(r"\)\s*\{", stripped[start:offset])
        if depth == 0 and start is not None and (char == ";" or body):
            yield start, stripped[start : offset + 1]
            start = None


def commented(lines, stripped_lines, number):
    """A comment stands above, or above the neighbours it shares a block with."""
    for above in range(number - 2, -1, -1):
        if not lines[above].strip():
            return False
        if not stripped_lines[above].strip():
            return True
    return False


def check_header(path, text):
    stripped = without_directives(code(text))
    lines, stripped_lines = text.splitlines(), code(text).splitlines()
    for start, declaration in declarations(stripped):
        number = stripped.count("\n", 0, start) + 1
        if NO_COMMENT_NEEDED.match(declaration) or commented(lines, stripped_lines, number):
            continue
        first = declaration.split("\n")[0].rstrip(" {")
        finding(path, number, f"'{first}' has no comment; say what it promises right above it")


def check_leftovers(path):
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        if LEFTOVER.search(line):
            finding(path, number, f"{LEFTOVER.search(line).group()}: do it, or open an issue and take the note out")


def written_files():
    for folder in ("gateway", "tests", "bench", "conf"):
        for path in sorted((ROOT / folder).rglob("*")):
            own = "node_modules" in path.parts or (ROOT / "tests/lint") in path.parents
            if not own and path.suffix in (".c", ".h", ".def", ".py", ".sh", ".yaml"):
                yield path


def main():
    for path in gateway_files(".c", ".h"):
        text = path.read_text()
        check_opening(path, text)
        if path.suffix == ".h":
            check_header(path, text)
    for path in written_files():
        check_leftovers(path)
    report()


main()
