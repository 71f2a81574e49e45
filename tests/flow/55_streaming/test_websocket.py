"""WebSocket on any route: a tunnel after a verified 101 only, and then nothing but bytes (RFC 6455 section 4)."""
import threading
import time

import pytest
import websockets

from lib.client import KEY, accept_of, get, upgrade
from lib.gateway import route_to
from lib.ports import free_port
from lib.upstream import answers, named, ok, repeat_bytes, respond, silent, websocket
from lib.wait import PATIENCE, wait_until


async def test_echo_with_a_real_client_and_server(portico):
    async def echo(socket):
        async for message in socket:
            await socket.send(message)

    port = free_port()
    async with websockets.serve(echo, "127.0.0.1", port, subprotocols=["chat", "other"]):
        gateway = portico(f"127.0.0.1:{port}")
        async with websockets.connect(f"ws://127.0.0.1:{gateway.port}/any", subprotocols=["other"]) as socket:
            assert socket.subprotocol == "other"
            assert "permessage-deflate" in socket.response_headers["Sec-WebSocket-Extensions"]
            for message in ("hello", b"\0\xff" * 1000, "x" * 500000):
                await socket.send(message)
                assert await socket.recv() == message


def test_the_upgrade_travels_whole(portico, upstream):
    app = upstream(websocket(repeat_bytes, sec_websocket_protocol="token", sec_websocket_extensions="x-own; a=1"))
    with portico(app).client() as client:
        response = client.ask(upgrade("/live?x=1", sec_websocket_protocol="token, chat", sec_websocket_extensions="x-own; a=1, y",
                                      origin="https://a.test", connection="keep-alive, Upgrade"))
        assert (response.status, response.get("Upgrade").lower(), response.get("Connection").lower()) == (
            101, "websocket", "upgrade")
        assert response.get("Sec-WebSocket-Accept") == accept_of()
        assert (response.get("Sec-WebSocket-Protocol"), response.get("Sec-WebSocket-Extensions")) == ("token", "x-own; a=1")
        anything = b"\x81\x80\0\0\0\0 not even frames\r\n\r\nGET / HTTP/1.1\r\n\r\n"
        client.send(anything)
        assert client.exactly(len(anything)) == anything
    (head,) = app.heads
    assert head.start == "GET /live?x=1 HTTP/1.1"
    assert (head.get("Upgrade").lower(), head.get("Connection").lower()) == ("websocket", "upgrade")
    assert (head.get("Sec-WebSocket-Key"), head.get("Sec-WebSocket-Protocol")) == (KEY, "token, chat")
    assert (head.get("Sec-WebSocket-Extensions"), head.get("Origin")) == ("x-own; a=1, y", "https://a.test")


def test_bytes_sent_with_the_upgrade_arrive(portico, upstream):
    with portico(upstream(websocket(repeat_bytes))).client() as client:
        client.send(upgrade() + b"early")
        assert client.response().status == 101
        assert client.exactly(5) == b"early"


def test_bytes_sent_with_the_101_arrive(portico, upstream):
    def script(connection):
        head = connection.head()
        connection.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        b"Sec-WebSocket-Accept: " + accept_of(head.get("Sec-WebSocket-Key")).encode() + b"\r\n\r\nfirst")
        connection.rest()

    with portico(upstream(script)).client() as client:
        assert client.ask(upgrade()).status == 101
        assert client.exactly(5) == b"first"


SWITCH = b"HTTP/1.1 101 Switching Protocols\r\n"
GOOD_ACCEPT = b"Sec-WebSocket-Accept: " + accept_of().encode() + b"\r\n"


@pytest.mark.parametrize("answer", [
    SWITCH + b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
    SWITCH + b"Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    SWITCH + b"Upgrade: h2c\r\nConnection: Upgrade\r\n" + GOOD_ACCEPT + b"\r\n",
    SWITCH + b"Connection: Upgrade\r\n" + GOOD_ACCEPT + b"\r\n",
    SWITCH + b"Upgrade: websocket\r\n" + GOOD_ACCEPT + b"\r\n",
], ids=["wrong accept", "no accept", "another protocol", "no upgrade", "no connection"])
def test_a_bad_101_is_502(portico, upstream, answer):  # A17
    def script(connection):
        connection.head()
        connection.send(answer)
        connection.rest()

    app = upstream(script)
    gateway = portico(app)
    with gateway.client() as client:
        assert client.ask(upgrade()).status == 502
    wait_until(lambda: app.connections[0].sock.fileno() < 0, "the bad connection to be closed")
    record = gateway.last_record()
    assert "upstream_bad_upgrade" == record.cause or (record.cause, record.detail) == ("upstream_malformed", "bad_upgrade")


def test_before_the_101_nothing_is_a_tunnel(portico, upstream):  # A17
    app = upstream(answers(respond(403, b"no")))
    with portico(app).client() as client:
        assert client.ask(upgrade()).status == 403
        assert client.get("/next").status == 403
    assert [request.target for request in app.requests] == ["/", "/next"]
    assert app.requests[1].get("Upgrade") is None


@pytest.mark.parametrize("fields", [
    {"sec_websocket_version": "12"}, {"sec_websocket_version": "12, 13"}, {"sec_websocket_key": "short"},
    {"sec_websocket_key": "not base64 of 16 bytes!!"}, {"sec_websocket_key": ""},
], ids=str)
def test_a_malformed_upgrade_is_400(portico, upstream, fields):  # A17
    app = upstream(websocket(repeat_bytes))
    responses = portico(app).raw(upgrade(**fields) + get("/smuggled"))
    assert [response.status for response in responses] == [400]
    assert app.received == b""


