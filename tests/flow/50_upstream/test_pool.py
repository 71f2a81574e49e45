"""Connections to endpoints: reused, given up in time, never trusted blindly, and replayed once."""
import threading

from lib.client import chunked, get, post
from lib.gateway import route_to
from lib.upstream import answers, echo, named, ok, resets, silent
from lib.wait import wait_until


def answers_once(ending):
    """Answers the first request of a connection and does `ending` with the second."""
    def script(connection):
        connection.request()
        connection.send(ok(b"first"))
        if connection.request():
            ending(connection)
    return script


def test_connections_are_shared_by_clients(portico, upstream):
    app = upstream(named("app"))
    gateway = portico(app)
    for _ in range(10):
        with gateway.client() as client:
            assert client.get("/").status == 200
    assert len(app.connections) == 1
    assert [record.reused for record in gateway.log_records(10)] == [False] + [True] * 9


def test_idle_connections_are_closed_before_the_upstream_does(portico, upstream):
    closed = threading.Event()

    def script(connection):
        connection.request()
        connection.send(ok())
        assert connection.ended()
        closed.set()

    gateway = portico({"app": {"servers": [upstream(script).address], "idle_timeout": "300ms"}})
    with gateway.client() as client:
        client.get("/")
        wait_until(closed.is_set, "the pool to close the connection")
        assert client.get("/").status == 200


def test_no_more_idle_connections_than_asked(portico, upstream):
    together = threading.Barrier(3)

    def script(connection):
        connection.request()
        together.wait(10)
        connection.send(ok())
        connection.ended()

    app = upstream(script)
    gateway = portico({"app": {"servers": [app.address], "idle_max": 1}})
    clients = [gateway.client() for _ in range(3)]
    for client in clients:
        client.send(get("/"))
    for client in clients:
        assert client.response().status == 200
    wait_until(lambda: sum(connection.sock.fileno() < 0 for connection in app.connections) == 2, "two to be closed")


def test_unsolicited_bytes_end_an_idle_connection(portico, upstream):  # A18
    go, closed = threading.Event(), threading.Event()

    def script(connection):
        connection.request()
        connection.send(ok(b"first"))
        go.wait(10)
        connection.send(ok(b"poison"))
        connection.ended()
        closed.set()

    gateway = portico(upstream(script, named("second")))
    with gateway.client() as client:
        assert client.get("/").body == b"first"
        go.set()
        wait_until(closed.is_set, "the connection to be closed")
        assert client.get("/").body == b"second"


def test_bytes_after_the_response_are_nobodys_response(portico, upstream):  # A18
    app = upstream(answers(ok(b"first") + ok(b"poison")), named("second"))
    with portico(app).client() as client:
        assert client.get("/").body == b"first"
        assert client.get("/").body == b"second"
    assert len(app.requests) == 2


def test_an_endpoint_that_closed_its_idle_connection(portico, upstream):
    app = upstream(answers_once(lambda _: None))
    gateway = portico(app)
    with gateway.client() as client:
        client.get("/")
        app.connections[0].sock.shutdown(2)
        wait_until(lambda: app.connections[0].sock.fileno() < 0, "the close")
        assert client.get("/").body == b"first"
    assert {record.status for record in gateway.log_records(2)} == {200}


def test_a_reused_connection_that_dies_is_replayed_once(portico, upstream):
    app = upstream(answers_once(lambda connection: connection.reset()), named("second"))
    gateway = portico(app)
    with gateway.client() as client:
        assert client.get("/1").body == b"first"
        assert client.get("/2").body == b"second"
    assert [request.target for request in app.requests] == ["/1", "/2", "/2"]
    assert [record.attempts for record in gateway.log_records(2)] == [1, 2]


def test_a_replay_is_whole(portico, upstream):
    """Its end was taken for sent, since the first attempt had sent it: the upstream waited for the last chunk."""
    app = upstream(answers_once(lambda connection: connection.reset()), echo)
    with portico(app).client() as client:
        client.get("/1")
        seen = client.ask(get("/2", "PUT", transfer_encoding="chunked") + chunked(trailers=b"X-Sum: 0\r\n")).json
        assert seen["start"].startswith("PUT /2 ") and seen["chunked"] and seen["trailers"] == [["X-Sum", "0"]]


def test_the_connection_of_a_replay_is_reused(portico, upstream):
    app = upstream(answers_once(lambda connection: connection.reset()), named("second"))
    with portico(app).client() as client:
        assert [client.get(f"/{number}").body for number in range(4)] == [b"first", b"second", b"second", b"second"]
    assert len(app.connections) == 2


def test_a_replay_is_answered_in_the_time_of_a_request(portico, upstream):
    app = upstream(answers_once(lambda connection: connection.reset()), silent)
    gateway = portico(app, routes=[route_to("app", first_byte_timeout="300ms")])
    with gateway.client() as client:
        assert client.get("/1").body == b"first"
        assert client.get("/2").status == 504
    assert gateway.last_record(2).cause == "first_byte_timeout"


def test_a_post_is_not_replayed(portico, upstream):
    app = upstream(answers_once(lambda connection: connection.reset()), named("second"))
    gateway = portico(app)
    with gateway.client() as client:
        client.get("/1")
        assert client.ask(post(b"pay", "/2")).status == 502
        assert client.get("/3").body == b"second"
    assert [request.target for request in app.requests] == ["/1", "/2", "/3"]
    assert gateway.log_records(2)[1].cause in ("upstream_reset", "upstream_closed")


def test_the_replay_is_the_last_attempt(portico, upstream):
    app = upstream(answers_once(lambda connection: connection.reset()), resets, named("never"))
    gateway = portico(app)
    with gateway.client() as client:
        client.get("/1")
        assert client.get("/2").status == 502
    assert [request.target for request in app.requests] == ["/1", "/2", "/2"]


def test_a_fresh_connection_that_dies_is_not_replayed(portico, upstream):
    app = upstream(resets, named("never"))
    gateway = portico(app)
    with gateway.client() as client:
        assert client.get("/").status == 502
    assert len(app.requests) == 1
    assert gateway.last_record().cause == "upstream_reset"


def test_a_response_that_has_begun_is_not_replayed(portico, upstream):
    def half_answer(connection):
        connection.send(b"HTTP/1.1 200 OK\r\n")
        connection.reset()

    app = upstream(answers_once(half_answer), named("never"))
    with portico(app).client() as client:
        client.get("/1")
        assert client.get("/2").status == 502
    assert len(app.requests) == 2


def test_round_robin(portico, upstream):
    first, second = upstream(named("first")), upstream(named("second"))
    gateway = portico({"app": {"servers": [first.address, second.address]}})
    with gateway.client() as client:
        assert sorted(client.get("/").body for _ in range(10)) == [b"first"] * 5 + [b"second"] * 5


def test_another_endpoint_is_tried_when_one_refuses(portico, upstream):
    dead, alive = upstream(), upstream(echo)
    dead.close_listener()
    gateway = portico({"app": {"servers": [dead.address, alive.address]}})
    with gateway.client() as client:
        assert [client.ask(request).status for request in [get("/"), post(b"x")] * 3] == [200] * 6
    assert gateway.last_record(6).endpoint == alive.address
