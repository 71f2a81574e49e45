"""What an HTTP/2 upstream may do and say, frame by frame."""
import threading

import pytest

from lib.client import chunked, get, post, upgrade
from lib.faults import assert_made_here
from lib.h2raw import (CANCEL, DATA, END_HEADERS, ENHANCE_YOUR_CALM, HEADERS, INTERNAL_ERROR, PROTOCOL_ERROR, REFUSED_STREAM,
                       frame, rst, window_update)
from lib.h2server import serves
from lib.ports import free_port
from lib.upstream import answers, ok
from lib.wait import PATIENCE, wait_until


def refuses(connection):
    connection.greet()
    while True:
        connection.reset_stream(connection.next_stream(), REFUSED_STREAM)


# heads --------------------------------------------------------------------------------------------------

def test_the_request_is_an_http2_request(h2_upstream, h2c):
    app = h2_upstream(serves)
    gateway = h2c(app)
    response = gateway.client().ask(get("/a%2Fb?q=1", host="shop.test", x_Custom="Yes", te="trailers", connection="te, close"))
    assert (response.status, response.body) == (200, b"ok")
    head = app.heads[0]
    assert {name: head[name] for name in (":method", ":scheme", ":path", ":authority", "x-custom", "te")} == {
        ":method": "GET", ":scheme": "http", ":path": "/a%2Fb?q=1", ":authority": "shop.test", "x-custom": "Yes", "te": "trailers"}
    assert not {"host", "connection", "keep-alive", "transfer-encoding", "upgrade"} & set(head)
    assert all(name == name.lower() for name in head)


def test_requests_share_a_connection(h2_upstream, h2c):
    app = h2_upstream(serves)
    client = h2c(app).client()
    for _ in range(20):
        assert client.get().status == 200
    assert len(app.connections) == 1


def test_content_length_and_chunked(h2_upstream, h2c):
    def script(connection):
        connection.greet()
        while True:
            stream = connection.request_whole()
            seen = connection.streams[stream]
            connection.answer(stream, b"%d %s" % (len(seen.body), seen.heads[0].get("content-length", "none").encode()))
    client = h2c(h2_upstream(script)).client()
    assert client.ask(post(b"x" * 5000)).body == b"5000 5000"
    head = get("/", "POST", transfer_encoding="chunked")
    assert client.ask(head + chunked(b"abc", b"defg")).body == b"7 none"
    assert client.ask(post(b"")).body == b"0 0"


def test_trailers_both_ways(h2_upstream, h2c):
    def script(connection):
        connection.greet()
        stream = connection.request_whole()
        assert connection.streams[stream].heads[1] == {"x-sum": "7"}
        connection.head(stream)
        connection.data(stream, b"body", end=False)
        connection.trailers(stream, ("x-after", "9"))
        connection.rest()
    client = h2c(h2_upstream(script)).client()
    head = get("/", "POST", transfer_encoding="chunked", te="trailers", connection="te")
    response = client.ask(head + chunked(b"abc", trailers=b"X-Sum: 7\r\n"))
    assert response.body == b"body" and ("x-after", "9") in [(name.lower(), value) for name, value in response.trailers]


def test_interim_heads_come_in_order_even_in_one_segment(h2_upstream, h2c):
    def script(connection):
        connection.greet()
        stream = connection.next_stream()
        block = connection.block_of
        connection.send(frame(HEADERS, END_HEADERS, stream, block([(":status", "103"), ("link", "</a>")]))
                        + frame(HEADERS, END_HEADERS, stream, block([(":status", "103"), ("link", "</b>")]))
                        + frame(HEADERS, END_HEADERS, stream, block([(":status", "200")]))
                        + frame(DATA, 1, stream, b"done"))
        connection.rest()
    response = h2c(h2_upstream(script)).client().get()
    assert [interim.get("link") for interim in response.interim] == ["</a>", "</b>"]
    assert response.body == b"done"


def test_an_empty_response_ends_for_an_http1_client(h2_upstream, h2c):
    def script(connection):
        connection.greet()
        while True:
            connection.head(connection.request_whole(), 200, end=True)
    client = h2c(h2_upstream(script)).client()
    for _ in range(3):
        response = client.get()
        assert (response.status, response.get("Content-Length")) == (200, "0")
    assert client.ask(get(method="HEAD")).status == 200


def test_an_end_in_an_empty_frame_needs_no_reset(h2_upstream, h2c):
    def script(connection):
        connection.greet()
        while True:
            stream = connection.request_whole()
            connection.head(stream, 200, fields=[("content-length", "0")])
            connection.data(stream, b"")
    app = h2_upstream(script)
    client = h2c(app).client()
    for _ in range(5):
        assert client.get().status == 200
    assert len(app.connections) == 1 and not app.connections[0].resets


