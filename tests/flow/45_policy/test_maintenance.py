"""maintenance: a site, a route or everything answers 503 with a page, but for those who work on it and what is exempt."""
import signal

import pytest

from lib import yaml
from lib.client import get, post, upgrade
from lib.gateway import route_to
from lib.upstream import named
from lib.wait import wait_until

HEALTH = route_to("app", "/health", maintenance=False)


def start(portico, upstream, maintenance, routes=(), **settings):
    sites = [{"hosts": ["*"], "maintenance": maintenance, "routes": [*routes, route_to("app")]}]
    return portico({"app": upstream(named("app"))}, sites=sites, **settings)


def test_everything_but_what_is_exempt(portico, upstream):
    gateway = start(portico, upstream, {"retry_after": "10m", "body": "Back at noon.\n"}, [HEALTH])
    with gateway.client() as client:
        for request in (get("/"), post(b"x" * 1000), get("/x", "PROPFIND")):
            response = client.ask(request)
            assert (response.status, response.body) == (503, b"Back at noon.\n")
            assert (response.all("retry-after"), response.all("cache-control")) == (["600"], ["no-store"])
        assert client.get("/health").body == b"app"
    with gateway.client() as client:
        assert client.ask(upgrade("/")).status == 503


def test_a_page(portico, upstream, tmp_path):
    page = tmp_path / "sorry.html"
    page.write_text("<h1>Sorry</h1>")
    gateway = start(portico, upstream, {"file": str(page), "status": 500, "retry_after": 0})
    with gateway.client() as client:
        response = client.get("/")
    assert (response.status, response.body, response.get("Content-Type")) == (500, b"<h1>Sorry</h1>", "text/html; charset=utf-8")
    assert response.get("Retry-After") is None


@pytest.mark.parametrize("asker, status", [("192.0.2.7", 200), ("198.51.100.1", 503)])
def test_who_works_on_it_passes(portico, upstream, asker, status):
    gateway = start(portico, upstream, {"allow": ["192.0.2.0/24"]}, trusted_proxies=["127.0.0.1/32"])
    with gateway.client() as client:
        assert client.get("/", x_forwarded_for=asker).status == status


def test_a_stranger_does_not_pass_by_saying_so(portico, upstream):
    gateway = start(portico, upstream, {"allow": ["192.0.2.0/24"]})
    with gateway.client() as client:
        assert client.get("/", x_forwarded_for="192.0.2.7").status == 503


def test_switched_by_a_reload(portico, upstream):
    """What lies ready in defaults is switched on and off without a connection lost."""
    gateway = start(portico, upstream, False, defaults={"maintenance": {"on": False, "body": "Soon.\n"}})
    with gateway.client() as client:
        assert client.get("/").body == b"app"
        for maintenance, body in ((True, b"Soon.\n"), (False, b"app")):
            gateway.config["sites"][0]["maintenance"] = maintenance
            gateway.config_file.write_text(yaml.dump(gateway.config))
            gateway.signal(signal.SIGHUP)
            wait_until(lambda: client.get("/").body == body, "the new configuration")
