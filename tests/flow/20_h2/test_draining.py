"""The end of a connection in two steps (RFC 9113 section 6.8): nobody loses a request that was on its way."""
import json
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from lib.h2raw import NO_ERROR, window_update
from lib.upstream import answers, named, ok
from lib.wait import PATIENCE, wait_until


def until_goaway(connection, count=1):
    while len(connection.goaways) < count:
        connection.step()
    return connection.goaways[count - 1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_what_is_under_way_is_finished(portico, upstream, h2, number):
    released = threading.Event()

    def script(connection):
        while request := connection.request():
            if request.target == "/slow":
                connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
                assert released.wait(PATIENCE)
                connection.send(b"-then")
            else:
                connection.send(ok(b"quick"))

    gateway = portico(upstream(script), process={"shutdown_timeout": "30s"})
    connection = h2(gateway)
    slow = connection.request("/slow")
    while connection.streams[slow].body != b"first":
        connection.step()
    connection.patient = False  # it does not acknowledge the PING yet
    gateway.signal(number)
    assert until_goaway(connection) == ((1 << 31) - 1, NO_ERROR)
    late = connection.request("/late")  # sent before the last word: it is served
    assert connection.finish(late).body == b"quick"
    assert until_goaway(connection, 2) == (late, NO_ERROR)
    released.set()
    assert connection.finish(slow).body == b"first-then"
    connection.finish_all()
    assert gateway.wait_ended() == 0
    assert {record.cause for record in gateway.log_records(2)} == {"ok"}


def test_an_idle_connection_goes_quickly(portico, upstream, h2):
    gateway = portico(upstream(named("app")), process={"shutdown_timeout": "30s"})
    connection, fresh = h2(gateway), h2(gateway)
    connection.get()
    gateway.signal(signal.SIGTERM)
    assert connection.finish_all().goaways == [((1 << 31) - 1, NO_ERROR), (1, NO_ERROR)]
    fresh.finish_all()
    for each in (connection, fresh):
        each.close()
    assert gateway.wait_ended() == 0


def test_a_client_that_does_not_answer_holds_nothing_up(portico, upstream, h2):
    gateway = portico(upstream(named("app")), process={"shutdown_timeout": "30s"})
    connection = h2(gateway, patient=False)
    connection.get()
    begun = time.monotonic()
    gateway.signal(signal.SIGTERM)
    assert gateway.wait_ended() == 0
    assert time.monotonic() - begun < 5


def test_after_the_shutdown_timeout_streams_are_cut(portico, upstream, h2):
    def script(connection):
        connection.request()
        connection.rest()

    app = upstream(script)
    gateway = portico(app, process={"shutdown_timeout": "300ms"})
    connection = h2(gateway)
    connection.request()
    app.wait_requests(1)
    gateway.signal(signal.SIGTERM)
    connection.finish_all()
    assert gateway.wait_ended() == 0
    assert json.loads(gateway.log_lines(1)[0])["cause"] == "shutdown"


def test_a_client_that_half_closes_gets_its_answer(portico, upstream, h2):
    released = threading.Event()

    def script(connection):
        connection.request()
        assert released.wait(PATIENCE)
        connection.send(ok(b"late"))

    app = upstream(script)
    connection = h2(portico(app))
    stream = connection.request()
    connection.ping()
    app.wait_requests(1)
    connection.sock.shutdown(socket.SHUT_WR)
    connection.patient = False
    time.sleep(0.1)
    released.set()
    assert connection.finish(stream).body == b"late"


def test_a_client_that_vanishes(portico, upstream, h2):
    gone = threading.Event()

    def script(connection):
        connection.head()
        connection.rest()
        gone.set()

    app = upstream(script, keep=False)
    gateway = portico(app)
    connection = h2(gateway)
    for _ in range(5):
        connection.request()
    wait_until(lambda: len(app.heads) == 5, "the requests")
    connection.reset()
    assert gone.wait(PATIENCE)
    assert [record.cause for record in gateway.log_records(5)] == ["client_gone"] * 5


@pytest.mark.slow
def test_after_very_many_requests_a_connection_is_drained(portico, upstream):
    gateway = portico(upstream(named("app")))
    done = subprocess.run(["h2load", "-n", "101000", "-c", "1", "-m", "90", f"http://127.0.0.1:{gateway.port}/../"],
                          capture_output=True, text=True, timeout=20 * PATIENCE)
    refused = re.search(r"(\d+) 4xx", done.stdout)  # the path climbs above its root: an answer without an upstream
    assert refused and 100000 <= int(refused[1]) < 101000, done.stdout


def test_who_reads_nothing_is_not_waited_for(portico, upstream, h2):
    """It was told that it had been idle for too long, behind what it did not read, and kept its connection for that."""
    gateway = portico(upstream(answers(ok(b"x" * 1000000))), client={"write_timeout": "200ms", "keep_alive_timeout": "200ms"})
    before = gateway.descriptors()
    connection = h2(gateway, window=1 << 20, patient=False, receive_buffer=4096)
    connection.send(window_update(0, 1 << 24))
    for _ in range(8):
        connection.request()
    causes = [record.cause for record in gateway.log_records(8)]
    assert set(causes) <= {"client_stalled", "ok"} and "client_stalled" in causes  # the kernel takes a few for the client
    wait_until(lambda: gateway.descriptors() == before, "the end of the connection")
