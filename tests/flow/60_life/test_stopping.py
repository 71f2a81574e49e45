"""SIGTERM and SIGQUIT: nothing new is accepted, what is under way is finished, the exit code is 0."""
import contextlib
import os
import signal
import socket
import threading
import time

import pytest

from lib.client import get, upgrade
from lib.upstream import named, ok, repeat_bytes, silent, websocket
from lib.wait import PATIENCE, wait_until


def refuses(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.threads
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_what_is_under_way_is_finished(portico, upstream, number):
    released = threading.Event()

    def script(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
        assert released.wait(PATIENCE)
        connection.send(b"-then")

    gateway = portico(upstream(script), process={"threads": 2, "shutdown_timeout": "30s"})
    with gateway.client() as client:
        client.send(get("/"))
        client.until(b"first")
        gateway.signal(number)
        wait_until(lambda: refuses(gateway.port), "the listener to close")
        assert gateway.process.poll() is None
        released.set()
        assert client.rest() == b"-then"
    assert gateway.wait_ended() == 0
    assert gateway.last_record().cause == "ok"


def test_a_request_whose_answer_has_not_begun_is_told_to_close(portico, upstream):
    released = threading.Event()

    def script(connection):
        connection.request()
        assert released.wait(PATIENCE)
        connection.send(ok(b"late"))

    app = upstream(script)
    gateway = portico(app, process={"shutdown_timeout": "30s"})
    with gateway.client() as client:
        client.send(get("/"))
        app.wait_requests(1)
        gateway.signal(signal.SIGTERM)
        wait_until(lambda: refuses(gateway.port), "the listener to close")
        released.set()
        response = client.response()
        assert (response.body, response.get("Connection")) == (b"late", "close")
    assert gateway.wait_ended() == 0


def test_idle_connections_do_not_hold_it_up(portico, upstream):
    gateway = portico(upstream(named("app")), process={"shutdown_timeout": "30s"})
    with gateway.client() as client, gateway.client() as fresh:
        client.get("/")
        gateway.signal(signal.SIGTERM)
        assert client.ended() and fresh.ended()
        assert gateway.wait_ended() == 0


def test_after_the_shutdown_timeout_everything_is_closed(portico, upstream):
    app = upstream(silent)
    gateway = portico(app, process={"shutdown_timeout": "300ms"})
    with gateway.client() as client:
        client.send(get("/"))
        app.wait_connections(1)
        wait_until(lambda: app.received, "the request")
        begun = time.monotonic()
        gateway.signal(signal.SIGTERM)
        assert client.rest()[:12] in (b"", b"HTTP/1.1 503")
        assert gateway.wait_ended() == 0
    assert time.monotonic() - begun >= 0.3
    assert gateway.last_record().cause == "shutdown"


def test_tunnels_end_with_the_shutdown_timeout(portico, upstream):
    gateway = portico(upstream(websocket(repeat_bytes)), process={"shutdown_timeout": "300ms"})
    with gateway.client() as client:
        assert client.ask(upgrade()).status == 101
        gateway.signal(signal.SIGTERM)
        assert client.rest() == b"\x88\x02\x03\xe9"  # 60_life/test_goodbye.py
        assert gateway.wait_ended() == 0


def test_a_second_signal_changes_nothing_for_the_worse(portico, upstream):
    gateway = portico(upstream(named("app")))
    with gateway.client() as client:
        client.get("/")
        for _ in range(3):
            gateway.signal(signal.SIGTERM)
        assert gateway.wait_ended() == 0


def test_requests_that_come_in_the_moment_of_the_end_do_not_hold_it_up(portico, upstream):
    gateway = portico({"app": upstream(silent)}, process={"threads": 1, "shutdown_timeout": "1h"})
    with contextlib.ExitStack() as open_ones:
        clients = [open_ones.enter_context(gateway.client()) for _ in range(300)]
        os.kill(gateway.worker(), signal.SIGSTOP)
        for client in clients:
            client.send(get("/"))
        for number in (signal.SIGTERM, signal.SIGINT):  # the second one is an impatient one
            gateway.signal(number)
        os.kill(gateway.worker(), signal.SIGCONT)
        assert gateway.wait_ended() == 0


def test_nothing_is_left_open_between_requests(portico, upstream):
    gateway = portico({"app": {"servers": [upstream(named("app")).address], "idle_timeout": "300ms"}})
    wait_until(lambda: "serving" in gateway.stderr(), "the last descriptor to be opened")
    before = gateway.descriptors()
    for _ in range(50):
        with gateway.client() as client:
            client.get("/")
    wait_until(lambda: gateway.descriptors() == before, "the descriptors to be given back")