MALFORMED = {
    "no status": [("x", "1")],
    "status without digits": [(":status", "2oo")],
    "status of a switch": [(":status", "101")],
    "two lengths": [(":status", "200"), ("content-length", "1"), ("content-length", "2")],
    "upper case": [(":status", "200"), ("X-Upper", "1")],
    "connection": [(":status", "200"), ("connection", "close")],
    "transfer-encoding": [(":status", "200"), ("transfer-encoding", "chunked")],
    "control character": [(":status", "200"), ("x", "a\x01b")],
    "line break": [(":status", "200"), ("x", "a\r\nset-cookie: b")],
    "request pseudo-field": [(":status", "200"), (":path", "/")],
    "late pseudo-field": [("x", "1"), (":status", "200")],
}


@pytest.mark.parametrize("what", MALFORMED)
def test_malformed_heads(what, h2_upstream, h2c, bystander):
    def script(connection):
        connection.greet()
        while True:
            stream = connection.request_whole()
            if connection.streams[stream].heads[0][":path"] == "/":
                connection.answer(stream)
            else:
                connection.send(frame(HEADERS, END_HEADERS, stream, connection.block_of(MALFORMED[what])))
    app = h2_upstream(script)
    gateway = h2c(app)
    still_works = bystander(gateway)
    assert_made_here(gateway.client().get("/bad"), "upstream_malformed")
    still_works()
    assert len(app.connections) == 1


def test_content_beyond_its_length(h2_upstream, h2c):
    def script(connection):
        connection.greet()
        stream = connection.request_whole()
        connection.head(stream, 200, fields=[("content-length", "3")])
        connection.data(stream, b"abcdef")
        assert connection.until_reset(stream) == PROTOCOL_ERROR
    gateway = h2c(h2_upstream(script))
    with pytest.raises(Exception):
        gateway.client().get()
    assert gateway.last_record().cause in ("upstream_malformed", "upstream_truncated")


def test_a_head_beyond_the_limit(h2_upstream, h2c):
    def script(connection):
        connection.greet()
        connection.head(connection.request_whole(), 200, fields=[("x", "y" * 2000)])
        connection.rest()
    assert_made_here(h2c(h2_upstream(script), head_max="1KiB").client().get(), "upstream_head_too_large")


# resets -------------------------------------------------------------------------------------------------

def test_a_refused_stream_is_repeated_whatever_the_method(h2_upstream, h2c):
    def once(connection):
        connection.greet()
        connection.reset_stream(connection.next_stream(), REFUSED_STREAM)
        while True:
            connection.answer(connection.request_whole(), b"second")
    gateway = h2c(h2_upstream(once))
    response = gateway.client().ask(post(b""))
    assert (response.status, response.body) == (200, b"second")
    assert gateway.last_record().attempts == 2


def test_a_stream_that_is_always_refused(h2_upstream, h2c):
    gateway = h2c(h2_upstream(refuses))
    assert_made_here(gateway.client().get(), "upstream_refused_stream")
    assert gateway.last_record().attempts == 3


@pytest.mark.parametrize("code", [CANCEL, INTERNAL_ERROR, ENHANCE_YOUR_CALM])
def test_a_reset_before_the_response(code, h2_upstream, h2c):
    def script(connection):
        connection.greet()
        connection.reset_stream(connection.next_stream(), code)
        connection.rest()
    assert_made_here(h2c(h2_upstream(script)).client().get(), "upstream_stream_reset")


def test_a_reset_within_the_response(h2_upstream, h2c, h2):
    def script(connection):
        connection.greet()
        stream = connection.request_whole()
        connection.head(stream)
        connection.data(stream, b"half", end=False)
        connection.reset_stream(stream, INTERNAL_ERROR)
        connection.rest()
    gateway = h2c(h2_upstream(script))
    assert h2(gateway).get().reset == INTERNAL_ERROR
    assert gateway.last_record().cause == "upstream_truncated"


def test_a_client_that_goes_away_cancels(h2_upstream, h2c, h2):
    codes = []

    def script(connection):
        connection.greet()
        stream = connection.request_whole()
        connection.head(stream)
        connection.data(stream, b"more to come", end=False)
        codes.append(connection.until_reset(stream))
        connection.rest()
    app = h2_upstream(script)
    client = h2(h2c(app))
    stream = client.request()
    client.until_frame(DATA)
    client.send(rst(stream))
    wait_until(lambda: codes == [CANCEL], "the CANCEL")


# the connection -----------------------------------------------------------------------------------------

