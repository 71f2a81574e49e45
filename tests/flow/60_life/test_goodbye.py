"""WebSockets that the gateway ends are told so: Close 1001 between two frames, when it stops or their route is gone."""
import asyncio
import signal
import socket
import threading
import time

import pytest
import websockets

from lib import yaml
from lib.client import upgrade
from lib.gateway import route_to
from lib.ports import free_port
from lib.upstream import named, repeat_bytes, websocket
from lib.wait import PATIENCE, wait_until

GOING_AWAY = b"\x88\x02\x03\xe9"
ANSWER = b"\x88\x82\0\0\0\0\x03\xe9"  # the client's Close, masked with zeros


def text(content):
    return bytes([0x81, 126]) + len(content).to_bytes(2, "big") + content


def open_one(gateway, target="/"):
    client = gateway.client(keep=False)
    client.send(upgrade(target))
    assert client.response().status == 101
    return client


async def test_a_real_client_is_told_1001(portico):
    async def echo(socket):
        async for message in socket:
            await socket.send(message)

    port = free_port()
    async with websockets.serve(echo, "127.0.0.1", port) as server:
        gateway = portico(f"127.0.0.1:{port}", process={"shutdown_timeout": "4s"})
        async with websockets.connect(f"ws://127.0.0.1:{gateway.port}/") as socket:
            await socket.send("hello")
            assert await socket.recv() == "hello"
            seen = list(server.websockets)
            gateway.signal(signal.SIGTERM)
            with pytest.raises(websockets.ConnectionClosed):
                await asyncio.wait_for(socket.recv(), PATIENCE)
            assert socket.close_code == 1001
        await asyncio.wait_for(seen[0].wait_closed(), PATIENCE)
        assert seen[0].close_code == 1001  # the client's answer has reached the service
    assert gateway.wait_ended() == 0


def next_frame(client):
    head = client.exactly(2)
    length = int.from_bytes(client.exactly(2), "big") if head[1] == 126 else head[1]
    return head[0], client.exactly(length)


def test_ours_stands_between_two_frames(portico, upstream):
    """Whatever the service is saying, and however its frames are cut, the client sees whole ones and then the Close."""
    content, seen = bytes(range(256)) * 40, threading.Event()

    def talk(connection):
        connection.send(text(content)[:5000])
        seen.wait(PATIENCE)
        try:
            while True:
                connection.send(text(content)[5000:] + text(content)[:5000])
        except OSError:
            pass  # the gateway has gone

    gateway = portico(upstream(websocket(talk)), process={"shutdown_timeout": "60s"})
    with open_one(gateway) as client:
        gateway.signal(signal.SIGTERM)
        wait_until(lambda: "draining" in gateway.stderr(), "the drain")
        seen.set()
        frames = [next_frame(client)]
        while frames[-1][0] != 0x88:
            frames.append(next_frame(client))
        assert len(frames) >= 2 and all(frame == (0x81, content) for frame in frames[:-1])
        assert frames[-1] == (0x88, b"\x03\xe9")
        client.send(ANSWER)
        assert client.rest() == b""
    assert gateway.wait_ended() == 0
    assert gateway.last_record().cause == "shutdown"


def test_who_does_not_answer_is_not_waited_for(portico, upstream):
    gateway = portico(upstream(websocket(repeat_bytes)), process={"shutdown_timeout": "60s"})
    with open_one(gateway) as client:
        gateway.signal(signal.SIGTERM)
        assert client.exactly(4) == GOING_AWAY
        assert gateway.wait_ended() == 0


def test_a_service_that_ends_within_a_frame_is_not_waited_for(portico, upstream):
    leave = threading.Event()

    def talk(connection):
        connection.send(text(b"x" * 1000)[:500])
        leave.wait(PATIENCE)

    gateway = portico(upstream(websocket(talk), websocket(repeat_bytes), keep=False), process={"shutdown_timeout": "6s"})
    with open_one(gateway) as client, open_one(gateway) as next_in_turn:
        assert len(client.exactly(500)) == 500
        gateway.signal(signal.SIGTERM)
        assert next_in_turn.exactly(4) == GOING_AWAY  # so it is the first one's turn, too
        next_in_turn.send(ANSWER)
        leave.set()
        assert client.rest() == b""  # a Close within the frame would be taken for its content
    assert gateway.wait_ended() == 0
    assert "shutdown_timeout has passed" not in gateway.stderr()
    assert {record.cause for record in gateway.log_records(2)} == {"shutdown"}


