"""Every response that the gateway can make carries the configured fields exactly once: one case for each row of the fault table.

A new row needs a function here that provokes it, or a reason why nobody is answered with it.
"""
import ssl
import threading

import pytest

from lib.blackhole import Blackhole
from lib.client import Client, chunked, get, post, upgrade
from lib.faults import FAULTS, assert_made_here
from lib.gateway import route_to
from lib.h2raw import H2
from lib.h2server import H2Upstream
from lib.ports import free_port
from lib.tls import openssl
from lib.upstream import Upstream, answers, answers_and_closes, named, ok, repeat_bytes, resets, respond, silent, websocket
from lib.users import basic, users
from lib.wait import PATIENCE, readable

SHORT = "200ms"
REFUSED_STREAM, INTERNAL_ERROR = 7, 2
VALUES = {"hsts": "max-age=1", "csp": "default-src 'self'", "csp_report_only": "img-src *", "frame_options": "DENY",
          "content_type_options": "nosniff", "referrer_policy": "no-referrer", "permissions_policy": "usb=()",
          "coop": "same-origin", "corp": "same-site", "coep": "require-corp", "xss_protection": "1; mode=block"}
NAMES = {"hsts": "Strict-Transport-Security", "csp": "Content-Security-Policy", "csp_report_only": "Content-Security-Policy-Report-Only",
         "frame_options": "X-Frame-Options", "content_type_options": "X-Content-Type-Options", "referrer_policy": "Referrer-Policy",
         "permissions_policy": "Permissions-Policy", "coop": "Cross-Origin-Opener-Policy", "corp": "Cross-Origin-Resource-Policy",
         "coep": "Cross-Origin-Embedder-Policy", "xss_protection": "X-XSS-Protection"}

IN_CLEAR = {"no_challenge", "plain_on_tls", "too_many_connections"}
NEVER_ANSWERED = {
    "client_gone": "nobody is there any more",
    "client_stalled": "the response has begun, and its client does not read it",
    "between_bytes_timeout": "the response has begun",
    "upstream_truncated": "the response has begun",
    "out_of_files": "needs a process without descriptors, in which no client is accepted either",
    "shutdown": "a stop that has run out of patience closes connections, it does not answer",
    "policy_timeout": "what a policy waits for has a shorter limit of its own",
    "credentials_unchecked": "takes more passwords than can be checked at a time: test_basic_auth.py",
    "overloaded": "takes a gateway that is full: test_overload.py",
}


def assert_all_fields(response, secure=True):
    for key, value in VALUES.items():
        assert response.all(NAMES[key]) == ([value] if secure or key != "hsts" else []), (key, response.fields)


def with_fields(data, fields):
    """The same request with more fields."""
    start, end, rest = data.partition(b"\r\n")
    return start + end + b"".join(f"{name}: {value}\r\n".encode() for name, value in fields.items()) + rest


class Scene:
    """A gateway that sets every field, in front of a service that has opinions of its own about them."""

    def __init__(self, over_tls, authority, directory):
        self.over_tls, self.authority, self.directory = over_tls, authority, directory
        self.closing = []
        self.fields = {}  # of every request

    def keep(self, thing):
        self.closing.append(thing)
        return thing

    def serve(self, *scripts, kind=Upstream):
        return self.keep(kind(*scripts)).address

    def start(self, app=None, site=None, routes=None, **settings):
        """`app`: an address, or the settings of the upstream."""
        sites = [{"hosts": ["one.test"], **(site or {}), "routes": routes or [route_to("app")]}, *settings.pop("sites", [])]
        return self.over_tls({"app": app or self.serve(named("app"))}, sites=sites,
                             defaults={"security_headers": VALUES, **settings.pop("defaults", {})}, **settings)

    def send(self, data, method="GET", **settings):
        with self.start(**settings).connect() as client:
            client.send(with_fields(data, self.fields))
            return client.response(method)

    def get(self, target="/", app=None, count=1, fields=None, **settings):
        with self.start(app=app, **settings).connect() as client:
            for _ in range(count):
                response = client.get(target, **{"host": "one.test", **self.fields, **(fields or {})})
            return response

    def close(self):
        for thing in self.closing:
            thing.close()


