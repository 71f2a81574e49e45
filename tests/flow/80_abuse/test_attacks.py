"""One row for each way to be misunderstood: exactly these bytes, exactly this status, closed, and nothing behind them served.

Numbers are those of the attack list. Each row is sent at once and again one byte in each segment, with another request behind
it that nobody may ever see.
"""
import pytest

from lib.client import chunked, get
from lib.faults import FAULTS
from lib.gateway import route_to
from lib.upstream import echo, named

SMUGGLED = get("/smuggled")
LINE, HOST = b"GET /attack HTTP/1.1\r\n", b"Host: portico.test\r\n"
POST = b"POST /attack HTTP/1.1\r\n" + HOST


def fields(text):
    """A GET with these field lines."""
    return LINE + HOST + text + b"\r\n\r\n"


def line(text):
    """A request with this first line."""
    return text + b"\r\n" + HOST + b"\r\n"


def host(text):
    return LINE + text + b"\r\n\r\n"


def length(value):
    return POST + b"Content-Length: " + value + b"\r\n\r\nabcde"


def coding(text):
    return POST + text + b"\r\n\r\n0\r\n\r\n"


HEADS = {
    # Two framings
    "A1 length then chunked": (400, POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "A1 chunked then length": (400, POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
    "A1 length zero and chunked": (400, POST + b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "A1 length and unknown coding": ((400, 501), POST + b"Content-Length: 5\r\nTransfer-Encoding: x\r\n\r\nabcde"),
    # Transfer codings
    "A2 xchunked": (501, coding(b"Transfer-Encoding: xchunked")),
    "A2 identity": (501, coding(b"Transfer-Encoding: identity")),
    "A2 gzip, chunked": (501, coding(b"Transfer-Encoding: gzip, chunked")),
    "A2 chunked, identity": ((400, 501), coding(b"Transfer-Encoding: chunked, identity")),
    "A2 chunked twice in a list": (400, coding(b"Transfer-Encoding: chunked, chunked")),
    "A2 chunked in two lines": (400, coding(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked")),
    "A2 chunked and identity in two lines": ((400, 501), coding(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity")),
    "A2 vertical tab": (400, coding(b"Transfer-Encoding: \x0bchunked")),
    "A2 form feed": (400, coding(b"Transfer-Encoding: chunked\x0c")),
    "A2 quoted": ((400, 501), coding(b'Transfer-Encoding: "chunked"')),
    "A2 with a parameter": ((400, 501), coding(b"Transfer-Encoding: chunked;a=b")),
    "A2 empty": (400, coding(b"Transfer-Encoding:")),
    "A2 comma only": (400, coding(b"Transfer-Encoding: ,")),
    "A2 space before the colon": (400, coding(b"Transfer-Encoding : chunked")),
    "A2 folded": (400, coding(b"Transfer-Encoding:\r\n chunked")),
    "A2 two words": ((400, 501), coding(b"Transfer-Encoding: chunked x")),
    # Lengths
    "A3 two different": (400, POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef"),
    "A3 a list of different": (400, length(b"5, 6")),
    "A3 an open list": (400, length(b"5,")),
    "A3 plus": (400, length(b"+5")),
    "A3 minus": (400, length(b"-5")),
    "A3 minus zero": (400, length(b"-0")),
    "A3 hex": (400, length(b"0x5")),
    "A3 trailing letter": (400, length(b"5a")),
    "A3 point": (400, length(b"5.0")),
    "A3 exponent": (400, length(b"5e0")),
    "A3 space inside": (400, length(b"5 5")),
    "A3 empty": (400, length(b"")),
    "A3 quoted": (400, length(b'"5"')),
    "A3 2^63": (400, length(b"9223372036854775808")),
    "A3 2^64 + 5": (400, length(b"18446744073709551621")),
    "A3 forty digits": (400, length(b"1" * 40)),
    "A3 not ASCII": (400, length("５".encode())),
    # HTTP/1.0
    "A4 chunked in HTTP/1.0": (400, b"POST /attack HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    # Expect
    "A6 another expectation": (417, POST + b"Expect: y\r\nContent-Length: 5\r\n\r\nabcde"),
    "A6 folded expectation": (400, POST + b"Expect:\r\n 100-continue\r\nContent-Length: 5\r\n\r\nabcde"),
    "A6 two expectations": (417, POST + b"Expect: 100-continue, y\r\nContent-Length: 5\r\n\r\nabcde"),
    # Lines
    "A7 folded with a space": (400, fields(b"X: a\r\n b")),
    "A7 folded with a tab": (400, fields(b"X: a\r\n\tb")),
    "A7 folded first field": (400, LINE + b" X: a\r\n" + HOST + b"\r\n"),
    "A7 folded empty": (400, fields(b"X: a\r\n ")),
    "A8 space before the colon": (400, fields(b"X : a")),
    "A8 tab before the colon": (400, fields(b"X\t: a")),
    "A8 empty name": (400, fields(b": a")),
    "A8 no colon": (400, fields(b"X")),
    "A8 leading space": (400, b" " + line(b"GET /attack HTTP/1.1")),
    "A8 leading tab": (400, b"\t" + line(b"GET /attack HTTP/1.1")),
    "A9 bare LF everywhere": (400, b"GET /attack HTTP/1.1\nHost: portico.test\n\n"),
    "A9 bare LF after the first line": (400, b"GET /attack HTTP/1.1\n" + HOST + b"\r\n"),
    "A9 bare LF after a field": (400, LINE + HOST + b"X: a\nY: b\r\n\r\n"),
    "A9 bare LF as the empty line": (400, LINE + HOST + b"\n"),
    "A9 bare CR in the first line": (400, b"GET /attack\r HTTP/1.1\r\n" + HOST + b"\r\n"),
    "A9 bare CR in a field": (400, fields(b"X: a\rY: b")),
    "A9 CR CR LF": (400, LINE + HOST + b"X: a\r\r\n\r\n"),
    # Bytes
    "A13 NUL in a value": (400, fields(b"X: a\0b")),
    "A13 BEL in a value": (400, fields(b"X: a\x07b")),
    "A13 ESC in a value": (400, fields(b"X: \x1b[31m")),
    "A13 DEL in a value": (400, fields(b"X: a\x7fb")),
    "A13 NUL in a name": (400, fields(b"X\0: a")),
    "A13 space in a name": (400, fields(b"X Y: a")),
    "A13 parenthesis in a name": (400, fields(b"X(Y): a")),
    "A13 non-ASCII name": (400, fields("Ä: a".encode())),
    "A13 bracket in the method": (400, line(b"GE[T /attack HTTP/1.1")),
    "A13 NUL in the method": (400, line(b"G\0T /attack HTTP/1.1")),
    "A13 empty method": (400, line(b" /attack HTTP/1.1")),
    "A13 NUL in the target": (400, line(b"GET /att\0ack HTTP/1.1")),
    "A13 non-ASCII target": (400, line("GET /attäck HTTP/1.1".encode())),
    "A13 tab in the first line": (400, line(b"GET\t/attack\tHTTP/1.1")),
    # The first line
    "line two spaces": (400, line(b"GET  /attack HTTP/1.1")),
    "line two spaces before the version": (400, line(b"GET /attack  HTTP/1.1")),
    "line space behind the version": (400, line(b"GET /attack HTTP/1.1 ")),
    "line four words": (400, line(b"GET /attack more HTTP/1.1")),
    "line no version": (400, line(b"GET /attack")),
    "line no target": (400, line(b"GET HTTP/1.1")),
    "line HTTP/2.0": (505, line(b"GET /attack HTTP/2.0")),
    "line HTTP/0.9": (505, line(b"GET /attack HTTP/0.9")),
    "line HTTP/1.2": (505, line(b"GET /attack HTTP/1.2")),
    "line HTTP/1.10": ((400, 505), line(b"GET /attack HTTP/1.10")),
    "line lower-case version": ((400, 505), line(b"GET /attack http/1.1")),
    "line another protocol": ((400, 505), line(b"GET /attack ICY/1.1")),
    "line TLS": (400, b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + b"\0" * 64),
    "line SSH": (400, b"SSH-2.0-OpenSSH_9.2\r\n"),
    # Targets
    "A29 fragment": (400, line(b"GET /attack#x HTTP/1.1")),
    "A29 asterisk for GET": (400, line(b"GET * HTTP/1.1")),
    "A29 authority for GET": (400, line(b"GET portico.test:80 HTTP/1.1")),
    "A29 no leading slash": (400, line(b"GET attack HTTP/1.1")),
    "A29 userinfo": (400, line(b"GET http://user@portico.test/attack HTTP/1.1")),
    "A29 another scheme": (400, line(b"GET ftp://portico.test/attack HTTP/1.1")),
    "A29 no authority": (400, line(b"GET http:///attack HTTP/1.1")),
    "A29 bad authority": (400, line(b"GET http://a b/attack HTTP/1.1")),
    "A29 absolute without Host": (400, b"GET http://portico.test/attack HTTP/1.1\r\n\r\n"),
    "A27 encoded NUL": (400, line(b"GET /attack%00 HTTP/1.1")),
    "A27 half an encoding": (400, line(b"GET /attack%2 HTTP/1.1")),
    "A27 above the root": (400, line(b"GET /../attack HTTP/1.1")),
    # Hosts
    "A30 none": (400, LINE + b"\r\n"),
    "A30 two": (400, host(b"Host: portico.test\r\nHost: other.test")),
    "A30 the same twice": (400, host(b"Host: portico.test\r\nHost: portico.test")),
    "A30 empty": (400, host(b"Host:")),
    "A30 space": (400, host(b"Host: a b")),
    "A30 slash": (400, host(b"Host: a/b")),
    "A30 backslash": (400, host(b"Host: a\\b")),
    "A30 userinfo": (400, host(b"Host: user@portico.test")),
    "A30 fragment": (400, host(b"Host: a#b")),
    "A30 question mark": (400, host(b"Host: a?b")),
    "A30 port not a number": (400, host(b"Host: portico.test:http")),
    "A30 port too large": (400, host(b"Host: portico.test:65536")),
    "A30 two ports": (400, host(b"Host: portico.test:80:80")),
    "A30 open bracket": (400, host(b"Host: [::1")),
    "A30 non-ASCII": (400, host("Host: pörtico.test".encode())),
    "A30 angle brackets": (400, host(b"Host: <script>")),
    # Connection
    "A32 nominates Host": (400, fields(b"Connection: close, Host")),
    "A32 nominates X-Forwarded-For": (400, fields(b"Connection: close, X-Forwarded-For")),
    "A32 nominates Authorization": (400, fields(b"Connection: authorization")),
    "A32 nominates Cookie": (400, fields(b"Connection: keep-alive\r\nConnection: cookie")),
    "A32 nominates Content-Length": (400, POST + b"Connection: Content-Length\r\nContent-Length: 5\r\n\r\nabcde"),
    # Methods
    "A46 TRACE": (405, line(b"TRACE /attack HTTP/1.1")),
    "A46 CONNECT": (405, line(b"CONNECT portico.test:443 HTTP/1.1")),
    "A46 half of the HTTP/2 preface": (400, b"PRI * HTTP/2.0\r\n\r\n"),
    "A46 nearly the HTTP/2 preface": (400, b"PRI * HTTP/2.0\r\nHost: portico.test\r\n\r\nSM\r\n\r\n"),
}

CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"

BODIES = {
    "A10 bare LF after the size": b"5\nabcde\r\n0\r\n\r\n",
    "A10 bare LF after the data": b"5\r\nabcde\n0\r\n\r\n",
    "A10 bare CR after the size": b"5\rabcde\r\n0\r\n\r\n",
    "A10 LF in an extension": b"5;a\nb\r\nabcde\r\n0\r\n\r\n",
    "A10 CR in an extension": b"5;a\rb\r\nabcde\r\n0\r\n\r\n",
    "A10 NUL in an extension": b"5;a\0b\r\nabcde\r\n0\r\n\r\n",
    "A10 long extension": b"5;" + b"a" * 17 + b"\r\nabcde\r\n0\r\n\r\n",
    "A10 many extensions": b"".join(b"1;aaaaaaaaaaaa\r\nx\r\n" for _ in range(400)) + b"0\r\n\r\n",
    "A11 size overflows": b"10000000000000005\r\nabcde\r\n0\r\n\r\n",
    "A11 leading zeros without end": b"0" * 100 + b"5\r\nabcde\r\n0\r\n\r\n",
    "A11 empty size": b"\r\nabcde\r\n0\r\n\r\n",
    "A11 plus": b"+5\r\nabcde\r\n0\r\n\r\n",
    "A11 minus": b"-5\r\nabcde\r\n0\r\n\r\n",
    "A11 0x": b"0x5\r\nabcde\r\n0\r\n\r\n",
    "A11 not hex": b"5g\r\nabcde\r\n0\r\n\r\n",
    "A11 space before the size": b" 5\r\nabcde\r\n0\r\n\r\n",
    "A11 space behind the size": b"5 \r\nabcde\r\n0\r\n\r\n",
    "A11 data longer than its size": b"5\r\nabcdefg\r\n0\r\n\r\n",
    "A11 data shorter than its size": b"5\r\nabc\r\n0\r\n\r\n",
    "A11 no empty line at the end": b"5\r\nabcde\r\n0\r\n",
    "A12 trailer without a colon": b"0\r\nbroken\r\n\r\n",
    "A12 folded trailer": b"0\r\nX: a\r\n b\r\n\r\n",
    "A12 bare LF in the trailers": b"0\r\nX: a\n\r\n\r\n",
    "A12 space before a trailer's colon": b"0\r\nX : a\r\n\r\n",
    "A12 NUL in a trailer": b"0\r\nX: a\0\r\n\r\n",
    "A12 endless trailers": b"0\r\n" + b"X: yyyyyyyyyyyyyyyyyyyy\r\n" * 500 + b"\r\n",
}


def start(portico, upstream):
    """A gateway, the upstream that must not hear of the attack, and another for bystanders."""
    app = upstream(echo)
    gateway = portico({"app": app, "other": upstream(named("other"))}, routes=[route_to("other", "/bystander"), route_to("app")])
    return gateway, app


def assert_refused(gateway, attack, slowly, expected):
    """One answer, the connection closed, the record's cause has that status."""
    responses = gateway.raw(attack + SMUGGLED, slowly)
    allowed = expected if isinstance(expected, tuple) else (expected,)
    assert len(responses) == 1 and responses[0].status in allowed, [response.start for response in responses]
    assert responses[0].get("Connection") == "close"
    refusals = [record for record in gateway.log_records(2) if record.status != 200]
    assert [FAULTS[record.cause].status for record in refusals] == [responses[0].status]


@pytest.mark.parametrize("slowly", [False, True], ids=["at once", "bytewise"])
@pytest.mark.parametrize("expected, attack", HEADS.values(), ids=HEADS)
def test_a_bad_head(portico, upstream, bystander, expected, attack, slowly):
    gateway, app = start(portico, upstream)
    others = bystander(gateway, "/bystander")
    assert_refused(gateway, attack, slowly, expected)
    others()
    assert app.received == b""


@pytest.mark.parametrize("slowly", [False, True], ids=["at once", "bytewise"])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_bad_chunked_body(portico, upstream, bystander, body, slowly):
    gateway, app = start(portico, upstream)
    others = bystander(gateway, "/bystander")
    assert_refused(gateway, CHUNKED + body, slowly, 400)
    others()
    assert app.requests == [] and b"smuggled" not in app.received


def test_bytes_behind_a_broken_body_hold_nothing_up(portico, upstream, bystander):
    """They kept arriving while the answer was on its way, and a worker spun on them."""
    gateway, _ = start(portico, upstream)
    others = bystander(gateway, "/bystander")
    for _ in range(30):
        responses = gateway.raw(CHUNKED + BODIES["A11 no empty line at the end"] + SMUGGLED, True)
        assert [response.status for response in responses] == [400]
    others()


@pytest.mark.parametrize("attack", [
    length(b"5, 5"), POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nabcde",
], ids=["list", "lines"])
def test_identical_lengths_collapse(portico, upstream, attack):  # A3
    gateway, app = start(portico, upstream)
    with gateway.client() as client:
        assert client.ask(attack).status == 200
        assert client.ask(SMUGGLED).status == 200  # a request of its own here
    assert app.requests[0].get("Content-Length") == "5" and app.requests[0].body == b"abcde"


def test_a_flood_of_one_byte_chunks_is_gathered(portico, upstream):  # A11
    gateway, app = start(portico, upstream)
    with gateway.client() as client:
        assert client.ask(CHUNKED + chunked(*[b"x"] * 10000)).json["body"] == "x" * 10000
    assert len(app.received) < 30000  # 60,000 bytes came in


@pytest.mark.parametrize("before", [1, 3])
def test_an_error_in_a_pipeline_discards_what_follows(portico, upstream, before):  # A50
    gateway, app = start(portico, upstream)
    good = b"".join(get(f"/{number}") for number in range(before))
    responses = gateway.raw(good + fields(b"X : a") + SMUGGLED * 5)
    assert [response.status for response in responses] == [200] * before + [400]
    assert [request.target for request in app.requests] == [f"/{number}" for number in range(before)]


def test_a_request_inside_a_body_is_not_a_request(portico, upstream):  # A5
    gateway, app = start(portico, upstream)
    with gateway.client() as client:
        for method in ("GET", "DELETE", "OPTIONS", "POST"):
            client.send(get("/outer", method, content_length=len(SMUGGLED)) + SMUGGLED)
            assert client.response(method).json["body"].encode() == SMUGGLED
    assert {request.target for request in app.requests} == {"/outer"}


def test_httpoxy(portico, upstream):  # A34
    gateway, app = start(portico, upstream)
    with gateway.client() as client:
        client.get("/", proxy="http://evil.test")
    assert app.requests[0].get("Proxy") is None


def test_noise(portico, upstream, bystander):
    gateway, app = start(portico, upstream)
    others = bystander(gateway, "/bystander")
    for seed in range(50):
        noise = bytes((seed * 7 + index * index * 31 + (index >> 3)) & 255 for index in range(2000))
        assert all(400 <= response.status <= 505 for response in gateway.raw(noise + b"\r\n\r\n"))
    others()
    assert app.requests == []