def test_a_frame_that_is_never_completed_ends_with_the_shutdown_timeout(portico, upstream):
    """Nothing that is true can be said within a frame: the client gets what has come of it, then the end."""
    gone = threading.Event()

    def talk(connection):
        connection.send(text(b"x" * 1000)[:500])
        gone.wait(PATIENCE)

    gateway = portico(upstream(websocket(talk), keep=False), process={"shutdown_timeout": "1s"})
    with open_one(gateway) as client:
        assert client.exactly(500) == text(b"x" * 1000)[:500]
        gateway.signal(signal.SIGTERM)
        assert client.rest() == b""
    gone.set()
    assert gateway.wait_ended() == 0
    assert "shutdown_timeout has passed" in gateway.stderr()
    assert gateway.last_record().cause == "shutdown"


def test_one_that_opens_while_the_gateway_drains_is_told_at_once(portico, upstream):
    asked, released = threading.Event(), threading.Event()

    def slow(connection):
        connection.sock.recv(1, socket.MSG_PEEK)
        asked.set()
        assert released.wait(PATIENCE)
        websocket(repeat_bytes)(connection)

    gateway = portico(upstream(slow, keep=False), process={"shutdown_timeout": "60s"})
    with gateway.client(keep=False) as client:
        client.send(upgrade())
        assert asked.wait(PATIENCE)
        gateway.signal(signal.SIGTERM)
        wait_until(lambda: "draining" in gateway.stderr(), "the drain")
        released.set()
        assert client.response().status == 101
        assert client.exactly(4) == GOING_AWAY
        client.send(ANSWER)
        assert client.rest() == b""
    assert gateway.wait_ended() == 0


def test_they_are_not_told_all_at_once(portico, upstream):
    gateway = portico(upstream(websocket(repeat_bytes)), process={"shutdown_timeout": "4s"})
    clients = [open_one(gateway) for _ in range(10)]
    told = []

    def wait_for_close(client):
        assert client.exactly(4) == GOING_AWAY
        told.append(time.monotonic())
        client.send(ANSWER)

    threads = [threading.Thread(target=wait_for_close, args=[client]) for client in clients]
    for thread in threads:
        thread.start()
    gateway.signal(signal.SIGTERM)
    for thread in threads:
        thread.join()
    assert gateway.wait_ended() == 0
    assert len(told) == 10 and 1.0 < max(told) - min(told) < 4.0  # spread over half of the time there is
    for client in clients:
        client.close()


def reload_without(gateway, prefix):
    gateway.config["sites"][0]["routes"] = [route for route in gateway.config["sites"][0]["routes"] if route["prefix"] != prefix]
    gateway.config_file.write_text(yaml.dump(gateway.config))
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: "serving the new configuration" in gateway.stderr(), "the reload")


def test_a_route_that_is_gone(portico, upstream):
    app = upstream(websocket(repeat_bytes))
    routes = [route_to("app", "/drained", on_reload="drain 100ms"), route_to("app", "/kept", on_reload="keep"), route_to("app")]
    gateway = portico(app, routes=routes)
    with open_one(gateway, "/drained") as drained, open_one(gateway, "/kept") as kept, open_one(gateway) as other:
        reload_without(gateway, "/drained")
        assert drained.exactly(4) == GOING_AWAY
        drained.send(ANSWER)
        assert drained.rest() == b""
        for client in (kept, other):
            client.send(b"\x81\x82\0\0\0\0hi")
            assert client.exactly(8) == b"\x81\x82\0\0\0\0hi"
        assert gateway.last_record().cause == "route_removed"


def test_one_that_leaves_already_is_not_held_up_by_a_drain(portico, upstream):
    routes = [route_to("app", "/drained", on_reload="drain 100ms"), route_to("app")]
    gateway = portico(upstream(websocket(repeat_bytes)), routes=routes, process={"shutdown_timeout": "60s"})
    with open_one(gateway, "/drained") as client:
        reload_without(gateway, "/drained")
        assert client.exactly(4) == GOING_AWAY
        gateway.signal(signal.SIGTERM)  # while its answer is awaited, which never comes
        assert gateway.wait_ended() == 0
    assert gateway.last_record().cause == "route_removed"


def test_an_event_stream_of_a_route_that_is_gone_ends(portico, upstream):
    def events(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        connection.rest()

    gateway = portico({"events": upstream(events, keep=False), "app": upstream(named("app"))},
                      routes=[route_to("events", "/events", on_reload="drain 100ms"), route_to("app")])
    with gateway.client(keep=False) as client:
        client.send(b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
        client.until(b"data: 1\n\n")
        reload_without(gateway, "/events")
        client.rest()
    assert gateway.last_record().cause == "route_removed"
