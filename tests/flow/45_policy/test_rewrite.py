"""strip_prefix and rewrite: the path that the upstream gets; without them not a byte changes, and nothing is smuggled by them."""
import pytest

from lib.client import get
from lib.gateway import route_to
from lib.upstream import echo

ROUTES = [
    route_to("app", "/api", strip_prefix=True),
    {"regex": "^/u/(?<id>[^/]+)$", "upstream": "app", "rewrite": "/profile?id=%{id}"},
    route_to("app", "/old", rewrite={"regex": "^/old/(.*)$", "to": "/new/%{1}"}),
    route_to("app", "/slow", rewrite={"regex": "^/slow/(a+)+$", "to": "/x"}),
    route_to("app"),
]


@pytest.fixture
def gateway(portico, upstream):
    return portico({"app": upstream(echo)}, routes=ROUTES)


@pytest.mark.parametrize("target, arrives", [
    ("/api", "/"), ("/api?x", "/?x"), ("/api/a%2Fb//c;d?e=/../%2f", "/a%2Fb//c;d?e=/../%2f"), ("/apiary", "/apiary"),
    ("/u/17?page=2", "/profile?id=17&page=2"), ("/u/a&b%20c", "/profile?id=a%26b%20c"), ("/old/x?y", "/new/x?y"),
    ("/old", "/old"), ("/plain/%7e/./%C3%A9?%", "/plain/%7e/./%C3%A9?%"), ("//plain", "//plain"),
])
def test_what_arrives(gateway, target, arrives):
    with gateway.client() as client:
        assert client.get(target).json["start"] == f"GET {arrives} HTTP/1.1"
    assert gateway.last_record().target == target


@pytest.mark.parametrize("target", [
    "/api//evil.test", "/api/%2fevil.test", "/api/\\evil.test", "/api/;/evil.test", "/api/./x", "/api/%2e/x", "/api/x/..",
    "/api/../api/x", "/%61pi/x", "/old//x/..", "/old/..%2fx",
])
def test_what_is_refused(gateway, bystander, target):
    still_works = bystander(gateway)
    with gateway.client() as client:
        assert client.get(target).status == 400
    still_works()


def test_a_pattern_that_burns_time(gateway):
    with gateway.client() as client:
        response = client.get("/slow/" + "a" * 3000 + "!")
        assert response.status == 500 and b"route_limit" in response.body
        assert client.get("/slow/aaa").json["start"] == "GET /x HTTP/1.1"


def test_the_fields_say_what_was_asked_for(gateway):
    """Only the path is another: an application behind a stripped prefix is told nothing else."""
    with gateway.client() as client:
        fields = {name.lower(): value for name, value in client.ask(get("/api/x")).json["fields"]}
    assert fields["host"] == fields["x-forwarded-host"] == "portico.test"
