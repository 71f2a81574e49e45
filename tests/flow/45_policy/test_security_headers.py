"""security_headers: on every response of a scope, exactly once, whoever made it; merged by name down the tree."""
import pytest

from lib.client import Client, get, upgrade
from lib.gateway import route_to
from lib.ports import free_port
from lib.upstream import answers, named, ok, repeat_bytes, websocket

TRIO = {"X-Frame-Options": ["SAMEORIGIN"], "X-Content-Type-Options": ["nosniff"]}
CSP = "default-src 'self'; script-src 'self' https://cdn.test"


def assert_fields(response, wanted):
    for name, values in wanted.items():
        assert response.all(name) == values, (name, response.fields)


def test_on_responses_of_services_and_of_the_gateway(portico, upstream):
    gateway = portico({"app": upstream(named("app")), "dead": f"127.0.0.1:{free_port()}"},
                      routes=[route_to("app", "/app"), route_to("dead", "/dead", methods=["GET"])],
                      defaults={"security_headers": "recommended"})
    with gateway.client() as client:
        for target, method, status in (("/app", "GET", 200), ("/dead", "GET", 502), ("/none", "GET", 404), ("/dead", "PUT", 405)):
            response = client.ask(get(target, method), method)
            assert response.status == status
            assert_fields(response, TRIO)
    refused = gateway.raw(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")[0]
    assert refused.status == 400
    assert_fields(refused, TRIO)


def test_on_redirects_to_https(portico, upstream):
    port = free_port()
    gateway = portico({"app": upstream()}, listen=[{"address": f"127.0.0.1:{port}", "redirect": "https"}],
                      sites=[{"hosts": ["one.test"], "security_headers": "recommended", "routes": [route_to("app")]}])
    with Client(port) as client:
        response = client.get("/", host="one.test")
        assert response.status == 301
        assert_fields(response, {**TRIO, "Strict-Transport-Security": []})
    with gateway.client() as client:  # no site has been found, and defaults have none
        assert_fields(client.get("/", host="two.test"), {"X-Frame-Options": []})


def test_on_websocket_handshakes(portico, upstream):
    gateway = portico({"app": upstream(websocket(repeat_bytes))}, defaults={"security_headers": {"csp": CSP}})
    with gateway.client() as client:
        client.send(upgrade())
        response = client.response("GET")
        assert response.status == 101
        assert_fields(response, {"Content-Security-Policy": [CSP]})


def test_the_service_s_own_fields_are_replaced(portico, upstream):
    sent = ok(x_frame_options="ALLOWALL\r\nx-frame-options: DENY", content_security_policy="default-src 'none'",
              strict_transport_security="max-age=1")
    routes = [route_to("app", "/own", security_headers={"remove": ["frame_options"]}),
              route_to("app", "/off", security_headers="off"), route_to("app")]
    gateway = portico({"app": upstream(answers(sent))}, routes=routes, defaults={"security_headers": "recommended"})
    with gateway.client() as client:
        own = {"Content-Security-Policy": ["default-src 'none'"]}
        assert_fields(client.get("/"), {**TRIO, **own, "Strict-Transport-Security": []})
        assert_fields(client.get("/own"), {**own, "X-Frame-Options": ["ALLOWALL", "DENY"], "X-Content-Type-Options": ["nosniff"]})
        assert_fields(client.get("/off"), {**own, "X-Content-Type-Options": [], "Strict-Transport-Security": ["max-age=1"]})


@pytest.mark.parametrize("proto,wanted", [("https", ["max-age=31536000"]), ("http", []), (None, [])])
def test_hsts_follows_what_a_trusted_proxy_says(portico, upstream, proto, wanted):
    gateway = portico({"app": upstream()}, trusted_proxies=["127.0.0.1/32"], defaults={"security_headers": "recommended"})
    with gateway.client() as client:
        fields = {"x_forwarded_proto": proto} if proto else {}
        assert_fields(client.get("/", **fields), {**TRIO, "Strict-Transport-Security": wanted})


def test_clients_cannot_claim_tls(portico, upstream):
    gateway = portico({"app": upstream()}, defaults={"security_headers": "recommended"})
    with gateway.client() as client:
        assert_fields(client.get("/", x_forwarded_proto="https"), {"Strict-Transport-Security": []})


def test_a_reload_changes_them(portico, upstream):
    gateway = portico({"app": upstream()}, defaults={"security_headers": "recommended"})
    with gateway.client() as client:
        assert_fields(client.get("/"), TRIO)
        gateway.reload({**gateway.config, "defaults": {"security_headers": {"frame_options": "DENY"}}})
        assert_fields(client.get("/"), {"X-Frame-Options": ["DENY"], "X-Content-Type-Options": []})


def test_hsts_over_tls_only(over_tls, upstream):
    gateway = over_tls(upstream(named("app")), defaults={"security_headers": "recommended"}, routes=[route_to("app", "/app")])
    with gateway.connect() as client:
        for target in ("/app", "/none"):
            assert_fields(client.get(target, host="one.test"), {**TRIO, "Strict-Transport-Security": ["max-age=31536000"]})
    with gateway.client() as client:
        assert_fields(client.get("/app"), {**TRIO, "Strict-Transport-Security": []})


@pytest.mark.parametrize("host, wanted", [("*", ["SAMEORIGIN"]), ("one.test", ["DENY"])])
def test_a_request_that_has_named_no_site(portico, upstream, host, wanted):
    """In clear nobody has said which it is for: it is for the site of every host, or it gets the defaults."""
    sites = [{"hosts": [host], "security_headers": "recommended", "routes": [route_to("app")]}]
    gateway = portico({"app": upstream(named("app"))}, sites=sites, defaults={"security_headers": {"frame_options": "DENY"}})
    for data in (b"what?\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: one.test\r\nX Y: 1\r\n\r\n"):
        with gateway.client() as client:
            client.send(data)
            response = client.response()
        assert response.status == 400 and response.all("X-Frame-Options") == wanted
    with gateway.client() as client:  # the target is wrong, but whom it is for has been said
        assert client.get("/..", host="one.test").all("X-Frame-Options") == ["SAMEORIGIN"]
    assert gateway.log_records(4)[3].site == host
