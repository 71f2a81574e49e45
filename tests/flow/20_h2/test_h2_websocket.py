"""WebSocket over HTTP/2 (RFC 8441): an extended CONNECT becomes the upgrade that an HTTP/1.1 upstream knows."""
import asyncio
import signal

import pytest
import websockets
from websockets.frames import Frame, OP_TEXT

from lib.client import upgrade
from lib.faults import FAULTS
from lib.gateway import route_to
from lib.h2raw import CANCEL, PROTOCOL_ERROR, rst, window_update
from lib.ports import free_port
from lib.upstream import answers, echo, named, repeat_bytes, respond, websocket


def connect(path="/live", protocol="websocket", extra=()):
    return [(":method", "CONNECT"), (":protocol", protocol), (":scheme", "http"), (":path", path),
            (":authority", "portico.test"), ("sec-websocket-version", "13"), *extra]


def open_tunnel(connection, flags=0, **settings):
    stream, connection.next_id = connection.next_id, connection.next_id + 2
    connection.headers(stream, connect(**settings), flags)
    return stream


def until_head(connection, stream):
    while not connection.streams[stream].heads:
        connection.step()
    return connection.streams[stream]


def until_body(connection, stream, size):
    while len(connection.streams[stream].body) < size:
        connection.step()
    return bytes(connection.streams[stream].body)


def test_it_is_announced(portico, upstream, h2):
    connection = h2(portico(upstream(named("app"))))
    connection.ping()
    assert connection.settings[8] == 1


async def test_with_a_real_server(portico, h2):
    async def repeat(socket):
        async for message in socket:
            await socket.send("again " + message)

    def talk():
        connection = h2(gateway)
        stream = open_tunnel(connection, extra=[("sec-websocket-protocol", "chat"), ("origin", "http://portico.test")])
        head = until_head(connection, stream).final
        assert head[":status"] == "200" and head["sec-websocket-protocol"] == "chat"
        assert not {"sec-websocket-accept", "upgrade", "connection", "content-length", "transfer-encoding"} & set(head)
        for number in range(3):
            before = len(connection.streams[stream].body)
            connection.data(stream, Frame(OP_TEXT, b"hello").serialize(mask=True), end=False)
            assert until_body(connection, stream, before + 13)[before + 2:] == b"again hello"
        assert connection.get("/plain").status in (400, 426)  # the server's own word; the tunnel is one stream among others
        connection.data(stream, b"", end=True)
        assert connection.finish(stream).ended

    port = free_port()
    async with websockets.serve(repeat, "127.0.0.1", port, subprotocols=["chat"]):
        gateway = portico(f"127.0.0.1:{port}")
        await asyncio.to_thread(talk)


def test_what_the_upstream_is_asked(portico, upstream, h2):
    app = upstream(websocket(repeat_bytes))
    gateway = portico(app)
    connection = h2(gateway)
    stream = open_tunnel(connection)
    until_head(connection, stream)
    (head,) = app.heads
    assert head.start == "GET /live HTTP/1.1"
    assert (head.get("Upgrade").lower(), head.get("Connection").lower()) == ("websocket", "upgrade")
    assert head.get("Sec-WebSocket-Version") == "13" and len(head.get("Sec-WebSocket-Key")) == 24
    anything = b"\x81\x80\0\0\0\0 not even frames\r\n\r\n" * 5000
    connection.data(stream, anything, end=True)
    assert connection.finish(stream).body == anything
    assert connection.streams[stream].reset is None
    record = gateway.last_record()
    assert (record.cause, record.status) == ("ok", 101)


def test_bytes_that_do_not_wait_for_the_answer(portico, upstream, h2):
    connection = h2(portico(upstream(websocket(repeat_bytes))))
    stream = open_tunnel(connection)
    connection.data(stream, b"early", end=False)
    assert until_body(connection, stream, 5) == b"early"


def test_a_refused_upgrade(portico, upstream, h2):
    connection = h2(portico(upstream(answers(respond(403, b"no")))))
    stream = open_tunnel(connection)
    response = connection.finish(stream)
    assert (response.status, response.body) == (403, b"no")


@pytest.mark.parametrize("status", [200, 204])
def test_a_success_that_is_no_upgrade_is_502(portico, upstream, h2, status):
    """Any 2xx would tell the client that its tunnel is open (RFC 8441 section 5)."""
    gateway = portico(upstream(answers(respond(status))))
    connection = h2(gateway)
    assert connection.finish(open_tunnel(connection)).status == 502
    assert gateway.last_record().cause == "upstream_bad_upgrade"


def assert_no_tunnel(gateway, connection, path):
    response = connection.finish(open_tunnel(connection, path=path))
    assert response.status == FAULTS["no_websocket"].status and b"(no_websocket)" in response.body
    assert "http_request_denied" in response.final["proxy-status"]
    record = gateway.last_record()
    assert (record.cause, record.status) == ("no_websocket", response.status)
    return response


