"""portico explain: what the gateway would do with a request and why; it never disagrees with the gateway."""
import os
import re
import ssl

import pytest

from lib.client import Client, get
from lib.faults import FAULTS
from lib.gateway import route_to
from lib.tls import DEVELOPMENT, ROOT, TlsClient, client_context
from lib.users import basic, sha512

HOST = "star-meet.com"
SERVED = {"/api/v1/streaming": "streaming", "/api/v1/streaming?stream=user": "streaming", "/api/v1/streamings": "api",
          "/api": "api", "/apiary": "web", "/join/2": "wizard", "/_next/a.js": "wizard", "/": "web", "/?/api": "web",
          "/api/./x": "api", "/api/a%2fb": "api", "/a//b": "web", "/join/a;v=1/b": "wizard", "/caf%C3%A9": "web"}
REFUSED = ["/api/v1/streaming/%2e%2e/x", "/api/..%2fadmin", "/join/..;/api/x", "//api/x", "/join%2f..%2fapi",
           "/api/v1//streaming/x", "/..", "/a%00b", "/%zz", "/api/v1%2fstreaming", "/a\\b/..\\..\\api"]


@pytest.fixture
def explain(command, starmeet):
    """explain(url, ...) asks about conf/starmeet.yaml."""
    def ask(url, *options, method="GET", file=starmeet):
        return command("explain", file, method, url, *options)
    return ask


def verdict(run):
    """("routed", upstream) or ("refused", fault): the last line."""
    last = run.stdout.splitlines()[-1]
    routed, refused = re.match(r"routed +to (\S+), by", last), re.match(r"refused +(\d+) (\w+): ", last)
    if refused:
        assert int(refused[1]) == FAULTS[refused[2]].status and FAULTS[refused[2]].sentence in last
    assert run.returncode == (0 if routed else 1) and (routed or refused), run.stdout + run.stderr
    return ("routed", routed[1]) if routed else ("refused", refused[2])


@pytest.mark.parametrize("target, name", SERVED.items())
def test_the_paths_of_starmeet(explain, target, name):
    assert verdict(explain(f"https://{HOST}{target}")) == ("routed", name)


@pytest.mark.parametrize("target", REFUSED)
def test_ambiguous_paths(explain, target):
    outcome, name = verdict(explain(f"https://{HOST}{target}"))
    assert outcome == "refused" and FAULTS[name].status == 400


def test_says_what_the_gateway_does(explain, trial):
    gateway = trial()
    targets = [*SERVED, *REFUSED, "/api/../join", "/%61pi", "/join/..%5capi", "/api;x/../join/y", "/./", "/x/%2e"]
    for target in targets:
        outcome, name = verdict(explain(f"https://{HOST}{target}"))
        with gateway.client() as client:
            response = client.get(target, host=HOST)
        if outcome == "routed":
            assert (response.status, response.json["upstream"]) == (200, name), target
        else:
            assert response.status == FAULTS[name].status and f"({name})" in response.body.decode(), target


def test_what_is_forwarded_is_what_arrives(explain, trial):
    options = ["X-Forwarded-For: 6.6.6.6", "X-Own: kept", "Connection: close, X-Gone", "X-Gone: 1", "TE: trailers, gzip",
               "Forwarded: for=6.6.6.6", "Proxy: evil", "X_Forwarded_For: 6.6.6.6"]
    run = explain(f"https://{HOST}/api/x", "--from", "127.0.0.1", *(word for each in options for word in ("-H", each)))
    said = re.findall(r"^ +(kept|replaced|added) +([^:]+): (.*)$", run.stdout, re.M)
    gone = re.findall(r"^ +removed +([^:]+):", run.stdout, re.M)
    with trial().client() as client:
        client.send(get("/api/x", host=HOST)[:-2] + "\r\n".join(options).encode() + b"\r\n\r\n")
        arrived = client.response().json["headers"]
    ids = {"x-request-id"}
    assert {(name.lower(), value) for _, name, value in said if name not in ids} == {
        (name.lower(), value) for name, value in arrived if name not in ids}
    assert {name.lower() for name in gone} == {name.split(":")[0].lower() for name in options} - {
        name.lower() for name, _ in arrived}
    assert ("kept", "X-Own", "kept") in said and ("replaced", "x-forwarded-for", "127.0.0.1") in said


