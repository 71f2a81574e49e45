"""Requests and responses over HTTP/2: what arrives at an HTTP/1.1 upstream and what comes back."""
import json
import socket
import subprocess
import threading

import h2.connection
import h2.events
import httpx
import pytest

from lib.faults import FAULTS
from lib.gateway import route_to
from lib.h2raw import END_STREAM, INTERNAL_ERROR, NO_ERROR, request_fields
from lib.ports import free_port
from lib.upstream import answers, answers_and_closes, echo, named, ok, respond
from lib.wait import PATIENCE


def test_a_get(portico, upstream, h2):
    app = upstream(echo)
    gateway = portico(app)
    response = h2(gateway).get("/a?b=c", extra=[("accept", "*/*"), ("user-agent", "raw")])
    assert response.status == 200 and response.final["content-type"] == "application/json"
    assert response.final["content-length"] == str(len(response.body))
    assert all(name == name.lower() for name in response.final)
    seen = app.wait_requests(1)
    assert seen.start == "GET /a?b=c HTTP/1.1"
    assert (seen.get("Host"), seen.get("Accept")) == ("portico.test", "*/*")
    assert seen.get("Transfer-Encoding") is None and seen.get("Content-Length") is None
    record = json.loads(gateway.log_lines(1)[0])
    assert (record["protocol"], record["host"], record["cause"]) == ("HTTP/2.0", "portico.test", "ok")


@pytest.mark.parametrize("command", [
    ["curl", "-sS", "--http2-prior-knowledge", "--fail"], ["nghttp"],
], ids=lambda command: command[0])
def test_real_clients(portico, upstream, command):
    gateway = portico(upstream(named("app")))
    done = subprocess.run([*command, f"http://127.0.0.1:{gateway.port}/x"], capture_output=True, timeout=PATIENCE)
    assert done.returncode == 0 and b"app" in done.stdout
    assert json.loads(gateway.log_lines(1)[0])["protocol"] == "HTTP/2.0"


def test_httpx(portico, upstream):
    gateway = portico(upstream(echo))
    with httpx.Client(http1=False, http2=True) as client:
        for _ in range(3):
            response = client.post(f"http://127.0.0.1:{gateway.port}/", content=b"x" * 100000)
            assert (response.http_version, response.json()["body"]) == ("HTTP/2", "x" * 100000)