PROVOKE = {}


def provokes(function):
    PROVOKE[function.__name__] = function
    return function


def sends(name, data, **settings):
    """A request, as bytes, that a gateway refuses by itself."""
    PROVOKE[name] = lambda scene: scene.send(data, **settings)


def head(*lines, start="GET / HTTP/1.1", end="\r\n"):
    return (end.join([start, "Host: one.test", *lines]) + 2 * end).encode("latin-1")


def responds(name, *scripts, **settings):
    """A service that makes a gateway answer in its place."""
    PROVOKE[name] = lambda scene: scene.get(app=scene.serve(*scripts), **settings)


USERS = users(anna="secret")
CHUNKED = head("Transfer-Encoding: chunked", start="POST / HTTP/1.1")

sends("bad_line_ending", head(end="\n"))
sends("bad_request_line", head(start="GET  / HTTP/1.1"))
sends("bad_version", head(start="GET / HTTP/3.0"))
sends("bad_target", head(start="GET x HTTP/1.1"))
sends("path_above_root", head(start="GET /../x HTTP/1.1"))
sends("ambiguous_path", head(start="GET /a/..%2fb HTTP/1.1"), routes=[route_to("app", "/a"), route_to("app")])
sends("bad_field_name", head("X Y: 1"))
sends("bad_field_value", head("X: a\x01"))
sends("folded_field", head("X: a", " b"))
sends("bad_host", head("Host: two.test"))
sends("bad_content_length", head("Content-Length: +1"))
sends("bad_transfer_encoding", head("Transfer-Encoding: chunked, chunked", start="POST / HTTP/1.1"))
sends("unknown_transfer_coding", head("Transfer-Encoding: gzip", start="POST / HTTP/1.1"))
sends("framing_conflict", head("Content-Length: 3", "Transfer-Encoding: chunked", start="POST / HTTP/1.1"))
sends("bad_connection_option", head("Connection: Host"))
sends("bad_upgrade", head("Connection: Upgrade", "Upgrade: websocket"))
sends("target_too_long", head(start=f"GET /{'x' * 20000} HTTP/1.1"))
sends("head_too_large", head(*[f"X-{i}: {'x' * 8000}" for i in range(5)]))
sends("too_many_fields", head(*[f"X-{i}: x" for i in range(120)]))
sends("body_too_large", head("Content-Length: 100", start="POST / HTTP/1.1"), defaults={"max_body": "10B"})
sends("expectation_failed", head("Expect: x", "Content-Length: 1", start="POST / HTTP/1.1"))
sends("method_refused", head(start="TRACE / HTTP/1.1"))
sends("method_not_allowed", head(start="PUT / HTTP/1.1"), defaults={"methods": ["GET"]})
sends("misdirected", get(host="nobody.test"))
sends("no_route", get("/x", host="one.test"), routes=[route_to("app", "/only")])
sends("access_denied", get(host="one.test"), site={"access": {"deny": ["all"]}})
sends("credentials_missing", get(host="one.test"), site={"basic_auth": USERS})
sends("credentials_wrong", get(host="one.test", authorization=basic("anna", "wrong")), site={"basic_auth": USERS})
sends("head_timeout", head()[:-2], client={"head_timeout": SHORT})
sends("body_too_slow", head("Content-Length: 9", start="POST / HTTP/1.1"), client={"body_min_rate": "1KiB", "body_grace": SHORT})
sends("route_limit", get("/" + "a" * 40 + "!", host="one.test"), routes=[{"regex": "^/(a|aa)+$", "upstream": "app"}, route_to("app")])
sends("bad_rewrite", get("/old//evil.test/x", host="one.test"), routes=[route_to("app", "/old", strip_prefix=True)])
sends("no_websocket", upgrade(host="one.test"), routes=[{"prefix": "/moved", "upstream": "app"}, {"prefix": "/", "redirect": "https://a.test"}])

