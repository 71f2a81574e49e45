"""RFC 9113, section by section: what a client must not send, and the stream or connection error it gets for it."""
import struct

import hpack
import pytest

from lib.blackhole import Blackhole
from lib.h2raw import (ACK, COMPRESSION_ERROR, CONTINUATION, DATA, END_HEADERS, END_STREAM, FLOW_CONTROL_ERROR,
                       FRAME_SIZE_ERROR, GOAWAY, HEADERS, PADDED, PING, PREFACE, PRIORITY, PRIORITY_UPDATE,
                       PROTOCOL_ERROR, PUSH_PROMISE, REFUSED_STREAM, RST_STREAM, SETTINGS, STREAM_CLOSED, WINDOW_UPDATE,
                       WITH_PRIORITY, frame, request_fields, rst, settings, window_update)
from lib.upstream import echo, named

GOOD = request_fields("/good")


def block(fields):
    return hpack.Encoder().encode([hpack.NeverIndexedHeaderTuple(*field) for field in fields])


def head(fields, flags=END_STREAM, stream=1):
    return frame(HEADERS, END_HEADERS | flags, stream, block(fields))


def without(name):
    return [field for field in GOOD if field[0] != name]


def plus(*fields):
    return [*GOOD, *fields]


def body(content, length):
    return head(plus(("content-length", str(length))), 0) + frame(DATA, END_STREAM, 1, content)


# The first stream gets RST_STREAM; the connection and the next stream live on.
STREAM_ERRORS = {
    "6.9.1 window beyond 2^31-1 on a stream": (FLOW_CONTROL_ERROR, head(GOOD, 0) + window_update(1, (1 << 31) - 1)),
    "8.1 trailers without END_STREAM": (PROTOCOL_ERROR, head(GOOD, 0) + head([("a", "b")], 0)),
    "8.1 pseudo-field in trailers": (PROTOCOL_ERROR, head(GOOD, 0) + head([(":path", "/")])),
    "8.1.1 content shorter than its length": (PROTOCOL_ERROR, body(b"abc", 5)),
    "8.1.1 content longer than its length": (PROTOCOL_ERROR, body(b"abcdefg", 5)),
    "8.1.1 a length and no content": (PROTOCOL_ERROR, head(plus(("content-length", "5")))),
    "8.1.1 two lengths": (PROTOCOL_ERROR, head(plus(("content-length", "0"), ("content-length", "1")))),
    "8.1.1 a length with a sign": (PROTOCOL_ERROR, head(plus(("content-length", "+1")), 0) + frame(DATA, END_STREAM, 1, b"a")),
    "8.2 upper case in a name": (PROTOCOL_ERROR, head(plus(("X-Upper", "a")))),
    "8.2.1 space in a name": (PROTOCOL_ERROR, head(plus(("x y", "a")))),
    "8.2.1 colon in a name": (PROTOCOL_ERROR, head(plus(("x:y", "a")))),
    "8.2.1 CR LF in a name": (PROTOCOL_ERROR, head(plus(("x\r\ny", "a")))),
    "8.2.1 empty name": (PROTOCOL_ERROR, head(plus(("", "a")))),
    "8.2.1 NUL in a value": (PROTOCOL_ERROR, head(plus(("x", "a\0b")))),
    "8.2.1 CR in a value": (PROTOCOL_ERROR, head(plus(("x", "a\rb")))),
    "8.2.1 LF in a value": (PROTOCOL_ERROR, head(plus(("x", "a\nb")))),
    "A14 a field smuggled in a value": (PROTOCOL_ERROR, head(plus(("x", "a\r\nTransfer-Encoding: chunked\r\n\r\nGET /smuggled")))),
    "8.2.1 space before a value": (PROTOCOL_ERROR, head(plus(("x", " a")))),
    "8.2.1 tab behind a value": (PROTOCOL_ERROR, head(plus(("x", "a\t")))),
    "8.2.2 connection": (PROTOCOL_ERROR, head(plus(("connection", "close")))),
    "8.2.2 keep-alive": (PROTOCOL_ERROR, head(plus(("keep-alive", "1")))),
    "8.2.2 proxy-connection": (PROTOCOL_ERROR, head(plus(("proxy-connection", "close")))),
    "8.2.2 transfer-encoding": (PROTOCOL_ERROR, head(plus(("transfer-encoding", "chunked")))),
    "8.2.2 upgrade": (PROTOCOL_ERROR, head(plus(("upgrade", "h2c")))),
    "8.2.2 te": (PROTOCOL_ERROR, head(plus(("te", "gzip")))),
    "8.3 unknown pseudo-field": (PROTOCOL_ERROR, head([(":other", "a"), *GOOD])),
    "8.3 a response's pseudo-field": (PROTOCOL_ERROR, head([(":status", "200"), *GOOD])),
    "8.3 pseudo-field behind a field": (PROTOCOL_ERROR, head([GOOD[0], ("x", "a"), *GOOD[1:]])),
    "8.3.1 no method": (PROTOCOL_ERROR, head(without(":method"))),
    "8.3.1 no scheme": (PROTOCOL_ERROR, head(without(":scheme"))),
    "8.3.1 no path": (PROTOCOL_ERROR, head(without(":path"))),
    "8.3.1 empty path": (PROTOCOL_ERROR, head([*without(":path"), (":path", "")])),
    "8.3.1 two methods": (PROTOCOL_ERROR, head([GOOD[0], *GOOD])),
    "8.3.1 two paths": (PROTOCOL_ERROR, head([(":path", "/"), *GOOD])),
    "8.3.1 path without a slash": (PROTOCOL_ERROR, head([*without(":path"), (":path", "good")])),
    "A16 an absolute path": (PROTOCOL_ERROR, head([*without(":path"), (":path", "http://other.test/")])),
    "8.3.1 an asterisk for GET": (PROTOCOL_ERROR, head([*without(":path"), (":path", "*")])),
    "A14 space in the path": (PROTOCOL_ERROR, head([*without(":path"), (":path", "/ HTTP/1.1\r\nx: y")])),
    "A14 space in the method": (PROTOCOL_ERROR, head([(":method", "GET / HTTP/1.1\r\nx: y"), *without(":method")])),
    "8.3.1 another scheme": (PROTOCOL_ERROR, head([*without(":scheme"), (":scheme", "ftp")])),
    "A16 Host and :authority differ": (PROTOCOL_ERROR, head(plus(("host", "other.test")))),
    "8.3.1 neither :authority nor Host": (PROTOCOL_ERROR, head(without(":authority"))),
    "8.5 CONNECT with a path": (PROTOCOL_ERROR, head([(":method", "CONNECT"), (":authority", "a:1"), (":path", "/")], 0)),
    "8.5 CONNECT without :authority": (PROTOCOL_ERROR, head([(":method", "CONNECT")], 0)),
}

