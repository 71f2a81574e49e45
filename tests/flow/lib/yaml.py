"""Writes a configuration as a person would: block style, quotes where they are needed."""
import json
import re

_PLAIN = re.compile(r"[A-Za-z0-9/][A-Za-z0-9_./-]*")


def _scalar(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) or _PLAIN.fullmatch(str(value)):
        return str(value)
    return json.dumps(value)


def _lines(value, indent):
    pad = "  " * indent
    items = value.items() if isinstance(value, dict) else ((None, item) for item in value)
    for key, item in items:
        lead = pad + ("-" if key is None else f"{_scalar(key)}:")
        if isinstance(item, (dict, list)) and item:
            yield lead
            yield from _lines(item, indent + 1)
        else:
            yield f"{lead} {'[]' if isinstance(item, (dict, list)) else _scalar(item)}"


def dump(config):
    return "\n".join(_lines(config, 0)) + "\n"
