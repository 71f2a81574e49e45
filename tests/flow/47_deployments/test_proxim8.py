"""conf/proxim8.yaml: what DEPLOYMENTS.md 1.5 asks of a gateway on Cloud Run, as far as the file says it can."""
import json
import signal
import time

import httpx
import pytest

from lib.client import get, post, upgrade
from lib.upstream import answers, echo, named, ok, respond

FRONT = "169.254.169.126"


def events(connection):
    """An event a tenth of a second, without end."""
    connection.request()
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nMcp-Session-Id: 7\r\nConnection: close\r\n\r\n")
    for number in range(100):
        connection.send(b"id: %d\ndata: x\n\n" % number)
        time.sleep(0.1)


@pytest.fixture
def proxim8(deployment, upstream):
    def start(*api, web=named("web")):
        return deployment("proxim8", {"127.0.0.1:3001": upstream(*(api or (echo,))), "127.0.0.1:3000": upstream(web)})
    return start


def test_two_kinds_of_health(proxim8):
    """P2: the gateway is alive whatever becomes of the service; the service's own answer passes."""
    gateway = proxim8(answers(respond(500, b'{"status":"down"}')))
    with gateway.client() as client:
        assert (client.get("/_gateway/live").status, client.get("/_gateway/live").body) == (200, b"ok\n")
        assert client.get("/health").status == 500


def test_http_2_in_clear(proxim8):
    """P1: Cloud Run may speak HTTP/2 without TLS to the container."""
    gateway = proxim8()
    with httpx.Client(http1=False, http2=True) as client:
        response = client.get(f"http://127.0.0.1:{gateway.port}/")
    assert (response.http_version, response.text) == ("HTTP/2", "web")


def test_the_client_is_not_whom_it_says(proxim8):
    """P10: only Google's front ends are believed, and here nobody is one."""
    gateway = proxim8()
    with gateway.client() as client:
        fields = {name.lower(): value for name, value in client.get("/api/x", x_forwarded_for="6.6.6.6").json["fields"]}
    assert fields["x-forwarded-for"] == "127.0.0.1"


def test_failed_logins_alone_count(proxim8):
    gateway = proxim8(answers(*[respond(401)] * 10, ok(b"in")))
    with gateway.client() as client:
        found = [client.ask(post(b"{}", "/api/auth/login")).status for _ in range(11)]
        assert found == [401] * 10 + [429]
        assert client.get("/api/other").status == 200


def test_large_bodies_are_refused_at_once(proxim8):
    with proxim8().client() as client:
        assert client.ask(get("/api/video", "POST", content_length=32 * 2**20 + 1), "POST").status == 413


def test_events_are_not_held_back(proxim8):
    """P7: the first event comes while the stream goes on, with the session's field."""
    gateway = proxim8(events)
    with gateway.client() as client:
        client.send(get("/mcp", last_event_id="3"))
        head = client.head()
        assert head.get("Mcp-Session-Id") == "7"
        client.until(b"id: 3\n")


def test_a_range_of_a_video(proxim8, upstream):
    """P8: partial content passes as it is."""
    gateway = proxim8(answers(respond(206, b"abc", content_range="bytes 0-2/9000000000", accept_ranges="bytes")))
    with gateway.client() as client:
        response = client.get("/api/video", range="bytes=0-2", if_range='"x"')
    assert (response.status, response.get("Content-Range"), response.body) == (206, "bytes 0-2/9000000000", b"abc")


def test_socket_io_falls_back(proxim8):
    """A service that does not upgrade answers as HTTP."""
    with proxim8(answers(respond(400, b"no"))).client() as client:
        assert client.ask(upgrade("/socket.io/?EIO=4")).status == 400


def test_stops_within_ten_seconds(proxim8):
    """P1: with a stream that would not end."""
    gateway = proxim8(events)
    with gateway.client() as client:
        client.send(get("/mcp"))
        client.head()
        started = time.monotonic()
        gateway.signal(signal.SIGTERM)
        assert gateway.wait_ended(10) == 0 and time.monotonic() - started < 10


def test_a_record_is_one_object_a_line(proxim8):
    """P3."""
    gateway = proxim8()
    with gateway.client() as client:
        client.get("/api/x?token=secret")
    line = json.loads(gateway.log_lines(1)[0])
    assert line["status"] == 200 and "secret" not in json.dumps(line)
