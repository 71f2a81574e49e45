"""Generations of the configuration: numbered, let go by what lasts, and said in the log while a request still needs one."""
import base64
import os
import signal
import threading

import pytest

from lib.client import get, upgrade
from lib.gateway import route_to
from lib.upstream import answers, named, ok, repeat_bytes, respond, websocket
from lib.wait import PATIENCE, wait_until

ALICE = "$2b$04$abcdefghijklmnopqrstuuPp7HPfoAs8I2dCQCQ/fW7zEJv8I8C8e"  # her password is x
HELD = "older generations are held"


def hi(client):
    """Is the tunnel open?"""
    client.send(b"\x81\x82\0\0\0\0hi")
    assert client.exactly(8) == b"\x81\x82\0\0\0\0hi"


class Slow:
    """An upstream's script in two parts: the second is sent when it is released."""

    def __init__(self, first, second):
        self.parts, self.asked, self.released = (first, second), threading.Event(), threading.Event()

    def __call__(self, connection):
        connection.request()
        connection.send(self.parts[0])
        self.asked.set()
        assert self.released.wait(PATIENCE)
        connection.send(self.parts[1])
        connection.rest()


def events(connection):
    connection.request()
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
    connection.rest()


def reload(gateway, change=lambda config: None):
    change(gateway.config)
    gateway.reload(gateway.config)


def test_they_are_numbered(portico, upstream):
    gateway = portico(upstream(named("app")))
    assert "serving threads=1 generation=1\n" in gateway.stderr()
    assert gateway.manager.wait("READY")["STATUS"] == "Serving generation 1"
    reload(gateway)
    assert "serving the new configuration generation=2\n" in gateway.stderr()
    gateway.config_file.write_text("nothing: 1")
    gateway.refuse_reload()
    os.kill(gateway.worker(), signal.SIGKILL)  # what the next worker serves is still the second
    gateway.deaths += 1
    wait_until(lambda: "serving threads=1 generation=2\n" in gateway.stderr(), "the next worker")
    reload(gateway)
    assert "serving the new configuration generation=3\n" in gateway.stderr()
    assert gateway.manager.wait("READY", 5)["STATUS"] == "Serving generation 3"


def test_requests_that_hold_some_are_said(portico, upstream):
    first, second = Slow(b"", ok(b"late")), Slow(b"", ok(b"later"))
    gateway = portico({"app": upstream(named("app")), "slow": upstream(first, second, keep=False)},
                      routes=[route_to("slow", "/slow"), route_to("app")])

    def told():
        return [line for line in gateway.stderr().splitlines() if HELD in line]
    with gateway.client() as client, gateway.client() as other:
        client.send(get("/slow"))
        assert first.asked.wait(PATIENCE)
        reload(gateway)
        other.send(get("/slow"))
        assert second.asked.wait(PATIENCE)
        reload(gateway)
        wait_until(lambda: len(told()) == 2, "who holds the first and the second")
        first.released.set()
        assert client.response().body == b"late"
        oldest = gateway.last_record().request_id
        assert client.get("/").body == b"app"
        reload(gateway)
        wait_until(lambda: len(told()) == 3, "who holds the second")
        second.released.set()
        assert other.response().body == b"later"
    reload(gateway)
    reload(gateway)
    assert len(told()) == 3
    assert "generations=1 exchanges=1 oldest=1;" in told()[0]
    assert "generations=2 exchanges=2 oldest=1;" in told()[1] and f"request_id={oldest} step=respond route=/slow" in told()[1]
    assert "generations=1 exchanges=1 oldest=2;" in told()[2]


def test_tunnels_and_event_streams_hold_none_and_their_records_are_whole(portico, upstream):
    users = {"users": {"alice": ALICE}}
    routes = [route_to("events", "/events", limits=["many"]), route_to("app", basic_auth=users, limits=["many"])]
    gateway = portico({"app": upstream(websocket(repeat_bytes)), "events": upstream(events, keep=False)}, routes=routes,
                      limits={"many": {"rate": "1000/s", "burst": 1000, "key": "client_ip"}}, client={"half_close_timeout": "200ms"})
    with gateway.client(keep=False) as stream, gateway.client(keep=False) as tunnel:
        stream.send(get("/events"))
        stream.until(b"data: 1\n\n")
        tunnel.send(upgrade("/live", authorization="Basic " + base64.b64encode(b"alice:x").decode()))
        assert tunnel.response().status == 101
        for _ in range(3):
            reload(gateway, lambda config: config["upstreams"].update(other={"servers": ["127.0.0.1:1"]}))
            hi(tunnel)
    wait_until(lambda: len(gateway.log_lines()) == 2, "both records")
    assert HELD not in gateway.stderr()
    told = {record.route: (record.upstream, record.site, record.limit, record.limit_status, record.user)
            for record in gateway.log_records(2)}
    assert told == {"/events": ("events", "*", "many", "PASSED", None), "/": ("app", "*", "many", "PASSED", "alice")}


