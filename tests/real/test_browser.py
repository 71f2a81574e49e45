"""A browser on StarMeet: Chromium verifies the certificate, speaks HTTP/2, and talks WebSocket on the same connection."""
import json

import pytest

from conftest import HOST
from lib.tls import DEVELOPMENT
from lib.wait import wait_until
from webdriver import Browser

PAGE = f"https://{HOST}/join"
PATIENCE = 20


@pytest.fixture(scope="module")
def chromium(starmeet, logs):
    folder = logs / "chromium"
    folder.mkdir()
    places = [(f"{HOST}:443", f"127.0.0.1:{starmeet.port}"), (f"{HOST}:80", f"127.0.0.1:{starmeet.plain_port}"),
              ("other.test:443", f"127.0.0.1:{starmeet.port}")]
    browser = Browser(folder, DEVELOPMENT.ca, places)
    yield browser
    browser.stop()
    assert browser.processes() == []


@pytest.fixture
def page(chromium, ready):
    chromium.open(PAGE)
    assert chromium.text("h1") == "wizard: join"
    return chromium


def becomes(browser, selector, text):
    wait_until(lambda: text in browser.text(selector), f"{text} in {selector}", PATIENCE)


def test_pages_and_assets_come_over_http2(page):
    transfers = page.transfers()
    assert transfers[0] == ["/join", "h2"]
    kinds = {path.rsplit(".", 1)[-1] for path, _ in transfers[1:] if path.startswith("/_next/")}
    assert {"js", "css"} <= kinds
    assert {protocol for _, protocol in transfers} == {"h2"}, transfers


def test_the_page_comes_alive(page):
    for number in range(3):
        becomes(page, "#counter", f"pressed {number} times")
        page.click("#counter")


def test_navigation_within_the_application(page):
    page.script("window.kept = 'the same document'")
    page.click("a")
    becomes(page, "h1", "wizard: step")
    assert page.script("return [location.pathname, window.kept]") == ["/join/step", "the same document"]
    assert "proto=https" in page.text("p")
    assert {protocol for _, protocol in page.transfers()} == {"h2"}


def test_a_websocket_is_a_stream_of_the_http2_connection(page, starmeet):
    """RFC 8441: Chromium sends an extended CONNECT only where SETTINGS_ENABLE_CONNECT_PROTOCOL came before, else it opens
    another connection for HTTP/1.1. The record names method and status as the upstream's HTTP/1.1 has them.
    """
    before = len(starmeet.log_records())
    page.click("#connect")
    becomes(page, "#lines", "hello from the page")
    greeting = json.loads(page.text("#lines li:first-child"))
    assert (greeting["service"], greeting["host"], greeting["forwardedFor"]) == ("streaming", HOST, "127.0.0.1")
    page.click("#leave")
    becomes(page, "#lines", "closed 1000")
    tunnels = wait_until(lambda: [record for record in starmeet.log_records()[before:] if record.tunneled], "the record")
    (record,) = tunnels
    assert (record.protocol, record.method, record.status, record.cause) == ("HTTP/2.0", "GET", 101, "ok")
    assert (record.target, record.upstream) == ("/api/v1/streaming?stream=public", "streaming")
    assert "Chrom" in record.user_agent and record.bytes_in > 0 and record.bytes_out > 0


def test_plain_http_ends_on_https(chromium, ready):
    chromium.open(f"http://{HOST}/join?from=plain")
    assert chromium.script("return location.href") == f"https://{HOST}/join?from=plain"


def test_a_name_that_the_certificate_does_not_have(chromium, ready):
    """So the pages above were verified, not just taken."""
    chromium.open("https://other.test/")
    assert "ERR_CERT_COMMON_NAME_INVALID" in chromium.text("body")
