"""Bytes over TLS: large bodies both ways, slow readers, pipelining, WebSocket, the end of a connection."""
import hashlib
import random
import socket
import ssl
import threading
import time

import pytest

from lib.client import get, post, upgrade
from lib.upstream import answers, answers_and_closes, echo, ok, repeat_bytes, websocket
from lib.wire import Closed

MIB = 1 << 20
V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


def digest_of_upload(connection):
    """Answers with the hash of what it received."""
    while request := connection.request():
        connection.send(ok(hashlib.sha256(request.body).hexdigest().encode()))


@pytest.mark.parametrize("version", [V12, V13])
def test_large_bodies(secure, upstream, version):
    body = random.Random(1).randbytes(24 * MIB)
    gateway = secure(upstream(answers(ok(body)), keep=False))
    with gateway.connect(version=version) as client:
        for _ in range(2):
            assert client.get().body == body
    gateway = secure(upstream(digest_of_upload, keep=False))
    with gateway.connect(version=version) as client:
        for _ in range(2):
            assert client.ask(post(body)).body.decode() == hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize("size", [1, 4096, 16351, 16352, 16353, 16384, 16385, 65503, 65504, 65536, 100000])
def test_bodies_of_every_size(secure, upstream, size):
    body = random.Random(size).randbytes(size)
    gateway = secure(upstream(echo))
    with gateway.connect() as client:
        for _ in range(3):
            assert client.ask(post(body)).json["body"].encode("latin-1") == body


def test_both_directions_at_once(secure, upstream):
    """The upstream answers while it still receives: reading and writing alternate on one connection."""
    body = random.Random(2).randbytes(8 * MIB)
    gateway = secure(upstream(websocket(repeat_bytes), keep=False))
    with gateway.connect() as client:
        client.send(upgrade())
        assert client.head().status == 101
        client.sock.setblocking(False)
        sent, got = 0, bytearray()
        deadline = time.monotonic() + 60
        while len(got) < len(body) and time.monotonic() < deadline:
            try:
                if sent < len(body):
                    sent += client.sock.send(body[sent:sent + 65536])
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                pass
            try:
                got += client.sock.recv(1 << 18)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                time.sleep(0.001)
        assert client.buffer + bytes(got) == body


def test_a_slow_reader_stops_the_upstream(secure, upstream):
    body = random.Random(3).randbytes(32 * MIB)
    app = upstream(answers(ok(body)), keep=False)
    gateway = secure(app)
    with gateway.connect() as client:
        client.send(get())
        time.sleep(1)
        assert gateway.rss() < 64 * MIB
        assert client.response("GET").body == body


def test_a_stalled_upload_is_not_read_on(secure, upstream):
    """The upstream does not read: what the client may send is bounded, and nothing is lost when it reads on."""
    body, go = random.Random(4).randbytes(24 * MIB), threading.Event()

    def late(connection):
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        go.wait(20)
        digest_of_upload(connection)
    gateway = secure(upstream(late, keep=False))
    with gateway.connect() as client:
        sender = threading.Thread(target=client.send, args=(post(body),), daemon=True)
        sender.start()
        sender.join(1.5)
        assert sender.is_alive(), "all of it was taken although nobody reads"
        go.set()
        sender.join(30)
        assert client.response("POST").body.decode() == hashlib.sha256(body).hexdigest()


def test_pipelined_requests(secure, upstream):
    gateway = secure(upstream(echo))
    with gateway.connect() as client:
        client.send(b"".join(get(f"/{number}") for number in range(40)))
        for number in range(40):
            assert f"GET /{number} " in client.response("GET").json["start"]


def test_websocket_over_tls(secure, upstream):
    gateway = secure(upstream(websocket(repeat_bytes)))
    with gateway.connect() as client:
        client.send(upgrade() + b"early")
        assert client.head().status == 101
        for text in (b"early", b"a", b"b" * 70000):
            if text != b"early":
                client.send(text)
            assert client.exactly(len(text)) == text


def test_the_end_is_said(secure, upstream):
    """Connection: close ends with close_notify, so that nobody takes a cut response for a whole one."""
    gateway = secure(upstream(echo))
    with gateway.connect() as client:
        assert client.get(connection="close").status == 200
        assert client.sock.recv(1) == b""  # SSLEOFError without close_notify


def test_a_cut_response_is_not_ended_politely(secure, upstream):
    gateway = secure(upstream(answers_and_closes(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")))
    with gateway.connect() as client, pytest.raises((Closed, OSError)):
        client.get()
