"""Upstreams that refuse, hang or stop in the middle: the status, the named cause, and that nobody else notices."""
import threading
import time

import pytest

from lib.blackhole import Blackhole
from lib.client import get, post
from lib.faults import assert_made_here
from lib.gateway import route_to
from lib.upstream import answers, answers_and_closes, echo, named, silent
from lib.wait import PATIENCE
from lib.wire import Closed

SHORT = "300ms"


@pytest.fixture
def blackhole():
    hole = Blackhole()
    yield hole
    hole.close()


def two_routes(portico, bad, good, upstream_settings=None, **route_settings):
    """/bad goes to the upstream under test, everything else to the good one."""
    return portico({"bad": {"servers": [bad.address], **(upstream_settings or {})}, "good": good},
                   routes=[route_to("bad", "/bad", **route_settings), route_to("good")])


def test_connection_refused_is_502(portico, upstream, bystander):
    bad, good = upstream(), upstream(named("good"))
    bad.close_listener()
    gateway = two_routes(portico, bad, good)
    others = bystander(gateway)
    with gateway.client() as client:
        assert_made_here(client.get("/bad"), "connect_refused")
        assert client.get("/").body == b"good"
    others()
    assert gateway.log_records(2)[1].cause == "connect_refused"


def test_connect_timeout_is_504(portico, upstream, blackhole, bystander):
    gateway = two_routes(portico, blackhole, upstream(named("good")), {"connect_timeout": SHORT})
    others = bystander(gateway)
    with gateway.client() as client:
        assert_made_here(client.get("/bad"), "connect_timeout")
    others()


def test_first_byte_timeout_is_504(portico, upstream, bystander):
    bad = upstream(silent)
    gateway = two_routes(portico, bad, upstream(named("good")), first_byte_timeout=SHORT)
    others = bystander(gateway)
    with gateway.client() as client:
        assert_made_here(client.get("/bad"), "first_byte_timeout")
        assert client.get("/").body == b"good"
    others()
    assert len(bad.connections) == 1  # the answer that never came is not asked for again


@pytest.mark.parametrize("beginning", [
    b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
], ids=["length", "chunked"])
def test_an_upstream_that_stops_in_the_middle(portico, upstream, beginning):
    def script(connection):
        connection.request()
        connection.send(beginning)
        connection.rest()

    gateway = portico(upstream(script), routes=[route_to("app", between_bytes_timeout=SHORT)])
    with gateway.client() as client:
        client.send(get("/"))
        received = client.rest()
    assert received.startswith(b"HTTP/1.1 200") and b"half" in received and not received.endswith(b"0\r\n\r\n")
    record = gateway.last_record()
    assert (record.status, record.cause) == (200, "between_bytes_timeout")


@pytest.mark.parametrize("beginning", [
    b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
], ids=["length", "chunked"])
def test_an_upstream_that_closes_in_the_middle(portico, upstream, beginning):
    gateway = portico(upstream(answers_and_closes(beginning)))
    with gateway.client() as client:
        with pytest.raises((Closed, ConnectionError)):
            client.get("/")
    assert gateway.last_record().cause == "upstream_truncated"


def test_an_upstream_that_closes_without_a_word(portico, upstream):
    gateway = portico(upstream(answers_and_closes(b"")))
    with gateway.client() as client:
        assert_made_here(client.get("/"), "upstream_closed")


def test_an_upstream_that_stops_reading(portico, upstream):
    released = threading.Event()

    def script(connection):
        connection.head()
        released.wait(PATIENCE)

    gateway = portico(upstream(script), routes=[route_to("app", between_bytes_timeout=SHORT, max_body="1GiB")])
    with gateway.client() as client:
        client.send(get("/", "POST", content_length=1 << 29))
        with pytest.raises(ConnectionError):
            while True:
                client.send(b"x" * 65536)
    released.set()
    assert gateway.last_record().cause == "upstream_write_timeout"


def test_a_slow_upstream_within_its_time_is_fine(portico, upstream):
    def script(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        for _ in range(5):
            time.sleep(0.15)  # together longer than the limit, each below it
            connection.send(b"x")

    gateway = portico(upstream(script), routes=[route_to("app", between_bytes_timeout="500ms", first_byte_timeout="500ms")])
    with gateway.client() as client:
        assert client.get("/").body == b"xxxxx"


def test_the_proxy_status_names_the_gateway_and_the_error(portico, upstream):
    bad = upstream()
    bad.close_listener()
    with portico(bad).client() as client:
        response = client.get("/")
    assert "error=connection_refused" in response.get("Proxy-Status").replace(" ", "")


def test_an_upstreams_own_errors_pass_untouched(portico, upstream):
    app = upstream(answers(b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\nRetry-After: 9\r\n\r\nbusy"))
    gateway = portico(app)
    with gateway.client() as client:
        response = client.get("/")
    assert (response.start, response.body, response.get("Retry-After")) == ("HTTP/1.1 503 Busy", b"busy", "9")
    assert response.get("Proxy-Status") is None and gateway.last_record().cause == "ok"


def test_a_connection_survives_its_upstreams_failures(portico, upstream):
    bad, good = upstream(answers_and_closes(b"garbage\r\n\r\n")), upstream(echo)
    gateway = two_routes(portico, bad, good)
    with gateway.client() as client:
        for _ in range(3):
            assert client.get("/bad").status == 502
            assert client.ask(post(b"x")).json["body"] == "x"
