"""StarMeet through the gateway: every route answered by the service its document names, with everything the services do."""
import hashlib
import json
import re
import subprocess
import time

import httpx
import pytest
import websockets

from conftest import HOST, connect
from lib.bulk import blocks, digest
from lib.client import get
from lib.tls import DEVELOPMENT
from lib.wait import wait_until

MIB = 1 << 20


@pytest.fixture(params=[True, False], ids=["h2", "h1"])
def browser(ready, request):
    with connect(ready, request.param) as client:
        assert client.get("/health").http_version == ("HTTP/2" if request.param else "HTTP/1.1")
        yield client


def websocket(gateway, path, **settings):
    return websockets.connect(f"wss://{HOST}{path}", host="127.0.0.1", port=gateway.port, ssl=gateway.context,
                              server_hostname=HOST, **settings)


# Routes ---------------------------------------------------------------------------------------------------

def test_web_is_the_default(browser):
    for path in ("/", "/about", "/users/alice/inbox", "/.well-known/webfinger?resource=acct:a", "/apiary", "/joined"):
        seen = browser.get(path).json()
        assert (seen["service"], seen["target"]) == ("web", path)


def test_api_has_its_prefix(browser):
    for path in ("/api/echo/users", "/api/echo/a%20b?x=%2F", "/api/echo/"):
        seen = browser.get(path).json()
        assert (seen["service"], seen["target"]) == ("api", path.split("?")[0])


def test_streaming_comes_before_api(browser):
    assert browser.get("/api/v1/streaming/health").text == "OK"
    assert browser.get("/api/v1/streaming/nothing").json()["service"] == "streaming"
    missing = browser.get("/api/v1/streaming")
    assert (missing.status_code, missing.json()["service"]) == (404, "streaming")  # not a redirect


def test_join_belongs_to_the_wizard(browser):
    page = browser.get("/join")
    assert page.status_code == 200 and "wizard: join" in page.text


def test_both_names_of_the_site(browser):
    assert browser.get("/", headers={"Host": "www.star-meet.com"}).json()["host"] == "www.star-meet.com"


def test_another_host_is_misdirected(browser):
    assert browser.get("/", headers={"Host": "other.test"}).status_code == 421


def test_plain_http_is_sent_to_https(starmeet):
    plain = f"http://127.0.0.1:{starmeet.plain_port}"
    response = httpx.get(f"{plain}/join?x=%20", headers={"Host": HOST})
    assert (response.status_code, response.headers["Location"]) == (301, f"https://{HOST}/join?x=%20")
    response = httpx.post(f"{plain}/api/upload", headers={"Host": HOST}, content=b"x" * 100000)
    assert (response.status_code, response.headers["Location"]) == (308, f"https://{HOST}/api/upload")


# The API: FastAPI on uvicorn ------------------------------------------------------------------------------

def test_what_the_api_is_told(browser):
    seen = browser.post("/api/echo/x", json={"a": 1}, headers={"X-Forwarded-For": "6.6.6.6"}).json()
    assert seen["headers"]["host"] == HOST
    assert seen["headers"]["x-forwarded-for"] == seen["headers"]["x-real-ip"] == "127.0.0.1"
    assert seen["headers"]["x-forwarded-proto"] == "https" and seen["body_length"] > 0
    assert "upgrade" not in seen["headers"]


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_large_upload(ready, framing):
    headers = {"Content-Length": str(64 * MIB)} if framing == "length" else {}
    with connect(ready, http2=False) as client:
        answer = client.post("/api/upload", content=blocks(64 * MIB), headers=headers).json()
    assert answer == {"service": "api", "sha256": digest(blocks(64 * MIB)), "length": 64 * MIB}


def test_a_large_upload_over_http2(ready, tmp_path):
    """By curl: Debian's httpx waits 40 ms for each 64 KiB, for want of TCP_NODELAY."""
    with open(tmp_path / "large", "wb") as file:
        file.writelines(blocks(64 * MIB))
    done = subprocess.run(["curl", "-sS", "--http2", "--cacert", DEVELOPMENT.ca, "--resolve", f"{HOST}:{ready.port}:127.0.0.1",
                           "--data-binary", f"@{tmp_path}/large", "-w", "\n%{http_version}", f"https://{HOST}:{ready.port}/api/upload"],
                          capture_output=True, timeout=60, check=True)
    answer, version = done.stdout.split(b"\n")
    assert json.loads(answer) == {"service": "api", "sha256": digest(blocks(64 * MIB)), "length": 64 * MIB}
    assert version == b"2"


def test_a_form_with_a_file(browser):
    content = b"picture" * 100000
    answer = browser.post("/api/form", files={"file": ("a.png", content)}).json()
    assert answer == {"name": "a.png", "sha256": hashlib.sha256(content).hexdigest(), "length": len(content)}


def test_events_of_the_api_come_one_by_one(browser):
    times = []
    with browser.stream("GET", "/api/events?count=4") as response:
        assert response.headers["Content-Type"].startswith("text/event-stream")
        for line in response.iter_lines():
            if line.startswith("data:"):
                times.append(time.monotonic())
    assert len(times) == 4 and times[-1] - times[0] > 0.4  # sent 0.2 s apart


def test_the_apis_own_refusal_passes(browser):
    response = browser.get("/api/limited")
    assert (response.status_code, response.headers["Retry-After"], response.json()) == (429, "1", {"detail": "slow down"})