# The trace ------------------------------------------------------------------------------------------------

def test_where_everything_comes_from(explain, starmeet):
    text = explain(f"https://{HOST}/api/v1/streaming").stdout
    lines = starmeet.read_text().splitlines()

    def place(what):
        return f"# {starmeet}:{1 + next(number for number, line in enumerate(lines) if what in line)}"

    assert f'listener   :443  {place(":443")}' in text
    assert f"site       {HOST}: has exactly this host  {place('hosts:')}" in text
    assert f"routes     yes  prefix /api/v1/streaming: the path is the prefix or lies under it  {place('prefix: /api/v1')}" in text
    assert f"upstream   streaming  {place('streaming: {')}" in text
    assert f"server mastodon-streaming:4000  {place('streaming: {')}" in text
    assert f"idle_timeout: 1h  {place('idle_timeout')}" in text
    assert "first_byte_timeout: 1m  # default" in text


def test_routes_that_were_tried(explain):
    text = explain(f"https://{HOST}/apiary").stdout
    assert re.findall(r"(no|yes) +prefix (\S+): ", text) == [
        ("no", "/api/v1/streaming"), ("no", "/api"), ("no", "/join"), ("no", "/_next"), ("yes", "/")]
    assert "prefix /api: the path begins with the prefix, which ends in the middle of a segment" in text


def test_readings_of_an_ambiguous_path(explain):
    text = explain(f"https://{HOST}//api/x").stdout
    assert "as sent: //api/x -> prefix /\n" in text
    assert "with everything decoded: /api/x -> prefix /api\n" in text


SITES = [{"hosts": ["a.test"], "routes": [route_to("app")]}, {"hosts": ["*.test", "*.b.test"], "routes": [route_to("app")]},
         {"hosts": ["*"], "routes": [route_to("app")]}]


@pytest.mark.parametrize("host, said", [
    ("a.test", "a.test: has exactly"), ("A.Test.:8080", "a.test: has exactly"), ("x.b.test", "*.b.test: no site has exactly"),
    ("x.y.test", "*.test: no site has exactly"), ("other", "*: no site has this host"),
])
def test_why_a_site(explain, file, host, said):
    config = {"listen": [":8080"], "upstreams": {"app": "127.0.0.1:1"}, "sites": SITES}
    run = explain("/", "-H", f"Host: {host}", file=file(config))
    assert f"site       {said}" in run.stdout and run.returncode == 0


def test_no_site(explain):
    run = explain("https://other.test/")
    assert verdict(run) == ("refused", "misdirected") and f"no   {HOST}, ..." in run.stdout


def test_no_route(explain, file):
    config = {"listen": [":80"], "upstreams": {"app": "127.0.0.1:1"},
              "sites": [{"hosts": ["*"], "routes": [route_to("app", "/a"), {"regex": "^/[0-9]+$", "upstream": "app"}]}]}
    run = explain("http://any/b", file=file(config))
    assert verdict(run) == ("refused", "no_route") and "no   regex ^/[0-9]+$: the regex does not match" in run.stdout


def test_a_listener_that_redirects(explain, trial, starmeet):
    plain = Client(trial().ports[":80"])
    for method, target in (("GET", "/api/x?a=%20b"), ("POST", "//api"), ("DELETE", "/")):
        run = explain(f"http://{HOST}{target}", method=method)
        status, location = re.match(r"answered +(\d+) here, see (\S+)  # \S+:\d+$", run.stdout.splitlines()[-1]).groups()
        response = plain.ask(get(target, method, HOST), method)
        assert response.status == int(status) and run.returncode == 0
        assert re.sub(r":\d+/", "/", response.get("Location"), 1) == location == f"https://{HOST}{target}"
        assert "routes" not in run.stdout and "request" not in run.stdout
    assert verdict(explain("http://other.test/")) == ("refused", "misdirected")
    assert verdict(explain(f"http://{HOST}/.well-known/acme-challenge/x")) == ("routed", "web")


