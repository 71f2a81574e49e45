"""Listeners that redirect to https or take the PROXY protocol, with and without TLS."""
import contextlib
import socket
import struct
import time

import pytest

from lib.client import Client, get, post
from lib.ports import free_port
from lib.upstream import echo
from lib.wait import wait_until

ROUTES = [{"prefix": "/", "upstream": "app"}]
SITES = [{"hosts": ["one.test", "www.one.test", "*.wild.test"], "routes": ROUTES}]
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


# redirect: https ------------------------------------------------------------------------------------------

@pytest.fixture
def redirecting(portico, upstream):
    def start(**settings):
        port = free_port()
        gateway = portico(upstream(echo), listen=[{"address": f"127.0.0.1:{port}", "redirect": "https"}],
                          **{"sites": SITES, **settings})
        return Client(port), gateway
    return start


@pytest.mark.parametrize("method,status", [("GET", 301), ("HEAD", 301), ("POST", 308), ("DELETE", 308), ("OPTIONS", 308)])
def test_status_by_method(redirecting, method, status):
    client, _ = redirecting()
    response = client.ask(get("/a/b?c=%20d", method, host="one.test"), method)
    assert response.status == status
    assert response.get("Location") == "https://one.test/a/b?c=%20d"


@pytest.mark.parametrize("host,name", [("ONE.test", "one.test"), ("www.one.test:8080", "www.one.test"), ("a.b.wild.test", "a.b.wild.test")])
def test_name_is_the_site_s(redirecting, host, name):
    client, _ = redirecting()
    assert client.get("/", host=host).get("Location") == f"https://{name}/"


def test_unknown_hosts_are_misdirected(redirecting):
    client, _ = redirecting()
    response = client.get("/", host="evil.test")
    assert response.status == 421 and response.get("Location") is None


def test_a_site_for_any_host_names_its_own(redirecting):
    client, _ = redirecting(sites=[{"hosts": ["*", "one.test"], "routes": ROUTES}])
    assert client.get("/x", host="evil.test").get("Location") == "https://one.test/x"


def test_the_target_stays_as_it_came(redirecting):
    client, _ = redirecting()
    assert client.get("//evil.test/x", host="one.test").get("Location") == "https://one.test//evil.test/x"
    assert client.get("/caf%C3%A9/%41", host="one.test").get("Location") == "https://one.test/caf%C3%A9/%41"


def test_a_body_is_not_waited_for(redirecting):
    client, gateway = redirecting()
    response = client.ask(post(b"x" * 100000, "/upload", host="one.test"))
    assert response.status == 308
    record = gateway.last_record()
    assert (record.status, record.cause, record.site) == (308, "ok", "one.test")


def test_keep_alive(redirecting):
    client, _ = redirecting()
    for _ in range(3):
        assert client.get("/", host="one.test").status == 301


# acme_challenge -------------------------------------------------------------------------------------------

CHALLENGE = "/.well-known/acme-challenge/"


@pytest.fixture
def challenged(redirecting, tmp_path):
    folder = tmp_path / "challenges"
    folder.mkdir()
    (folder / "token-1_A").write_text("token-1_A.thumbprint")
    (folder / "large").write_text("x" * 5000)
    (folder / "link").symlink_to("/etc/passwd")
    (folder / "folder").mkdir()
    (tmp_path / "secret").write_text("secret")
    return redirecting(tls={"acme_challenge": str(folder)})[0]


def test_challenges_are_served_in_plain(challenged):
    response = challenged.get(CHALLENGE + "token-1_A", host="any.test")
    assert response.status == 200 and response.body == b"token-1_A.thumbprint"
    assert challenged.ask(get(CHALLENGE + "token-1_A", "HEAD", host="one.test"), "HEAD").get("Content-Length") == "20"


@pytest.mark.parametrize("token", ["missing", "large", "link", "folder", "", "token-1_A/", "..", ".", "token-1_A.x", "a" * 200])
def test_nothing_else_is_served(challenged, token):
    assert challenged.get(CHALLENGE + token, host="one.test").status in (301, 404)


@pytest.mark.parametrize("token", ["../secret", "%2e%2e/secret", "..%2fsecret", "%2e%2e%2fsecret", "token%00", "/etc/passwd"])
def test_the_folder_is_not_left(challenged, token):
    response = challenged.get(CHALLENGE + token, host="one.test")
    assert response.status in (301, 400, 404) and b"secret" not in response.body.replace(token.encode(), b"")


