"""A hundred reloads while real clients are served by a real service: httpx over HTTP/1.1 and HTTP/2, websockets, uploads, event streams."""
import asyncio
import contextlib
import hashlib
import itertools
import signal
import subprocess
import sys

import httpx
import pytest
import websockets

from lib.client import Client
from lib.gateway import route_to
from lib.ports import free_port
from lib.tls import Authority, client_context, tls_listener
from lib.wait import PATIENCE, SLOW, wait_until

RELOADS = 100
NAME = "one.test"
APP = """
import asyncio, hashlib
async def answer(send, body, more=False, kind=b"text/plain"):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
    await send({"type": "http.response.body", "body": body, "more_body": more})
async def app(scope, receive, send):
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})
    elif scope["type"] == "http" and scope["path"] == "/events":
        await answer(send, b"", True, b"text/event-stream")
        number = 0
        while True:
            await send({"type": "http.response.body", "body": b"data: %d\\n\\n" % number, "more_body": True})
            number += 1
            await asyncio.sleep(0.02)
    elif scope["type"] == "http":
        hashed, message = hashlib.sha256(), {"more_body": True}
        while message.get("more_body"):
            message = await receive()
            hashed.update(message.get("body", b""))
        await answer(send, hashed.hexdigest().encode())
"""
NOTHING = hashlib.sha256().hexdigest()


@pytest.fixture
def service(tmp_path):
    port = free_port()
    (tmp_path / "storm_service.py").write_text(APP)
    command = [sys.executable, "-m", "uvicorn", "storm_service:app", "--port", str(port), "--timeout-keep-alive", "600",
               "--log-level", "warning"]
    process = subprocess.Popen(command, cwd=tmp_path, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answers():
        with contextlib.suppress(OSError), Client(port) as client:
            return client.get("/").status == 200
    wait_until(answers, "uvicorn")
    yield f"127.0.0.1:{port}"
    process.kill()
    process.wait()


class Clients:
    """All of them in one event loop; `done` counts what each kind has got, and whatever goes wrong ends the test."""

    def __init__(self, base, secure, authority):
        self.base, self.secure, self.authority = base, secure, authority
        self.over, self.done = asyncio.Event(), {}

    def count(self, kind):
        self.done[kind] = self.done.get(kind, 0) + 1

    async def requests(self, kind, url, version, **settings):
        async with httpx.AsyncClient(timeout=PATIENCE, **settings) as client:
            async def one():
                while not self.over.is_set():
                    response = await client.get(url)
                    assert (response.status_code, response.text, response.http_version) == (200, NOTHING, version), response
                    self.count(kind)
            await asyncio.gather(*(one() for _ in range(4)))

    async def http1(self):
        await self.requests("http1", f"{self.base}/", "HTTP/1.1")

    async def http2(self):
        await self.requests("http2", f"{self.secure}/", "HTTP/2", http2=True, verify=client_context(self.authority))

    async def lasting_socket(self):
        async with websockets.connect(self.base.replace("http", "ws"), ping_interval=None) as socket:
            for number in itertools.count():
                await socket.send(str(number))
                assert await asyncio.wait_for(socket.recv(), PATIENCE) == str(number)
                self.count("lasting_socket")
                if self.over.is_set():
                    break
                await asyncio.sleep(0.02)

    async def sockets(self):
        """One after the other, so that every generation has some."""
        context = client_context(self.authority)
        while not self.over.is_set():
            async with websockets.connect(self.secure.replace("http", "ws"), ssl=context, ping_interval=None) as socket:
                for _ in range(5):
                    await socket.send("hello")
                    assert await asyncio.wait_for(socket.recv(), PATIENCE) == "hello"
                    await asyncio.sleep(0.02)
            self.count("sockets")

    async def uploads(self):
        piece = bytes(range(256)) * 64
        expected = hashlib.sha256(piece * 40).hexdigest()

        async def content():
            for _ in range(40):
                yield piece
                await asyncio.sleep(0.01)
        async with httpx.AsyncClient(timeout=PATIENCE) as client:
            while not self.over.is_set():
                response = await client.post(f"{self.base}/upload", content=content())
                assert (response.status_code, response.text) == (200, expected), response
                self.count("uploads")

    async def events(self):
        async with httpx.AsyncClient(timeout=PATIENCE) as client, client.stream("GET", f"{self.base}/events") as response:
            assert response.status_code == 200
            expected = itertools.count()
            async for line in response.aiter_lines():
                if line.startswith("data: "):
                    assert line.strip() == f"data: {next(expected)}"
                    self.count("events")
                if self.over.is_set():
                    break

    async def run(self, beside):
        kinds = [self.http1, self.http2, self.events, self.events, self.uploads, self.uploads, self.sockets, self.sockets,
                 *[self.lasting_socket] * 20]

        async def all_of_them():
            await asyncio.gather(*(kind() for kind in kinds))
        clients = asyncio.create_task(all_of_them())
        reloads = asyncio.create_task(beside())
        await asyncio.wait([clients, reloads], return_when=asyncio.FIRST_COMPLETED)
        self.over.set()
        if clients.done() and not reloads.done():
            reloads.cancel()  # they have ended of themselves: of what, gather tells
        await asyncio.wait_for(clients, PATIENCE)
        await reloads


@pytest.mark.threads
@pytest.mark.timeout(int(120 * SLOW))
async def test_a_hundred_reloads_with_everything_under_way(portico, service, tmp_path):
    authority, port = Authority(tmp_path), free_port()
    gateway = portico({"app": service}, process={"threads": 2}, listen=[tls_listener(port)],
                      tls={"certificates": [authority.make(NAME, "127.0.0.1")]},
                      limits={"many": {"rate": "100000/s", "burst": 100000, "key": "client_ip"}},
                      routes=[route_to("app", limits=["many"])])
    plain = gateway.config["sites"][0]["routes"]
    clients = Clients(f"http://127.0.0.1:{gateway.port}", f"https://127.0.0.1:{port}", authority)

    async def reload():
        for number in range(RELOADS):
            done = gateway.stderr().count("serving the new configuration")
            gateway.rewrite(lambda config: config["sites"][0].update(routes=[route_to("app", f"/generation/{number}"), *plain]))
            gateway.signal(signal.SIGHUP)
            while gateway.stderr().count("serving the new configuration") == done:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.02 * SLOW)

    worker = gateway.worker()
    await clients.run(reload)
    assert set(clients.done) == {"http1", "http2", "events", "uploads", "sockets", "lasting_socket"}, clients.done
    assert min(clients.done.values()) > 5, clients.done
    assert gateway.worker() == worker
    assert f"serving the new configuration generation={RELOADS + 1}\n" in gateway.stderr()
