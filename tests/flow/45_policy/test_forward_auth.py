"""forward_auth: a service judges each request before it goes on; who it says asks cannot be forged; without it, nobody gets in."""
import json
import subprocess
import time

import pytest

from lib.client import chunked, get, post, upgrade
from lib.faults import assert_made_here
from lib.gateway import route_to
from lib.h2raw import H2
from lib.h2server import H2Upstream
from lib.upstream import answers, answers_and_closes, echo, named, ok, repeat_bytes, resets, respond, silent, websocket
from lib.wait import BINARY, wait_until


INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
REFUSED_STREAM, INTERNAL_ERROR = 7, 2


@pytest.fixture
def start(portico, upstream):
    """start(script of the judge, ...) gives judge, application and gateway."""
    def start(judge, app=echo, **settings):
        judge, app = upstream(judge), upstream(app)
        auth = {"upstream": "judge", "path": "/auth?x=1", "copy": ["Remote-User", "Remote-Groups"], **settings}
        gateway = portico({"app": app, "judge": judge},
                          routes=[route_to("judge", "/oauth2"), route_to("app", "/open"), route_to("app", forward_auth=auth)])
        return judge, app, gateway
    return start


def test_what_the_judge_reads(start):
    judge, app, gateway = start(answers(ok(b"fine")))
    with gateway.client() as client:
        for _ in range(2):
            head = get("/a%20b?c=d", "DELETE", host="Shop.test:8080", cookie="s=1", authorization="Bearer t", accept="text/html",
                       x_requested_with="X", x_forwarded_uri="/forged", x_original_url="http://forged/", x_other="no")
            assert client.ask(head, "DELETE").status == 200
    asked = judge.requests[0]
    assert asked.start == "GET /auth?x=1 HTTP/1.1" and not asked.body
    expected = {"X-Forwarded-Method": "DELETE", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "Shop.test:8080",
                "X-Forwarded-Uri": "/a%20b?c=d", "X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1",
                "X-Original-Method": "DELETE", "X-Original-URL": "http://Shop.test:8080/a%20b?c=d", "Host": judge.address,
                "Cookie": "s=1", "Authorization": "Bearer t", "Accept": "text/html", "X-Requested-With": "X", "X-Other": None}
    for name, value in expected.items():
        assert asked.get(name) == value, name
    assert len(judge.connections) == 1  # it goes back to the pool
    assert not any("forged" in value for request in app.requests for _, value in request.fields)


def test_who_asks_cannot_be_forged(start):
    _, app, gateway = start(answers(ok(remote_user="alice")))
    forged = get("/", remote_user="root", remote_groups="admins", **{"remote.user": "root"}).replace(
        b"\r\n\r\n", b"\r\nREMOTE-USER: root\r\nRemote_User: root\r\n\r\n")
    with gateway.client() as client:
        client.ask(forged)
        client.ask(get("/", "POST", transfer_encoding="chunked", trailer="Remote-User") +
                   chunked(b"x", trailers=b"Remote-User: root\r\nRemote-Groups: admins\r\n"))
        client.ask(get("/", remote_user="root", connection="Remote-User"))
    for request in app.requests:
        names = [(name.lower().replace("_", "-").replace(".", "-"), value) for name, value in request.fields + request.trailers]
        assert [value for name, value in names if name.startswith("remote-")] == ["alice"]


@pytest.mark.parametrize("response,passed", [
    (respond(401, b"who?", www_authenticate="Bearer", content_type="text/x"), {"WWW-Authenticate": "Bearer", "Content-Type": "text/x"}),
    (respond(403, b"no"), {}),
    (respond(302, b"", location="https://sign.in/?rd=x", set_cookie="csrf=1; HttpOnly"),
     {"Location": "https://sign.in/?rd=x", "Set-Cookie": "csrf=1; HttpOnly"}),
    (respond(404, b"x" * 60_000), {}),
])
def test_refusals_go_to_the_client_as_they_are(start, response, passed):
    _, app, gateway = start(answers(response))
    with gateway.client() as client:
        for method in ("GET", "POST", "HEAD"):
            seen = client.ask(get("/", method), method)
            assert f"HTTP/1.1 {seen.status}".encode() == response[:12]
            assert seen.body == (b"" if method == "HEAD" else response.partition(b"\r\n\r\n")[2])
            assert {name: seen.get(name) for name in passed} == passed
            assert seen.get("Date") and seen.get("X-Request-Id")
        assert client.ask(upgrade()).status == int(response[9:12])
        assert client.get("/open").status == 200
    assert [request.target for request in app.requests] == ["/open"]


