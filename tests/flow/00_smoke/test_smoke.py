"""The gateway starts, carries a request, and stops."""
import socket
import subprocess

import httpx
import pytest

from lib.tls import example
from lib.upstream import answers, named, ok
from lib.wait import BINARY, PATIENCE


def test_request_and_response_pass(portico, upstream):
    app = upstream(answers(ok(b"hello", content_type="text/plain", x_own="kept")))
    gateway = portico(app)
    response = httpx.get(f"http://127.0.0.1:{gateway.port}/greeting?name=x", headers={"X-Mine": "kept too"})
    assert (response.status_code, response.text) == (200, "hello")
    assert response.headers["X-Own"] == "kept"
    assert app.requests[0].start == "GET /greeting?name=x HTTP/1.1"
    assert app.requests[0].get("X-Mine") == "kept too"


def test_one_record_for_one_request(portico, upstream):
    gateway = portico(upstream(named("app")))
    with gateway.client() as client:
        client.get("/seen")
        record = gateway.last_record()
    assert (record.method, record.target, record.status, record.cause) == ("GET", "/seen", 200, "ok")


def test_stops_when_nothing_ever_came(portico, upstream):
    gateway = portico(upstream())
    gateway.stop()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", gateway.port)) != 0


def test_a_bad_configuration_is_refused_with_its_place(tmp_path):
    file = tmp_path / "bad.yaml"
    file.write_text('listen:\n  - address: "127.0.0.1:1"\nupstreams: { app: "127.0.0.1:2" }\n'
                    'sites:\n  - hosts: ["*"]\n    routes:\n      - { prefix: /, upsteam: app }\n')
    run = subprocess.run([BINARY, "run", file], capture_output=True, text=True, timeout=PATIENCE)
    assert run.returncode == 1
    assert "bad.yaml:7:" in run.stderr and "upstream" in run.stderr


@pytest.mark.parametrize("name", ["starmeet.yaml", "minimal.yaml", "leap.yaml"])
def test_the_examples_compile(name):
    check = subprocess.run([BINARY, "check", example(name)], capture_output=True, text=True, timeout=PATIENCE)
    assert check.returncode == 0, check.stderr
