"""trusted_proxies, trusted_hops, forwarded: who asked, who may say so, and what the service is told about it."""
import json

import pytest

from lib.client import get
from lib.faults import assert_made_here
from lib.upstream import echo

LOCAL = ["127.0.0.1/32"]


def seen(response):
    """The request's fields as the upstream saw them; several of a name are joined."""
    fields = {}
    for name, value in json.loads(response.body)["fields"]:
        fields[name.lower()] = f"{fields[name.lower()]}|{value}" if name.lower() in fields else value
    return fields


def ask(gateway, **fields):
    with gateway.client() as client:
        return seen(client.get("/", **fields))


@pytest.mark.parametrize("hops,sent,client", [
    (1, "6.6.6.6, 203.0.113.9, 198.51.100.1", "198.51.100.1"),
    (2, "6.6.6.6, 203.0.113.9, 198.51.100.1", "203.0.113.9"),
    (2, "203.0.113.9", "203.0.113.9"),
    (2, "6.6.6.6, evil, 198.51.100.1", "198.51.100.1"),
])
def test_hops_are_counted_from_the_right(portico, upstream, hops, sent, client):
    gateway = portico({"app": upstream(echo)}, trusted_proxies=LOCAL, trusted_hops=hops)
    fields = ask(gateway, x_forwarded_for=sent)
    assert fields["x-real-ip"] == client
    assert fields["x-forwarded-for"] == f"{sent}, 127.0.0.1"
    assert gateway.last_record().client == client


def test_hops_need_a_trusted_connection(portico, upstream):
    gateway = portico({"app": upstream(echo)}, trusted_proxies=["10.0.0.0/8"], trusted_hops=1)
    assert ask(gateway, x_forwarded_for="6.6.6.6")["x-real-ip"] == "127.0.0.1"


def test_forwarded_of_a_trusted_proxy_counts_when_it_sends_nothing_else(portico, upstream):
    gateway = portico({"app": upstream(echo)}, trusted_proxies=LOCAL)
    sent = 'for=6.6.6.6, for="[2001:db8::9]:4711";proto=https;host=a.test'
    fields = ask(gateway, forwarded=sent)
    assert (fields["x-real-ip"], fields["x-forwarded-proto"]) == ("2001:db8::9", "https")
    assert fields["x-forwarded-for"] == "2001:db8::9, 127.0.0.1" and "forwarded" not in fields
    both = ask(gateway, forwarded=sent, x_forwarded_for="203.0.113.9")
    assert (both["x-real-ip"], both["x-forwarded-proto"]) == ("203.0.113.9", "http") and "forwarded" not in both


def test_forwarded_of_anybody_else_says_nothing(portico, upstream):
    gateway = portico({"app": upstream(echo)})
    fields = ask(gateway, forwarded="for=6.6.6.6;proto=https")
    assert (fields["x-real-ip"], fields["x-forwarded-proto"]) == ("127.0.0.1", "http") and "forwarded" not in fields


@pytest.mark.parametrize("trusted", [[], LOCAL])
def test_forwarded_is_written_when_asked_for(portico, upstream, trusted):
    gateway = portico({"app": upstream(echo)}, trusted_proxies=trusted, defaults={"forwarded": True})
    fields = ask(gateway, forwarded="for=6.6.6.6", x_forwarded_for="203.0.113.9", x_forwarded_proto="https")
    expected = ("203.0.113.9", "https") if trusted else ("127.0.0.1", "http")
    assert fields["forwarded"] == f'for={expected[0]};host="portico.test";proto={expected[1]}'


@pytest.mark.parametrize("option", ["X-Forwarded-For", "x-forwarded-proto", "X-Real-IP", "Forwarded", "X-Request-Id", "Host",
                                    "Authorization", "Cookie", "X-Client-Cert-Verify", "Content-Length"])
def test_connection_cannot_strip_what_is_the_gateway_s(portico, upstream, option):
    app = upstream(echo)
    gateway = portico({"app": app}, trusted_proxies=LOCAL)
    with gateway.client() as client:
        response = client.ask(get("/", connection=f"close, {option}", x_forwarded_for="203.0.113.9"))
        assert_made_here(response, "bad_connection_option")
    assert app.requests == []


@pytest.mark.parametrize("alias", ["X_Forwarded_For", "X.Forwarded.For", "x_real_ip", "X_Client.Cert-Verify", "Forwarded_"])
def test_aliases_never_reach_the_service(portico, upstream, alias):
    gateway = portico({"app": upstream(echo)}, trusted_proxies=LOCAL)
    with gateway.client() as client:
        fields = seen(client.ask(f"GET / HTTP/1.1\r\nHost: portico.test\r\n{alias}: 6.6.6.6\r\n\r\n".encode()))
    assert "6.6.6.6" not in fields.values()


def test_hops_without_proxies_are_an_error(portico, upstream):
    gateway = portico({"app": upstream(echo)})
    gateway.config_file.write_text(gateway.config_file.read_text() + "trusted_hops: 2\n")
    gateway.refuse_reload()
    assert ":15: nobody is believed: list the networks" in gateway.stderr()
