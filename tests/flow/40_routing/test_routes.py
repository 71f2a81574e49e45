"""Which route a path belongs to: segment boundaries, exact paths, regexes, the first match wins, never a redirect."""
import pytest

from lib.client import accept_of, get, post, upgrade
from lib.faults import assert_made_here
from lib.gateway import route_to
from lib.upstream import named, repeat_bytes, websocket


def start(portico, upstream, *routes):
    """Each route is (kind, pattern, name)."""
    names = {name: upstream(named(name)) for _, _, name in routes}
    return portico(names, routes=[{kind: pattern, "upstream": name} for kind, pattern, name in routes])


STARMEET = [("prefix", "/api/v1/streaming", "streaming"), ("prefix", "/api", "api"), ("prefix", "/join", "wizard"),
            ("prefix", "/_next", "wizard"), ("prefix", "/", "web")]


@pytest.mark.parametrize("target, name", [
    ("/api/v1/streaming", "streaming"), ("/api/v1/streaming/", "streaming"), ("/api/v1/streaming?stream=user", "streaming"),
    ("/api/v1/streaming/user", "streaming"), ("/api/v1/streamings", "api"), ("/api/v1", "api"), ("/api", "api"),
    ("/api?x", "api"), ("/apiary", "web"), ("/join", "wizard"), ("/join/2", "wizard"), ("/joined", "web"),
    ("/_next/static/a.js", "wizard"), ("/", "web"), ("/?/api", "web"), ("/API", "web"), ("/users/a", "web"),
])
def test_prefixes_end_at_segments(portico, upstream, target, name):
    with start(portico, upstream, *STARMEET).client() as client:
        assert client.get(target).body.decode() == name


@pytest.mark.parametrize("target, name", [
    ("/api/./x", "api"), ("/api/%7euser", "api"), ("/api/a/../b", "api"),
    ("/api/a%2fb", "api"), ("/a//b", "web"), ("/join/a;v=1/b", "wizard"), ("/caf%C3%A9", "web"), ("/%25", "web"),
])
def test_the_canonical_path_decides_and_the_raw_one_travels(portico, upstream, target, name):
    names = {each: upstream(named(each)) for each in ("streaming", "api", "wizard", "web")}
    gateway = portico(names, routes=[{kind: pattern, "upstream": each} for kind, pattern, each in STARMEET])
    with gateway.client() as client:
        response = client.get(target)
    assert (response.status, response.body.decode()) == (200, name)
    assert names[name].requests[0].target == target


def test_a_route_whose_name_must_be_encoded(portico, upstream):
    """No client can send the path in another way, so its encoding makes nothing ambiguous."""
    with start(portico, upstream, ("prefix", "/café", "cafe"), ("prefix", "/a b", "space"), ("prefix", "/", "web")).client() as client:
        found = [client.get(target).body.decode() for target in ("/caf%C3%A9/x", "/a%20b", "/caf")]
    assert found == ["cafe", "space", "web"]


@pytest.mark.parametrize("target, name", [("/api/%76%31/streaming/x", "streaming"), ("/%61pi/x", "api"), ("/%6aoin", "wizard")])
def test_encoded_letters_never_choose_another_route(portico, upstream, target, name):
    with start(portico, upstream, *STARMEET).client() as client:
        response = client.get(target)
    assert response.status == 400 or response.body.decode() == name


@pytest.mark.parametrize("target", [
    "/api/v1/streaming/%2e%2e/x", "/join/../api/z", "/api/..%2fadmin",                      # DEPLOYMENTS D12
    "/join/..%2fapi/z", "/join/%2e%2e%2fapi", "/join/..;/api/x", "/api;x/../join/y",        # A27
    "/join%2f..%2fapi", "/api/v1%2fstreaming", "/join/..%5capi", "/join/%2E%2E/api/z",
    "//api/x", "/join//../api", "/./api/../join/x", "/api/v1//streaming/x",                 # A28
    "/../x", "/..", "/%2e%2e/x", "/api/../../x", "/..%2fx", "/a%00b", "/%", "/%zz", "/%2", "/a\\b/..\\..\\api",
])
def test_ambiguous_paths_are_refused(portico, upstream, target):
    names = {each: upstream(named(each)) for each in ("streaming", "api", "wizard", "web")}
    gateway = portico(names, routes=[{kind: pattern, "upstream": each} for kind, pattern, each in STARMEET])
    responses = gateway.raw(get(target) + get("/smuggled"))
    assert [response.status for response in responses] == [400]
    assert all(app.received == b"" for app in names.values())


def test_where_all_readings_agree_nothing_is_refused(portico, upstream):
    app = upstream(named("app"))
    with portico(app).client() as client:
        for target in ("/a/../b", "/a%2fb", "/a;v=1/b", "//a", "/a%5cb"):
            assert client.get(target).status == 200
    assert [request.target for request in app.requests] == ["/a/../b", "/a%2fb", "/a;v=1/b", "//a", "/a%5cb"]


def test_the_first_match_wins(portico, upstream):
    gateway = start(portico, upstream, ("regex", "^/a/[0-9]+$", "number"), ("prefix", "/a", "a"), ("path", "/a/x", "never"),
                    ("path", "/b", "exact"), ("prefix", "/b", "under"), ("prefix", "/", "rest"))
    found = {"/a/12": "number", "/a/12x": "a", "/a/x": "a", "/b": "exact", "/b/": "under", "/b?q": "exact", "/c": "rest"}
    with gateway.client() as client:
        assert {target: client.get(target).body.decode() for target in found} == found


def test_a_regex_that_explodes_is_500_not_a_hang(portico, upstream):  # A44
    gateway = start(portico, upstream, ("regex", "^(a+)+$", "regex"), ("regex", "^/(a|aa)+$", "regex"))
    with gateway.client() as client:
        assert client.get("/" + "a" * 3000 + "b").status in (404, 500)


def test_no_route_is_404_and_the_connection_lives(portico, upstream):
    gateway = start(portico, upstream, ("prefix", "/a", "a"))
    with gateway.client() as client:
        assert_made_here(client.get("/b"), "no_route")
        assert client.get("/a").body == b"a"


@pytest.mark.parametrize("pattern", ["/join", "/join/"])
def test_no_redirect_of_our_own(portico, upstream, pattern):  # DEPLOYMENTS D3, D4
    gateway = start(portico, upstream, ("prefix", pattern, "wizard"), ("prefix", "/", "web"))
    with gateway.client() as client:
        assert client.get("/join").body == b"wizard"
        assert client.ask(post(b"x", "/join")).body == b"wizard"
        assert client.get("/join", accept="text/event-stream").body == b"wizard"
        assert client.get("/join?x=1").body == b"wizard"


def test_an_upgrade_is_not_redirected(portico, upstream):
    app = upstream(websocket(repeat_bytes))
    gateway = portico({"streaming": app}, routes=[route_to("streaming", "/api/v1/streaming")])
    with gateway.client() as client:
        response = client.ask(upgrade("/api/v1/streaming?stream=user"), "GET")
    assert (response.status, response.get("Sec-WebSocket-Accept")) == (101, accept_of())


def test_ten_thousand_routes(portico, upstream):
    app = upstream(named("app"))
    gateway = portico(app, routes=[route_to("app", f"/r{number}") for number in range(10000)])
    with gateway.client() as client:
        assert [client.get(target).status for target in ("/r0", "/r9999/x", "/r10000", "/r")] == [200, 200, 404, 404]