@pytest.mark.parametrize("status", [200, 204, 299])
def test_an_answer_made_here_opens_no_tunnel(portico, upstream, h2, status):
    app = upstream(named("app"))
    gateway = portico(app, routes=[{"prefix": "/live", "respond": status}, route_to("app")],
                      defaults={"security_headers": "recommended", "headers": {"response": {"add": {"X-Count": "one"}}}})
    connection = h2(gateway)
    response = assert_no_tunnel(gateway, connection, "/live")
    assert response.final["x-count"] == "one" and response.final["x-content-type-options"] == "nosniff"
    assert connection.get("/live").status == status  # asked for as what it is
    with gateway.client() as client:
        assert client.ask(upgrade("/live")).status == status  # HTTP/1.1 has 101 for tunnels
    assert connection.get("/").body == b"app" and len(app.requests) == 1


@pytest.mark.parametrize("status", [400, 404, 503])
def test_an_answer_made_here_that_is_no_success_stays(portico, upstream, h2, status):
    gateway = portico(upstream(echo), routes=[{"prefix": "/live", "respond": status}])
    connection = h2(gateway)
    assert connection.finish(open_tunnel(connection)).status == status
    assert gateway.last_record().cause == "ok"


def test_a_challenge_opens_no_tunnel(portico, upstream, h2, tmp_path):
    (tmp_path / "token").write_text("token.thumbprint")
    port = free_port()
    gateway = portico(upstream(echo), listen=[{"address": f"127.0.0.1:{port}", "redirect": "https"}], tls={"acme_challenge": str(tmp_path)})
    gateway.port = port
    connection = h2(gateway)
    assert_no_tunnel(gateway, connection, "/.well-known/acme-challenge/token")
    assert connection.get("/.well-known/acme-challenge/token").body == b"token.thumbprint"


def test_what_looks_like_a_preflight_is_none(portico, upstream, h2):
    """The method is CONNECT, so that the service is asked."""
    gateway = portico(upstream(websocket(repeat_bytes)), defaults={"cors": {"origins": ["https://a.test"]}})
    connection = h2(gateway)
    stream = open_tunnel(connection, extra=[("origin", "https://a.test"), ("access-control-request-method", "GET")])
    connection.data(stream, b"bytes", end=False)
    assert until_body(connection, stream, 5) == b"bytes"


def test_a_bad_accept_is_502(portico, upstream, h2):
    def script(connection):
        connection.head()
        connection.send(b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n")

    connection = h2(portico(upstream(script)))
    assert connection.finish(open_tunnel(connection)).status == 502


def test_the_client_resets_the_tunnel(portico, upstream, h2):
    app = upstream(websocket(repeat_bytes))
    gateway = portico(app)
    connection = h2(gateway)
    stream = open_tunnel(connection)
    until_head(connection, stream)
    connection.send(rst(stream, CANCEL))
    assert gateway.last_record().cause == "client_gone"
    assert connection.get is not None and connection.ping()


def test_a_frame_that_is_never_completed_is_left_out_while_nothing_of_it_has_left(portico, upstream, h2):
    """The client gives no window for it: what came before is whole, and the gateway's Close follows that."""
    whole = bytes([0x82, 126]) + (40000).to_bytes(2, "big") + bytes(40000)
    going_away = b"\x88\x02\x03\xe9"
    app = upstream(websocket(lambda connection: (connection.send(whole + b"\x82\x7d begun"), connection.rest())),
                   websocket(repeat_bytes), keep=False)
    gateway = portico(app, process={"shutdown_timeout": "6s"})
    connection = h2(gateway, window=100, patient=False)
    stream = open_tunnel(connection)
    until_body(connection, stream, 100)
    next_in_turn = open_tunnel(connection)
    until_head(connection, next_in_turn)
    gateway.signal(signal.SIGTERM)
    assert until_body(connection, next_in_turn, 4) == going_away  # so it is the first one's turn, too
    connection.send(window_update(stream, 1 << 20))
    body = until_body(connection, stream, len(whole) + 4)
    assert body[len(whole):] == going_away
    for each in (stream, next_in_turn):
        connection.data(each, b"\x88\x82\0\0\0\0\x03\xe9", end=True)
    assert gateway.wait_ended() == 0


@pytest.mark.parametrize("fields, expected", [
    (connect(protocol="connect-udp"), 400),
    ([(":method", "GET"), (":protocol", "websocket"), (":scheme", "http"), (":path", "/"), (":authority", "a")], "reset"),
    ([(":method", "CONNECT"), (":protocol", "websocket"), (":authority", "a")], "reset"),
], ids=["another protocol", "not CONNECT", "no path"])
def test_what_is_no_websocket(portico, upstream, h2, fields, expected):
    app = upstream(echo)
    connection = h2(portico(app))
    connection.headers(1, fields, 0)
    response = connection.finish(1)
    assert response.reset == PROTOCOL_ERROR if expected == "reset" else response.status == expected
    assert not app.requests
