"""Interim responses and Expect: 100-continue (RFC 9110 sections 10.1.1, 15.2)."""
import threading

from lib.client import get
from lib.upstream import answers, ok, respond

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"


def expect(length, expectation="100-continue"):
    return get("/upload", "POST", content_length=length, expect=expectation)


def test_early_hints_pass(portico, upstream):
    with portico(upstream(answers(HINTS + ok(b"page")))).client() as client:
        response = client.get("/")
    assert [interim.status for interim in response.interim] == [103]
    assert response.interim[0].get("Link") == "</style.css>; rel=preload"
    assert response.body == b"page"


def test_an_unasked_100_reaches_no_one_or_all(portico, upstream):
    with portico(upstream(answers(CONTINUE + ok(b"page")))).client() as client:
        assert client.get("/").body == b"page"
        assert client.get("/").body == b"page"


def test_http_1_0_clients_get_no_interim(portico, upstream):
    app = upstream(answers(HINTS + ok(b"page")))
    (response,) = portico(app).raw(b"GET / HTTP/1.0\r\nHost: portico.test\r\n\r\n")
    assert response.interim == [] and response.body == b"page"


def test_expectation_is_forwarded_and_answered_by_the_upstream(portico, upstream):
    def script(connection):
        head = connection.head()
        assert head.get("Expect").lower() == "100-continue"
        assert connection.buffer == b""  # the client still waits
        connection.send(CONTINUE)
        connection.content(head)
        connection.send(ok(head.body))

    with portico(upstream(script)).client() as client:
        client.send(expect(4))
        assert client.head().status == 100
        assert client.ask(b"data", "POST").body == b"data"


def test_a_client_that_waits_for_its_100_is_not_slow(portico, upstream):
    """The minimum rate counts from the invitation, not while the upstream thinks."""
    thinking = threading.Event()

    def script(connection):
        head = connection.head()
        thinking.wait(0.8)
        connection.send(CONTINUE)
        connection.content(head)
        connection.send(ok(head.body))

    with portico(upstream(script), client={"body_grace": "200ms", "body_min_rate": "1KiB"}).client() as client:
        client.send(expect(4))
        assert client.head().status == 100
        assert client.ask(b"data", "POST").body == b"data"


def test_the_upstream_refuses_before_the_body(portico, upstream):
    def script(connection):
        connection.head()
        connection.send(respond(403, b"no"))
        connection.rest()

    app = upstream(script)
    with portico(app).client() as client:
        response = client.ask(expect(1000000), "POST")
        assert (response.status, response.interim) == (403, [])
        client.send(get("/next"))
        client.rest()
    assert b"/next" not in bytes(app.connections[0].seen)  # the unsent body's place is nobody's request


def test_a_client_that_does_not_wait(portico, upstream):
    app = upstream(answers(CONTINUE + ok(b"done")))
    with portico(app).client() as client:
        assert client.ask(expect(4) + b"data", "POST").body == b"done"
        assert client.ask(get("/"), "GET").status == 200
    assert app.requests[0].body == b"data"


def test_the_final_answer_may_come_without_100(portico, upstream):
    app = upstream(answers(ok(b"done")))
    with portico(app).client() as client:
        assert client.ask(expect(4) + b"data", "POST").body == b"done"


def test_any_other_expectation_is_417(portico, upstream):  # A6
    app = upstream()
    for expectation in ("y", "100-continue, y", "100-continued", "200-ok"):
        responses = portico(app).raw(expect(4, expectation) + b"data" + get("/smuggled"))
        assert [response.status for response in responses] == [417]
    assert app.received == b""
