"""The wall clock jumps: what is counted in time goes on as if nothing had happened; only what tells the time follows."""
import datetime
import threading
import time

import pytest

from lib.client import get, post, upgrade
from lib.clock import DAY, HOUR, Clock, date_of
from lib.faults import assert_made_here
from lib.gateway import route_to
from lib.upstream import answers, ok, repeat_bytes, websocket
from lib.wait import PATIENCE, wait_until

JUMPS = {"a day ahead": DAY, "a day back": -DAY, "far ahead": 9 * 365 * DAY, "to 1970": 3600 - int(time.time())}
PART = b"half of it "


@pytest.fixture
def clock(tmp_path):
    return Clock(tmp_path)


@pytest.fixture(params=JUMPS.values(), ids=JUMPS.keys())
def jump(request, clock):
    return lambda: clock.jump(request.param)


def record_of(gateway, target):
    """The access record of the request, once it is there."""
    return wait_until(lambda: next((record for record in gateway.log_records() if record.target == target), None), "the record")


def now_in(record):
    return datetime.datetime.fromisoformat(record.time.replace("Z", "+00:00"))


def in_halves(released):
    def script(connection):
        while request := connection.request():
            if request.target == "/held":
                connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (2 * len(PART)) + PART)
                assert released.wait(PATIENCE)
                connection.send(PART)
            else:
                connection.send(ok(b"quick"))
    return script


def test_what_is_under_way_goes_on(portico, upstream, clock, jump):
    released = threading.Event()
    gateway = portico({"app": upstream(in_halves(released)), "ws": upstream(websocket(repeat_bytes))}, environment=clock.environment,
                      routes=[route_to("ws", "/ws"), route_to("app")])
    with gateway.client() as held, gateway.client() as idle, gateway.client() as half, gateway.client() as tunnel, \
            gateway.client() as upload:
        held.send(get("/held"))
        assert held.head().status == 200 and held.exactly(len(PART)) == PART
        assert idle.get("/").body == b"quick"
        half.send(get("/")[:-2])
        upload.send(post(b"12345678")[:-4])
        tunnel.send(upgrade("/ws"))
        assert tunnel.head().status == 101
        jump()
        wait_until(lambda: clock.is_shown_by(date_of(idle.get("/"))), "the new time")
        tunnel.send(b"still there")
        assert tunnel.exactly(11) == b"still there"
        half.send(b"\r\n")
        assert half.response().body == b"quick"
        upload.send(b"5678")
        assert upload.response().body == b"quick"
        released.set()
        assert held.exactly(len(PART)) == PART
        assert idle.get("/").body == b"quick"
    assert record_of(gateway, "/held").cause == "ok"


def test_limits_of_time_hold(portico, upstream, clock, jump):
    """They end when they should, neither at once nor never."""
    released = threading.Event()
    gateway = portico({"app": upstream(lambda connection: connection.rest()), "slow": upstream(in_halves(released))},
                      environment=clock.environment,
                      routes=[route_to("app", "/never", first_byte_timeout="600ms"), route_to("slow", between_bytes_timeout="600ms")])
    with gateway.client() as never, gateway.client() as stopped:
        begun = time.monotonic()
        never.send(get("/never"))
        stopped.send(get("/held"))
        assert stopped.head().status == 200
        jump()
        assert_made_here(never.response(), "first_byte_timeout")
        assert stopped.rest() == PART
        assert 0.5 < time.monotonic() - begun < PATIENCE
    released.set()
    assert {record.cause for record in gateway.log_records(2)} == {"first_byte_timeout", "between_bytes_timeout"}


def test_rates_are_not_affected(portico, upstream, clock, jump):
    gateway = portico(upstream(answers(ok())), environment=clock.environment,
                      limits={"window": {"window": "2/1h"}, "rate": {"rate": "2/h", "burst": 1}},
                      routes=[route_to("app", "/window", limits=["window"]), route_to("app", "/rate", limits=["rate"])])
    with gateway.client() as client:
        for path in ("/window", "/rate"):
            assert [client.get(path).status for _ in range(2)] == [200, 200]
        before = [int(client.get(path).get("Retry-After")) for path in ("/window", "/rate")]
        assert all(1000 < seconds <= 2 * HOUR for seconds in before)
        jump()
        wait_until(lambda: clock.is_shown_by(date_of(client.get("/elsewhere"))), "the new time")
        for path, seconds in zip(("/window", "/rate"), before):
            refused = client.get(path)
            assert refused.status == 429 and seconds - 60 <= int(refused.get("Retry-After")) <= seconds


def test_the_logs_follow(portico, upstream, clock, jump):
    gateway = portico(upstream(answers(ok())), environment=clock.environment)
    with gateway.client() as client:
        client.get("/before")
        jump()
        wait_until(lambda: clock.is_shown_by(date_of(client.get("/after"))), "the new time")
        client.get("/last")
    assert not clock.is_shown_by(now_in(record_of(gateway, "/before")))
    assert clock.is_shown_by(now_in(record_of(gateway, "/last")))
    gateway.reload(gateway.config)
    line = next(line for line in gateway.stderr().splitlines() if "serving the new configuration" in line)
    assert clock.is_shown_by(datetime.datetime.fromisoformat(line.split(" ")[0].replace("Z", "+00:00")))
