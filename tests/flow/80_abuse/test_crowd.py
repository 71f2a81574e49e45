"""client: how many connections there may be of one client and in total, over all threads."""
import socket
import struct

import pytest

from lib.client import Client, get, post
from lib.ports import free_port
from lib.tls import Authority, TlsClient, client_context, tls_listener
from lib.upstream import named
from lib.wait import wait_until
from lib.wire import Wire

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


class From(Wire):
    """A client with this address."""

    def __init__(self, address, port):
        super().__init__(socket.create_connection(("127.0.0.1", port), source_address=(address, 0)))


def proxied(source):
    """A PROXY header, version 2, of a TCP connection from this address."""
    return SIGNATURE + struct.pack("!BBH4s4sHH", 0x21, 0x11, 12, socket.inet_aton(source), socket.inet_aton("192.0.2.9"), 1, 80)


def ask(client):
    client.send(get("/"))
    return client.response()


def assert_refused(client):
    response = ask(client)
    assert response.status == 503 and int(response.get("Retry-After")) >= 1
    assert response.get("Connection") == "close"
    assert client.ended()


@pytest.mark.threads
def test_one_client_has_so_many(portico, upstream):
    gateway = portico(upstream(named("app")), process={"threads": 2}, client={"connections_per_client": 5})
    clients = [From("127.0.0.2", gateway.port) for _ in range(5)]
    assert [ask(client).status for client in clients] == [200] * 5
    for _ in range(10):
        assert_refused(From("127.0.0.2", gateway.port))
    with From("127.0.0.3", gateway.port) as other:
        assert ask(other).status == 200
    assert [ask(client).status for client in clients] == [200] * 5
    assert "reason=too_many_connections" in gateway.stderr()
    assert gateway.stderr().count("reason=too_many_connections") <= 2  # for each thread once in a while
    clients.pop().close()
    wait_until(lambda: ask(From("127.0.0.2", gateway.port)).status == 200, "the place of the one that left")


def test_a_request_that_comes_with_the_connection_is_answered(portico, upstream):
    """Nothing is lost in a reset, also when there is more to come than is read."""
    gateway = portico(upstream(named("app")), client={"connections_per_client": 1})
    with From("127.0.0.2", gateway.port) as first:
        assert ask(first).status == 200
        for _ in range(20):
            with From("127.0.0.2", gateway.port) as refused:
                refused.send(post(b"x" * 30_000))
                assert refused.response().status == 503


def is_told(client):
    """Whether it is answered; others have been sent away without a word."""
    try:
        client.send(get("/"))
        return client.rest().startswith(b"HTTP/1.1 503")
    except OSError:
        return False


def test_many_refusals_are_short(portico, upstream):
    gateway = portico(upstream(named("app")), client={"connections_per_client": 1})
    with From("127.0.0.2", gateway.port) as first:
        assert ask(first).status == 200
        refused = [From("127.0.0.2", gateway.port) for _ in range(200)]  # none of them asks, nor closes
        with From("127.0.0.3", gateway.port) as other:
            assert ask(other).status == 200
        told = sum(is_told(client) for client in refused)
        assert 0 < told < 200
        assert ask(first).status == 200


def test_on_a_tls_port_there_is_no_handshake(portico, upstream, tmp_path):
    authority, port = Authority(tmp_path), free_port()
    authority.make("one.test")
    gateway = portico(upstream(named("app")), client={"connections_per_client": 1}, listen=[tls_listener(port)],
                      tls={"certificates": [authority.setting("one.test")]})
    with From("127.0.0.2", gateway.port) as first:
        assert ask(first).status == 200
        with From("127.0.0.2", port) as refused:
            assert refused.rest() == b""


def test_handshakes_count_from_their_beginning(portico, upstream, tmp_path):
    """Whoever begins many and goes on with none has no more of them under way than connections."""
    authority, port = Authority(tmp_path), free_port()
    authority.make("one.test")
    gateway = portico(upstream(named("app")), client={"connections_per_client": 5}, listen=[tls_listener(port)],
                      tls={"certificates": [authority.setting("one.test")]})
    begun = [From("127.0.0.2", port) for _ in range(5)]
    for client in begun:
        client.send(b"\x16\x03\x01")
    with From("127.0.0.2", port) as refused:
        assert refused.rest() == b""
    with TlsClient(port, client_context(authority)) as other:
        assert other.get("/", host="one.test").body == b"app"
    for client in begun:
        client.close()
    wait_until(lambda: ask(From("127.0.0.2", gateway.port)).status == 200, "their places")


def test_trusted_proxies_are_exempt(portico, upstream):
    gateway = portico(upstream(named("app")), client={"connections_per_client": 1}, trusted_proxies=["127.0.0.2/32"])
    clients = [From("127.0.0.2", gateway.port) for _ in range(5)]
    assert [ask(client).status for client in clients] == [200] * 5
    with From("127.0.0.3", gateway.port) as other:
        assert ask(other).status == 200
        assert_refused(From("127.0.0.3", gateway.port))


def test_behind_a_proxy_header_its_client_counts(portico, upstream):
    port = free_port()
    gateway = portico(upstream(named("app")), client={"connections_per_client": 2}, trusted_proxies=["127.0.0.0/8"],
                      listen=[{"address": f"127.0.0.1:{port}", "proxy_protocol": True}])
    clients = [Client(port) for _ in range(3)]
    for client in clients:
        client.send(proxied("192.0.2.1"))
    statuses = sorted(ask(client).status for client in clients)
    assert statuses == [200, 200, 503]
    with Client(port) as other:
        other.send(proxied("192.0.2.2"))
        assert ask(other).status == 200


@pytest.mark.threads
def test_the_total_waits_in_the_backlog(portico, upstream):
    gateway = portico(upstream(named("app")), process={"threads": 2}, client={"connections_max": 3})
    clients = [gateway.client() for _ in range(3)]
    assert [client.get("/").status for client in clients] == [200] * 3
    with gateway.client() as late:
        late.send(get("/"))
        assert [client.get("/").status for client in clients] == [200] * 3
        assert len(gateway.log_records(6)) == 6
        clients.pop().close()
        assert late.response().status == 200


def test_nobody_is_counted_without_the_setting(portico, upstream):
    gateway = portico(upstream(named("app")))
    clients = [gateway.client() for _ in range(100)]
    assert {client.get("/").status for client in clients} == {200}
