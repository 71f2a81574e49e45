"""Keep-alive, pipelining, HTTP/1.0 (RFC 9112 section 9)."""
import pytest

from lib.client import chunked, get, post
from lib.upstream import answers, echo, named, ok

BAD = b"GET / HTTP/1.1\r\nHost : portico.test\r\n\r\n"


def test_many_requests_on_one_connection(portico, upstream):
    app = upstream(echo)
    gateway = portico(app)
    with gateway.client() as client:
        for number in range(50):
            assert client.get(f"/{number}").json["start"] == f"GET /{number} HTTP/1.1"
    assert len(app.connections) == 1


def test_pipelined_answers_come_in_order(portico, upstream):
    gateway = portico(upstream(echo))
    with gateway.client() as client:
        client.send(get("/1") + post(b"two", "/2") + get("/3", "HEAD") + get("/4"))
        assert client.response().json["start"] == "GET /1 HTTP/1.1"
        assert client.response().json["body"] == "two"
        assert client.response("HEAD").status == 200
        assert client.response().json["start"] == "GET /4 HTTP/1.1"


def test_pipelined_requests_one_byte_at_a_time(portico, upstream):
    gateway = portico(upstream(echo))
    with gateway.client() as client:
        client.send_slowly(get("/1") + get("/2", "POST", transfer_encoding="chunked") + chunked(b"ab", b"c") + get("/3"))
        assert [client.response().json["body"] for _ in range(3)] == ["", "abc", ""]


def test_an_error_in_the_middle_discards_the_rest(portico, upstream):  # A50
    app = upstream(echo)
    responses = portico(app).raw(get("/1") + BAD + get("/smuggled") * 3)
    assert [response.status for response in responses] == [200, 400]
    assert [request.target for request in app.requests] == ["/1"]


def test_close_is_honoured_and_said(portico, upstream):
    app = upstream(named("app"))
    responses = portico(app).raw(get("/1", connection="close") + get("/2"))
    assert [response.body for response in responses] == [b"app"]
    assert responses[0].get("Connection") == "close"
    assert len(app.requests) == 1


def test_an_idle_connection_is_closed_after_its_time(portico, upstream):
    gateway = portico(upstream(), client={"keep_alive_timeout": "300ms"})
    with gateway.client() as client:
        assert client.get("/").status == 200
        assert client.ended()


def test_a_connection_that_says_nothing_is_closed(portico, upstream):
    gateway = portico(upstream(), client={"keep_alive_timeout": "300ms", "head_timeout": "300ms"})
    with gateway.client() as client:
        assert b"200" not in client.rest()


def test_http_1_0_closes_after_the_answer(portico, upstream):
    app = upstream(named("app"))
    responses = portico(app).raw(b"GET / HTTP/1.0\r\nHost: portico.test\r\n\r\n")
    assert [response.body for response in responses] == [b"app"]
    assert app.requests[0].start == "GET / HTTP/1.1"


def test_http_1_0_without_host_reaches_the_default_site(portico, upstream):
    app = upstream(named("app"))
    responses = portico(app).raw(b"GET / HTTP/1.0\r\n\r\n")
    assert [response.status for response in responses] == [200]
    assert (app.requests[0].get("Host"), app.requests[0].get("X-Forwarded-Host")) == (app.address, None)


def test_http_1_0_keep_alive(portico, upstream):
    gateway = portico(upstream(named("app")))
    with gateway.client() as client:
        for _ in range(2):
            response = client.ask(b"GET / HTTP/1.0\r\nHost: portico.test\r\nConnection: keep-alive\r\n\r\n")
            assert response.get("Connection").lower() == "keep-alive"


def test_http_1_0_is_never_sent_chunks(portico, upstream):
    app = upstream(answers(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"ab", b"cd")))
    (response,) = portico(app).raw(b"GET / HTTP/1.0\r\nHost: portico.test\r\nConnection: keep-alive\r\n\r\n")
    assert (response.body, response.chunked) == (b"abcd", False)


def test_empty_lines_before_a_request_are_skipped(portico, upstream):  # RFC 9112 section 2.2
    gateway = portico(upstream(named("app")))
    with gateway.client() as client:
        assert client.ask(b"\r\n" + get("/"), "GET").status == 200
        assert client.ask(b"\r\n" + get("/"), "GET").status == 200


@pytest.mark.threads
def test_half_closing_after_the_request_still_brings_the_answer(portico, upstream):
    gateway = portico(upstream(named("app")))
    with gateway.client() as client:
        client.send(get("/"))
        client.half_close()
        assert client.response().body == b"app"
        assert client.ended()


def test_upstream_close_does_not_close_the_client(portico, upstream):
    app = upstream(answers(ok(b"1", connection="close")))
    gateway = portico(app)
    with gateway.client() as client:
        for _ in range(3):
            response = client.get("/")
            assert response.status == 200 and response.get("Connection") is None
