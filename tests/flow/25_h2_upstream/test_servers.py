"""Real HTTP/2 servers behind the gateway: hypercorn and nghttpd; large bodies arrive byte for byte in bounded memory."""
import hashlib
import os
import socket
import subprocess
import sys

import pytest

from lib.client import get, post
from lib.ports import free_port
from lib.wait import wait_until

MIB = 1 << 20
APP = '''
import hashlib

async def app(scope, receive, send):
    assert scope["type"] == "http" and scope["http_version"] == "2"
    digest, size, more = hashlib.sha256(), 0, True
    while more:
        event = await receive()
        digest.update(event.get("body", b""))
        size += len(event.get("body", b""))
        more = event.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-size", b"%d" % size)]})
    await send({"type": "http.response.body", "body": digest.hexdigest().encode()})
'''


def accepts(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def serve():
    """serve(command, port): a server process, once it accepts."""
    started = []

    def start(command, port, **settings):
        started.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **settings))
        wait_until(lambda: accepts(port), "the server")
        return f"127.0.0.1:{port}"

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def hypercorn(serve, tmp_path):
    (tmp_path / "served.py").write_text(APP)
    port = free_port()
    return serve([sys.executable, "-m", "hypercorn", "-b", f"127.0.0.1:{port}", "served:app"], port, cwd=tmp_path)


@pytest.fixture
def nghttpd(serve, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "big").write_bytes(os.urandom(32 * MIB))
    (root / "small").write_bytes(b"small")
    port = free_port()
    address = serve(["nghttpd", "--no-tls", "-d", str(root), str(port)], port)
    return address, root


def test_uploads_to_hypercorn(hypercorn, h2c):
    gateway = h2c(hypercorn)
    client = gateway.client(keep=False)
    for size in (0, 1, 65535, 65536, 16 * MIB):
        body = os.urandom(size)
        response = client.ask(post(body))
        assert (response.status, response.get("X-Size")) == (200, str(size))
        assert response.body.decode() == hashlib.sha256(body).hexdigest()


def test_downloads_from_nghttpd(nghttpd, h2c):
    address, root = nghttpd
    gateway = h2c(address)
    client = gateway.client(keep=False)
    assert client.get("/small").body == b"small"
    before = gateway.rss()
    response = client.get("/big")
    assert response.body == (root / "big").read_bytes()
    assert gateway.peak_rss() - before < 4 * MIB
    assert client.get("/none").status == 404
    assert client.ask(get("/big", method="HEAD")).status == 200


def test_both_over_http2(nghttpd, h2c, tmp_path):
    address, root = nghttpd
    gateway = h2c(address)
    out = subprocess.run(["curl", "-s", "--http2-prior-knowledge", f"http://127.0.0.1:{gateway.port}/big"], check=True,
                         stdout=subprocess.PIPE).stdout
    assert out == (root / "big").read_bytes()