def test_a_tunnel_opened_by_a_request_of_the_generation_before_holds_none(portico, upstream):
    asked, released = threading.Event(), threading.Event()

    def late(connection):
        asked.set()
        assert released.wait(PATIENCE)
        websocket(repeat_bytes)(connection)

    gateway = portico(upstream(late))
    with gateway.client(keep=False) as tunnel:
        tunnel.send(upgrade())
        assert asked.wait(PATIENCE)
        reload(gateway)
        wait_until(lambda: HELD in gateway.stderr(), "who holds the first")
        released.set()
        assert tunnel.response().status == 101
        reload(gateway)
        hi(tunnel)
        reload(gateway)
    assert gateway.stderr().count(HELD) == 1


def test_what_on_reload_says_is_remembered(portico, upstream):
    routes = [route_to("app", "/drained", on_reload="drain 100ms"), route_to("app")]
    gateway = portico(upstream(websocket(repeat_bytes)), routes=routes)
    with gateway.client(keep=False) as tunnel:
        tunnel.send(upgrade("/drained"))
        assert tunnel.response().status == 101
        for _ in range(3):  # the route is there, whatever it says
            reload(gateway, lambda config: config["sites"][0]["routes"][0].update(on_reload="keep"))
            hi(tunnel)
        reload(gateway, lambda config: config["sites"][0]["routes"].pop(0))
        assert tunnel.exactly(4) == b"\x88\x02\x03\xe9"
        tunnel.send(b"\x88\x82\0\0\0\0\x03\xe9")
        assert tunnel.rest() == b""
    assert gateway.last_record().cause == "route_removed"


def test_a_timeout_of_the_generation_it_began_with(portico, upstream):
    gateway = portico(upstream(events, keep=False), routes=[route_to("app", between_bytes_timeout="1s")])
    with gateway.client(keep=False) as client:
        client.send(get("/"))
        client.until(b"data: 1\n\n")
        reload(gateway, lambda config: config["sites"][0]["routes"][0].update(between_bytes_timeout="1h"))
        client.rest()
    assert gateway.last_record().cause == "between_bytes_timeout"


def test_a_response_that_lasts_is_counted_once(portico, upstream):
    """count: [401] hears of it when the generation is let go, and not again at the end."""
    wrong = respond(401, b"half and half")
    slow, quick = Slow(wrong[:-5], wrong[-5:]), answers(respond(401, b"no"))
    gateway = portico({"slow": upstream(slow, keep=False), "app": upstream(quick)},
                      routes=[route_to("slow", "/slow", limits=["login"]), route_to("app", limits=["login"])],
                      limits={"login": {"window": "2/1h", "key": "client_ip", "count": [401]}})
    with gateway.client() as client:
        client.send(get("/slow"))
        client.until(b"half and")
        reload(gateway)
        slow.released.set()
        client.until(b" half")
        assert [client.get("/").status for _ in range(3)] == [401, 429, 429]


@pytest.mark.measured
def test_what_the_generation_before_took_is_given_back(portico, upstream):
    gateway = portico(upstream(named("app")), routes=[*(route_to("app", f"/{number}") for number in range(3000)), route_to("app")])
    before = gateway.rss()
    for _ in range(3):
        reload(gateway, lambda config: config["sites"][0]["routes"].pop())
    wait_until(lambda: gateway.rss() < before, "the memory of two configurations to become that of one")


@pytest.mark.measured
def test_forty_generations_leave_nothing_but_their_tunnels(portico, upstream):
    """Each has a tunnel and an event stream that began under it, and routes that are worth most of a megabyte."""
    gateway = portico({"app": upstream(websocket(repeat_bytes)), "events": upstream(events, keep=False)},
                      routes=[route_to("events", "/events"), *(route_to("app", f"/{number}") for number in range(1000)), route_to("app")])
    opened = []

    def grow(times):
        for _ in range(times):
            tunnel, stream = gateway.client(keep=False), gateway.client(keep=False)
            opened.extend((tunnel, stream))
            tunnel.send(upgrade())
            assert tunnel.response().status == 101
            stream.send(get("/events"))
            stream.until(b"data: 1\n\n")
            reload(gateway)
    grow(10)
    before = gateway.rss()
    grow(30)
    assert gateway.rss() - before < 8 << 20
    for client in opened:
        client.close()


def test_an_upstream_may_go_and_come_again(portico, upstream):
    """Of two there is always but one; what the other one left goes on, and when it is named again it serves at once."""
    places = [upstream(websocket(repeat_bytes)).address for _ in range(2)]
    tunnels = []

    def name(turn):
        def change(config):
            config["upstreams"] = {f"app{turn % 2}": {"servers": [places[turn % 2]], "connections_max": 20}}
            config["sites"][0]["routes"] = [route_to(f"app{turn % 2}")]
        return change
    gateway = portico({"app0": {"servers": [places[0]]}}, routes=[route_to("app0")])
    for turn in range(8):
        reload(gateway, name(turn))
        tunnels.append(gateway.client(keep=False))
        tunnels[-1].send(upgrade())
        assert tunnels[-1].response().status == 101
        for tunnel in tunnels:
            hi(tunnel)
        if turn % 3 == 2:
            while tunnels:
                tunnels.pop().close()
