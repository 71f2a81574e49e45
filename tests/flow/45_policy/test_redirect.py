"""redirect and respond: routes that are answered here, behind everything that guards an upstream; nobody else chooses where to."""
import pytest

from lib.client import get, post, upgrade
from lib.faults import assert_made_here
from lib.gateway import route_to
from lib.upstream import named

ROUTES = [
    {"prefix": "/blog", "redirect": "https://blog.test%{target}"},
    {"prefix": "/moved", "redirect": {"to": "https://%{host}/new%{path}", "status": 308}},
    {"regex": "^/u/(?<name>[^/]+)$", "redirect": {"to": "/users/%{name}", "status": 301}},
    {"prefix": "/go", "redirect": {"to": "/%{1}", "status": 307}, "regex": None},
    {"path": "/robots.txt", "respond": {"body": "User-agent: *\n"}},
    {"prefix": "/.git", "respond": 404},
    {"path": "/empty", "respond": 204},
    {"path": "/page", "methods": ["GET", "HEAD"], "respond": {"status": 410, "body": "<p>gone</p>", "type": "text/html"}},
    route_to("app"),
]
ROUTES[3] = {"regex": "^/go/(.*)$", "redirect": {"to": "/%{1}", "status": 307}}


@pytest.fixture
def gateway(portico, upstream):
    return portico({"app": upstream(named("app"))}, sites=[{"hosts": ["portico.test", "*.b.test"], "routes": ROUTES}])


@pytest.mark.parametrize("target, status, location", [
    ("/blog", 302, "https://blog.test/blog"), ("/blog/a%2Fb?x=1", 302, "https://blog.test/blog/a%2Fb?x=1"),
    ("/moved/x?lost", 308, "https://portico.test/new/moved/x"), ("/u/bob", 301, "/users/bob"), ("/go/x", 307, "/x"),
    ("/u/a%0d%0aSet-Cookie:%20x", 301, "/users/a%0D%0ASet-Cookie:%20x"),
])
def test_where_to(gateway, target, status, location):
    with gateway.client() as client:
        response = client.get(target)
        assert (response.status, response.all("location"), response.get("Set-Cookie")) == (status, [location], None)
        assert response.body == f"see {location}\n".encode()
        assert client.get("/").body == b"app"
    record = gateway.log_records(2)[0]
    assert (record.status, record.cause, record.target) == (status, "ok", target)


def test_the_host_is_a_name_of_the_site(gateway):
    with gateway.client() as client:
        assert client.get("/moved", host="sub.b.test:8080").get("Location") == "https://sub.b.test/new/moved"


@pytest.mark.parametrize("target", ["/go//evil.test", "/go//evil.test/.."])
def test_no_open_redirect(gateway, target):
    with gateway.client() as client:
        response = client.get(target)
    assert response.status == 400 and response.get("Location") is None


def test_what_would_be_lost_is_not_redirected(gateway):
    with gateway.client() as client:
        refused = client.ask(post(b"x" * 100, "/blog"))
        assert_made_here(refused, "method_not_allowed")
        assert refused.all("allow") == ["GET, HEAD"]
        assert client.ask(post(b"body", "/moved")).status == 308
        head = client.ask(get("/blog", "HEAD"))
        assert (head.status, head.body) == (302, b"") and int(head.get("Content-Length")) > 0
    with gateway.client() as client:
        assert_made_here(client.ask(upgrade("/blog")), "no_websocket")
    with gateway.client() as client:
        assert client.ask(upgrade("/moved")).status == 308


@pytest.mark.parametrize("target, status, kind, body", [
    ("/robots.txt", 200, "text/plain; charset=utf-8", b"User-agent: *\n"), ("/empty", 204, None, b""),
    ("/.git/config", 404, "text/plain; charset=utf-8", b"404 Not Found\n"), ("/page", 410, "text/html", b"<p>gone</p>"),
])
def test_answers(gateway, target, status, kind, body):
    with gateway.client() as client:
        for _ in range(2):
            response = client.get(target)
            assert (response.status, response.get("Content-Type"), response.body) == (status, kind, body)
            assert response.get("X-Request-Id") and response.get("Date")
            assert (response.get("Content-Length") is None) == (status == 204)
        head = client.ask(get(target, "HEAD"))
        assert (head.status, head.body) == (status, b"")
        assert client.get("/").body == b"app"


def test_what_guards_an_upstream_guards_an_answer(gateway):
    with gateway.client() as client:
        assert_made_here(client.ask(post(b"", "/page")), "method_not_allowed")


def test_a_body_that_nobody_reads(gateway, bystander):
    """The answer comes whole, and says that the connection ends with it."""
    still_works = bystander(gateway)
    with gateway.client() as client:
        response = client.ask(post(b"x" * 200_000, "/.git/x"))
        assert (response.status, response.get("Connection")) == (404, "close")
    still_works()


def test_explain_says_so(gateway, tmp_path):
    import subprocess

    from lib.wait import BINARY, PATIENCE
    for target, said in (("/blog/x", "answered   302 here, see https://blog.test/blog/x, by prefix /blog  # "),
                         ("/.git", "respond: the route is answered here: 404, 14 bytes of text/plain")):
        run = subprocess.run([BINARY, "explain", gateway.config_file, "GET", f"http://portico.test{target}"],
                             capture_output=True, text=True, timeout=PATIENCE)
        assert run.returncode == 0 and said in run.stdout, run.stdout + run.stderr
        assert "none: the route is answered here" in run.stdout