def test_a_scheme_that_the_listener_does_not_speak(explain, trial):
    gateway = trial()
    assert verdict(explain(f"http://{HOST}:443/")) == ("refused", "plain_on_tls")
    run = explain(f"https://{HOST}:80/api")
    assert verdict(run) == ("refused", "bad_request_line") and "speaks no TLS" in run.stdout
    with Client(gateway.ports[":443"]) as plainly:
        assert "(plain_on_tls)" in plainly.get("/", host=HOST).body.decode()
    with pytest.raises(ssl.SSLError):
        TlsClient(gateway.ports[":80"], client_context(DEVELOPMENT), HOST)


def test_of_two_listeners_on_a_port_the_one_that_speaks_the_scheme(explain, starmeet, file):
    text = starmeet.read_text().replace("../", f"{ROOT}/").replace("  - address: \":443\"", """  - address: "127.0.0.1:443"
  - address: "127.0.0.2:443\"""")
    assert verdict(explain(f"https://{HOST}/", file=file(text))) == ("routed", "web")
    assert verdict(explain(f"http://{HOST}:443/", file=file(text))) == ("routed", "web")


def test_a_challenge(explain, file, tmp_path):
    (tmp_path / "token").write_text("thumbprint")
    config = {"listen": [{"address": ":80", "redirect": "https"}], "tls": {"acme_challenge": str(tmp_path)},
              "upstreams": {"app": "127.0.0.1:1"}, "sites": [{"hosts": ["*"], "routes": [route_to("app")]}]}
    path = file(config)
    found = explain("http://any/.well-known/acme-challenge/token", file=path)
    assert "\nanswered   200 here  # " in found.stdout and found.returncode == 0
    assert verdict(explain("http://any/.well-known/acme-challenge/other", file=path)) == ("refused", "no_challenge")


def test_which_listeners(explain, file):
    config = {"listen": ["127.0.0.1:8080", "127.0.0.2:8080", "127.0.0.1:8443", "unix:app.sock"],
              "upstreams": {"app": "127.0.0.1:1"}, "sites": [{"hosts": ["*"], "routes": [route_to("app")]}]}
    path = file(config)
    assert re.findall(r"127\S+:8\d+|unix:\S+app.sock", explain("http://any:8080/", file=path).stdout.split("client")[0]) == [
        "127.0.0.1:8080", "127.0.0.2:8080"]
    assert "listener   none on port 80;" in explain("http://any/", file=path).stdout
    assert explain("/", "-H", "Host: any", file=path).stdout.split("client")[0].count("# ") == 4


# Who asks -------------------------------------------------------------------------------------------------

def test_x_forwarded_for_of_a_stranger(explain):
    text = explain(f"https://{HOST}/", "-H", "X-Forwarded-For: 6.6.6.6").stdout
    assert "client     192.0.2.1 (an example" in text and "the X-Forwarded-For it sends does not count" in text
    assert "replaced  x-forwarded-for: 192.0.2.1" in text


def test_x_forwarded_for_of_a_trusted_proxy(explain, file):
    config = {"listen": [":80"], "trusted_proxies": ["10.0.0.0/8"], "upstreams": {"app": "127.0.0.1:1"},
              "sites": [{"hosts": ["*"], "routes": [route_to("app")]}]}
    text = explain("http://any/", "--from", "10.1.1.1", "-H", "X-Forwarded-For: 6.6.6.6, 10.2.2.2", file=file(config)).stdout
    assert re.search(r"client     10\.1\.1\.1 is a trusted proxy, one of 10\.0\.0\.0/8  # \S+:\d+\n +6\.6\.6\.6 asks", text)
    assert "x-forwarded-for: 6.6.6.6, 10.2.2.2, 10.1.1.1" in text and "x-real-ip: 6.6.6.6" in text