responds("upstream_closed", answers_and_closes(b""))
responds("upstream_reset", resets)
responds("upstream_malformed", answers(b"HTTP/1.1 200 OK\r\nX Y: 1\r\n\r\n"))
responds("upstream_head_too_large", answers(ok(x_large="x" * 40000)))
responds("too_many_interim", answers(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 9 + ok()))
responds("first_byte_timeout", silent, defaults={"first_byte_timeout": SHORT})
responds("auth_unavailable", answers(respond(500)), site={"forward_auth": {"upstream": "app", "path": "/judge"}})
responds("rate_limited", named("app"), count=2, limits={"one": {"rate": "1/m"}}, site={"limits": ["one"]})


@provokes
def bad_chunk(scene):
    return scene.send(CHUNKED + b"x\r\n", "POST", app=scene.serve(silent))


@provokes
def bad_trailer(scene):
    return scene.send(CHUNKED + chunked(trailers=b"X Y: 1\r\n"), "POST", app=scene.serve(silent))


@provokes
def misdirected_certificate(scene):
    other = {"hosts": ["two.test"], "client_certificates": {"ca": str(scene.authority.ca)}, "routes": [route_to("app")]}
    return scene.send(get(host="two.test"), sites=[other])


@provokes
def plain_on_tls(scene):
    with Client(scene.start().tls_port) as client:
        return client.get("/", host="one.test")


@provokes
def too_many_connections(scene):
    gateway = scene.start(client={"connections_per_client": 1})
    with gateway.client() as first, gateway.client() as second:
        assert first.get("/", host="one.test").status == 200
        return second.get("/", host="one.test")


@provokes
def no_challenge(scene):
    port = free_port()
    scene.start(tls={"acme_challenge": str(scene.directory)}, listen=[{"address": f"127.0.0.1:{port}", "redirect": "https"}])
    with Client(port) as client:
        return client.get("/.well-known/acme-challenge/none", host="one.test")


@provokes
def unresolved(scene):
    return scene.get(app="nowhere.invalid:80")


@provokes
def connect_refused(scene):
    return scene.get(app=f"127.0.0.1:{free_port()}")


@provokes
def connect_failed(scene):
    return scene.get(app=f"unix:{scene.directory}")


@provokes
def connect_timeout(scene):
    return scene.get(app={"servers": [scene.keep(Blackhole()).address], "connect_timeout": SHORT})


@provokes
def upstream_write_timeout(scene):
    released = threading.Event()

    def script(connection):
        connection.head()
        released.wait(PATIENCE)

    body = b"x" * (16 << 20)
    try:
        with scene.start(app=scene.serve(script), defaults={"between_bytes_timeout": SHORT}).connect() as client:
            client.send_until_answered(post(body, host="one.test"))
            return client.response("POST")
    finally:
        released.set()


