"""access: who may come in by address, as the trusted proxies tell it; the rest gets 403 before any upstream is asked."""
import random
import socket
import subprocess

import pytest

from lib.client import get, upgrade
from lib.faults import assert_made_here
from lib.gateway import route_to
from lib.upstream import answers, named, respond
from lib.users import basic, users
from lib.wait import BINARY
from lib.wire import Wire


def start(portico, upstream, access, **config):
    app = upstream(named("app"))
    return app, portico({"app": app}, routes=[route_to("app", "/open"), route_to("app", access=access)], **config)


@pytest.mark.parametrize("access,status", [
    ({"allow": ["127.0.0.0/8"]}, 200),
    ({"allow": ["10.0.0.0/8"]}, 403),
    ({"deny": ["127.0.0.1"]}, 403),
    ({"deny": ["all"], "allow": ["127.0.0.1"]}, 200),
])
def test_by_the_connections_address(portico, upstream, access, status):
    app, gateway = start(portico, upstream, access)
    with gateway.client() as client:
        response = client.get("/")
        assert response.status == status
        if status == 403:
            assert_made_here(response, "access_denied")
            assert client.ask(upgrade()).status == 403  # the connection lives on; an upgrade is refused before its 101
            assert not app.requests
        assert client.get("/open").status == 200


def test_whoever_is_behind_a_trusted_proxy_counts(portico, upstream):
    _, gateway = start(portico, upstream, {"allow": ["192.0.2.0/24"]}, trusted_proxies=["127.0.0.0/8"])
    with gateway.client() as client:
        assert client.get(x_forwarded_for="192.0.2.9").status == 200
        assert client.get(x_forwarded_for="192.0.2.9, 203.0.113.1").status == 403  # the left one is hearsay
        assert client.get(x_forwarded_for="::ffff:192.0.2.9").status == 200
        assert client.get().status == 403


OURS, OTHERS = "192.0.2.9", "198.51.100.1"
ANY = {"allow": ["192.0.2.0/24"], "satisfy": "any"}


def test_an_address_or_a_password(portico, upstream):
    app, gateway = start(portico, upstream, ANY, defaults={"basic_auth": users(anna="secret")}, trusted_proxies=["127.0.0.0/8"])
    right, wrong = basic("anna", "secret"), basic("anna", "guess")
    with gateway.client() as client:
        assert client.get(x_forwarded_for=OURS).status == 200
        assert client.get(x_forwarded_for=OURS, authorization=wrong).status == 200
        assert client.get(x_forwarded_for=OTHERS, authorization=right).status == 200
        assert_made_here(client.get(x_forwarded_for=OTHERS, authorization=wrong), "credentials_wrong")
        asked = client.get(x_forwarded_for=OTHERS)
        assert_made_here(asked, "credentials_missing")
        assert asked.get("WWW-Authenticate") == 'Basic realm="Restricted", charset="UTF-8"'
        assert client.get("/open", x_forwarded_for=OURS).status == 401  # where nothing is said of addresses
    assert [request.get("Authorization") for request in app.requests] == [None] * 3


def test_an_address_or_a_service(portico, upstream):
    judge = upstream(answers(respond(403, b"no")))
    app = upstream(named("app"))
    gateway = portico({"app": app, "judge": judge}, defaults={"access": ANY}, trusted_proxies=["127.0.0.0/8"],
                      routes=[route_to("app", "/plain"), route_to("app", forward_auth={"upstream": "judge", "copy": ["Remote-User"]})])
    with gateway.client() as client:
        assert client.get(x_forwarded_for=OURS, remote_user="root").status == 200
        assert client.get(x_forwarded_for=OTHERS).body == b"no"
        assert client.get("/plain", x_forwarded_for=OTHERS).status == 403  # nothing else could let it in
    assert len(judge.requests) == 1 and app.requests[0].get("Remote-User") is None


def test_nobody_elses_word_counts(portico, upstream):
    _, gateway = start(portico, upstream, {"allow": ["192.0.2.0/24"]})
    with gateway.client() as client:
        for field in ("x_forwarded_for", "x_real_ip", "forwarded"):
            assert client.get(**{field: "192.0.2.9"}).status == 403


@pytest.mark.parametrize("access,status", [({"allow": ["unix"]}, 200), ({"allow": ["127.0.0.0/8"]}, 403),
                                           ({"deny": ["127.0.0.0/8"]}, 200), ({"deny": ["all"]}, 403)])
def test_clients_of_unix_sockets(portico, upstream, tmp_path, access, status):
    path = str(tmp_path / "portico.sock")
    start(portico, upstream, access, listen=[{"address": f"unix:{path}"}])
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(path)
    with Wire(_Quiet(sock)) as client:
        client.send(get("/"))
        assert client.response().status == status


class _Quiet:
    """A Unix socket that has no Nagle to be turned off."""

    def __init__(self, sock):
        self.sock = sock

    def setsockopt(self, *_):
        pass

    def __getattr__(self, name):
        return getattr(self.sock, name)


def test_ten_thousand_networks(portico, upstream):
    generator = random.Random(7)
    denied = {f"{generator.randrange(1, 100)}.{generator.randrange(256)}.{generator.randrange(256)}.0/24" for _ in range(10_000)}
    _, gateway = start(portico, upstream, {"deny": sorted(denied)}, trusted_proxies=["127.0.0.0/8"])
    with gateway.client() as client:
        for network in sorted(denied)[::500]:
            prefix = network.rpartition(".")[0]
            assert client.get(x_forwarded_for=f"{prefix}.77").status == 403, network
        assert client.get(x_forwarded_for="203.0.113.5").status == 200


def test_explain_names_the_line(portico, upstream):
    _, gateway = start(portico, upstream, {"allow": ["10.0.0.0/8"]})
    asked = subprocess.run([BINARY, "explain", gateway.config_file, "GET", "http://portico.test/"], capture_output=True, text=True,
                           timeout=20)
    line = next(line for line in asked.stdout.splitlines() if "access" in line and "is in" in line)
    assert "192.0.2.1 is in none of the networks: refused" in line and f"{gateway.config_file}:" in line
    assert "access_denied" in asked.stdout and asked.returncode == 1
