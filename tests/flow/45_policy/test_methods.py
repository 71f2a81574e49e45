"""methods: what a route serves, inherited from its site and from defaults; the rest is 405 with the list."""
import pytest

from lib.client import get
from lib.faults import assert_made_here
from lib.gateway import route_to
from lib.upstream import named


def start(portico, upstream, routes, site=None, **config):
    return portico({"app": upstream(named("app"))}, sites=[{"hosts": ["*"], **(site or {}), "routes": routes}], **config)


def test_only_listed_methods_reach_the_upstream(portico, upstream):
    gateway = start(portico, upstream, [route_to("app", "/read", methods=["GET", "HEAD"]), route_to("app")])
    with gateway.client() as client:
        assert client.get("/read").body == b"app"
        refused = client.ask(get("/read", "DELETE"), "DELETE")
        assert_made_here(refused, "method_not_allowed")
        assert refused.all("allow") == ["GET, HEAD"]
        assert client.ask(get("/", "DELETE"), "DELETE").status == 200


@pytest.mark.parametrize("method", ["get", "GETS", "PROPFIND"])
def test_methods_are_compared_as_they_are(portico, upstream, method):
    gateway = start(portico, upstream, [route_to("app", methods=["GET"])])
    with gateway.client() as client:
        assert client.ask(get("/", method), method).status == 405


def test_the_innermost_list_counts(portico, upstream):
    routes = [route_to("app", "/all", methods=[]), route_to("app", "/post", methods=["POST"]), route_to("app")]
    gateway = start(portico, upstream, routes, site={"methods": ["GET"]}, defaults={"methods": ["PUT"]})
    with gateway.client() as client:
        for path, method, status in (("/all", "DELETE", 200), ("/post", "POST", 200), ("/post", "GET", 405),
                                     ("/", "GET", 200), ("/", "PUT", 405)):
            assert client.ask(get(path, method), method).status == status, (path, method)
