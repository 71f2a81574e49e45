"""Access records, with the fields of gateway/tables/log_fields.def."""
import json
import pathlib
import re

_TABLE = pathlib.Path(__file__).parents[3] / "gateway/tables/log_fields.def"
FIELDS = dict(re.findall(r'^LOG_FIELD\("(\w+)",\s*(\w+)', _TABLE.read_text(), re.M))
LEFT_OUT = {name for name, kind in FIELDS.items() if kind in ("OPTIONAL", "WORD", "DETAIL")}  # when empty
NO_FAULT = "ok"


class Record:
    """One line of the JSON access log: record.cause, record.status, ... None when the line does not have it."""

    def __init__(self, line):
        self.values = json.loads(line)

    def __getattr__(self, name):
        assert name in FIELDS, f"no field {name}"
        return self.values.get(name)

    def __repr__(self):
        return f"Record({self.values})"
