"""conf/loomio.yaml: what DEPLOYMENTS.md 1.2 asks of the layer in front of Loomio, as far as the file says it can."""
import asyncio
import re
import signal
import ssl
import threading

import pytest
import websockets

from lib.client import get, post
from lib.faults import assert_made_here
from lib.ports import free_port
from lib.upstream import echo, named
from lib.wait import wait_until

HOSTS = ["loomio.example", "www.loomio.example", "channels.loomio.example", "hocuspocus.loomio.example"]
APP, WWW, CHANNELS, HOCUSPOCUS = HOSTS


@pytest.fixture
def loomio(deployment, upstream):
    def start(app=echo, hocuspocus=None):
        return deployment("loomio", {"app:3000": upstream(app), "channels:5000": upstream(named("channels")),
                                     "hocuspocus:5000": hocuspocus or upstream(named("hocuspocus"))}, HOSTS)
    return start


class Documents:
    """A real WebSocket server that gives binary messages back and keeps what it was asked with."""

    def __init__(self):
        self.port, self.origins = free_port(), []
        self.address = f"127.0.0.1:{self.port}"
        self.loop, self.ready = asyncio.new_event_loop(), threading.Event()
        self.thread = threading.Thread(target=self.loop.run_until_complete, args=(self._serve(),), daemon=True)
        self.thread.start()
        assert self.ready.wait(10)

    async def _serve(self):
        async def talk(socket):
            self.origins.append(socket.request_headers.get("Origin"))
            async for message in socket:
                await socket.send(message)
        self.stopped = asyncio.Event()
        async with websockets.serve(talk, "127.0.0.1", self.port):
            self.ready.set()
            await self.stopped.wait()

    def close(self):
        self.loop.call_soon_threadsafe(self.stopped.set)
        self.thread.join(10)


def test_each_host_has_its_server(loomio):
    gateway = loomio(named("app"))
    for host, body in ((APP, b"app"), (CHANNELS, b"channels"), (HOCUSPOCUS, b"hocuspocus")):
        with gateway.secure(host) as client:
            response = client.get("/socket.io/?sid=1", host=host)
            assert (response.body, response.all("strict-transport-security")) == (body, ["max-age=31536000"])
            assert client.get("/", host="other.example").status == 421


def test_rails_knows_that_it_was_https(loomio):
    """B5: FORCE_SSL would redirect for ever."""
    with loomio().secure(APP) as client:
        fields = {name.lower(): value for name, value in client.get("/", host=APP).json["fields"]}
    assert (fields["x-forwarded-proto"], fields["host"]) == ("https", APP)


def test_http_and_www_lead_to_the_application(loomio):
    gateway = loomio()
    with gateway.client() as client:
        assert client.get("/g/1?x", host=APP).get("Location") == f"https://{APP}/g/1?x"
    with gateway.secure(WWW) as client:
        response = client.get("/g/1?x", host=WWW)
        assert (response.status, response.get("Location")) == (301, f"https://{APP}/g/1?x")
        assert client.ask(post(b"", "/", WWW)).status == 405


def test_attachments(loomio):
    """B6: per host."""
    gateway = loomio()
    for host, limit in ((APP, 200 << 20), (CHANNELS, 1 << 20)):
        with gateway.secure(host) as client:
            assert_made_here(client.ask(get("/", "POST", host, content_length=limit + 1), "POST"), "body_too_large")


def test_large_cookies_of_single_sign_on(loomio):
    """B10: 14 KiB in one line, 28 KiB in all."""
    with loomio().secure(APP) as client:
        response = client.get("/?" + "a" * 14000, host=APP, cookie="b" * 14000)
        assert response.status == 200


def test_a_document(loomio):
    """B4: binary messages and the Origin, over TLS, by a real client and a real server."""
    documents = Documents()
    gateway = loomio(hocuspocus=documents)
    context = ssl.create_default_context(cafile=gateway.authority.ca)
    message = bytes(range(256)) * 300

    async def talk():
        async with websockets.connect(f"wss://{HOCUSPOCUS}/", host="127.0.0.1", port=gateway.ports[":443"], ssl=context,
                                      server_hostname=HOCUSPOCUS, origin=f"https://{APP}") as socket:
            await socket.send(message)
            return await socket.recv()
    try:
        assert asyncio.run(talk()) == message
        assert documents.origins == [f"https://{APP}"]
    finally:
        documents.close()


def test_the_containers_are_swapped(loomio):
    """B8: while the application is replaced people read why; nobody's connection is cut, the other hosts are served."""
    gateway = loomio(named("app"))
    written = gateway.config_file.read_text()
    with gateway.secure(APP) as client, gateway.secure(CHANNELS) as other:
        assert client.get("/", host=APP).body == b"app"
        gateway.config_file.write_text(re.sub(r"(hosts: \[loomio\.example\]\n)", r"\1    maintenance: true\n", written))
        gateway.signal(signal.SIGHUP)
        wait_until(lambda: client.get("/", host=APP).status == 503, "the maintenance")
        response = client.get("/", host=APP)
        assert (response.get("Retry-After"), response.body[:22]) == ("300", b"Loomio is being update")
        assert other.get("/", host=CHANNELS).body == b"channels"
        gateway.config_file.write_text(written)
        gateway.signal(signal.SIGHUP)
        wait_until(lambda: client.get("/", host=APP).body == b"app", "the application")