def test_without_a_folder_challenges_are_routed(redirecting):
    client, _ = redirecting()
    assert client.get(CHALLENGE + "x", host="one.test").status == 200
    assert client.get("/.well-known/acme-challenges", host="one.test").status == 301


# PROXY protocol -------------------------------------------------------------------------------------------

def v2(source="192.0.2.1", port=56324, command=0x21, extensions=b""):
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    addresses = 2 * socket.inet_pton(family, source) + struct.pack(">HH", port, 443)
    kind = 0x21 if family == socket.AF_INET6 else 0x11
    body = addresses + extensions
    return SIGNATURE + struct.pack(">BBH", command, kind, len(body)) + body


V1 = b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n"


@pytest.fixture
def proxied(portico, upstream):
    def start(trusted=("127.0.0.0/8",), **settings):
        port = free_port()
        gateway = portico(upstream(echo), listen=[{"address": f"127.0.0.1:{port}", "proxy_protocol": True}],
                          trusted_proxies=list(trusted), **settings)
        gateway.proxied_port = port
        return gateway
    return start


def forwarded_for(response):
    return {key.lower(): value for key, value in response.json["fields"]}["x-forwarded-for"]


@pytest.mark.parametrize("header,client", [
    (V1, "192.0.2.1"), (b"PROXY TCP6 2001:db8::1 ::1 1 2\r\n", "2001:db8::1"), (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    (v2(), "192.0.2.1"), (v2("2001:db8::1"), "2001:db8::1"), (v2(extensions=b"\x04\0\x05hello"), "192.0.2.1"),
    (v2(command=0x20), "127.0.0.1")])
def test_the_client_is_the_header_s(proxied, header, client):
    gateway = proxied()
    with Client(gateway.proxied_port) as connection:
        assert forwarded_for(connection.ask(header + get("/"), "GET")) == client
        assert forwarded_for(connection.get("/")) == client
    assert gateway.last_record(2).client == client


def test_a_header_in_pieces(proxied):
    gateway = proxied()
    for header in (V1, v2()):
        with Client(gateway.proxied_port) as connection:
            connection.send_slowly(header + get("/"))
            assert forwarded_for(connection.response("GET")) == "192.0.2.1"


def test_what_the_header_says_is_trusted_no_further(proxied):
    """X-Forwarded-For of a client behind the balancer is that client's own word."""
    gateway = proxied()
    with Client(gateway.proxied_port) as connection:
        response = connection.ask(V1 + get("/", x_forwarded_for="203.0.113.9"), "GET")
        assert forwarded_for(response) == "192.0.2.1"


def assert_closed_silently(port, data):
    with socket.create_connection(("127.0.0.1", port), timeout=15) as client:
        with contextlib.suppress(OSError):
            client.sendall(data)
            assert client.recv(100) == b""


@pytest.mark.parametrize("data", [get("/"), b"PROXY TCP4 x y 1 2\r\n" + get("/"), SIGNATURE + b"\x31\x11\0\x0c" + b"x" * 12,
                                  b"PROXY " + b"x" * 200, b"\x16\x03\x01"])
def test_anything_else_is_closed_without_an_answer(proxied, data):
    gateway = proxied()
    assert_closed_silently(gateway.proxied_port, data)


def test_strangers_are_closed_without_an_answer(proxied):
    gateway = proxied(trusted=["192.0.2.0/24"])
    assert_closed_silently(gateway.proxied_port, V1 + get("/"))


def test_a_header_on_a_usual_listener_is_no_header(proxied):
    gateway = proxied()
    assert gateway.raw(V1 + get("/"))[0].status == 400


def test_a_slow_header_ends(proxied):
    gateway = proxied()
    begun = time.monotonic()
    assert_closed_silently(gateway.proxied_port, V1[:20])
    assert 2.5 < time.monotonic() - begun < 5


def test_a_header_before_tls(secure, upstream):
    gateway = secure(upstream(echo), listener={"proxy_protocol": True}, trusted_proxies=["127.0.0.1/32"])
    for header in (V1, v2()):
        with gateway.connect(before=header) as client:
            response = client.get()
            assert forwarded_for(response) == "192.0.2.1"
            assert {key.lower(): value for key, value in response.json["fields"]}["x-forwarded-proto"] == "https"


def test_draining_ends_openings(proxied):
    gateway = proxied()
    with socket.create_connection(("127.0.0.1", gateway.proxied_port)):
        wait_until(lambda: gateway.descriptors() > 0, "the connection")
        gateway.stop()
