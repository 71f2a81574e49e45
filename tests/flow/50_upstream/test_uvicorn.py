"""uvicorn --limit-concurrency counts idle connections and answers 503 itself: behind connections_max it never has to."""
import asyncio
import collections
import subprocess
import sys
import time

import pytest

from lib.client import Client, get
from lib.gateway import route_to
from lib.ports import free_port
from lib.wait import SLOW, wait_until

LIMIT, CLIENTS, SECONDS = 10, 200, 3.0
APP = """
import asyncio
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    await asyncio.sleep(0.002)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})
"""


@pytest.fixture
def uvicorn(tmp_path):
    """Its address; refuses what exceeds LIMIT."""
    port = free_port()
    (tmp_path / "served.py").write_text(APP)
    command = [sys.executable, "-m", "uvicorn", "served:app", "--port", str(port), "--limit-concurrency", str(LIMIT),
               "--timeout-keep-alive", "30", "--log-level", "warning"]
    process = subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answers():
        assert process.poll() is None
        try:
            with Client(port) as client:
                return client.get("/").status == 200
        except OSError:
            return False
    wait_until(answers, "uvicorn")
    yield f"127.0.0.1:{port}"
    process.terminate()
    process.wait(10)


async def hammer(port, until, seen):
    """Asks again and again on one connection; counts the answers by status."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.monotonic() < until:
        writer.write(get("/"))
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        seen[head.split(b" ", 2)[1]] += 1
        if b"content-length: 2\r\n" not in head:
            break  # not our application
        assert await reader.readexactly(2) == b"ok"
    writer.close()


def hammer_all(port, seconds):
    async def all_of_them():
        seen, until = collections.Counter(), time.monotonic() + seconds
        await asyncio.gather(*(hammer(port, until, seen) for _ in range(CLIENTS)))
        return seen
    return asyncio.run(all_of_them())


@pytest.mark.threads
def test_nobody_is_refused(uvicorn, portico):
    settings = {"servers": [uvicorn], "idle_timeout": "25s", "connections_max": LIMIT - 1,
                "queue": {"length": 1000, "timeout": f"{int(20 * SLOW)}s"}}
    gateway = portico({"app": settings}, process={"threads": 2})
    seen = hammer_all(gateway.port, SECONDS * SLOW)
    assert set(seen) == {b"200"}, seen
    assert sum(seen.values()) > CLIENTS
    records = gateway.log_records(CLIENTS)
    assert sum(record.queue_us > 0 for record in records) > len(records) / 2


def test_without_the_setting_uvicorn_refuses(uvicorn, portico):
    """What the test above would see if the bound did not hold."""
    gateway = portico({"app": {"servers": [uvicorn]}}, process={"threads": 2}, routes=[route_to("app")])
    seen = hammer_all(gateway.port, 1.0 * SLOW)
    assert seen[b"503"] > 0