def test_a_strict_client_finds_no_fault(portico, upstream):
    """The h2 package checks every frame that it gets."""
    gateway = portico(upstream(answers(b"HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                       b"4\r\nbody\r\n0\r\nX-End: 1\r\n\r\n")))
    machine, events = h2.connection.H2Connection(), []
    with socket.create_connection(("127.0.0.1", gateway.port), PATIENCE) as sock:
        machine.initiate_connection()
        for stream in (1, 3):
            machine.send_headers(stream, request_fields("/", "POST"))
            machine.send_data(stream, b"x" * 1000, end_stream=True)
        sock.sendall(machine.data_to_send())
        while sum(isinstance(event, h2.events.StreamEnded) for event in events) < 2:
            events += machine.receive_data(sock.recv(65536))
            sock.sendall(machine.data_to_send())
    kinds = [type(event).__name__ for event in events if getattr(event, "stream_id", None) == 1]
    assert kinds == ["InformationalResponseReceived", "ResponseReceived", "DataReceived", "TrailersReceived", "StreamEnded"]


def test_h2load(portico, upstream):
    gateway = portico(upstream(named("app")))
    done = subprocess.run(["h2load", "-n", "3000", "-c", "8", "-m", "32", f"http://127.0.0.1:{gateway.port}/"],
                          capture_output=True, text=True, timeout=10 * PATIENCE)
    assert "3000 succeeded, 0 failed" in done.stdout, done.stdout
    assert {record.cause for record in gateway.log_records(3000)} == {"ok"}


def test_many_streams_at_a_time(portico, upstream, h2):
    """The answers come in the order in which they are ready, not in that of the requests."""
    slow = threading.Event()

    def script(connection):
        while request := connection.request():
            if request.target == "/slow":
                assert slow.wait(PATIENCE)
            connection.send(ok(request.target.encode()))

    connection = h2(portico(upstream(script)))
    first = connection.request("/slow")
    others = [connection.request(f"/{number}") for number in range(60)]
    connection.finish(*others)
    assert [bytes(connection.streams[id].body) for id in others] == [b"/%d" % number for number in range(60)]
    assert not connection.streams[first].heads
    slow.set()
    assert connection.finish(first).body == b"/slow"


def test_cookies_and_host(portico, upstream, h2):
    app = upstream(echo)
    connection = h2(portico(app))
    connection.get("/", extra=[("cookie", "a=1"), ("x-mine", "2"), ("cookie", "b=2"), ("cookie", "c=3")])
    assert app.requests[0].all("Cookie") == ["a=1; b=2; c=3"]
    fields = [field for field in request_fields() if field[0] != ":authority"]
    connection.next_id = 5
    connection.headers(3, [*fields, ("host", "by-host.test")])
    assert connection.finish(3).status == 200 and app.requests[1].all("Host") == ["by-host.test"]
    connection.get("/", authority="both.test", extra=[("host", "both.test"), ("te", "trailers")])
    assert app.requests[2].all("Host") == ["both.test"] and app.requests[2].get("TE") == "trailers"


def test_head_and_empty_responses(portico, upstream, h2):
    app = upstream(answers(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", respond(204), b"HTTP/1.1 304 Not\r\nETag: x\r\n\r\n", ok(b"")))
    connection = h2(portico(app))
    head = connection.get("/", method="HEAD")
    assert (head.status, head.final["content-length"], head.body) == (200, "5", b"")
    no_content = connection.get("/")
    assert no_content.status == 204 and "content-length" not in no_content.final
    assert connection.get("/").status == 304
    assert connection.get("/").final["content-length"] == "0"
    assert all(stream.reset is None and stream.ended for stream in connection.streams.values() if stream.heads)


def test_interim_responses(portico, upstream, h2):
    app = upstream(answers(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + ok(b"then")))
    response = h2(portico(app)).get()
    assert [head[":status"] for head in response.heads] == ["103", "200"]
    assert response.heads[0]["link"] == "</a>" and response.body == b"then"


def test_expect_continue(portico, upstream, h2):
    def script(connection):
        connection.head()
        connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert connection.exactly(4) == b"body"
        connection.send(ok())

    connection = h2(portico(upstream(script)))
    stream = connection.request("/", method="POST", end=False, extra=[("expect", "100-continue"), ("content-length", "4")])
    while not connection.streams[stream].heads:
        connection.step()
    assert connection.streams[stream].heads[0][":status"] == "100"
    connection.data(stream, b"body")
    assert connection.finish(stream).status == 200


def test_trailers_both_ways(portico, upstream, h2):
    app = upstream(answers(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nGrpc-Status: 0\r\nContent-Length: 9\r\n\r\n"))
    connection = h2(portico(app))
    stream = connection.request("/", body=b"up", end=False, method="POST")
    connection.headers(stream, [("checksum", "abc")], END_STREAM)
    response = connection.finish(stream)
    assert (response.body, response.trailers) == (b"body", {"grpc-status": "0"})
    seen = app.requests[0]
    assert (seen.body, seen.trailers, seen.chunked) == (b"up", [("checksum", "abc")], True)


def test_an_early_response_ends_the_upload(portico, upstream, h2):
    """RFC 9113 section 8.1: a whole response before the whole request is followed by RST_STREAM(NO_ERROR)."""
    gateway = portico(upstream(answers_and_closes(respond(413, b"no"))), routes=[route_to("app", max_body="1KiB")])
    connection = h2(gateway)
    stream = connection.request("/", method="POST", end=False, extra=[("content-length", "5000")])
    response = connection.finish(stream)
    assert response.status == 413
    while response.reset is None:
        connection.step()
    assert response.reset == NO_ERROR
    assert h2(gateway).get("/").status == 413  # and another stream of another connection goes on


def test_a_failing_upstream_is_the_streams_business(portico, upstream, h2):
    gateway = portico({"app": upstream(named("app")), "dead": f"127.0.0.1:{free_port()}"},
                      routes=[route_to("dead", "/dead"), route_to("app")])
    connection = h2(gateway)
    dead, alive = connection.request("/dead"), connection.request("/alive")
    connection.finish(dead, alive)
    assert (connection.streams[dead].status, connection.streams[alive].body) == (FAULTS["connect_refused"].status, b"app")
    assert "connection" not in connection.streams[dead].final
    assert connection.get("/no\\such")  # refused with `closes`: only the stream ends
    assert connection.get("/again").body == b"app" and connection.goaway is None


def test_a_truncated_response_resets_its_stream(portico, upstream, h2):
    def script(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")

    gateway = portico({"app": upstream(script), "other": upstream(named("other"))},
                      routes=[route_to("other", "/other"), route_to("app")])
    connection = h2(gateway)
    response = connection.get("/")
    assert (response.status, response.body, response.reset) == (200, b"half", INTERNAL_ERROR)
    assert connection.get("/other").body == b"other"
    assert gateway.log_records(2)[0].cause == "upstream_truncated"


@pytest.mark.parametrize("method, status", [("TRACE", 405), ("CONNECT", 405)])
def test_methods_that_are_not_served(portico, upstream, h2, method, status):
    app = upstream(echo)
    connection = h2(portico(app))
    if method == "CONNECT":
        connection.headers(1, [(":method", "CONNECT"), (":authority", "portico.test:443")], 0)
        assert connection.finish(1).status == status
    else:
        assert connection.get("/", method=method).status == status
    assert not app.requests
