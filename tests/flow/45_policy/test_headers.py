"""headers: fields of requests and responses changed on their way, by name, with variables; and the flags of cookies."""
import json

import pytest

from lib.client import get
from lib.gateway import route_to
from lib.upstream import answers, echo, ok

SHOWN = ok(server="Puma", x_powered_by="Express", x_runtime="0.1", set_cookie="a=b; Path=/\r\nSet-Cookie: c=d; Secure; SameSite=None")


def seen(response, name):
    """The values of a field of the request that the upstream saw."""
    return [value for key, value in json.loads(response.body)["fields"] if key.lower() == name.lower()]


def test_the_service_sees_what_is_set(portico, upstream):
    headers = {"request": {"set": {"X-Client": "%{client_ip}", "X-Url": "%{scheme}://%{host}%{target}", "X-Id": "%{request_id}",
                                   "Host": "app.internal", "X-Sni": "<%{tls_sni}>"},
                           "add": {"X-Tag": ["a", "b"]}, "remove": ["Cookie", "X-Forwarded-Host"]}}
    gateway = portico({"app": upstream(echo)}, defaults={"headers": headers})
    with gateway.client() as client:
        response = client.ask(get("/a%20b?c=%20", host="A.test:80", x_client="10.0.0.1", x_tag="mine", cookie="s=1", x_url="evil"))
        for name, values in {"X-Client": ["127.0.0.1"], "X-Url": ["http://a.test/a%20b?c=%20"], "Host": ["app.internal"],
                             "X-Sni": ["<>"], "X-Tag": ["mine", "a", "b"], "Cookie": [], "X-Forwarded-Host": [],
                             "X-Id": seen(response, "X-Request-Id")}.items():
            assert seen(response, name) == values, name


def test_tls_variables(over_tls, upstream):
    names = ("tls_version", "tls_sni", "tls_cipher", "scheme", "port")
    headers = {"request": {"set": {"X-Tls": " ".join(f"%{{{name}}}" for name in names)}}}
    gateway = over_tls({"app": upstream(echo)}, defaults={"headers": headers})
    with gateway.connect() as client:
        version, sni, cipher, scheme, port = seen(client.get("/", host="one.test"), "X-Tls")[0].split(" ")
    assert (version, sni, scheme, port) == ("TLSv1.3", "one.test", "https", "443") and cipher.startswith("TLS_")


def test_nothing_a_client_sends_ends_a_line(portico, upstream):
    headers = {"request": {"set": {"X-Path": "%{target}", "X-Host": "%{authority}"}}, "response": {"set": {"X-Asked": "%{path}"}}}
    gateway = portico({"app": upstream(echo)}, defaults={"headers": headers})
    with gateway.client() as client:
        response = client.get("/a%0d%0aX-Admin:%201")
        assert seen(response, "X-Path") == ["/a%0d%0aX-Admin:%201"] == response.all("X-Asked")
        assert seen(response, "X-Admin") == [] == response.all("X-Admin")


def test_responses_of_services_and_of_the_gateway(portico, upstream):
    response = {"set": {"Cache-Control": "public, max-age=31536000, immutable"}, "remove": ["Server", "x-powered-by"],
                "replace": {"X-Runtime": "hidden"}}
    gateway = portico({"app": upstream(answers(SHOWN))}, routes=[route_to("app", "/app")], defaults={"headers": {"response": response}})
    with gateway.client() as client:
        served, missing = client.get("/app"), client.get("/none")
    assert (served.status, missing.status) == (200, 404)
    for answer in (served, missing):
        assert answer.all("Cache-Control") == ["public, max-age=31536000, immutable"]
        assert answer.all("Server") == answer.all("X-Powered-By") == []
    assert served.all("X-Runtime") == ["hidden"] and missing.all("X-Runtime") == []


@pytest.mark.parametrize("route,expected", [({}, ["a=b; Path=/; Secure; SameSite=Lax", "c=d; Secure; SameSite=Lax"]),
                                            ({"headers": {"cookies": {"same_site": "unchanged"}}},
                                             ["a=b; Path=/; Secure", "c=d; SameSite=None; Secure"])])
def test_cookies(portico, upstream, route, expected):
    gateway = portico({"app": upstream(answers(SHOWN))}, routes=[route_to("app", **route)],
                      defaults={"headers": {"cookies": {"secure": True, "same_site": "lax"}}})
    with gateway.client() as client:
        assert client.get("/").all("Set-Cookie") == expected


def test_an_inner_place_speaks_for_its_names_only(portico, upstream):
    routes = [route_to("app", "/own", headers={"response": {"set": {"X-A": "route"}, "keep": ["Server"]}}), route_to("app")]
    gateway = portico({"app": upstream(answers(SHOWN))}, routes=routes,
                      defaults={"headers": {"response": {"set": {"X-A": "defaults", "X-B": "defaults"}, "remove": ["Server"]}}})
    with gateway.client() as client:
        for target, values in (("/own", ("route", "defaults", "Puma")), ("/", ("defaults", "defaults", None))):
            response = client.get(target)
            assert tuple(response.get(name) for name in ("X-A", "X-B", "Server")) == values


def test_what_it_must_not_do_is_an_error_with_its_place(portico, upstream):
    gateway = portico({"app": upstream(echo)})
    gateway.config_file.write_text(gateway.config_file.read_text() +
                                   "defaults:\n  headers:\n    request:\n      set:\n        X-Forwarded-For: 10.0.0.1\n")
    line = len(gateway.config_file.read_text().splitlines())
    gateway.refuse_reload()
    assert f"portico.yaml:{line}:9: X-Forwarded-For is what the gateway says about the client" in gateway.stderr()
    with gateway.client() as client:
        assert client.get("/").status == 200