# Other refusals -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("options, method, fault", [
    (["Content-Length: 1000000000"], "POST", "body_too_large"), (["Content-Length: 5, 6"], "POST", "bad_content_length"),
    (["Transfer-Encoding: gzip"], "POST", "unknown_transfer_coding"), ([], "TRACE", "method_refused"),
    (["Content-Length: 5", "Transfer-Encoding: chunked"], "POST", "framing_conflict"), (["Expect: tea"], "POST", "expectation_failed"),
    (["X : 1"], "GET", "bad_field_name"), (["Connection: X-Forwarded-For"], "GET", "bad_connection_option"),
    (["X-Long: " + "x" * 40000], "GET", "head_too_large"), ([], "G T", "bad_request_line"),
])
def test_refusals(explain, options, method, fault):
    run = explain(f"https://{HOST}/", *(word for each in options for word in ("-H", each)), method=method)
    assert verdict(run) == ("refused", fault)


def test_an_upgrade(explain):
    run = explain(f"https://{HOST}/join", *(word for each in (
        "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==") for word in ("-H", each)))
    assert verdict(run) == ("routed", "wizard")
    assert re.search(r"Connection: Upgrade\n.*Upgrade: websocket", run.stdout)


def test_secrets_are_shown_as_written(command, file):
    config = {"listen": [":80"], "upstreams": {"app": "${env:APP}"}, "sites": [{"hosts": ["*"], "routes": [route_to("app")]}]}
    run = command("explain", file(config), "GET", "http://any/", environment={**os.environ, "APP": "hidden.test:1"})
    assert run.returncode == 0 and "server ${env:APP}" in run.stdout and "hidden" not in run.stdout


def test_nothing_steers_the_terminal(explain):
    run = explain(f"https://{HOST}/x%0a%1b[31m", "-H", "X-Own: caf\xe9\x1b")
    assert "\x1b" not in run.stdout


@pytest.mark.parametrize("arguments", [
    (), ("f",), ("f", "GET"), ("f", "GET", "/", "x"), ("f", "GET", "/", "-H"), ("f", "GET", "/", "-H", "no colon"),
    ("f", "GET", "/", "--from"), ("f", "GET", "/", "--what"),
])
def test_wrong_uses(command, arguments):
    run = command("explain", *arguments)
    assert run.returncode == 2 and "usage: portico explain" in run.stderr


@pytest.mark.parametrize("url, options, said", [("star-meet.com/x", (), "is no URL"), ("ftp://a/", (), "is no URL"),
                                               ("/", ("--from", "localhost"), "is no address")])
def test_wrong_words(explain, url, options, said):
    run = explain(url, *options)
    assert run.returncode == 2 and said in run.stderr and run.stdout == ""


def test_a_bad_file(command, file):
    run = command("explain", file("listen: 5\n"), "GET", "http://any/")
    assert run.returncode == 1 and "portico.yaml:1:" in run.stderr


def test_security_headers_say_where_they_come_from(explain, starmeet):
    line = next(number for number, text in enumerate(starmeet.read_text().splitlines(), 1) if "security_headers" in text)
    plain, secure = explain(f"http://{HOST}/").stdout, explain(f"https://{HOST}/").stdout
    for name, value in (("x-frame-options", "SAMEORIGIN"), ("x-content-type-options", "nosniff")):
        assert re.search(rf"security_headers: sets {name}: {value}  # .*starmeet.yaml:{line}\n", plain)
    assert re.search(rf"security_headers: would set over TLS strict-transport-security: max-age=31536000  # .*:{line}\n", plain)
    assert re.search(r"response +set +strict-transport-security: max-age=31536000\n", secure)
    assert "set       strict-transport-security" not in plain


def test_header_changes_say_where_they_come_from(command, tmp_path):
    file = tmp_path / "headers.yaml"
    file.write_text('listen: [":80"]\nupstreams: { app: "127.0.0.1:1" }\n'
                    "sites:\n  - hosts: [a.test]\n    headers:\n      request: { set: { X-Who: \"%{client_ip}\" } }\n"
                    "      response: { remove: [Server] }\n    routes: [{ prefix: /, upstream: app }]\n")
    said = command("explain", file, "GET", "http://a.test/").stdout
    assert re.search(r"headers: request: sets X-Who: %\{client_ip\}  # .*headers.yaml:6\n", said)
    assert re.search(r"headers: response: removes Server  # .*headers.yaml:7\n", said)
    assert re.search(r"added +X-Who: 192.0.2.1\n", said)


