"""Long bodies in clear go from socket to socket through pipes: whole, apart from each other, and whoever breaks off."""
import contextlib
import os
import socket
import threading

import pytest

from lib.bulk import BLOCK, blocks, digest, received
from lib.client import get
from lib.gateway import route_to
from lib.upstream import ok
from lib.wait import wait_until

MIB = 1 << 20
LENGTH = 8 * MIB
MANY = 48  # more than a thread has pipes


def serves(connection):
    """POST: the digest of what came. GET /N: N bytes that begin with N; /cut: half of what it announces."""
    while connection.buffer or connection.sock.recv(1, socket.MSG_PEEK):
        head = connection.head()
        target = head.target.encode()
        if head.method == "POST":
            connection.send(ok(digest(received(connection, int(head.get("Content-Length")))).encode()))
            continue
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LENGTH)
        for number, block in enumerate(blocks(LENGTH)):
            if target == b"/cut" and number == LENGTH // BLOCK // 2:
                return
            connection.send(marked(block, target))


def marked(block, target):
    return target.ljust(16) + block[16:]


def expected(target):
    return digest(marked(block, target) for block in blocks(LENGTH))


def start(portico, upstream, **settings):
    return portico(upstream(serves, keep=False), routes=[route_to("app", max_body="0")], process={"threads": 1}, **settings)


def ask(client, target):
    client.send(get(target.decode()))
    assert int(client.head().get("Content-Length")) == LENGTH


def pipes_of(gateway):
    """How many ends of pipes the process that serves holds."""
    found = 0
    for descriptor in os.listdir(f"/proc/{gateway.pid}/fd"):
        with contextlib.suppress(OSError):
            found += os.readlink(f"/proc/{gateway.pid}/fd/{descriptor}").startswith("pipe:")
    return found


def test_a_connection_goes_on_after_long_bodies(portico, upstream):
    gateway = start(portico, upstream)
    with gateway.client(keep=False) as client:
        for number in range(3):
            target = b"/%d" % number
            ask(client, target)
            assert digest(received(client, LENGTH)) == expected(target)
            client.send(get("/", "POST", content_length=LENGTH))
            for block in blocks(LENGTH):
                client.send(block)
            assert client.response("POST").body.decode() == digest(blocks(LENGTH))


@pytest.mark.threads
def test_more_at_a_time_than_there_are_pipes(portico, upstream):
    """All begin before the first reads on, so that those without a pipe are copied beside the others."""
    gateway = start(portico, upstream)
    before, digests = pipes_of(gateway), {}
    with contextlib.ExitStack() as held:
        clients = [held.enter_context(gateway.client(keep=False)) for _ in range(MANY)]
        for number, client in enumerate(clients):
            ask(client, b"/%d" % number)

        def read(number):
            digests[number] = digest(received(clients[number], LENGTH))

        readers = [threading.Thread(target=read, args=(number,)) for number in range(MANY)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
    assert digests == {number: expected(b"/%d" % number) for number in range(MANY)}
    assert pipes_of(gateway) - before <= 64


def test_what_one_client_left_behind_reaches_no_other(portico, upstream):
    """Each goes away in the middle; the pipe that it leaves full must not serve the next."""
    gateway = start(portico, upstream)
    for number in range(20):
        with gateway.client(keep=False, receive_buffer=16384) as client:
            ask(client, b"/gone-%d" % number)
            client.some()
        with gateway.client(keep=False) as client:
            ask(client, b"/%d" % number)
            assert digest(received(client, LENGTH)) == expected(b"/%d" % number)


def test_uploads_that_break_off_leave_nothing_behind(portico, upstream):
    gateway = start(portico, upstream)
    for _ in range(10):
        with gateway.client(keep=False) as client:
            client.send(get("/", "POST", content_length=LENGTH))
            for block in list(blocks(LENGTH))[:3]:
                client.send(block)
        with gateway.client(keep=False) as client:
            client.send(get("/", "POST", content_length=LENGTH))
            for block in blocks(LENGTH):
                client.send(block)
            assert client.response("POST").body.decode() == digest(blocks(LENGTH))
    causes = [record.cause for record in gateway.log_records(20)]
    assert sorted(set(causes)) == ["client_gone", "ok"] and causes.count("ok") == 10


def test_a_response_that_is_cut_short_ends_short(portico, upstream):
    gateway = start(portico, upstream)
    with gateway.client(keep=False) as client:
        ask(client, b"/cut")
        got = digest(received(client, LENGTH // 2))
        assert client.ended()
    half = [marked(block, b"/cut") for block in list(blocks(LENGTH))[:LENGTH // BLOCK // 2]]
    assert got == digest(half)
    assert gateway.last_record().cause == "upstream_truncated"


def test_pipes_are_given_back(portico, upstream):
    gateway = start(portico, upstream)
    before = pipes_of(gateway)
    for number in range(5):
        with gateway.client(keep=False) as client:
            ask(client, b"/%d" % number)
            assert digest(received(client, LENGTH)) == expected(b"/%d" % number)
    assert pipes_of(gateway) - before == 2
    with gateway.client(keep=False, receive_buffer=16384) as client:
        ask(client, b"/gone")
        client.some()
    wait_until(lambda: pipes_of(gateway) - before <= 2, "the pipe to go with its client")


def test_a_client_that_stalls_is_told_from_a_service_that_does(portico, upstream):
    """What the pipe holds waits for the client, and the record says so."""
    gateway = start(portico, upstream, client={"write_timeout": "300ms"})
    with gateway.client(keep=False, receive_buffer=4096) as client:
        ask(client, b"/slow")
        assert gateway.last_record().cause == "client_stalled"
