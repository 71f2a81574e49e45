"""Large contents: byte-identical, and in bounded memory whatever the size and whoever is slow."""
import contextlib
import threading
import time

import pytest

from lib.bulk import BLOCK, blocks, digest, received
from lib.client import get
from lib.gateway import route_to
from lib.upstream import ok, respond
from lib.wait import PATIENCE, SANITIZED, wait_until

MIB = 1 << 20
LARGE = 64 * MIB if SANITIZED else 1024 * MIB
ALLOWED_GROWTH = 4 * MIB


def hashes(connection):
    """Answers an upload with its digest."""
    head = connection.head()
    length = int(head.get("Content-Length"))
    connection.send(ok(digest(received(connection, length)).encode()))


def sends(length, framing=b"length"):
    def script(connection):
        while connection.request():
            if framing == b"length":
                connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length)
                for block in blocks(length):
                    connection.send(block)
            else:
                connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                for block in blocks(length):
                    connection.send(b"%x\r\n%s\r\n" % (len(block), block))
                connection.send(b"0\r\n\r\n")
    return script


def start(portico, upstream, script):
    gateway = portico(upstream(script, keep=False), routes=[route_to("app", max_body="0")])
    gateway.forget_peak()
    return gateway, gateway.rss()


def assert_bounded(gateway, before):
    if not SANITIZED:
        assert gateway.peak_rss() - before < ALLOWED_GROWTH


def upload(client, length):
    client.send(get("/", "POST", content_length=length))
    for block in blocks(length):
        client.send(block)
    return client.response("POST")


def download(client, length):
    """The digest of a response with Content-Length."""
    client.send(get("/"))
    assert int(client.head().get("Content-Length")) == length
    return digest(received(client, length))


@pytest.mark.slow
def test_a_large_upload(portico, upstream):
    gateway, before = start(portico, upstream, hashes)
    with gateway.client(keep=False) as client:
        assert upload(client, LARGE).body.decode() == digest(blocks(LARGE))
    assert_bounded(gateway, before)
    assert gateway.last_record().bytes_in == LARGE


@pytest.mark.slow
def test_a_large_download(portico, upstream):
    gateway, before = start(portico, upstream, sends(LARGE))
    with gateway.client(keep=False) as client:
        assert download(client, LARGE) == digest(blocks(LARGE))
    assert_bounded(gateway, before)
    assert gateway.last_record().bytes_out == LARGE


def test_a_chunked_download(portico, upstream):
    length = 32 * MIB
    gateway, before = start(portico, upstream, sends(length, b"chunked"))
    with gateway.client(keep=False) as client:
        response = client.get("/")
    assert digest([response.body]) == digest(blocks(length))
    assert_bounded(gateway, before)


@pytest.mark.slow
@pytest.mark.threads
def test_slow_readers(portico, upstream):
    """Nobody reads for a while, then each takes a piece now and then."""
    length = 8 * MIB if SANITIZED else 100 * MIB
    gateway, before = start(portico, upstream, sends(length))
    digests = []

    def read_slowly():
        with gateway.client(keep=False, receive_buffer=16384) as client:
            client.send(get("/"))
            time.sleep(0.5)  # slowness is the subject
            assert int(client.head().get("Content-Length")) == length
            digests.append(digest(_slowly(received(client, length))))

    readers = [threading.Thread(target=read_slowly) for _ in range(10)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert digests == [digest(blocks(length))] * 10
    assert_bounded(gateway, before)


def _slowly(pieces):
    for number, piece in enumerate(pieces):
        if number % 16 == 0:
            time.sleep(0.002)
        yield piece


@pytest.mark.slow
def test_an_upload_to_a_slow_upstream(portico, upstream):
    length = 64 * MIB

    def script(connection):
        head = connection.head()
        time.sleep(0.5)  # slowness is the subject
        connection.send(ok(digest(_slowly(received(connection, int(head.get("Content-Length"))))).encode()))

    gateway, before = start(portico, upstream, script)
    with gateway.client(keep=False) as client:
        assert upload(client, length).body.decode() == digest(blocks(length))
    assert_bounded(gateway, before)


def test_a_client_that_stops_reading_stops_the_upstream(portico, upstream):
    sent = []

    def script(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (512 * MIB))
        connection.sock.settimeout(1)
        for block in blocks(512 * MIB):
            connection.send(block)
            sent.append(BLOCK)

    gateway, before = start(portico, upstream, script)
    with gateway.client(keep=False, receive_buffer=16384) as client:
        client.send(get("/"))
        client.head()
        _settled(sent)
    assert sum(sent) < 64 * MIB  # the rest is socket buffers of two connections
    assert_bounded(gateway, before)


def _settled(sent):
    """Waits until the sender has made no progress for a while."""
    before = -1
    while before != (before := len(sent)):
        time.sleep(0.3)


def test_an_answer_before_the_upload_ends(portico, upstream):
    refused = threading.Event()

    def script(connection):
        connection.head()
        connection.exactly(1000)
        connection.send(respond(401, b"no", connection="close"))
        refused.wait(PATIENCE)

    gateway, _ = start(portico, upstream, script)
    with gateway.client() as client:
        client.send(get("/", "POST", content_length=10 * MIB) + b"x" * 1000)
        response = client.response("POST")
        assert (response.status, response.body) == (401, b"no")
        refused.set()
        client.send(get("/smuggled"))  # stands where the body is due
        client.rest()
    assert gateway.last_record().status == 401


def test_an_answer_before_the_upload_ends_while_the_client_keeps_sending(portico, upstream):
    def script(connection):
        connection.head()
        connection.send(respond(413, b"too large", connection="close"))

    gateway, _ = start(portico, upstream, script)
    with gateway.client() as client:
        client.send(get("/", "POST", content_length=4 * MIB))
        try:
            for block in blocks(4 * MIB):
                client.send(block)
        except ConnectionError:
            pass  # closed once the answer was sent: the answer below must still be readable
        assert client.response("POST").status == 413


def test_the_early_answers_connection_is_not_reused(portico, upstream):  # A5
    def refuses(connection):
        connection.head()
        connection.send(respond(403, b"no"))
        connection.rest()

    app = upstream(refuses)
    gateway = portico(app)
    with gateway.client() as client:
        client.send(get("/", "POST", content_length=100))
        assert client.response("POST").status == 403
    with gateway.client() as client:
        assert client.get("/second").status == 403
    assert len(app.connections) == 2


def test_many_small_exchanges_leave_nothing_behind(portico, upstream):
    gateway, before = start(portico, upstream, sends(BLOCK))
    for _ in range(200):
        with gateway.client(keep=False) as client:
            download(client, BLOCK)
    assert_bounded(gateway, before)


def has_reached_its_limit(gateway, sizes):
    """Whether memory has stood still for a while."""
    sizes.append(gateway.rss())
    return len(sizes) > 50 and max(sizes[-50:]) - min(sizes[-50:]) < MIB // 8


@pytest.mark.measured
def test_a_slow_reader_holds_one_block(portico, upstream):
    """However large its body, and however fast the upstream."""
    gateway = portico(upstream(sends(16 * MIB), keep=False), routes=[route_to("app", max_body="0")])
    readers, sizes = 100, []
    before = gateway.rss()
    with contextlib.ExitStack() as held:
        for _ in range(readers):
            client = held.enter_context(gateway.client(keep=False, receive_buffer=16384))
            client.send(get("/"))
            client.head()
        wait_until(lambda: has_reached_its_limit(gateway, sizes), "memory to stand still", timeout=4 * PATIENCE)
        assert gateway.rss() - before < readers * 64 * 1024
