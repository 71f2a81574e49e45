"""The table of scenarios: what each proxy is configured to do and under what load it is put.

To add one, give it a row; a new kind of load is a function in loads.py.
"""
import dataclasses
import functools
from typing import Callable

import loads

PREFIX, PREFIX_PATH = "/service-{:05d}", "/service-%05d/items/42"
REGEX, REGEX_PATH = "^/service-{:03d}/users/[0-9]+$", "/service-%03d/users/42"


def everything():
    return [("prefix", "/")]


def prefixes(count):
    return [("prefix", PREFIX.format(number)) for number in range(count)]


def regexes(count):
    return [("regex", REGEX.format(number)) for number in range(count)]


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    unit: str                     # of the cost
    load: Callable                # (target, seconds) -> Sample
    routes: Callable = everything
    probe: str = "/"              # a path that has to answer 200 before anything is measured
    limited: bool = False         # by a rate limit that nobody reaches, keyed by X-Key
    tls: bool = False             # the probe, too, goes to the TLS port
    fresh: bool = False           # needs proxies that have done nothing yet
    direct: bool = True           # makes sense without a proxy
    quick: bool = True            # is part of --quick


def small(connections):
    return functools.partial(loads.http, connections=connections)


def answers(path, size):
    return functools.partial(loads.http, connections=16, per="byte", size=size, path=path)


def cycle(path, count):
    return functools.partial(loads.http, connections=64, script="cycle.lua", args=(path, count))


def routed(count, **more):
    return Scenario(f"routes-{count}", "us/request", cycle(PREFIX_PATH, count), direct=False,
                    routes=functools.partial(prefixes, count), probe=PREFIX_PATH % (count - 1), **more)


def limited(count, **more):
    return Scenario(f"limiter-{count}", "us/request", functools.partial(loads.http, connections=64, script="keys.lua", args=(count or 1,)),
                    limited=count > 0, direct=False, quick=False, **more)


UPLOAD = functools.partial(loads.http, connections=4, per="byte", size=None, path="/upload",
                           script="upload.lua")


def echoes(size):
    return functools.partial(loads.websocket, connections=500, size=size)


def secure(name, unit, load, quick=False, **more):
    return Scenario(name, unit, functools.partial(load, **more), tls=True, direct=False, quick=quick)


SCENARIOS = {scenario.name: scenario for scenario in (
    Scenario("h1-64", "us/request", small(64)),
    Scenario("h1-256", "us/request", small(256), quick=False),
    Scenario("big-100k", "ns/byte", answers("/100k", 100 << 10), quick=False),
    Scenario("big-1m", "ns/byte", answers("/1m", 1 << 20)),
    Scenario("upload-100m", "ns/byte", UPLOAD),
    Scenario("ws-64", "us/message", echoes(64)),
    Scenario("ws-16k", "us/message", echoes(16384), quick=False),
    routed(5, quick=False),
    routed(10000),
    Scenario("regex-100", "us/request", cycle(REGEX_PATH, 100), routes=functools.partial(regexes, 100),
             probe=REGEX_PATH % 99, direct=False, quick=False),
    limited(0),
    limited(1),
    limited(100000),
    Scenario("idle-8k", "KiB/connection", functools.partial(loads.idle, connections=8000), fresh=True,
             direct=False, quick=False),
    secure("tls-64", "us/request", loads.https, connections=64, quick=True),
    secure("h2-tls", "us/request", loads.http2, connections=32, streams=32, quick=True),
    secure("h2-tls-1", "us/request", loads.http2, connections=1, streams=32),
    secure("tls-full", "us/connection", loads.handshakes, connections=16, kind="full"),
    secure("tls-resumed", "us/connection", loads.handshakes, connections=16, kind="resumed", quick=True),
    secure("big-1m-tls", "ns/byte", loads.https, connections=16, path="/1m", size=1 << 20),
    Scenario("idle-tls", "KiB/connection", functools.partial(loads.idle, connections=2000, tls=True), tls=True,
             fresh=True, direct=False, quick=False),
)}