def test_goaway_spares_the_streams_below(h2_upstream, h2c, h2):
    def leaves(connection):
        connection.greet()
        first, second = connection.next_stream(), connection.next_stream()
        connection.goaway(first)
        connection.answer(first, b"first")
        connection.rest()
    app = h2_upstream(leaves, serves)
    client = h2(h2c(app))
    one, two = client.request("/1", method="POST"), client.request("/2", method="POST")
    client.finish(one, two)
    assert sorted(bytes(client.streams[stream].body) for stream in (one, two)) == [b"first", b"ok"]
    assert client.get("/3").body == b"ok" and len(app.connections) == 2


def test_the_servers_limit_of_streams(h2_upstream, h2c, h2):
    def one_at_a_time(connection):
        connection.greet(max_concurrent_streams=1)
        while True:
            stream = connection.request_whole()
            assert len([s for s in connection.streams.values() if s.ended]) == len(connection.order)
            gate.wait(PATIENCE)
            connection.answer(stream)
    gate = threading.Event()
    app = h2_upstream(one_at_a_time)
    client = h2(h2c(app))
    streams = [client.request(f"/{number}", method="POST") for number in range(6)]
    app.wait_connections(6)
    gate.set()
    client.finish(*streams)
    assert [client.streams[stream].status for stream in streams] == [200] * 6
    assert all(not connection.resets for connection in app.connections)


def test_a_connection_that_breaks(h2_upstream, h2c, h2):
    def breaks(connection):
        connection.greet()
        connection.next_stream()
        connection.next_stream()
        connection.send(frame(DATA, 0, 0, b"no stream"))
        connection.rest()
    client = h2(h2c(h2_upstream(breaks, serves)))
    one, two = client.request("/1"), client.request("/2")
    client.finish(one, two)
    assert [client.streams[stream].status for stream in (one, two)] == [502, 502]
    assert client.get("/3").status == 200


def test_a_server_that_closes_with_a_request_under_way(h2_upstream, h2c):
    def closes(connection):
        connection.greet()
        connection.answer(connection.request_whole())
        connection.request_whole()
    app = h2_upstream(closes, serves)
    client = h2c(app).client()
    assert client.get("/1").status == 200
    assert client.get("/2").status == 200  # idempotent, on a connection that had worked: repeated
    assert len(app.connections) == 2


def test_an_http1_server(upstream, h2c):
    assert_made_here(h2c(upstream(answers(ok()))).client().get(), "upstream_not_http2")


def test_a_server_that_never_greets(upstream, h2c):
    gateway = h2c(upstream(lambda connection: connection.rest()), connect_timeout="300ms")
    assert_made_here(gateway.client().get(), "connect_timeout")


def test_nobody_listens(h2c):
    assert_made_here(h2c(f"127.0.0.1:{free_port()}").client().get(), "connect_refused")


def test_an_idle_connection_is_closed(h2_upstream, h2c):
    ended = []

    def script(connection):
        connection.greet()
        connection.answer(connection.request_whole())
        connection.rest()
        ended.append(True)
    app = h2_upstream(script)
    gateway = h2c(app, idle_timeout="200ms")
    assert gateway.client().get().status == 200
    wait_until(lambda: ended, "the connection's end")


def test_websockets_are_refused(h2_upstream, h2c):
    gateway = h2c(h2_upstream(serves))
    assert_made_here(gateway.client().ask(upgrade(), "GET"), "upgrade_unsupported")


# flow control -------------------------------------------------------------------------------------------

def test_a_starved_upload_waits_with_its_sender(h2_upstream, h2c):
    body = bytes(range(256)) * 4096  # 1 MiB
    received = []

    def script(connection):
        connection.greet(initial_window_size=1000)
        connection.patient = False
        stream = connection.next_stream()
        while not connection.streams[stream].ended:
            got = connection.step()
            if got.kind == DATA and got.payload:
                assert len(got.payload) <= 1000
                connection.send(window_update(0, len(got.payload)) + window_update(stream, len(got.payload)))
        received.append(bytes(connection.streams[stream].body))
        connection.answer(stream)
        connection.rest()
    client = h2c(h2_upstream(script)).client()
    assert client.ask(post(body)).status == 200
    assert received == [body]


def test_a_slow_reader_stops_the_server_and_nobody_else(h2_upstream, h2c, h2):
    def script(connection):
        connection.greet()
        stream = connection.request_whole()
        connection.head(stream)
        sent = 0
        while sent < 65535:
            connection.data(stream, b"x" * min(16384, 65535 - sent), end=False)
            sent += min(16384, 65535 - sent)
        while True:
            connection.answer(connection.request_whole())
    app = h2_upstream(script)
    gateway = h2c(app)
    slow = h2(gateway, window=0)
    slow.request("/slow")
    slow.until_frame(HEADERS)
    for _ in range(3):
        assert gateway.client().get().body == b"ok"
    assert len(app.connections) == 1
