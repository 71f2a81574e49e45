"""Everything goes wrong at once, in an order that a seed has drawn: clients, services, and the configuration.

Who behaves well must not notice, and when it is over nothing may be left: no socket, no exchange, no request without its record.
"""
import contextlib
import hashlib
import os
import random
import signal
import struct
import threading

import pytest

from lib import h2raw
from lib.client import accept_of, chunked, get, post, upgrade
from lib.faults import FAULTS
from lib.gateway import route_to
from lib.upstream import ok, repeat_bytes, respond
from lib.wait import PATIENCE, wait_until
from lib.wire import Closed

HOSTILE, ROUNDS, IMPATIENCE = 8, 30, 0.4
SIZES = (0, 1, 1000, 20000, 300000)
SHORT = {"first_byte_timeout": "300ms", "between_bytes_timeout": "300ms", "idle_timeout": "300ms"}
PATHS = ("/x", "/x", "/tight", "/tight", "/gone", "/small", "/asked", "/delayed", "/a/../b", "/%2e%2e/", "/honest")


# services -------------------------------------------------------------------------------------------------

def head_of(status, *fields):
    return "\r\n".join([f"HTTP/1.1 {status} Chaos", *fields, "", ""]).encode()


def answers_to(head, draw):
    """What may come back: the bytes, and whether the connection lives on."""
    body = draw.randbytes(draw.choice(SIZES))
    length = f"Content-Length: {len(body)}"
    whole = head_of(200, length) + body
    half = whole[:len(whole) // 2]
    chunks = head_of(200, "Transfer-Encoding: chunked")
    pieces = chunked(*[body[at:at + 997] for at in range(0, len(body), 997)], trailers=b"X-Sum: 1\r\n")
    key = head.get("Sec-WebSocket-Key") or "none"
    switch = head_of(101, "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {accept_of(key)}")
    return draw.choice([
        (whole, True), (chunks + pieces, True), (whole + b"more", True), (head_of(103, "Link: </x>") * draw.randrange(12) + whole, True),
        (respond(204, content_length="5") + b"abcde", True), (head_of(304, "Content-Length: 5"), True), (respond(401, body), True),
        (switch + body, False), (head_of(101), False), (head_of(100) + half, False), (half, False), (head_of(200) + body, False),
        (head_of(200, length, "Connection: close") + body, False), (chunks + pieces[:len(pieces) // 2], False), (b"", False),
        (chunks + b"fffffffffffffffff\r\n", False), (head_of(200, length, "Transfer-Encoding: chunked") + body, False),
        (head_of(200, *["X-Long: " + "y" * 900] * 60) + body, False), (draw.randbytes(50), False),
    ])


def hostile_service(seeds):
    def script(connection):
        draw = random.Random(next(seeds))
        while True:
            head = connection.head()
            early = draw.random() < 0.3
            if not early:
                connection.content(head)
            answer, lives_on = answers_to(head, draw)
            connection.send(answer)
            if early or not lives_on:
                break
        ending = draw.choice([connection.close, connection.reset, connection.rest])
        ending()
    return script


def honest_service(connection):
    while request := connection.request():
        if request.get("Upgrade"):
            key = request.get("Sec-WebSocket-Key")
            connection.send(head_of(101, "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {accept_of(key)}"))
            repeat_bytes(connection)
            return
        connection.send(ok(hashlib.sha256(request.body).hexdigest().encode()))


# clients --------------------------------------------------------------------------------------------------

def honest_client(gateway, draw):
    with gateway.client(keep=False) as client:
        for size in draw.sample(SIZES, 3):
            body = draw.randbytes(size)
            request = draw.choice([post(body, "/honest"), get("/honest", "PUT", transfer_encoding="chunked") + chunked(body)
                                   if body else post(body, "/honest")])
            response = client.ask(request)
            assert (response.status, response.body) == (200, hashlib.sha256(body).hexdigest().encode()), response.start
        assert client.ask(upgrade("/honest")).status == 101
        client.send(body)
        assert client.exactly(len(body)) == body


def request_of(draw):
    path, method = draw.choice(PATHS), draw.choice(["GET", "POST", "HEAD", "PUT", "OPTIONS"])
    body = draw.randbytes(draw.choice(SIZES))
    more = draw.choice([{}, {}, {"expect": "100-continue"}, {"connection": "close"}])
    return draw.choice([
        get(path, method, content_length=len(body), **more) + body, get(path, method, **more) * draw.randrange(1, 5),
        get(path, method, transfer_encoding="chunked", **more) + chunked(body, trailers=b"X-Sum: 1\r\n") if body else get(path),
        upgrade(path) + body[:100], draw.randbytes(60) + b"\r\n\r\n",
    ])


def hostile_client(gateway, draw):
    with gateway.client(keep=False) as client:
        client.sock.settimeout(IMPATIENCE)
        data = request_of(draw)
        if draw.random() < 0.3:
            data = data[:draw.randrange(len(data))]
        client.send(data)
        if draw.random() < 0.3:
            client.half_close()
        if draw.random() < 0.7:
            client.some()
        draw.choice([client.close, client.reset, client.rest])()


def hostile_h2_client(gateway, draw):
    with h2raw.H2(gateway.port, window=draw.choice([0, 1, 1000, 1 << 20])) as client:
        client.sock.settimeout(IMPATIENCE)
        for _ in range(draw.randrange(1, 20)):
            last = max(1, client.next_id - 2)
            step = draw.choice([
                lambda: client.request(draw.choice(PATHS), draw.choice([None, b"", b"x" * 20000]), draw.random() < 0.8,
                                       method=draw.choice(["GET", "POST", "HEAD"])),
                lambda: client.send(h2raw.rst(last, draw.randrange(14))),
                lambda: client.send(h2raw.settings(initial_window_size=draw.choice([0, 1, 65535]))),
                lambda: client.send(h2raw.window_update(draw.choice([0, last]), draw.randrange(100000))),
                lambda: client.send(h2raw.frame(h2raw.DATA, draw.randrange(2), last, b"y" * 100)),
                lambda: client.send(h2raw.frame(h2raw.PRIORITY, 0, last, struct.pack(">IB", 0, 10))),
                client.ping,
            ])
            step()
        draw.choice([client.close, client.reset, client.rest])()


# all of them ----------------------------------------------------------------------------------------------

def sockets(gateway):
    folder = f"/proc/{gateway.pid}/fd"
    with contextlib.suppress(FileNotFoundError):  # one was closed meanwhile
        return sum(os.readlink(f"{folder}/{name}").startswith("socket:") for name in os.listdir(folder))
    return -1


def configuration_after(draw):
    """A change for Gateway.rewrite()."""
    tight = draw.choice([{}, {"connections_max": 2, "queue": {"length": 3, "timeout": "200ms"}}, {"idle_max": 0}, {"protocol": "h2c"}])
    burst = draw.randrange(5)

    def change(config):
        config["upstreams"]["tight"] = {"servers": config["upstreams"]["x"]["servers"], **tight}
        config["limits"]["slow"]["burst"] = burst
    return change


def in_threads(works):
    """Runs them all; what one has asserted in vain fails the test."""
    errors = []

    def guarded(work):
        try:
            work()
        except Exception as error:
            errors.append(error)
    threads = [threading.Thread(target=guarded, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    return threads, errors


@pytest.mark.threads
@pytest.mark.parametrize("seed", [1, 2])
def test_who_behaves_well_does_not_notice(portico, upstream, seed):
    seeds = iter(range(seed * 1000000, (seed + 1) * 1000000))
    good, bad = upstream(honest_service, keep=False), upstream(hostile_service(seeds), keep=False)
    hostile = [{"prefix": path, "upstream": name, **SHORT, **more} for path, name, more in (
        ("/tight", "tight", {}), ("/gone", "gone", {}), ("/small", "x", {"max_body": "10KiB"}),
        ("/asked", "good", {"forward_auth": {"upstream": "x", "timeout": "300ms"}}), ("/delayed", "x", {"limits": ["slow"]}), ("/", "x", {}))]
    gateway = portico({"good": good, "x": bad, "tight": bad, "gone": "127.0.0.1:1"}, process={"threads": 2},
                      limits={"slow": {"rate": "20/s", "burst": 3, "delay": 0, "key": "client_ip"}},
                      client={"write_timeout": "1s", "half_close_timeout": "200ms"}, routes=[route_to("good", "/honest"), *hostile])
    before, worker, over = sockets(gateway), gateway.worker(), threading.Event()

    def misbehave(number):
        draw = random.Random(f"{seed} {number}")
        for _ in range(ROUNDS):
            with contextlib.suppress(Closed, OSError):
                draw.choice([hostile_client, hostile_client, hostile_h2_client])(gateway, draw)

    def behave(number):
        draw = random.Random(f"{seed} honest {number}")
        while not over.is_set():
            honest_client(gateway, draw)

    honest, errors = in_threads([lambda number=number: behave(number) for number in range(2)])
    others, _ = in_threads([lambda number=number: misbehave(number) for number in range(HOSTILE)])
    draw = random.Random(seed)
    while any(thread.is_alive() for thread in others):
        gateway.rewrite(configuration_after(draw))
        gateway.signal(signal.SIGHUP)
        others[draw.randrange(HOSTILE)].join(0.3)
    over.set()
    for thread in honest:
        thread.join(PATIENCE)
    assert not errors and not any(thread.is_alive() for thread in honest), errors
    wait_until(lambda: sockets(gateway) == before, f"the end of all connections, there were {before} sockets")
    records = gateway.log_records(HOSTILE * ROUNDS // 2)
    assert {record.cause for record in records} <= {"ok", *FAULTS} and len({record.cause for record in records}) > 12
    assert gateway.worker() == worker