@pytest.mark.parametrize("judge", [
    answers(respond(500)), answers(respond(503)), resets, answers_and_closes(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"),
    answers_and_closes(b"garbage\r\n\r\n"), answers_and_closes(respond(101)), answers(respond(403, b"x" * 70_000)),
    answers_and_closes(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"), silent,
    answers_and_closes(INTERIM * 9 + ok()),
], ids=["500", "503", "reset", "cut", "garbage", "101", "large", "two framings", "silent", "many interims"])
def test_without_a_valid_answer_nobody_gets_in(start, judge):
    _, app, gateway = start(judge, timeout="400ms")
    with gateway.client() as client:
        response = client.get()
        assert_made_here(response, "auth_unavailable")
        assert response.get("Retry-After")
        assert client.get("/open").status == 200
    assert len(app.requests) == 1
    wait_until(lambda: "forward_auth: upstream judge" in gateway.stderr(), "the notice")


@pytest.mark.parametrize("answer", [
    INTERIM * 8 + ok(b"fine"), ok(b"x" * 200_000), respond(204),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"fi", b"ne"),
], ids=["interims", "large", "no content", "chunked"])
def test_whatever_consent_brings_along_the_request_goes_on(start, answer):
    _, app, gateway = start(answers(answer))
    with gateway.client() as client:
        for _ in range(2):
            assert client.get().status == 200
    assert len(app.requests) == 2 and app.requests[0].get("Link") is None


def test_a_judge_that_is_not_there(start):
    judge, _, gateway = start(answers(ok()))
    judge.close()
    with gateway.client() as client:
        assert_made_here(client.get(), "auth_unavailable")


def test_a_connection_that_ended_while_it_rested(start):
    def once(connection):
        connection.request()
        connection.send(ok())
        connection.request()  # and closes without an answer
    judge, _, gateway = start(once)
    with gateway.client() as client:
        assert client.get().status == 200
        assert client.get().status == 200
    assert len(judge.connections) == 2


def test_a_renewed_session_reaches_the_client(start):
    _, _, gateway = start(answers(respond(202, b"", set_cookie="s=2")), answers(ok(set_cookie="app=1")))
    with gateway.client() as client:
        assert sorted(client.get().all("Set-Cookie")) == ["app=1", "s=2"]


def test_uploads_wait_for_the_verdict(start):
    def late(connection):
        connection.request()
        time.sleep(0.3)
        connection.send(ok(remote_user="alice"))
    _, app, gateway = start(late)
    body = bytes(range(256)) * 4096
    with gateway.client() as client:
        client.send(post(body))
        assert not app.connections
        seen = json.loads(client.response("POST").body)
        assert seen["body"].encode("latin-1") == body


def test_refused_uploads_are_not_read(start):
    _, app, gateway = start(answers(respond(403)))
    with gateway.client() as client:
        assert client.ask(get("/", "POST", content_length=1 << 20, expect="100-continue"), "POST").interim == []
    assert not app.connections


def test_websockets_are_asked_first(start):
    judge, app, gateway = start(answers(ok(remote_user="alice")), websocket(repeat_bytes))
    with gateway.client() as client:
        assert client.ask(upgrade("/chat")).status == 101
        client.send(b"hello")
        assert client.exactly(5) == b"hello"
    assert judge.requests[0].target == "/auth?x=1" and judge.requests[0].get("Upgrade") is None
    assert app.heads[0].get("Remote-User") == "alice"


def test_clients_that_leave_before_the_verdict(start):
    judge, app, gateway = start(silent, timeout="5s")
    clients = [gateway.client() for _ in range(20)]
    for client in clients:
        client.send(get())
    judge.wait_connections(20)
    for client in clients:
        client.reset()
    assert {record.cause for record in gateway.log_records(20)} == {"client_gone"}
    assert not app.connections


def test_the_judges_own_pages_need_no_judgement(start):
    judge, _, gateway = start(answers(ok(b"sign in")))
    with gateway.client() as client:
        assert client.get("/oauth2/sign_in").body == b"sign in"
    assert [request.target for request in judge.requests] == ["/oauth2/sign_in"]


def test_http2_streams_are_asked_one_by_one(start):
    def by_uri(connection):
        while request := connection.request():
            connection.send(ok(remote_user="alice") if request.get("X-Forwarded-Uri") == "/yes" else respond(403, b"no"))
    judge, app, gateway = start(by_uri)
    with H2(gateway.port) as connection:
        no = connection.request("/no", body=b"x" * 1000, method="POST")
        yes = connection.request("/yes", body=b"up", method="POST", extra=[("remote-user", "root")])
        assert connection.finish(no).status == 403
        assert connection.finish(yes).status == 200
    assert [(request.target, request.body, request.all("Remote-User")) for request in app.requests] == [("/yes", b"up", ["alice"])]
    assert {request.get("X-Forwarded-Method") for request in judge.requests} == {"POST"}


# a judge that speaks HTTP/2

@pytest.fixture
def start_h2(portico, upstream):
    """start_h2(script of the judge, ...) gives judge, application and gateway."""
    judges = []

    def start(script, **settings):
        judges.append(H2Upstream(script))
        app = upstream(echo)
        auth = {"upstream": "judge", "path": "/auth", "copy": ["Remote-User"], **settings}
        gateway = portico({"app": app, "judge": {"servers": [judges[0].address], "protocol": "h2c"}},
                          routes=[route_to("app", forward_auth=auth)])
        return judges[0], app, gateway

    yield start
    for judge in judges:
        judge.close()


def judges_by_uri(connection):
    """Consents to /yes; refuses others, with content that comes in two pieces behind an interim head."""
    connection.greet()
    while True:
        stream = connection.request_whole()
        if connection.streams[stream].heads[0]["x-forwarded-uri"].startswith("/yes"):
            connection.head(stream, 200, end=True, fields=[("remote-user", "alice"), ("set-cookie", "s=2")])
            continue
        connection.head(stream, 103)
        connection.head(stream, 403, fields=[("content-type", "text/x")])
        connection.data(stream, b"not ", end=False)
        connection.data(stream, b"you")


def test_a_judge_that_speaks_http2(start_h2):
    judge, app, gateway = start_h2(judges_by_uri)
    with gateway.client() as client:
        let_in = client.ask(post(b"up", "/yes", remote_user="root", cookie="s=1"))
        assert let_in.status == 200 and let_in.get("Set-Cookie") == "s=2"
        refused = client.ask(post(b"up", "/no"))
        assert (refused.status, refused.get("Content-Type"), refused.body) == (403, "text/x", b"not you")
    assert [(request.body, request.all("Remote-User")) for request in app.requests] == [(b"up", ["alice"])]
    asked = judge.heads[0]
    assert (asked[":method"], asked[":path"], asked[":authority"], asked["x-forwarded-method"], asked["cookie"]) == (
        "GET", "/auth", judge.address, "POST", "s=1")


def test_http2_all_the_way(start_h2):
    """Streams of a client are questions on one connection of the judge."""
    judge, app, gateway = start_h2(judges_by_uri)
    with H2(gateway.port) as connection:
        streams = {path: connection.request(path) for path in ("/yes/1", "/no", "/yes/2", "/yes/3")}
        assert {path: connection.finish(stream).status for path, stream in streams.items()} == {
            "/yes/1": 200, "/no": 403, "/yes/2": 200, "/yes/3": 200}
    assert len(judge.connections) == 1 and len(judge.heads) == 4
    assert len(app.requests) == 3


@pytest.mark.parametrize("then", [
    lambda connection, stream: connection.reset_stream(stream, INTERNAL_ERROR),
    lambda connection, stream: connection.reset_stream(stream, REFUSED_STREAM),
    lambda connection, stream: connection.goaway(0),
    lambda connection, stream: connection.answer(stream, b"x" * 10, 503),
    lambda connection, stream: [connection.head(stream, 103) for _ in range(9)],
    lambda connection, stream: (connection.head(stream, 403), [connection.data(stream, b"x" * 16000, end=False) for _ in range(5)]),
    lambda connection, stream: (connection.head(stream, 200), connection.reset_stream(stream, INTERNAL_ERROR)),
    lambda connection, stream: connection.head(stream, 200),
], ids=["reset", "refused", "goaway", "503", "interims", "large", "cut", "stops"])
def test_without_a_valid_answer_in_http2_nobody_gets_in(start_h2, then):
    def script(connection):
        connection.greet()
        then(connection, connection.request_whole())
        connection.rest()
    _, app, gateway = start_h2(script, timeout="500ms")
    with gateway.client() as client:
        assert_made_here(client.get("/x"), "auth_unavailable")
    assert not app.requests
    wait_until(lambda: "forward_auth: upstream judge" in gateway.stderr(), "the notice")


def test_a_judge_with_one_connection(portico, upstream):
    judge = upstream(answers(ok()))
    app = upstream(named("app"))
    gateway = portico({"app": app, "judge": {"servers": [judge.address], "connections_max": 1}},
                      routes=[route_to("app", forward_auth={"upstream": "judge"})])
    clients = [gateway.client() for _ in range(20)]
    for client in clients:
        client.send(get())
    assert [client.response().body for client in clients] == [b"app"] * 20
    assert len(judge.connections) == 1 and len(judge.requests) == 20
    for client in clients:
        client.close()


@pytest.mark.parametrize("setting,said", [
    ({"upstream": "jugde"}, "jugde"), ({"path": "/x"}, "needs upstream"), ({"upstream": "judge", "path": "x y"}, "is no path"),
    ({"upstream": "judge", "copy": ["Content-Length"]}, "no field that can be copied"),
    ({"upstream": "judge", "copy": ["Remote_User"]}, "letters, digits and '-'"),
])
def test_mistakes_are_found_before_serving(tmp_path, setting, said):
    file = tmp_path / "portico.yaml"
    file.write_text(json.dumps({"listen": [":8080"], "upstreams": {"app": "127.0.0.1:1", "judge": "127.0.0.1:2"},
                                "sites": [{"hosts": ["*"], "routes": [{"prefix": "/", "upstream": "app", "forward_auth": setting}]}]}))
    checked = subprocess.run([BINARY, "check", file], capture_output=True, text=True, timeout=20)
    assert checked.returncode == 1 and said in checked.stdout + checked.stderr


def test_what_is_printed_loads_again(tmp_path):
    file, again = tmp_path / "portico.yaml", tmp_path / "again.yaml"
    auth = {"upstream": "judge", "copy": ["Remote-User"], "timeout": "2s"}
    file.write_text(json.dumps({"listen": [":8080"], "upstreams": {"app": "127.0.0.1:1", "judge": "127.0.0.1:2"},
                                "defaults": {"forward_auth": auth},
                                "sites": [{"hosts": ["*"], "routes": [{"prefix": "/x", "upstream": "app", "forward_auth": "off"},
                                                                      {"prefix": "/", "upstream": "app"}]}]}))
    command = [BINARY, "check", "--print"]
    printed = subprocess.run([*command, file], capture_output=True, text=True, timeout=20, check=True).stdout
    again.write_text(printed)
    reprinted = subprocess.run([*command, again], capture_output=True, text=True, timeout=20, check=True).stdout
    assert printed.count("copy:") == 3 and printed.count("forward_auth: off") == 1  # defaults, the site, the last route

    def strip(text):
        return [line.partition("  #")[0] for line in text.splitlines() if not line.startswith("#")]
    assert strip(printed) == strip(reprinted)
