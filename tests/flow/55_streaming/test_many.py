"""Very many connections at once: tunnels that all echo, idle ones that cost next to nothing."""
import asyncio
import resource

import pytest

from lib.client import accept_of, get, upgrade
from lib.ports import free_port
from lib.upstream import named
from lib.wait import SANITIZED, SLOW

TUNNELS = 500 if SANITIZED else 5000
IDLE = 8000


@pytest.fixture(autouse=True)
def many_files():
    """All the descriptors that may be had; the gateway inherits them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def echo(reader, writer):
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    key = next(line.split(": ")[1] for line in head.split("\r\n") if line.lower().startswith("sec-websocket-key"))
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 b"Sec-WebSocket-Accept: " + accept_of(key).encode() + b"\r\n\r\n")
    while data := await reader.read(4096):
        writer.write(data)
    writer.close()


async def open_tunnel(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(upgrade())
    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    return reader, writer


async def say(tunnel, message):
    reader, writer = tunnel
    writer.write(message)
    assert await reader.readexactly(len(message)) == message


@pytest.mark.slow
@pytest.mark.threads
async def test_thousands_of_websockets(portico, many_files):
    if many_files < 2 * TUNNELS + 500:
        pytest.skip(f"only {many_files} descriptors")
    port = free_port()
    server = await asyncio.start_server(echo, "127.0.0.1", port, backlog=4096)
    gateway = portico(f"127.0.0.1:{port}", process={"threads": 2})
    tunnels = []
    while len(tunnels) < TUNNELS:
        tunnels += await asyncio.gather(*(open_tunnel(gateway.port) for _ in range(100)))
    for turn in range(2):
        said = (say(tunnel, b"turn %d of tunnel %d" % (turn, number)) for number, tunnel in enumerate(tunnels))
        await asyncio.wait_for(asyncio.gather(*said), 30 * SLOW)
    for _, writer in tunnels:
        writer.close()
    server.close()


@pytest.mark.slow
@pytest.mark.measured
def test_an_idle_connection_costs_at_most_a_kibibyte(portico, upstream, many_files):
    if many_files < IDLE + 500:
        pytest.skip(f"only {many_files} descriptors")
    gateway = portico(upstream(named("app")), client={"keep_alive_timeout": "5m"})
    clients = []

    def open_until(count):
        while len(clients) < count:
            clients.append(gateway.client(keep=False))
            assert clients[-1].ask(get("/")).status == 200
        return gateway.rss()

    before = open_until(100)
    after = open_until(IDLE + 100)
    for client in clients:
        client.close()
    assert (after - before) / IDLE <= 1024