# The connection ends with GOAWAY and this code.
CONNECTION_ERRORS = {
    "3.4 no SETTINGS first": (PROTOCOL_ERROR, None),
    "4.2 a frame beyond 16,384 bytes": (FRAME_SIZE_ERROR, head(GOOD, 0) + frame(DATA, 0, 1, bytes(16385))),
    "4.3 a broken field block": (COMPRESSION_ERROR, frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\xff\xff\xff\xff\xff\xff")),
    "4.3 a table beyond the limit": (COMPRESSION_ERROR, frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x3f\xe1\xff\x7f")),
    "5.1 DATA on an idle stream": (PROTOCOL_ERROR, frame(DATA, 0, 1, b"a")),
    "5.1 RST_STREAM on an idle stream": (PROTOCOL_ERROR, rst(1)),
    "5.1 WINDOW_UPDATE on an idle stream": (PROTOCOL_ERROR, window_update(1, 1)),
    "5.1 DATA behind END_STREAM": (STREAM_CLOSED, head(GOOD) + frame(DATA, 0, 1, b"a")),
    "5.1 HEADERS behind END_STREAM": (STREAM_CLOSED, head(GOOD) + head(GOOD)),
    "5.1.1 an even stream": (PROTOCOL_ERROR, head(GOOD, stream=2)),
    "6.1 DATA on stream 0": (PROTOCOL_ERROR, frame(DATA, 0, 0, b"a")),
    "6.1 padding beyond the frame": (PROTOCOL_ERROR, head(GOOD, 0) + frame(DATA, PADDED, 1, b"\x10abc")),
    "6.2 HEADERS on stream 0": (PROTOCOL_ERROR, head(GOOD, stream=0)),
    "6.2 padding beyond the frame": (PROTOCOL_ERROR, frame(HEADERS, END_HEADERS | PADDED, 1, b"\xff" + block(GOOD))),
    "6.4 RST_STREAM on stream 0": (PROTOCOL_ERROR, rst(0)),
    "6.4 RST_STREAM of a wrong size": (FRAME_SIZE_ERROR, head(GOOD, 0) + frame(RST_STREAM, 0, 1, b"abc")),
    "6.5 SETTINGS on a stream": (PROTOCOL_ERROR, frame(SETTINGS, 0, 1)),
    "6.5 SETTINGS of a wrong size": (FRAME_SIZE_ERROR, frame(SETTINGS, 0, 0, b"abc")),
    "6.5 an acknowledgement with content": (FRAME_SIZE_ERROR, frame(SETTINGS, ACK, 0, bytes(6))),
    "6.5.2 ENABLE_PUSH of 2": (PROTOCOL_ERROR, settings(enable_push=2)),
    "6.5.2 INITIAL_WINDOW_SIZE of 2^31": (FLOW_CONTROL_ERROR, settings(initial_window_size=1 << 31)),
    "6.5.2 MAX_FRAME_SIZE of 1": (PROTOCOL_ERROR, settings(max_frame_size=1)),
    "6.6 PUSH_PROMISE": (PROTOCOL_ERROR, head(GOOD, 0) + frame(PUSH_PROMISE, END_HEADERS, 1, struct.pack(">I", 2) + block(GOOD))),
    "6.7 PING on a stream": (PROTOCOL_ERROR, frame(PING, 0, 1, bytes(8))),
    "6.7 PING of a wrong size": (FRAME_SIZE_ERROR, frame(PING, 0, 0, bytes(7))),
    "6.8 GOAWAY on a stream": (PROTOCOL_ERROR, frame(GOAWAY, 0, 1, bytes(8))),
    "6.9 WINDOW_UPDATE of a wrong size": (FRAME_SIZE_ERROR, frame(WINDOW_UPDATE, 0, 0, bytes(3))),
    "6.9 WINDOW_UPDATE of 0 on a stream": (PROTOCOL_ERROR, head(GOOD, 0) + window_update(1, 0)),
    "6.9 WINDOW_UPDATE of 0 on the connection": (PROTOCOL_ERROR, window_update(0, 0)),
    "6.9.1 window beyond 2^31-1": (FLOW_CONTROL_ERROR, window_update(0, (1 << 31) - 1)),
    "6.10 CONTINUATION alone": (PROTOCOL_ERROR, frame(CONTINUATION, END_HEADERS, 1, block(GOOD))),
    "6.10 another frame inside a block": (PROTOCOL_ERROR, frame(HEADERS, 0, 1, block(GOOD)) + frame(PING, 0, 0, bytes(8))),
    "6.10 another stream's CONTINUATION": (PROTOCOL_ERROR, frame(HEADERS, 0, 1, block(GOOD)) + frame(CONTINUATION, 0, 3, b"")),
}

# What must be borne.
HARMLESS = {
    "4.1 an unknown frame": frame(0x77, 0xff, 0, b"whatever"),
    "4.1 reserved bits": frame(PING, 0xfe, 0, bytes(8)),
    "5.1.1 a lower stream, which may have been closed": head(GOOD, stream=5) + head(GOOD, stream=3),
    "5.3 PRIORITY": frame(PRIORITY, 0, 7, struct.pack(">IB", 0, 15)),
    "6.5.2 an unknown setting": frame(SETTINGS, 0, 0, struct.pack(">HI", 0x7777, 1)),
    "6.1 padding": head(GOOD, 0) + frame(DATA, PADDED | END_STREAM, 1, b"\x04abcd" + bytes(4)),
    "6.2 padding and priority": frame(HEADERS, END_HEADERS | END_STREAM | PADDED | WITH_PRIORITY, 1,
                                      b"\x02" + struct.pack(">IB", 0, 15) + block(GOOD) + bytes(2)),
    "6.10 CONTINUATION": frame(HEADERS, END_STREAM, 1, block(GOOD)[:5]) + frame(CONTINUATION, END_HEADERS, 1, block(GOOD)[5:]),
    "6.10 empty CONTINUATION": frame(HEADERS, END_STREAM, 1, block(GOOD)) + frame(CONTINUATION, END_HEADERS, 1),
    "9218 PRIORITY_UPDATE": frame(PRIORITY_UPDATE, 0, 0, struct.pack(">I", 1) + b"u=1, i"),
    "5.4.2 RST_STREAM on a closed stream": head(GOOD, 0) + rst(1) + rst(1),
    "8.1 OPTIONS *": head([(":method", "OPTIONS"), (":scheme", "http"), (":authority", "portico.test"), (":path", "*")]),
}


@pytest.mark.parametrize("code, data", STREAM_ERRORS.values(), ids=STREAM_ERRORS)
def test_a_stream_error(portico, upstream, h2, code, data):
    app = upstream(echo)
    connection = h2(portico(app))
    connection.ping()
    connection.send(data)
    while connection.streams[1].reset is None:
        connection.step()
    assert connection.streams[1].reset == code and not connection.streams[1].heads
    assert connection.finish(connection.request_with_id(99)).status == 200
    assert connection.goaway is None
    assert all(request.target == "/" for request in app.requests) and b"smuggled" not in app.received


def test_a_stream_beyond_the_limit_is_refused(portico, upstream, h2):
    def slow(connection):
        connection.rest()

    connection = h2(portico(upstream(slow)), patient=False)  # which has not seen the limit
    ids = [connection.request() for _ in range(101)]
    connection.finish(ids[-1])
    assert connection.streams[ids[-1]].reset == REFUSED_STREAM
    assert all(connection.streams[id].reset is None for id in ids[:-1])


def test_content_beyond_the_window(portico, h2):  # 6.9.1
    nowhere = Blackhole()
    connection = h2(portico(nowhere))
    connection.headers(1, request_fields(method="POST"), 0)
    connection.send(frame(DATA, 0, 1, bytes(16384)) * 5)
    assert connection.finish(1).reset == FLOW_CONTROL_ERROR
    connection.ping()
    assert connection.goaway is None
    nowhere.close()


@pytest.mark.parametrize("code, data", CONNECTION_ERRORS.values(), ids=CONNECTION_ERRORS)
def test_a_connection_error(portico, upstream, h2, bystander, code, data):
    gateway = portico(upstream(named("app")))
    others = bystander(gateway)
    if data is None:
        connection = h2(gateway, preface=False)
        connection.send(PREFACE + window_update(0, 1))
    else:
        connection = h2(gateway)
        connection.send(data)
    connection.finish_all()
    assert connection.goaway == code
    others()
    reasons = [line for line in gateway.stderr().splitlines() if "reason=" in line]
    assert len(reasons) == 1 and "reason=protocol_error" in reasons[0]


@pytest.mark.parametrize("data", HARMLESS.values(), ids=HARMLESS)
def test_what_must_be_borne(portico, upstream, h2, data):
    connection = h2(portico(upstream(named("app"))))
    connection.send(data)
    assert connection.finish(connection.request_with_id(9)).status == 200
    connection.ping()
    assert connection.goaway is None and connection.streams[1].reset is None


@pytest.mark.parametrize("fields, status", [
    ([*without(":path"), (":path", "/" + "a" * 17000)], 414),
    (plus(*[(f"x-{number}", "a") for number in range(120)]), 431),
    (plus(("x", "a" * 40000)), 431),
    ([*without(":authority"), (":authority", "user@portico.test")], 400),
    ([*without(":path"), (":path", "/a%zz")], 400),
    ([*without(":path"), (":path", "/../a")], 400),
    ([(":method", "PRI"), *without(":method")], 400),
    (plus(("expect", "something")), 417),
], ids=["long path", "many fields", "large field", "userinfo", "bad encoding", "above the root", "PRI", "expect"])
def test_what_is_answered(portico, upstream, h2, fields, status):
    """Understood but refused: an answer on the stream, and the connection goes on."""
    app = upstream(echo)
    connection = h2(portico(app))
    encoded = block(fields)
    parts = [encoded[at:at + 16384] for at in range(0, len(encoded), 16384)]
    connection.send(frame(HEADERS, END_STREAM | (END_HEADERS if len(parts) == 1 else 0), 1, parts[0]))
    for number, part in enumerate(parts[1:], 2):
        connection.send(frame(CONTINUATION, END_HEADERS if number == len(parts) else 0, 1, part))
    assert connection.finish(1).status == status
    assert not app.requests
    assert connection.finish(connection.request_with_id(3)).status == 200


@pytest.mark.parametrize("data", [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r", b"P", b"PRI * HTTP/2"], ids=["nearly", "one byte", "half"])
def test_half_a_preface_is_waited_for(portico, upstream, data):
    gateway = portico(upstream(named("app")), client={"head_timeout": "400ms"})
    responses = gateway.raw(data)
    assert [response.status for response in responses] == [408]


def test_a_preface_that_comes_slowly(portico, upstream, h2):
    connection = h2(portico(upstream(named("app"))), preface=False)
    connection.send_slowly(PREFACE + settings() + head(GOOD))
    assert connection.finish(1).body == b"app"


def test_no_settings_and_no_request_is_a_timeout(portico, upstream, h2):
    gateway = portico(upstream(named("app")), client={"head_timeout": "400ms"})
    connection = h2(gateway, preface=False, patient=False)
    connection.send(PREFACE)
    assert connection.finish_all().goaway == 0


def test_a_head_that_does_not_end(portico, upstream, h2):
    gateway = portico(upstream(named("app")), client={"head_timeout": "400ms"})
    connection = h2(gateway)
    connection.ping()
    connection.send(frame(HEADERS, 0, 1, block(GOOD)))
    connection.finish_all()
    assert "reason=slow_head" in gateway.stderr()


def test_an_idle_connection_is_closed(portico, upstream, h2):
    connection = h2(portico(upstream(named("app")), client={"keep_alive_timeout": "300ms"}))
    connection.get()
    assert connection.finish_all().goaway == 0
