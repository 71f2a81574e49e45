"""Content both ways: lengths, chunks, trailers, until close, and the responses that have none (RFC 9112 section 6)."""
import pytest

from lib.client import chunked, get, post
from lib.upstream import answers, answers_and_closes, echo, ok, respond

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_content_length_up(portico, upstream):
    gateway = portico(upstream(echo))
    with gateway.client() as client:
        seen = client.ask(post(bytes(range(256)))).json
    assert seen["body"] == bytes(range(256)).decode("latin-1")
    assert ["content-length", "256"] in [[name.lower(), value] for name, value in seen["fields"]] and not seen["chunked"]


def test_chunks_up(portico, upstream):
    gateway = portico(upstream(echo))
    with gateway.client() as client:
        seen = client.ask(get("/", "POST", transfer_encoding="chunked") + chunked(b"ab", b"c" * 5000, b"d")).json
    assert seen["body"] == "ab" + "c" * 5000 + "d" and seen["chunked"]


def test_transfer_coding_names_have_no_case(portico, upstream):
    gateway = portico(upstream(echo))
    with gateway.client() as client:
        assert client.ask(get("/", "POST", transfer_encoding="Chunked") + chunked(b"ab")).json["body"] == "ab"


def test_chunk_extensions_are_dropped(portico, upstream):
    app = upstream(echo)
    gateway = portico(app)
    with gateway.client() as client:
        client.ask(get("/", "POST", transfer_encoding="chunked") + b"2;a=b\r\nhi\r\n0;c\r\n\r\n", "POST")
    assert app.requests[0].body == b"hi" and b";" not in app.received.split(b"\r\n\r\n", 1)[1]


def test_trailers_up(portico, upstream):
    gateway = portico(upstream(echo))
    with gateway.client() as client:
        seen = client.ask(get("/", "POST", transfer_encoding="chunked", trailer="X-Sum")
                          + chunked(b"ab", trailers=b"X-Sum: 42\r\nContent-Length: 7\r\nHost: other\r\n")).json
    assert [[name.lower(), value] for name, value in seen["trailers"]] == [["x-sum", "42"]]  # A12: framing is dropped


def test_a_zero_length_is_kept(portico, upstream):
    app = upstream(echo)
    with portico(app).client() as client:
        assert client.ask(post(b"")).status == 200
    assert app.requests[0].get("Content-Length") == "0"


def test_get_with_content_is_framed(portico, upstream):  # A5
    gateway = portico(upstream(echo))
    with gateway.client() as client:
        client.send(get("/1", content_length=3) + b"abc" + get("/2"))
        assert client.response().json["body"] == "abc"
        assert client.response().json["start"] == "GET /2 HTTP/1.1"


def test_chunks_and_trailers_down(portico, upstream):
    app = upstream(answers(CHUNKED + chunked(b"ab", b"cd" * 9000, trailers=b"X-Sum: 42\r\n")))
    with portico(app).client() as client:
        response = client.get("/")
        assert response.body == b"ab" + b"cd" * 9000 and response.chunked
        assert [(name.lower(), value) for name, value in response.trailers] == [("x-sum", "42")]
        assert client.get("/").status == 200


def test_until_close_becomes_chunks(portico, upstream):
    app = upstream(answers_and_closes(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 70000))
    with portico(app).client() as client:
        for _ in range(2):
            response = client.get("/")
            assert response.body == b"x" * 70000 and response.chunked


def test_an_http_1_0_upstream(portico, upstream):
    app = upstream(answers_and_closes(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"))
    with portico(app).client() as client:
        assert [client.get("/").body for _ in range(2)] == [b"ok", b"ok"]
    assert len(app.connections) == 2


@pytest.mark.parametrize("reply", [
    b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
    CHUNKED,
    b"HTTP/1.1 200 OK\r\n\r\n",
], ids=["length", "chunked", "none"])
def test_head(portico, upstream, reply):
    app = upstream(answers(reply))
    with portico(app).client() as client:
        first = client.get("/", method="HEAD")
        assert first.get("Content-Length") in (None, "100") and first.body == b""
        assert client.get("/", method="HEAD").status == 200
    assert len(app.connections) == 1


@pytest.mark.parametrize("status", [204, 304])
def test_statuses_without_content(portico, upstream, status):
    reply = f"HTTP/1.1 {status} As Scripted\r\nETag: \"1\"\r\n\r\n".encode()
    app = upstream(answers(reply))
    with portico(app).client() as client:
        for _ in range(2):
            response = client.get("/")
            assert (response.status, response.get("ETag"), response.get("Transfer-Encoding")) == (status, '"1"', None)
    assert len(app.connections) == 1


def test_304_may_tell_a_length(portico, upstream):
    app = upstream(answers(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n"))
    with portico(app).client() as client:
        assert [client.get("/").status for _ in range(2)] == [304, 304]


def test_reason_and_unknown_status_pass(portico, upstream):
    app = upstream(answers(respond(299, b"x")))
    with portico(app).client() as client:
        response = client.get("/")
    assert response.start == "HTTP/1.1 299 As Scripted"


def test_repeated_fields_keep_their_order(portico, upstream):
    app = upstream(answers(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nX-N: 1\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n"))
    with portico(app).client() as client:
        assert client.get("/").all("Set-Cookie") == ["a=1", "b=2"]


def test_the_upstreams_date_and_server_stay(portico, upstream):
    app = upstream(answers(ok(date="Thu, 01 Jan 1970 00:00:00 GMT", server="scripted")))
    with portico(app).client() as client:
        response = client.get("/")
    assert (response.get("Date"), response.get("Server")) == ("Thu, 01 Jan 1970 00:00:00 GMT", "scripted")
