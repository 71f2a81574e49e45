"""Abuse of HTTP/2 (attacks A20 to A25): GOAWAY(ENHANCE_YOUR_CALM), one named reason, and nobody else notices."""
import contextlib
import struct
import time

import hpack
import pytest

from lib.h2raw import (ACK, CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, GOAWAY, H2, HEADERS,
                       PING, PRIORITY, PRIORITY_UPDATE, SETTINGS, frame, rst, settings, window_update)
from lib.gateway import route_to
from lib.upstream import answers, named, ok, silent
from lib.wire import Closed

MIB = 1 << 20
NOT_INDEXED = b"\x00"


def literal(name, value):
    """A field that leaves no trace in the compression table."""
    return NOT_INDEXED + bytes([len(name)]) + name + bytes([len(value)]) + value


def plain(path=b"/", extra=b""):
    return b"\x82\x86" + literal(b":path", path) + literal(b":authority", b"portico.test") + extra


def head(stream, flags=END_STREAM, extra=b""):
    return frame(HEADERS, END_HEADERS | flags, stream, plain(b"/silent", extra))


def odd(count):
    return range(1, 2 * count, 2)


def bomb():
    """One field of 4,000 bytes in the table, then a byte for each repetition."""
    encoder = hpack.Encoder()
    first = encoder.encode([(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/"), ("x", "y" * 3900)], huffman=False)
    return frame(HEADERS, END_STREAM, 1, first) + frame(CONTINUATION, END_HEADERS, 1, b"\xbe" * 16000)


def many_tiny():
    """Fields of the table's own, a byte each: 127,000 fields in 131 KB."""
    return frame(HEADERS, END_STREAM, 1, plain() + b"\x90" * 16000) + b"".join(
        frame(CONTINUATION, END_HEADERS if number == 6 else 0, 1, b"\x90" * 16000) for number in range(7))


def crumbs():
    return frame(HEADERS, END_STREAM, 1, plain() + literal(b"cookie", b"a") * 1600) + b"".join(
        frame(CONTINUATION, END_HEADERS if number == 6 else 0, 1, literal(b"cookie", b"a") * 1600) for number in range(7))


FLOODS = {
    "A20 rapid reset": ("reset_flood", b"".join(head(stream) + rst(stream) for stream in odd(3000))),
    "A20 reset before the head ends": ("reset_flood", b"".join(head(stream, 0) + rst(stream) for stream in odd(3000))),
    "A21 provoked by a window overflow": ("provoked_resets", b"".join(
        head(stream, 0) + window_update(stream, (1 << 31) - 1) for stream in odd(3000))),
    "A21 provoked by a bad field": ("provoked_resets", b"".join(
        head(stream, END_STREAM, literal(b"connection", b"close")) for stream in odd(3000))),
    "A21 provoked by a length": ("provoked_resets", b"".join(
        head(stream, END_STREAM, literal(b"content-length", b"5")) for stream in odd(3000))),
    "A22 CONTINUATION": ("continuation_flood", frame(HEADERS, END_STREAM, 1, plain()) + frame(CONTINUATION, 0, 1, b"") * 100),
    "A22 CONTINUATION with fields": ("continuation_flood", frame(HEADERS, END_STREAM, 1, plain()) +
                                     frame(CONTINUATION, 0, 1, literal(b"x", b"y")) * 100),
    "A23 one field many times": ("header_bomb", bomb()),
    "A23 very many fields": ("header_bomb", many_tiny()),
    "A23 cookie crumbs": ("header_bomb", crumbs()),
    "A24 PING": ("ping_flood", frame(PING, 0, 0, bytes(8)) * 20000),
    "A24 PING acknowledgements": ("ping_flood", frame(PING, ACK, 0, bytes(8)) * 20000),
    "A24 SETTINGS": ("settings_flood", frame(SETTINGS, 0, 0) * 5000),
    "A24 SETTINGS that change much": ("settings_flood", settings(initial_window_size=1) * 5000),
    "A24 empty DATA": ("empty_data_flood", head(1, 0) + frame(DATA, 0, 1) * 20000),
    "A24 padded DATA without content": ("tiny_data_flood", head(1, 0) + frame(DATA, 8, 1, b"\x04" + bytes(4)) * 100000),
    "A24 DATA of one byte": ("tiny_data_flood", head(1, 0) + frame(DATA, 0, 1, b"x") * 60000),
    "A24 PRIORITY": ("priority_flood", frame(PRIORITY, 0, 3, struct.pack(">IB", 0, 1)) * 20000),
    "A24 PRIORITY_UPDATE": ("priority_flood", frame(PRIORITY_UPDATE, 0, 0, struct.pack(">I", 1) + b"u=1") * 20000),
    "A24 WINDOW_UPDATE of the connection": ("window_update_flood", window_update(0, 1) * 20000),
    "A24 WINDOW_UPDATE of a stream": ("window_update_flood", head(1, 0) + window_update(1, 1) * 20000),
    "A24 unknown frames": ("unknown_frame_flood", frame(0x77, 0, 0, b"") * 20000),
    "A24 GOAWAY": ("unknown_frame_flood", frame(GOAWAY, 0, 0, bytes(8)) * 20000),
    "A25 heads on streams that have ended": ("stray_head_flood", head(1, 0) + rst(1) + head(1) * 3000),
    "A25 streams beyond the limit": ("provoked_resets", b"".join(head(stream) for stream in odd(3000))),
}


def reasons(gateway):
    return [word.split("=")[1] for line in gateway.stderr().splitlines() for word in line.split() if word.startswith("reason=")]


def start(portico, upstream):
    """A gateway whose /silent never answers."""
    return portico({"app": upstream(named("app")), "silent": upstream(silent, keep=False)},
                   routes=[route_to("silent", "/silent"), route_to("app")])


def attack(connection, data):
    """Sends everything, reading on, until the gateway has enough."""
    connection.sock.settimeout(0.02)
    at = 0
    while at < len(data):
        try:
            at += connection.sock.send(data[at:at + 65536])
        except (ConnectionError, TimeoutError):
            pass
        try:
            while not connection.goaways:
                connection.step()
        except TimeoutError:
            continue
        break
    connection.sock.settimeout(8)
    return connection.finish_all()


@pytest.mark.parametrize("reason, data", FLOODS.values(), ids=FLOODS)
def test_a_flood(portico, upstream, h2, bystander, reason, data):
    gateway = start(portico, upstream)
    others, other = bystander(gateway), h2(gateway)
    assert other.get().body == b"app"
    attacker = h2(gateway, patient=False)
    attack(attacker, data)
    assert reasons(gateway) == [reason]
    assert attacker.goaway == ENHANCE_YOUR_CALM
    others()
    assert other.get().body == b"app"


@pytest.mark.measured
def test_memory_of_attacked_connections(portico, upstream):
    gateway = start(portico, upstream)
    with H2(gateway.port) as warm:
        warm.get()
    for _ in range(2):  # what the first round leaves behind, the allocator keeps for the second
        before = gateway.rss()
        for _, data in FLOODS.values():
            with H2(gateway.port, patient=False) as attacker:
                attack(attacker, data)
    assert gateway.rss() - before < MIB
    assert len(reasons(gateway)) == 2 * len(FLOODS)


@pytest.mark.measured
@pytest.mark.parametrize("name, bound", [
    ("A20 rapid reset", 100 * 6 * 1024 + 256 * 1024),  # as many exchanges as streams are allowed, for one turn
    ("A21 provoked by a bad field", 100 * 6 * 1024 + 256 * 1024),
    ("A24 PING", 256 * 1024), ("A23 very many fields", 256 * 1024), ("A24 empty DATA", 256 * 1024),
])
def test_memory_while_attacked(portico, upstream, name, bound):
    """At the worst moment, with 16 such connections at a time."""
    gateway = start(portico, upstream)
    with H2(gateway.port) as warm:
        warm.get()
    gateway.forget_peak()
    before = gateway.peak_rss()
    attackers = [H2(gateway.port, patient=False) for _ in range(16)]
    for attacker in attackers:
        attacker.send(FLOODS[name][1][:60000])
    for attacker in attackers:
        attacker.sock.settimeout(0.1)
        with contextlib.suppress(Closed, OSError):
            attacker.ping()
    grown = gateway.peak_rss() - before
    for attacker in attackers:
        attacker.close()
    assert grown < 16 * bound


@pytest.mark.measured
def test_a_client_that_does_not_read_its_answers(portico, upstream, bystander):
    """Nothing is read, so nothing can be sent: what is waiting is bounded, and then the connection ends."""
    gateway = start(portico, upstream)
    others = bystander(gateway)
    before = gateway.rss()
    for kind in (frame(PING, 0, 0, bytes(8)) * 90, b"".join(head(stream, END_STREAM, literal(b"te", b"x")) for stream in odd(190))):
        with H2(gateway.port, patient=False, receive_buffer=2048) as client:
            client.send(kind)
            time.sleep(0.2)
    assert gateway.rss() - before < 2 * MIB
    others()


@pytest.mark.measured
def test_latency_beside_an_attack(portico, upstream, h2):
    """A well-behaved client on the same thread sees no error, and waits no more than a few milliseconds."""
    gateway = start(portico, upstream)
    other = h2(gateway)
    data = b"".join(head(stream) + rst(stream) for stream in odd(900))
    worst = 0
    for _ in range(10):
        with H2(gateway.port) as attacker:
            attacker.send(data)
            begun = time.monotonic()
            assert other.get().body == b"app"
            worst = max(worst, time.monotonic() - begun)
    assert worst < 0.25


def test_pings_that_go_with_a_download_are_no_flood(portico, upstream, h2):
    gateway = portico(upstream(answers(ok(bytes(8 * MIB))), keep=False))
    connection = h2(gateway)
    stream = connection.request()
    while not connection.streams[stream].ended:
        if connection.step().kind == DATA:
            connection.send(frame(PING, 0, 0, bytes(8)))
    assert len(connection.streams[stream].body) == 8 * MIB and connection.goaway is None


def test_pings_that_come_late_are_no_flood(portico, upstream, h2):
    """One for each frame of a download that was all under way before the first of them."""
    gateway = portico(upstream(answers(ok(bytes(8 * MIB))), keep=False))
    connection = h2(gateway, window=16 * MIB, patient=False)
    connection.send(window_update(0, 16 * MIB))
    stream, frames = connection.request(), 0
    while not connection.streams[stream].ended:
        frames += connection.step().kind == DATA
    assert frames > 500
    for pings in (frames // 2, frames // 2):
        connection.send(frame(PING, 0, 0, bytes(8)) * pings)
        connection.ping()
    assert connection.goaway is None


def test_honest_use_is_no_flood(portico, upstream, h2):
    """A client that acknowledges every frame on its own, and cancels a page full of requests."""
    gateway = start(portico, upstream)
    connection = h2(gateway)
    for _ in range(3):
        for stream in [connection.request("/silent") for _ in range(90)]:
            connection.send(rst(stream, CANCEL))
        connection.ping()
    for _ in range(500):
        connection.get()
    assert connection.goaway is None and not reasons(gateway)