@provokes
def upstream_bad_upgrade(scene):
    return scene.send(upgrade(host="one.test"), app=scene.serve(answers(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: no\r\n\r\n")))


@provokes
def upgrade_unsupported(scene):
    return scene.send(upgrade(host="one.test"), app={"servers": [scene.serve(silent)], "protocol": "h2c"})


@provokes
def upstream_not_http2(scene):
    return scene.get(app={"servers": [scene.serve(answers(ok()))], "protocol": "h2c"})


def reset_with(scene, code):
    def script(connection):
        connection.greet()
        while stream := connection.next_stream():
            connection.reset_stream(stream, code)
    return scene.get(app={"servers": [scene.serve(script, kind=H2Upstream)], "protocol": "h2c"})


@provokes
def upstream_refused_stream(scene):
    return reset_with(scene, REFUSED_STREAM)


@provokes
def upstream_stream_reset(scene):
    return reset_with(scene, INTERNAL_ERROR)


@provokes
def route_removed(scene):
    app = scene.keep(Upstream(silent))
    gateway = scene.start(app=app.address, routes=[route_to("app", "/gone", on_reload="drain 100ms"), route_to("app")])
    with gateway.connect() as client:
        client.send(get("/gone", host="one.test"))
        app.wait_connections(1)
        site = gateway.config["sites"][0]
        gateway.reload({**gateway.config, "sites": [{**site, "routes": site["routes"][1:]}]})
        return client.response()


# upstreams over TLS

def with_tls(scene, setting, **tls):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(setting["chain"], setting["key"])

    def handshake(connection):
        try:
            connection.sock = context.wrap_socket(connection.sock, server_side=True)
            connection.rest()
        except OSError:
            pass  # refused by the gateway
    return scene.get(app={"servers": [scene.serve(handshake)], "tls": {"ca": str(scene.authority.ca), "server_name": "one.test", **tls}})


@provokes
def upstream_tls_failed(scene):
    plain = scene.serve(lambda connection: connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    return scene.get(app={"servers": [plain], "tls": True})


@provokes
def upstream_certificate_name(scene):
    return with_tls(scene, scene.authority.setting("one.test"), server_name="other.test")


@provokes
def upstream_certificate_untrusted(scene):
    return with_tls(scene, self_signed(scene.directory, "2"), ca=str(scene.authority.ca))


@provokes
def upstream_certificate_expired(scene):
    setting = self_signed(scene.directory, "-1")
    return with_tls(scene, setting, ca=setting["chain"])


def self_signed(folder, days):
    request, key, chain = folder / "request.pem", folder / "key.pem", folder / "chain.pem"
    (folder / "extensions").write_text("subjectAltName = DNS:one.test\n")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-subj", "/CN=one.test", "-out", request)
    openssl("x509", "-req", "-in", request, "-signkey", key, "-extfile", folder / "extensions", "-days", days, "-out", chain)
    return {"chain": str(chain), "key": str(key)}


# upstreams with all connections taken

def whoever_is_answered(scene, count, **queue):
    """The response to the one of `count` connections that gets any; each has been answered before, so that nothing else comes."""
    gateway = scene.start(app={"servers": [scene.serve(silent)], "connections_max": 1, "queue": queue}, routes=[route_to("app", "/app")])
    clients = [scene.keep(gateway.connect()) for _ in range(count)]
    for client in clients:
        assert client.get("/none", host="one.test").status == 404
    for client in clients:
        client.send(get("/app", host="one.test", **scene.fields))
    ready = readable([client.sock for client in clients], PATIENCE)
    return next(client for client in clients if client.sock in ready).response()


@provokes
def queue_timeout(scene):
    return whoever_is_answered(scene, 2, timeout=SHORT)


@provokes
def queue_full(scene):
    return whoever_is_answered(scene, 3, length=1)


# the cases

@pytest.fixture
def scene(over_tls, policy_authority, tmp_path):
    made = Scene(over_tls, policy_authority, tmp_path)
    yield made
    made.close()


def test_every_row_is_provoked_or_says_why_not():
    rows = {name for name, fault in FAULTS.items() if fault.status != 0}
    assert PROVOKE.keys() | NEVER_ANSWERED.keys() == rows and not PROVOKE.keys() & NEVER_ANSWERED.keys()


@pytest.mark.parametrize("name", PROVOKE)
def test_faults(scene, name):
    response = PROVOKE[name](scene)
    assert_made_here(response, name)
    assert_all_fields(response, secure=name not in IN_CLEAR)


# clients that read problems (RFC 9457)

PROBLEM_TYPES = "https://iana.org/assignments/http-problem-types#"
REFUSALS = {"method_not_allowed": None, "access_denied": None, "credentials_missing": None, "credentials_wrong": None,
            "auth_unavailable": None, "bad_rewrite": None, "body_too_large": None, "misdirected": None, "no_route": None,
            "rate_limited": "quota-exceeded", "queue_full": "temporary-reduced-capacity", "queue_timeout": "temporary-reduced-capacity"}


@pytest.mark.parametrize("accept", ["application/problem+json", "text/plain;q=0.5, application/json"])
@pytest.mark.parametrize("name", REFUSALS)
def test_refusals_are_problems(scene, name, accept):
    scene.fields["accept"] = accept
    response = PROVOKE[name](scene)
    assert_made_here(response, name)
    assert_all_fields(response)
    assert response.all("Content-Type") == ["application/problem+json"]
    told = response.json
    assert (told["status"], told["cause"], told["detail"]) == (response.status, name, FAULTS[name].sentence)
    assert told["title"] and told["request_id"] == response.get("X-Request-Id")
    assert told.get("type") == (REFUSALS[name] and PROBLEM_TYPES + REFUSALS[name])
    assert (response.get("Retry-After") is not None) == (response.status in (429, 503))


# what is no fault

OPINIONS = {"x_frame_options": "ALLOWALL", "content_security_policy": "default-src *", "strict_transport_security": "max-age=0"}


def test_a_service_with_opinions_of_its_own(scene):
    assert_all_fields(scene.get(app=scene.serve(answers(ok(**OPINIONS)))))


def test_a_redirect_to_https(scene):
    port = free_port()
    scene.start(listen=[{"address": f"127.0.0.1:{port}", "redirect": "https"}])
    with Client(port) as client:
        response = client.get("/", host="one.test")
    assert response.status == 301
    assert_all_fields(response, secure=False)


@pytest.mark.parametrize("first", [b"HELLO\r\n\r\n", b"GET / HTTP/1.1\nHost: one.test\n\n"])
def test_what_is_no_http_on_a_tls_port(scene, first):
    with Client(scene.start().tls_port) as client:
        client.send(first)
        response = client.response()
    assert response.status == 400 and response.get("Connection") == "close"
    assert_all_fields(response, secure=False)


def test_a_preflight(scene):
    asked = get("/", "OPTIONS", host="one.test", origin="https://a.test", access_control_request_method="PUT")
    response = scene.send(asked, "OPTIONS", site={"cors": {"origins": ["https://a.test"]}})
    assert response.status == 204
    assert_all_fields(response)


def test_over_http2(scene):
    """Refusals of policies, of the routing and of a head, and a service's own answer: streams of one connection."""
    app = scene.serve(answers(ok(**OPINIONS)))
    gateway = scene.start(app=app, limits={"one": {"rate": "1/h"}}, routes=[
        route_to("app", "/denied", access={"deny": ["all"]}), route_to("app", "/staff", basic_auth=USERS),
        route_to("app", "/limited", limits=["one"]), route_to("app", "/read", methods=["GET"]), route_to("app", "/fine"),
        {"prefix": "/moved", "redirect": "/fine"}, {"prefix": "/closed", "maintenance": True, "upstream": "app"}])
    asked = [("/fine", 200), ("/limited", 200), ("/limited", 429), ("/denied", 403), ("/staff", 401), ("/none", 404), ("/moved", 302),
             ("/closed", 503), ("/a%00", 400)]
    with H2(gateway.port) as client:
        streams = [client.request(path, authority="one.test") for path, _ in asked]
        client.finish(*streams)
        for stream, (path, status) in zip(streams, asked):
            head = client.streams[stream].final
            assert head[":status"] == str(status), path
            expected = {NAMES[key].lower(): value for key, value in VALUES.items() if key != "hsts"}  # in clear
            assert {name: head.get(name) for name in expected} == expected, path  # one that came twice has two lines
            assert "strict-transport-security" not in head


@pytest.mark.parametrize("status", [101, 403])
def test_an_upgrade(scene, status):
    script = websocket(repeat_bytes, **OPINIONS) if status == 101 else answers(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")
    response = scene.send(upgrade(host="one.test"), app=scene.serve(script))
    assert response.status == status
    assert_all_fields(response)