GUARDED = """listen: [":80"]
upstreams: { app: "127.0.0.1:1", judge: "127.0.0.1:2" }
limits: { all: { rate: 1/s }, each: { window: 5/1m, key: user } }
sites:
  - hosts: ["*"]
    access: { allow: [10.0.0.0/8], deny: [10.66.0.0/16] }
    limits: [all, each]
    basic_auth: { users: { anna: "HASH" } }
    forward_auth: { upstream: judge, path: /judge, copy: [Remote-User] }
    routes: [{ prefix: /, upstream: app }]
"""
RIGHT, WRONG, NONE = ("-H", "Authorization: " + basic("anna", "secret")), ("-H", "Authorization: " + basic("anna", "x")), ()


@pytest.mark.parametrize("address, credentials, fault, lines", [
    ("10.1.1.1", RIGHT, None, ["access: 10.1.1.1 is in 10.0.0.0/8: may come in  # :6", "rate_limit: all: rate 1/s and 0 more at once, by client_ip 10.1.1.1  # :3",
                               "basic_auth: the password of anna is right  # :8", "rate_limit: each: at most 5/1m, by user anna  # :3",
                               "forward_auth: judge is asked, GET /judge; its consent is supposed here  # :9"]),
    ("10.1.1.1", WRONG, "credentials_wrong", ["access: 10.1.1.1 is in 10.0.0.0/8: may come in  # :6",
                                              "rate_limit: all: rate 1/s and 0 more at once, by client_ip 10.1.1.1  # :3",
                                              "basic_auth: refused: there is no such user, or the password is wrong  # :8"]),
    ("10.1.1.1", NONE, "credentials_missing", ["access: 10.1.1.1 is in 10.0.0.0/8: may come in  # :6",
                                               "rate_limit: all: rate 1/s and 0 more at once, by client_ip 10.1.1.1  # :3",
                                               "basic_auth: refused: a name and a password are needed  # :8"]),
    ("10.66.1.1", RIGHT, "access_denied", ["access: 10.66.1.1 is in 10.66.0.0/16: refused  # :6"]),
    ("192.0.2.1", RIGHT, "access_denied", ["access: 192.0.2.1 is in none of the networks: refused  # :6"]),
])
def test_who_may_come_in(explain, file, address, credentials, fault, lines):
    run = explain("http://any/x", "--from", address, *credentials, "-H", "Remote-User: root",
                  file=file(GUARDED.replace("HASH", sha512("secret"))))
    said = re.search(r"^policies(?:.*\n)(?: {11}.*\n)*", run.stdout, re.M)[0]
    assert [re.sub(r"# .*yaml", "# ", line[11:]) for line in said.splitlines()] == lines
    assert verdict(run) == (("refused", fault) if fault else ("routed", "app"))
    assert "secret" not in run.stdout
    if fault is None:
        assert "removed   Authorization: it was for `basic_auth`" in run.stdout
        assert "removed   Remote-User: only the service that `forward_auth` asks says this" in run.stdout


POLICIES = """listen: [":80"]
upstreams: { app: "127.0.0.1:1", judge: "127.0.0.1:2" }
limits: { api: { rate: 1/s, key: [client_ip, header X-Api-Key, route] }, none: { rate: 1/s, key: cookie id } }
sites:
  - hosts: [a.test]
    routes:
      - { prefix: /closed, upstream: app, maintenance: true }
      - { prefix: /team, upstream: app, maintenance: { allow: [192.0.2.0/24] } }
      - { prefix: /read, upstream: app, methods: [GET, HEAD] }
      - { prefix: /in, upstream: app, access: { allow: [192.0.2.0/24] } }
      - { prefix: /limited, upstream: app, limits: [api, none] }
      - { prefix: /cors, upstream: app, cors: { origins: ["https://b.test"] } }
      - { prefix: /staff, upstream: app, basic_auth: { users: { anna: "HASH" } } }
      - { prefix: /judged, upstream: app, forward_auth: { upstream: judge } }
      - { prefix: /moved, redirect: "https://c.test%{target}" }
      - { prefix: /said, respond: { body: "hello" } }
      - { prefix: /old, upstream: app, rewrite: "/new" }
      - { prefix: /fields, upstream: app, headers: { response: { remove: [Server] } } }
      - { prefix: /safe, upstream: app, security_headers: { frame_options: DENY } }
"""