@pytest.mark.parametrize("protocol", ["h2c", "TLS/1.0", "other"])
def test_other_upgrades_are_ordinary_requests(portico, upstream, protocol):  # A17: h2c must not slip through
    app = upstream(named("app"))
    with portico(app).client() as client:
        assert client.get("/", upgrade=protocol, connection="Upgrade, HTTP2-Settings", http2_settings="AAMAAABk").status == 200
        assert client.get("/").status == 200
    assert [app.requests[0].get(name) for name in ("Upgrade", "Connection", "HTTP2-Settings")] == [None] * 3


def test_a_post_is_no_upgrade(portico, upstream):
    app = upstream(named("app"))
    with portico(app).client() as client:
        client.send(get("/", "POST", upgrade="websocket", connection="Upgrade", sec_websocket_version="13",
                        sec_websocket_key=KEY, content_length=2) + b"hi")
        assert client.response("POST").status in (200, 400)
    assert all(request.get("Upgrade") is None for request in app.requests)


def test_an_idle_tunnel_is_closed(portico, upstream):
    gateway = portico(upstream(websocket(repeat_bytes)), routes=[route_to("app", idle_timeout="500ms")])
    with gateway.client() as client:
        assert client.ask(upgrade()).status == 101
        client.send(b"ping")
        assert client.exactly(4) == b"ping"
        assert client.ended()
    record = gateway.last_record()
    assert (record.status, record.cause) == (101, "tunnel_idle")


def test_timeouts_of_requests_do_not_touch_tunnels(portico, upstream):
    gate = threading.Event()
    app = upstream(websocket(lambda connection: (gate.wait(1.5), repeat_bytes(connection))))
    gateway = portico(app, client={"head_timeout": "300ms", "keep_alive_timeout": "300ms", "body_grace": "300ms"},
                      routes=[route_to("app", first_byte_timeout="300ms", between_bytes_timeout="300ms", idle_timeout="30s")])
    with gateway.client() as client:
        assert client.ask(upgrade()).status == 101
        client.send(b"late")
        assert client.exactly(4) == b"late"


def test_the_client_ends_its_side_first(portico, upstream):
    def talk(connection):
        assert connection.rest() == b"last words"
        connection.send(b"answer to them")

    with portico(upstream(websocket(talk))).client() as client:
        assert client.ask(upgrade()).status == 101
        client.send(b"last words")
        client.half_close()
        assert client.rest() == b"answer to them"


@pytest.mark.parametrize("early", [b"", b"early"])
def test_the_client_ends_its_side_before_the_tunnel_stands(portico, upstream, early):
    """Its end had been seen already, as that of a request, and the service never heard of it."""
    released = threading.Event()

    def script(connection):
        assert released.wait(PATIENCE)
        websocket(repeat_bytes)(connection)

    app = upstream(script)
    with portico(app).client() as client:
        client.send(upgrade() + early)
        client.half_close()
        app.wait_connections(1)
        time.sleep(0.1)
        released.set()
        assert client.response().status == 101
        assert client.rest() == early


def test_the_upstream_ends_its_side_first(portico, upstream):
    heard = []

    def talk(connection):
        connection.send(b"last words")
        connection.half_close()
        heard.append(connection.rest())

    with portico(upstream(websocket(talk))).client() as client:
        assert client.ask(upgrade()).status == 101
        assert client.rest() == b"last words"
        client.send(b"answer to them")
        client.half_close()
        wait_until(lambda: heard == [b"answer to them"], "the answer")


def test_a_reset_on_one_side_ends_the_other(portico, upstream):
    ended = threading.Event()

    def talk(connection):
        connection.rest()
        ended.set()

    gateway = portico(upstream(websocket(talk)))
    client = gateway.client()
    assert client.ask(upgrade()).status == 101
    client.reset()
    wait_until(ended.is_set, "the upstream side to end")
    assert gateway.last_record().status == 101


@pytest.mark.measured
def test_a_slow_side_pauses_the_other(portico, upstream):
    def talk(connection):
        for _ in range(1000):
            connection.send(b"x" * 65536)

    gateway = portico(upstream(websocket(talk), keep=False))
    before = gateway.rss()
    with gateway.client(keep=False, receive_buffer=16384) as client:
        assert client.ask(upgrade()).status == 101
        left = 1000 * 65536
        while left:
            left -= len(client.some())
    assert gateway.rss() - before < 4 << 20


def test_the_tunnels_bytes_are_counted(portico, upstream):
    gateway = portico(upstream(websocket(repeat_bytes)))
    with gateway.client() as client:
        client.ask(upgrade())
        client.send(b"x" * 1000)
        client.exactly(1000)
    record = gateway.last_record()
    assert (record.bytes_in, record.bytes_out, record.tunneled) == (1000, 1000, True)


def test_an_upstream_that_never_answers_the_upgrade(portico, upstream):
    gateway = portico(upstream(silent), routes=[route_to("app", first_byte_timeout="300ms")])
    with gateway.client() as client:
        assert client.ask(upgrade()).status == 504


def test_http_1_0_cannot_upgrade(portico, upstream):
    app = upstream(answers(ok()))
    portico(app).raw(upgrade().replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert all(request.get("Upgrade") is None for request in app.requests)
