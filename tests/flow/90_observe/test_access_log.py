"""One access record for each exchange: what it holds, what it never holds, and the one cause it names."""
import re
import time

import pytest

from lib.client import get, post, upgrade
from lib.gateway import route_to
from lib.records import FIELDS, LEFT_OUT, NO_FAULT
from lib.upstream import answers, named, ok, repeat_bytes, websocket
from lib.wait import wait_until

MS = 1000


def record_of(gateway, request, **settings):
    with gateway.client(**settings) as client:
        response = client.ask(request)
    return gateway.last_record(), response


def test_every_field(portico, upstream):
    app = upstream(answers(ok(b"12345")))
    gateway = portico({"app": app}, sites=[{"hosts": ["portico.test"], "routes": [route_to("app", "/shop")]}])
    begun = time.time()
    record, _ = record_of(gateway, post(b"123", "/shop/cart?id=1", referer="https://a.test/", user_agent="tests/1"))
    assert set(FIELDS) >= set(record.values) >= set(FIELDS) - LEFT_OUT
    assert (record.client, record.method, record.host, record.target) == ("127.0.0.1", "POST", "portico.test", "/shop/cart?id=1")
    assert (record.protocol, record.status, record.cause) == ("HTTP/1.1", 200, NO_FAULT)
    assert (record.site, record.route, record.upstream, record.endpoint) == ("portico.test", "/shop", "app", app.address)
    assert (record.bytes_in, record.bytes_out, record.attempts) == (3, 5, 1)
    assert (record.referer, record.user_agent) == ("https://a.test/", "tests/1")
    assert re.fullmatch(r"[0-9a-f]{32}", record.request_id)
    assert re.match(time.strftime("%Y-", time.gmtime(begun)), str(record.time))


def test_the_four_timings(portico, upstream):
    def script(connection):
        connection.request()
        time.sleep(0.2)
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na")
        time.sleep(0.2)
        connection.send(b"b")

    gateway = portico(upstream(script))
    with gateway.client() as client:
        client.send(get("/", "POST", content_length=2) + b"a")
        time.sleep(0.2)
        assert client.ask(b"b", "POST").body == b"ab"
    record = gateway.last_record()
    assert 0 <= record.connect_us < 190 * MS <= record.upload_us < record.first_byte_us < record.total_us
    assert record.first_byte_us >= 380 * MS and record.total_us >= 570 * MS


def test_bytes_are_those_of_the_content(portico, upstream):
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    gateway = portico(upstream(answers(chunked)))
    record, _ = record_of(gateway, get("/", "POST", transfer_encoding="chunked") + b"4\r\nwxyz\r\n0\r\n\r\n")
    assert (record.bytes_in, record.bytes_out) == (4, 5)


def test_each_exchange_has_its_own_record_and_id(portico, upstream):
    gateway = portico(upstream(named("app")))
    with gateway.client() as client:
        for number in range(20):
            client.get(f"/{number}")
    records = gateway.log_records(20)
    assert [record.target for record in records] == [f"/{number}" for number in range(20)]
    assert len({record.request_id for record in records}) == 20


def test_the_upstream_is_told_the_request_id(portico, upstream):
    app = upstream(named("app"))
    record, _ = record_of(portico(app), get("/", x_request_id="forged"))
    assert app.requests[0].get("X-Request-Id") == record.request_id


@pytest.mark.parametrize("target, printed", [
    ("/a?access_token=hidden", "/a?access_token=[redacted]"),
    ("/a?x=1&token=hidden&y=2", "/a?x=1&token=[redacted]&y=2"),
    ("/a?code=hidden&state=s", "/a?code=[redacted]&state=s"),
    ("/a?sig=hidden", "/a?sig=[redacted]"),
    ("/a?ACCESS_TOKEN=hidden", "/a?ACCESS_TOKEN=[redacted]"),
    ("/a?access%5Ftoken=hidden", "/a?access%5Ftoken=[redacted]"),
    ("/a?decode=1&tokens=2", "/a?decode=1&tokens=2"),
])
@pytest.mark.parametrize("style", ["json", "combined"])
def test_secrets_in_the_query_are_not_logged(portico, upstream, target, printed, style):
    gateway = portico(upstream(named("app")), log={"format": style})
    with gateway.client() as client:
        client.get(target, referer=f"https://a.test{target}")
    (line,) = gateway.log_lines(1)
    assert printed in line and f"https://a.test{printed}" in line and "hidden" not in line


