"""conf/vrss.yaml: what DEPLOYMENTS.md 1.4 asks of the layer in front of VRSS, as far as the file says it can."""
import asyncio
import ssl

import pytest
import websockets

from lib.client import get, post
from lib.upstream import answers, echo, ok, repeat_bytes, websocket

HOST, WWW = "vrss.example", "www.vrss.example"
HEADERS = {"Strict-Transport-Security": "max-age=31536000", "X-Frame-Options": "SAMEORIGIN", "X-Content-Type-Options": "nosniff",
           "X-XSS-Protection": "1; mode=block", "Referrer-Policy": "strict-origin-when-cross-origin"}


@pytest.fixture
def vrss(deployment, upstream):
    def start(api=echo, web=answers(ok(b"web", x_frame_options="DENY"))):
        return deployment("vrss", {"vrss-api:3000": upstream(api), "vrss-web:8080": upstream(web)}, [HOST, WWW])
    return start


def test_http_leads_to_https(vrss):
    gateway = vrss()
    with gateway.client() as client:
        assert client.get("/a?b", host=HOST).get("Location") == f"https://{HOST}/a?b"
        assert client.ask(post(b"", "/api", host=HOST)).status == 308


def test_security_headers_on_every_response(vrss):
    """V5, D10, D11: the same on pages, errors and answers of the gateway, once each, whatever a service sends."""
    gateway = vrss()
    for target, status in (("/", 200), ("/api/x", 200), ("/.git/config", 404), ("/a%00b", 400)):
        with gateway.secure(HOST) as client:
            response = client.get(target, host=HOST)
            assert response.status == status
            assert {name: response.all(name.lower()) for name in HEADERS} == {name: [value] for name, value in HEADERS.items()}
            assert response.get("Content-Security-Policy").startswith("default-src 'self'; ")


def test_two_limits_stacked(vrss):
    """V4: 21 at one instant; those that are refused are told when to come again, and what is not the API has no limit."""
    gateway = vrss()
    with gateway.secure(HOST) as client:
        found = [client.get("/api/x", host=HOST) for _ in range(40)]
        refused = [response for response in found if response.status == 429]
        assert [response.status for response in found[:21]] == [200] * 21 and refused
        assert all(int(response.get("Retry-After")) >= 1 for response in refused)
        assert {client.get(target, host=HOST).status for target in ("/", "/health") for _ in range(40)} == {200}
        assert "pace" in found[0].get("RateLimit-Policy") and "quota" in found[0].get("RateLimit-Policy")


def test_uploads_have_an_end(vrss):
    gateway = vrss()
    with gateway.secure(HOST) as client:
        refused = client.ask(get("/api/files", "POST", HOST, content_length=50_000_001), "POST")
        assert (refused.status, refused.get("X-Frame-Options")) == (413, "SAMEORIGIN")
    with gateway.secure(HOST) as client:
        assert client.ask(post(b"x" * 1_000_000, "/api/files", HOST)).json["body"] == "x" * 1_000_000


def test_the_web_only_reads(vrss):
    with vrss().secure(HOST) as client:
        assert client.ask(post(b"", "/", HOST)).status == 405


def test_the_other_name_keeps_everything(vrss):
    with vrss().secure(WWW) as client:
        response = client.ask(post(b"", "/api/x?y=1", WWW))
        assert (response.status, response.get("Location")) == (308, f"https://{HOST}/api/x?y=1")


def test_vite_reloads_modules(vrss):
    """V6: a WebSocket at the root with its subprotocol, over TLS, by a real client."""
    gateway = vrss(web=websocket(repeat_bytes, sec_websocket_protocol="vite-hmr"))
    context = ssl.create_default_context(cafile=gateway.authority.ca)

    async def talk():
        async with websockets.connect(f"wss://{HOST}/", host="127.0.0.1", port=gateway.ports[":443"], ssl=context,
                                      server_hostname=HOST, subprotocols=["vite-hmr"]) as socket:
            return socket.subprotocol
    assert asyncio.run(talk()) == "vite-hmr"
