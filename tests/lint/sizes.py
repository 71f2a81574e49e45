"""Limits that keep a page readable: lines of a function, a file, a header; nesting; parameters; the median function."""
import re
import statistics

from source import GATEWAY, finding, functions, gateway_files, report

FUNCTION, FILE, HEADER, NESTING, PARAMETERS, MEDIAN = 60, 600, 250, 3, 5, 20
# What stands before a brace that opens a block; other braces belong to values. A case's own braces add no level.
BLOCK = re.compile(r"(?:\)\s+|\belse\s+|\bdo\s+|[;{}]\s*)$")
CASE = re.compile(r":\s*$")


def kind_of_brace(before, inside):
    if inside == "value":
        return "value"
    if CASE.search(before):
        return "case"
    return "block" if inside is None or BLOCK.search(before) else "value"


def nesting(body):
    kinds, deepest = [], 0
    for match in re.finditer(r"[{}]", body):
        if match.group() == "}":
            kinds.pop()
            continue
        before = body[max(0, match.start() - 200) : match.start()]
        kinds.append(kind_of_brace(before, kinds[-1] if kinds else None))
        deepest = max(deepest, kinds.count("block") - 1)
    return deepest


def check_file(path):
    text = path.read_text()
    lines, limit = text.count("\n"), HEADER if path.suffix == ".h" else FILE
    if lines > limit:
        finding(path, 1, f"{lines} lines, at most {limit}; split it by what it knows")
    lengths = []
    for function in functions(text):
        lengths.append(function.length)
        where = (path, function.line)
        if function.length > FUNCTION:
            finding(*where, f"{function.name} has {function.length} lines, at most {FUNCTION}; "
                    "give a part of it a name")
        if nesting(function.body) > NESTING:
            finding(*where, f"{function.name} nests {nesting(function.body)} deep, at most {NESTING}; "
                    "return early or name the inner part")
        if function.parameters > PARAMETERS:
            finding(*where, f"{function.name} takes {function.parameters} parameters, at most {PARAMETERS}; "
                    "pass a struct")
    return lengths


def main():
    lengths = [length for path in gateway_files(".c", ".h") for length in check_file(path)]
    if lengths:
        median = statistics.median(lengths)
        print(f"{len(lengths)} functions, median {median:g} lines")
        if median > MEDIAN:
            finding(GATEWAY, 1, f"the median function has {median:g} lines, at most {MEDIAN}; split the long ones")
    report()


main()
