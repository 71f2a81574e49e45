"""A server that says nothing for minutes while something is under way is asked whether it is there (PING, RFC 9113 section 6.7)."""
import threading

import pytest

from lib.clock import HOUR, Clock
from lib.client import get
from lib.faults import assert_made_here
from lib.gateway import route_to
from lib.h2raw import ACK, PING
from lib.upstream import named
from lib.wait import wait_until

SILENT, ANSWER = 330, 20  # seconds: before it is asked, and to answer


class Held:
    """Takes a request and says no more about it until it is told to; `answers` PINGs or does not."""

    def __init__(self, answers):
        self.answers, self.told, self.pings, self.ended = answers, threading.Event(), 0, threading.Event()

    def __call__(self, connection):
        connection.greet()
        stream = connection.request_whole()
        if not self.answers:
            connection._on_6 = lambda _: None
        connection.sock.settimeout(0.05)
        try:
            while not self.told.is_set():
                self._take(connection)
        finally:
            self.ended.set()
        connection.answer(stream)

    def _take(self, connection):
        try:
            got = connection.step()
        except TimeoutError:
            return
        self.pings += got.kind == PING and not got.flags & ACK


@pytest.fixture
def silence(portico, h2_upstream, upstream, tmp_path):
    """silence(script): a gateway in front of it that has sent it a request for a client, the clock of the gateway, and a look: another
    request, by which the gateway notices the time."""
    clients = []

    def start(script):
        clock, app = Clock(tmp_path), h2_upstream(script)
        patient = {"first_byte_timeout": f"{HOUR}s", "between_bytes_timeout": f"{HOUR}s"}
        gateway = portico({"app": {"servers": [app.address], "protocol": "h2c"}, "other": upstream(named("other"))},
                          environment=clock.environment, client={"keep_alive_timeout": "12h", "write_timeout": "12h"},
                          routes=[route_to("other", "/other"), route_to("app", **patient)])

        def look():
            with gateway.client() as client:
                assert client.get("/other").body == b"other"
            return True
        clients.append(gateway.client())
        clients[-1].send(get("/"))
        wait_until(lambda: app.heads, "the request")
        return clients[-1], clock, look

    yield start
    for client in clients:
        client.close()


def test_one_that_answers_is_waited_for(silence):
    held = Held(answers=True)
    client, clock, look = silence(held)
    for asked in (1, 2):
        clock.let_pass(SILENT - 10)
        look()
        assert held.pings == asked - 1
        clock.let_pass(20)
        wait_until(lambda: look() and held.pings == asked, "a PING")
    clock.let_pass(ANSWER + 5)
    look()
    held.told.set()
    assert client.response().body == b"ok"


def test_one_that_does_not_is_left(silence):
    held = Held(answers=False)
    client, clock, look = silence(held)
    clock.let_pass(SILENT + 10)
    wait_until(lambda: look() and held.pings == 1, "a PING")
    clock.let_pass(ANSWER - 10)
    look()
    assert not held.ended.is_set()
    clock.let_pass(20)
    wait_until(lambda: look() and held.ended.is_set(), "the end of the connection")
    assert_made_here(client.response(), "between_bytes_timeout")