@pytest.mark.parametrize("style", ["json", "combined"])
def test_secrets_in_fields_are_not_logged(portico, upstream, style):
    gateway = portico(upstream(answers(ok(set_cookie="id=hidden"))), log={"format": style})
    with gateway.client() as client:
        client.get("/", authorization="Bearer hidden", cookie="id=hidden", proxy_authorization="hidden",
                   sec_websocket_protocol="hidden")
        client.send(b"GET / HTTP/1.1\r\nHost: portico.test\r\nCookie: hidden\x01\r\nAuthorization: hidden\r\n\r\n")
        client.rest()
    gateway.log_lines(2)
    gateway.stop()
    assert "hidden" not in gateway.access_log.read_text() + gateway.stderr()


COMBINED = re.compile(r'127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] '
                      r'"GET /shop\?id=1 HTTP/1\.1" 200 5 "https://a\.test/" "tests/1"')


def test_combined(portico, upstream):
    gateway = portico(upstream(answers(ok(b"12345"))), log={"format": "combined"})
    with gateway.client() as client:
        client.get("/shop?id=1", referer="https://a.test/", user_agent="tests/1")
    (line,) = gateway.log_lines(1)
    assert COMBINED.match(line), line


def test_combined_says_a_dash_for_what_is_not_there(portico, upstream):
    gateway = portico(upstream(answers(ok(b""))), log={"format": "combined"})
    with gateway.client() as client:
        client.get("/")
    assert '"GET / HTTP/1.1" 200 0 "-" "-"' in gateway.log_lines(1)[0]


@pytest.mark.parametrize("agent", ['quote " and \\ backslash', "tab\there", "caf\u00e9 \u00ff", "%22%0a"])
def test_no_client_can_forge_a_line(portico, upstream, agent):  # A41
    json_log = portico(upstream(named("app")))
    combined_log = portico(upstream(named("app")), log={"format": "combined"})
    for gateway in (json_log, combined_log):
        with gateway.client() as client:
            client.get("/", user_agent=agent)
    assert json_log.last_record().status == 200  # it is JSON
    (line,) = combined_log.log_lines(1)
    assert re.fullmatch(r'[^"]*"GET / HTTP/1\.1" 200 3 "-" "(?:[^"\\]|\\.)*".*', line) and line.isprintable()


def test_a_tunnel_has_one_record_at_its_end(portico, upstream):
    gateway = portico(upstream(websocket(repeat_bytes)))
    with gateway.client() as client:
        assert client.ask(upgrade("/live")).status == 101
        client.send(b"hello")
        client.exactly(5)
        assert gateway.log_lines() == []
    record = gateway.last_record()
    assert (record.status, record.target, record.cause) == (101, "/live", NO_FAULT)


def test_what_could_not_be_parsed_is_logged_too(portico, upstream):
    gateway = portico(upstream())
    gateway.raw(b"nonsense\r\n\r\n")
    record = gateway.last_record()
    assert (record.status, record.cause, record.upstream or "") == (400, "bad_request_line", "")


def test_connections_without_a_request_are_not_exchanges(portico, upstream):
    gateway = portico(upstream(named("app")))
    for _ in range(5):
        gateway.client().close()
    with gateway.client() as client:
        client.get("/only")
    gateway.stop()
    assert [record.target for record in gateway.log_records()] == ["/only"]


def test_the_log_is_complete_when_the_gateway_has_stopped(portico, upstream):
    gateway = portico(upstream(named("app")), process={"threads": 2})
    for _ in range(30):
        with gateway.client() as client:
            client.get("/")
    gateway.stop()
    assert len(gateway.access_log.read_text().splitlines()) == 30


def test_records_are_written_soon(portico, upstream):
    gateway = portico(upstream(named("app")))
    with gateway.client() as client:
        client.get("/")
        wait_until(lambda: gateway.access_log.read_text().endswith("\n"), "the record", 2)
