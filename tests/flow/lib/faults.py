"""gateway/tables/faults.def as the scenarios read it, and the shape of every answer that the gateway makes itself."""
import collections
import pathlib
import re

Fault = collections.namedtuple("Fault", "name status closes proxy_error sentence")

_TABLE = pathlib.Path(__file__).parents[3] / "gateway/tables/faults.def"
_ROW = re.compile(r'^FAULT\((\w+),\s*(\d+),\s*([^,]+),\s*\w+,\s*"([^"]*)",\s*"([^"]*)"\)', re.M)

FAULTS = {name: Fault(name, int(status), "CLOSES" in flags, error, sentence)
          for name, status, flags, error, sentence in _ROW.findall(_TABLE.read_text())}


def assert_made_here(response, name):
    """The answer carries what every answer of the gateway carries, and says the fault's status, error type and name."""
    fault = FAULTS[name]
    assert response.status == fault.status
    assert response.get("X-Request-Id")
    assert fault.proxy_error in (response.get("Proxy-Status") or "")
    if response.body:  # none after HEAD
        assert f"({name})".encode() in response.body or response.json["cause"] == name, response.body
    if fault.closes:
        assert response.get("Connection") == "close"