@pytest.mark.parametrize("name, method, target, options, said, line", [
    ("maintenance", "GET", "/closed", (), "answered here with 503", 7),
    ("maintenance", "GET", "/team", (), "192.0.2.1 passes, being in 192.0.2.0/24", 8),
    ("methods", "GET", "/read", (), "GET is one of GET, HEAD", 9),
    ("methods", "PUT", "/read", (), "PUT is not one of GET, HEAD", 9),
    ("access", "GET", "/in", (), "192.0.2.1 is in 192.0.2.0/24: may come in", 10),
    ("rate_limit", "GET", "/limited/x", ("-H", "X-Api-Key: k1"),
     "api: rate 1/s and 0 more at once, by client_ip 192.0.2.1, header X-Api-Key k1, route /limited", 3),
    ("rate_limit", "GET", "/limited", ("--from", "2001:db8:1:2:3::4"),
     "api: rate 1/s and 0 more at once, by client_ip 2001:db8:1:2::/64, header X-Api-Key none, route /limited", 3),
    ("rate_limit", "GET", "/limited", (), "none: rate 1/s and 0 more at once, by cookie id, which this request has not: no limit", 3),
    ("cors", "GET", "/cors", ("-H", "Origin: https://b.test"), "https://b.test may read responses", 12),
    ("cors", "GET", "/cors", ("-H", "Origin: https://evil.test"), "https://evil.test is none of the origins", 12),
    ("basic_auth", "GET", "/staff", (), "refused: a name and a password are needed", 13),
    ("forward_auth", "GET", "/judged", (), "judge is asked, GET /; its consent is supposed here", 14),
    ("redirect", "GET", "/moved/x?y", (), "302 to https://c.test/moved/x?y", 15),
    ("respond", "GET", "/said", (), "the route is answered here: 200, 5 bytes of text/plain; charset=utf-8", 16),
    ("rewrite", "GET", "/old/x", (), "the upstream gets /new", 17),
    ("headers", "GET", "/fields", (), "response: removes Server", 18),
    ("security_headers", "GET", "/safe", (), "sets x-frame-options: DENY", 19),
])
def test_each_policy_says_what_it_decides_and_where_that_is_written(explain, file, name, method, target, options, said, line):
    run = explain(f"http://a.test{target}", *options, method=method, file=file(POLICIES.replace("HASH", sha512("secret"))))
    assert re.search(rf"^(policies  | {{10}}) {re.escape(f'{name}: {said}')}  # .*/portico.yaml:{line}$", run.stdout, re.M), run.stdout


def test_no_policy_says_nothing():
    """Of the limits that count users, those speak that count others."""
    table = (ROOT / "gateway/tables/policies.def").read_text()
    marks = test_each_policy_says_what_it_decides_and_where_that_is_written.pytestmark
    assert set(re.findall(r"^POLICY\((\w+)", table, re.M)) - {"user_limit"} == {row[0] for row in marks[0].args[1]}


def test_the_bound_of_an_upstream_and_its_queue(explain, file):
    def said(**settings):
        bounded = file({"listen": [":80"], "upstreams": {"app": {"servers": ["127.0.0.1:1"], **settings}},
                        "sites": [{"hosts": ["*"], "routes": [route_to("app")]}]})
        return re.sub(r" +", " ", explain("http://a.test/", file=bounded).stdout)
    text = said(connections_max=48, queue={"length": 7})
    assert re.search(r"connections_max: 48 # \S+:\d+\n", text) and re.search(r"queue length: 7 # \S+:\d+\n", text)
    assert "queue timeout: 10s # default\n" in text
    text = said()
    assert "connections_max: 0 # default\n" in text and "queue" not in text
