"""Every key of the setting tables can be changed under a running gateway: it counts from the reload on, or is said to need a restart."""
import pathlib
import re
import signal
import subprocess

import pytest

from lib import yaml
from lib.gateway import route_to
from lib.upstream import named
from lib.wait import BINARY, wait_until

ROOT = pathlib.Path(__file__).parents[3]
_ROW = re.compile(r'^SETTING\((\w+),\s*(\w+),\s*(\w+),.*?"([^"]*)",\s*"([^"]*)",\s*(true|false),', re.M)
_LINE_END = re.compile(r"\n\s+")


def rows():
    """(section, key, type, default, words, reloadable) of every scalar in the tables."""
    for table in sorted((ROOT / "gateway/config").glob("settings*.def")):
        yield from _ROW.findall(_LINE_END.sub(" ", table.read_text()))


# Where a section stands in the file; None: in a mapping of its own at the top.
PLACES = {
    "process": lambda c: c.setdefault("process", {}),
    "log": lambda c: c.setdefault("log", {}),
    "client": lambda c: c.setdefault("client", {}),
    "inherited": lambda c: c["sites"][0]["routes"][0],
    "upstream": lambda c: c["upstreams"]["app"],
    "limit": lambda c: c["limits"]["some"],
    "queue": lambda c: c["upstreams"]["app"]["queue"],
    "cookies": lambda c: c["defaults"]["headers"]["cookies"],
    "basic_auth": lambda c: c["sites"][0]["routes"][4]["basic_auth"],
    "forward_auth": lambda c: c["sites"][0]["routes"][5]["forward_auth"],
    "access": lambda c: c["sites"][0]["routes"][7]["access"],
    "cors": lambda c: c["sites"][0]["routes"][6]["cors"],
    "redirect": lambda c: c["sites"][0]["routes"][1]["redirect"],
    "respond": lambda c: c["sites"][0]["routes"][2]["respond"],
    "maintenance": lambda c: c["sites"][0]["routes"][3]["maintenance"],
}
# What needs more than a value, and has scenarios of its own.
ELSEWHERE = {"listener", "tls", "upstream_tls", "client_certificates"}
HASH = "$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GL" \
       "c1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1"
OTHER = {"TARGET": "/nowhere/seven", "COUNT": "7", "DURATION": "7s", "SIZE": "7KiB"}
SAID_AS = {("maintenance", "on"): "maintenance"}  # a whole mapping goes
PARTICULAR = {
    ("cookies", "same_site"): "strict", ("limit", "status"): "503", ("respond", "status"): "201", ("maintenance", "status"): "501",
    ("limit", "memory"): "1MiB", ("process", "memory_max"): "1GiB",
    ("log", "access"): "stdout", ("log", "level"): "debug", ("upstream", "protocol"): "h2c",
}


def other_value(section, key, kind, words, default):
    if (section, key) in PARTICULAR:
        return PARTICULAR[section, key]
    if kind == "SWITCH":
        return "false" if default == "true" else "true"
    if kind == "CHOICE":
        return next(word for word in words.split() if word != default)
    return OTHER[kind]


ROWS = [row for row in rows() if row[0] in PLACES]


def test_the_tables_hold_no_section_that_nobody_changes():
    assert {row[0] for row in rows()} - set(PLACES) - ELSEWHERE == set()
    assert len(ROWS) > 20


@pytest.mark.parametrize("section, key, kind, default, words, reloadable", ROWS,
                         ids=[f"{row[0]}.{row[1]}" for row in ROWS])
def test_a_changed_key(portico, upstream, tmp_path, section, key, kind, default, words, reloadable):
    app = {"servers": [upstream(named("app")).address], "connections_max": 100, "queue": {"length": 50}}
    routes = [route_to("app", "/app"), {"prefix": "/redirect", "redirect": {"to": "/elsewhere"}},
              {"prefix": "/respond", "respond": {"body": "hello"}}, route_to("app", "/maintenance", maintenance={"status": 500}),
              route_to("app", "/basic", basic_auth={"users": {"anna": HASH}}),
              route_to("app", "/judged", forward_auth={"upstream": "app", "path": "/judge"}),
              route_to("app", "/cors", cors={"origins": ["https://a.test"]}), route_to("app", "/access", access={"allow": ["127.0.0.0/8"]})]
    gateway = portico({"app": app}, routes=routes, limits={"some": {"rate": "1000/s"}},
                      defaults={"limits": ["some"], "headers": {"cookies": {"same_site": "lax"}}})
    before = tmp_path / "before.yaml"
    before.write_text(yaml.dump(gateway.config))
    value = other_value(section, key, kind, words, default)
    PLACES[section](gateway.config)[key] = value
    gateway.config_file.write_text(yaml.dump(gateway.config))
    compared = subprocess.run([BINARY, "check", gateway.config_file, "--against", before], capture_output=True, text=True)
    assert compared.returncode == 0, compared.stderr
    name = SAID_AS.get((section, key), key)
    said = [line for line in compared.stdout.splitlines() if f"{name} " in line]
    assert len(said) == 1 and value in said[0], compared.stdout
    assert ("needs a restart" in said[0]) == (reloadable == "false")
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: "serving the new configuration" in gateway.stderr(), "the reload")
    assert any(f"{name} " in line and value in line for line in gateway.stderr().splitlines())
    with gateway.client() as client:
        assert client.get("/app").status in (200, 502)
