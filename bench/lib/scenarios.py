"""The table of scenarios: what each proxy is configured to do, under what load it is put, and what is to be reached.

To add one, give it a row; a new kind of load is a function in loads.py.
"""
import dataclasses
import functools
from typing import Callable

import holding
import loads

PREFIX, PREFIX_PATH = "/service-{:05d}", "/service-%05d/items/42"
REGEX, REGEX_PATH = "^/service-{:03d}/users/[0-9]+$", "/service-%03d/users/42"
BEST, ITSELF = "best", "itself"


def everything():
    return [("prefix", "/")]


def prefixes(count):
    return [("prefix", PREFIX.format(number)) for number in range(count)]


def regexes(count):
    return [("regex", REGEX.format(number)) for number in range(count)]


@dataclasses.dataclass(frozen=True)
class Target:
    """What one figure of ours may be at most: of the best rival's, of our own in another scenario, or in its unit."""
    limit: float
    against: str = BEST           # or ITSELF, or the name of a scenario
    field: str = "cost"

    def text(self):
        of = {BEST: " of the best rival", ITSELF: ""}.get(self.against, f" of {self.against}")
        return f"{self.field if self.field != 'cost' else ''} <= {self.limit:g}{of}".strip()


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    unit: str                     # of the cost
    load: Callable                # (target, seconds) -> Sample
    targets: tuple = ()
    routes: Callable = everything
    probe: str = "/"              # a path that has to answer 200 before anything is measured
    limited: bool = False         # by a rate limit that nobody reaches, keyed by X-Key
    tls: bool = False             # the probe, too, goes to the TLS port
    fresh: int = 0                # starts, where it needs proxies that have done nothing yet
    paced: bool = False           # at half of what the yardstick can do, which has to be found first
    beside: str | None = None     # measured in the same rounds as this one, which it is held against
    seconds: float = 1            # its turns are so many times as long as others'
    direct: bool = True           # makes sense without a proxy
    quick: bool = True            # is part of --quick

    def setting(self):
        """What the proxies have to be started for."""
        return self.routes(), self.limited


def best(limit):
    return (Target(limit),)


def small(connections):
    return functools.partial(loads.http, connections=connections)


def answers(path, size):
    return functools.partial(loads.http, connections=16, per="byte", size=size, path=path)


def cycle(path, count):
    return functools.partial(loads.http, connections=64, script="cycle.lua", args=(path, count))


def routed(count, *targets, **more):
    return Scenario(f"routes-{count}", "us/request", cycle(PREFIX_PATH, count), targets, direct=False,
                    routes=functools.partial(prefixes, count), probe=PREFIX_PATH % (count - 1), **more)


def limited(count, *targets, **more):
    load = functools.partial(loads.http, connections=64, script="keys.lua", args=(count or 1,))
    return Scenario(f"limiter-{count}", "us/request", load, targets, limited=count > 0, direct=False, quick=False,
                    **more)


UPLOAD = functools.partial(loads.http, connections=4, per="byte", size=None, path="/upload",
                           script="upload.lua")


def echoes(size):
    return functools.partial(loads.websocket, connections=500, size=size)


def secure(name, unit, targets, load, quick=False, times=1, **more):
    return Scenario(name, unit, functools.partial(load, tls=True, **more), targets, tls=True, direct=False, quick=quick,
                    seconds=times)


def paced(name, tls=False, **more):
    load = functools.partial(loads.open_loop, connections=128, tls=tls)
    return Scenario(name, "us/request", load, (Target(1, field="p99"),), tls=tls, paced=True, direct=False, quick=False, **more)


def held(name, unit, targets, load, tls=False, starts=3, **more):
    return Scenario(name, unit, functools.partial(load, tls=tls, **more), targets, tls=tls, fresh=starts, direct=False,
                    quick=False)


SCENARIOS = {scenario.name: scenario for scenario in (
    Scenario("h1-64", "us/request", small(64), best(0.80)),
    Scenario("h1-256", "us/request", small(256), best(0.80), quick=False),
    Scenario("big-100k", "ns/byte", answers("/100k", 100 << 10), best(0.70), quick=False),
    Scenario("big-1m", "ns/byte", answers("/1m", 1 << 20), best(0.70), seconds=1.5),
    Scenario("upload-100m", "ns/byte", UPLOAD, (Target(0.60), Target(4096, ITSELF, "growth")), seconds=2),
    Scenario("ws-64", "us/message", echoes(64), best(0.95)),
    Scenario("ws-16k", "us/message", echoes(16384), best(0.75), quick=False),
    routed(5, quick=False),
    routed(10000, Target(1.05, "routes-5"), beside="routes-5", quick=False),
    Scenario("regex-100", "us/request", cycle(REGEX_PATH, 100), (Target(1.15, "routes-5"),), beside="routes-5",
             routes=functools.partial(regexes, 100), probe=REGEX_PATH % 99, direct=False, quick=False),
    limited(0),
    limited(1, beside="limiter-0"),
    limited(100000, Target(1.03, "limiter-0"), beside="limiter-0"),
    secure("tls-64", "us/request", best(0.82), loads.http, connections=64, quick=True),
    secure("h2-tls", "us/request", best(0.90), loads.http2, connections=32, streams=32, quick=True),
    secure("h2-tls-1", "us/request", best(0.90), loads.http2, connections=1, streams=32),
    secure("tls-full", "us/connection", best(0.95), loads.handshakes, connections=16, kind="full", times=1.5),
    secure("tls-resumed", "us/connection", best(0.95), loads.handshakes, connections=16, kind="resumed", quick=True, times=1.5),
    secure("big-100k-tls", "ns/byte", best(0.90), loads.http, connections=16, per="byte", path="/100k", size=100 << 10),
    secure("big-1m-tls", "ns/byte", best(0.90), loads.http, connections=16, per="byte", path="/1m", size=1 << 20, times=1.5),
    paced("half-rate", seconds=2),
    paced("half-rate-tls", tls=True, seconds=2),
    held("idle", "KiB/connection", (Target(0.5, ITSELF),), holding.idle, connections=9400, starts=2),
    held("idle-tls", "KiB/connection", (Target(13, ITSELF),), holding.idle, tls=True, connections=1000, starts=2),
    held("slow-readers", "KiB/connection", (Target(64, ITSELF),), holding.slow_readers, readers=100, starts=2),
    held("slow-tls", "KiB/connection", (Target(64, ITSELF),), holding.slow_readers, tls=True, readers=100, starts=2),
    held("beside-slow", "us/request", (), holding.slow_readers, readers=100, starts=2, cost="cpu"),
)}
