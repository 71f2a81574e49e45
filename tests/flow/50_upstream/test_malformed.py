"""A18: a response that is not valid HTTP is 502, its connection is closed, and the log says what was wrong with it."""
import pytest

from lib.client import get
from lib.faults import assert_made_here
from lib.upstream import answers, named, ok
from lib.wait import wait_until

OK = b"HTTP/1.1 200 OK\r\n"
LENGTH = b"Content-Length: 2\r\n"
BODY = b"\r\nok"

HEADS = {
    "both framings": OK + LENGTH + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": OK + LENGTH + b"Content-Length: 3\r\n" + BODY,
    "list of lengths": OK + b"Content-Length: 2, 3\r\n" + BODY,
    "signed length": OK + b"Content-Length: +2\r\n" + BODY,
    "negative length": OK + b"Content-Length: -2\r\n" + BODY,
    "hex length": OK + b"Content-Length: 0x2\r\n" + BODY,
    "huge length": OK + b"Content-Length: 9223372036854775808\r\n" + BODY,
    "empty length": OK + b"Content-Length: \r\n" + BODY,
    "unknown coding": OK + b"Transfer-Encoding: xchunked\r\n" + BODY,
    "two codings": OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "repeated coding": OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding with VT": OK + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "coding in HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "HTTP/2": b"HTTP/2.0 200 OK\r\n" + LENGTH + BODY,
    "HTTP/1.2": b"HTTP/1.2 200 OK\r\n" + LENGTH + BODY,
    "lower case": b"http/1.1 200 OK\r\n" + LENGTH + BODY,
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "no status line": b"hello\r\n\r\n",
    "two-digit status": b"HTTP/1.1 20 OK\r\n" + LENGTH + BODY,
    "four-digit status": b"HTTP/1.1 2000 OK\r\n" + LENGTH + BODY,
    "status below 100": b"HTTP/1.1 099 OK\r\n" + LENGTH + BODY,
    "status 600": b"HTTP/1.1 600 OK\r\n" + LENGTH + BODY,
    "status not a number": b"HTTP/1.1 2x0 OK\r\n" + LENGTH + BODY,
    "two spaces": b"HTTP/1.1  200 OK\r\n" + LENGTH + BODY,
    "leading space": b" HTTP/1.1 200 OK\r\n" + LENGTH + BODY,
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "bare LF in a field": OK + b"X: a\nY: b\r\n" + LENGTH + BODY,
    "bare CR in a field": OK + b"X: a\rY: b\r\n" + LENGTH + BODY,
    "NUL in a field": OK + b"X: a\0b\r\n" + LENGTH + BODY,
    "control in a reason": b"HTTP/1.1 200 O\x01K\r\n" + LENGTH + BODY,
    "folded field": OK + b"X: a\r\n b\r\n" + LENGTH + BODY,
    "space before the colon": OK + b"Content-Length : 2\r\n" + BODY,
    "no colon": OK + b"Broken\r\n" + LENGTH + BODY,
    "empty name": OK + b": x\r\n" + LENGTH + BODY,
    "name with a space": OK + b"X Y: x\r\n" + LENGTH + BODY,
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_a_malformed_head(portico, upstream, head):
    app = upstream(answers(head), named("good"))
    gateway = portico(app)
    with gateway.client() as client:
        assert_made_here(client.get("/"), "upstream_malformed")
        wait_until(lambda: app.connections[0].sock.fileno() < 0, "the bad connection to be closed")
        assert client.get("/").body == b"good"
    record = gateway.log_records(2)[0]
    assert (record.status, record.cause, record.endpoint) == (502, "upstream_malformed", app.address)
    assert record.detail


CHUNKS = {
    "not hex": b"2\r\nok\r\nxyz\r\n", "no CRLF after the data": b"2\r\nokay\r\n0\r\n\r\n", "bare LF": b"2\nok\n0\n\n",
    "overflow": b"2\r\nok\r\nffffffffffffffff1\r\n", "signed": b"2\r\nok\r\n+2\r\nok\r\n0\r\n\r\n",
    "negative": b"2\r\nok\r\n-1\r\n", "0x": b"2\r\nok\r\n0x2\r\nok\r\n0\r\n\r\n", "space": b"2\r\nok\r\n2 \r\nok\r\n0\r\n\r\n",
    "LF in an extension": b"2\r\nok\r\n2;a\nb\r\nok\r\n0\r\n\r\n", "long extension": b"2;" + b"a" * 17 + b"\r\nok\r\n0\r\n\r\n",
    "bad trailer": b"2\r\nok\r\n0\r\nbroken\r\n\r\n",
}


@pytest.mark.parametrize("chunks", CHUNKS.values(), ids=CHUNKS)
def test_malformed_chunks(portico, upstream, chunks):
    app = upstream(answers(OK + b"Transfer-Encoding: chunked\r\n\r\n" + chunks), named("good"))
    gateway = portico(app)
    with gateway.client() as client:
        client.send(get("/"))
        received = client.rest()
    assert not received.endswith(b"0\r\n\r\n") or received.startswith(b"HTTP/1.1 502")
    assert gateway.last_record().cause == "upstream_malformed"
    wait_until(lambda: app.connections[0].sock.fileno() < 0, "the bad connection to be closed")


def test_identical_lengths_collapse(portico, upstream):  # A3
    app = upstream(answers(OK + LENGTH + LENGTH + BODY))
    with portico(app).client() as client:
        assert client.get("/").get("Content-Length") == "2"


def test_a_head_beyond_the_limit(portico, upstream):
    app = upstream(answers(ok(x_long="x" * 9000)))
    gateway = portico({"app": {"servers": [app.address], "head_max": "8KiB"}})
    with gateway.client() as client:
        assert_made_here(client.get("/"), "upstream_head_too_large")


def test_a_head_that_never_ends(portico, upstream):
    def script(connection):
        connection.request()
        connection.send(OK)
        while True:
            connection.send(b"X-Endless: yes\r\n" * 100)

    gateway = portico(upstream(script))
    with gateway.client() as client:
        assert_made_here(client.get("/"), "upstream_head_too_large")


def test_a_flood_of_interim_responses(portico, upstream):
    app = upstream(answers(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 9 + ok()))
    gateway = portico(app)
    with gateway.client() as client:
        assert client.get("/").status == 502
    assert gateway.last_record().cause == "too_many_interim"


def test_eight_interim_responses_are_allowed(portico, upstream):
    app = upstream(answers(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 8 + ok()))
    with portico(app).client() as client:
        assert len(client.get("/").interim) == 8


def test_a_101_nobody_asked_for(portico, upstream):
    app = upstream(answers(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"))
    gateway = portico(app)
    with gateway.client() as client:
        assert_made_here(client.get("/"), "upstream_bad_upgrade")