# Streaming: Node and ws -----------------------------------------------------------------------------------

@pytest.mark.parametrize("path", ["/api/v1/streaming?stream=user", "/api/v1/streaming/?stream=user"])
async def test_a_websocket(ready, path):
    async with websocket(ready, path) as socket:
        seen = json.loads(await socket.recv())
        assert (seen["service"], seen["url"], seen["host"]) == ("streaming", path, HOST)
        for message in ("hello", b"\0\xff" * 5000, "x" * 300000):
            await socket.send(message)
            assert await socket.recv() == message


async def test_subprotocol_and_compression_are_the_endpoints_business(ready):
    async with websocket(ready, "/api/v1/streaming", subprotocols=["secret-token"]) as socket:
        assert socket.subprotocol == "secret-token"
        assert "permessage-deflate" in socket.response_headers["Sec-WebSocket-Extensions"]
    assert "secret-token" not in ready.access_log.read_text()


def test_events_of_streaming(browser, starmeet):
    with browser.stream("GET", "/api/v1/streaming/user?access_token=hidden-token") as response:
        lines = response.iter_lines()
        assert next(lines).strip() == ":)"
        assert [line.strip() for line in (next(lines) for _ in range(6)) if line.startswith("data")] == ["data: 0", "data: 1"]
    browser.close()  # over HTTP/2 httpx leaves a stream open until then
    wait_until(lambda: "/api/v1/streaming/user" in starmeet.access_log.read_text(), "the record")
    assert "hidden-token" not in starmeet.access_log.read_text()


# The wizard: Next.js --------------------------------------------------------------------------------------

def assets(page):
    return set(re.findall(r'(?:src|href)="(/_next/[^"]+)"', page))


@pytest.mark.parametrize("path, text", [("/join", "wizard: join"), ("/join/step", "wizard: step")])
def test_a_page_and_all_its_assets(browser, path, text):
    page = browser.get(path)
    assert page.status_code == 200 and text in page.text
    found = assets(page.text)
    assert any(".js" in asset for asset in found) and any(".css" in asset for asset in found)
    for asset in found:
        response = browser.get(asset.replace("&amp;", "&"))
        assert response.status_code == 200 and "immutable" in response.headers["Cache-Control"], asset


def test_assets_are_not_changed(browser, services):
    asset = sorted(assets(browser.get("/join").text))[0]
    direct = httpx.get(f"http://{services['wizard'].address}{asset}")
    through = browser.get(asset)
    assert through.content == direct.content and through.headers["ETag"] == direct.headers["ETag"]
    assert browser.get(asset, headers={"If-None-Match": direct.headers["ETag"]}).status_code == 304


def test_the_wizard_knows_who_asks(browser):
    assert f"host={HOST} for=127.0.0.1 proto=https" in browser.get("/join/step").text


def test_navigation_data(browser):
    response = browser.get("/join/step?_rsc=1", headers={"RSC": "1"})
    assert response.headers["Content-Type"].startswith("text/x-component") and "RSC" in response.headers["Vary"].upper()


def test_a_trailing_slash_is_the_wizards_to_redirect(browser):
    response = browser.get("/join/")
    assert (response.status_code, response.headers["Location"]) == (308, "/join")


def test_pages_in_dev_mode(starmeet_in_dev_mode):
    with connect(starmeet_in_dev_mode, timeout=60) as client:
        wait_until(lambda: client.get("/join").status_code == 200, "the wizard")
        for asset in assets(client.get("/join").text):
            assert client.get(asset.replace("&amp;", "&")).status_code == 200, asset


async def test_hot_reload_in_dev_mode(starmeet_in_dev_mode):
    async with websocket(starmeet_in_dev_mode, "/_next/webpack-hmr", origin=f"https://{HOST}") as socket:
        assert json.loads(await socket.recv())["action"]


# The default site: Rack on puma ---------------------------------------------------------------------------

def test_a_session_cookie_passes(browser):
    assert [browser.get("/session").json()["visits"] for _ in range(3)] == [1, 2, 3]


def test_media_up_to_the_routes_limit(browser, starmeet):
    assert browser.post("/media", content=b"x" * (2 * MIB)).json()["length"] == 2 * MIB
    with starmeet.client() as client:  # refused by its length alone
        assert client.ask(get("/media", "POST", HOST, content_length=100 * MIB)).status == 413


def test_a_redirect_of_the_application(browser):
    response = browser.get("/sign_in")
    assert response.status_code == 302 and re.fullmatch(f"https?://{HOST}/home", response.headers["Location"])


def test_httpoxy(browser):
    assert browser.get("/", headers={"Proxy": "http://evil.test"}).json()["proxy"] is None


# The log --------------------------------------------------------------------------------------------------

def test_records_name_route_and_upstream(browser, starmeet):
    expected = {"/api/echo/logged": ("/api", "api"), "/join?logged": ("/join", "wizard"), "/logged": ("/", "web")}
    for target in expected:
        browser.get(target)
    wait_until(lambda: all(f'"{target}"' in starmeet.access_log.read_text() for target in expected), "the records")
    records = {record.target: record for record in starmeet.log_records()}
    assert {target: (records[target].route, records[target].upstream) for target in expected} == expected
    assert {records[target].cause for target in expected} == {"ok"}
