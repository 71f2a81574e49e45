"""basic_auth: names and passwords, checked beside the loop; who is known, who must wait, and what is never told."""
import base64
import signal
import threading
import time

import pytest

from lib.client import get, upgrade
from lib.faults import assert_made_here
from lib.gateway import route_to
from lib.upstream import echo, named
from lib.users import basic, bcrypt, sha512
from lib.wait import readable, wait_until

SLOW = 12  # bcrypt's cost: a check takes some 200 ms


@pytest.fixture
def start(portico, upstream, tmp_path):
    """start({"alice": hash}, ...) gives the application and a gateway whose route needs one of these users."""
    def start(users, script=None, site=None, environment=None, routes=None, **settings):
        file = tmp_path / "htpasswd"
        file.write_text("# staff\n" + "".join(f"{name}:{hash}\n" for name, hash in users.items()))
        app = upstream(script or named("app"))
        auth = {"users": str(file), **settings.pop("auth", {})}
        gateway = portico({"app": app}, routes=routes or [route_to("app", "/open"), route_to("app", basic_auth=auth)],
                          environment=environment, **settings)
        return app, gateway
    return start


def test_who_is_let_in(start):
    _, gateway = start({"alice": bcrypt("wonderland"), "bob": bcrypt("b").replace("$2b$", "$2y$"), "käthe": sha512("grün:ß")})
    rows = [("alice", "wonderland", 200), ("bob", "b", 200), ("käthe", "grün:ß", 200), ("alice", "wonderlan", 401),
            ("alice", "", 401), ("alice", "b", 401), ("Alice", "wonderland", 401), ("nobody", "wonderland", 401), ("", "", 401)]
    with gateway.client() as client:
        for user, password, status in rows * 2:  # the second time, the right ones are known
            assert client.get(authorization=basic(user, password)).status == status, user
        assert client.get("/open").status == 200


def test_the_challenge(start):
    app, gateway = start({"alice": bcrypt("x")}, auth={"realm": "Büro"})
    with gateway.client() as client:
        response = client.get()
        assert_made_here(response, "credentials_missing")
        assert response.get("WWW-Authenticate").encode("latin-1").decode() == 'Basic realm="Büro", charset="UTF-8"'
        assert client.ask(upgrade()).status == 401
        wrong = client.get(authorization=basic("alice", "y"))
        assert_made_here(wrong, "credentials_wrong")
        assert wrong.all("WWW-Authenticate") == response.all("WWW-Authenticate")
        for value in ("Basic", "Basic ", "Basic ????", "Bearer abc", basic("alice", "x") + "=", basic("alice", "x\0y"),
                      "Basic " + base64.b64encode(b"alice").decode(), basic("alice", "x" * 600)):
            assert client.get(authorization=value).status == 401, value
    assert not app.requests


def test_two_authorization_fields_are_none(start):
    _, gateway = start({"alice": bcrypt("x")})
    field = f"Authorization: {basic('alice', 'x')}\r\n".encode()
    with gateway.client() as client:
        assert client.ask(b"GET / HTTP/1.1\r\nHost: a\r\n" + field + field + b"\r\n").status in (400, 401)


@pytest.mark.parametrize("forward,count", [(False, 0), (True, 1)])
def test_what_the_service_gets(start, forward, count):
    _, gateway = start({"alice": bcrypt("x")}, echo, auth={"forward": forward})
    with gateway.client() as client:
        seen = client.get(authorization=basic("alice", "x")).json["fields"]
        assert [name.lower() for name, _ in seen].count("authorization") == count
        assert client.get("/open", authorization="Bearer t").json["fields"].count(["Authorization", "Bearer t"]) == 1


def test_what_is_logged(start):
    _, gateway = start({"alice": bcrypt("SECRET1")})
    with gateway.client() as client:
        client.get(authorization=basic("alice", "SECRET1"))
        client.get(authorization=basic("alice", "SECRET2"))
        client.get(authorization=basic("SECRET3", "SECRET4"))
    records = [record.values for record in gateway.log_records(3)]
    assert [record.get("user") for record in records] == ["alice", None, None]
    assert [record["cause"] for record in records] == ["ok", "credentials_wrong", "credentials_wrong"]
    wait_until(lambda: gateway.stderr().count("password mismatch") == 2, "the notices")
    assert 'user "alice": password mismatch, client: 127.0.0.1' in gateway.stderr()
    assert "SECRET" not in gateway.stderr() + "".join(gateway.log_lines(3))


def test_the_combined_format_has_the_user(start):
    _, gateway = start({"alice": bcrypt("x")}, log={"format": "combined"})
    with gateway.client() as client:
        client.get(authorization=basic("alice", "x"))
    assert gateway.log_lines(1)[0].startswith("127.0.0.1 - alice [")


def test_users_of_the_configuration_itself(start):
    _, gateway = start({"nobody": bcrypt("n")}, auth={"users": {"alice": "${env:ALICE_HASH}"}},
                       environment={"ALICE_HASH": bcrypt("x")})
    with gateway.client() as client:
        assert client.get(authorization=basic("alice", "x")).status == 200
        assert client.get(authorization=basic("nobody", "n")).status == 401


def test_a_reload_reads_the_file_again(start, tmp_path):
    _, gateway = start({"alice": bcrypt("old"), "bob": bcrypt("b")})
    with gateway.client() as client:
        assert client.get(authorization=basic("alice", "old")).status == 200
        (tmp_path / "htpasswd").write_text(f"alice:{bcrypt('new')}\n")
        gateway.signal(signal.SIGHUP)
        wait_until(lambda: client.get(authorization=basic("alice", "new")).status == 200, "the new password")
        assert client.get(authorization=basic("alice", "old")).status == 401  # although it was right a moment ago
        assert client.get(authorization=basic("bob", "b")).status == 401
        (tmp_path / "htpasswd").write_text("alice:plaintext\n")
        gateway.signal(signal.SIGHUP)
        wait_until(lambda: "the old configuration stays" in gateway.stderr(), "the refusal")
        assert "plaintext" not in gateway.stderr()
        assert client.get(authorization=basic("alice", "new")).status == 200


@pytest.mark.threads
def test_the_loop_goes_on_while_a_password_is_checked(start):
    _, gateway = start({"alice": bcrypt("x", SLOW)}, process={"threads": 1})
    with gateway.client() as asking, gateway.client() as other:
        asking.send(get(authorization=basic("alice", "x")))
        begun, served = time.monotonic(), 0
        asking.sock.setblocking(False)
        while not readable([asking.sock]):
            assert other.get("/open").status == 200
            served += 1
        asking.sock.settimeout(20)
        assert asking.response().status == 200
        taken = time.monotonic() - begun
        assert served >= 10
        begun = time.monotonic()
        for _ in range(20):
            assert asking.get(authorization=basic("alice", "x")).status == 200
        assert time.monotonic() - begun < taken  # twenty known ones cost less than the first


@pytest.mark.threads
def test_many_who_ask_the_same_at_once_share_a_check(start):
    _, gateway = start({"alice": bcrypt("x", SLOW)}, process={"threads": 2})
    clients = [gateway.client() for _ in range(40)]
    for client in clients:
        client.send(get(authorization=basic("alice", "x")))
    assert [client.response().status for client in clients] == [200] * 40
    for client in clients:
        client.close()


@pytest.mark.threads
def test_guessing_does_not_keep_the_honest_out(start):
    _, gateway = start({"alice": bcrypt("x", 8), "bob": bcrypt("b", 8)}, process={"threads": 2},
                       trusted_proxies=["127.0.0.0/8"])
    stopped, statuses = threading.Event(), set()

    def guess(number):
        with gateway.client() as client:
            tried = 0
            while not stopped.is_set():
                tried += 1
                credentials = basic(("alice", "nobody")[tried % 2], f"{number}-{tried}")
                response = client.get(authorization=credentials, x_forwarded_for=f"198.51.100.{number % 3}")
                statuses.add(response.status)
                if response.status == 503:
                    assert response.get("Retry-After")

    with gateway.client() as honest:
        assert honest.get(authorization=basic("alice", "x"), x_forwarded_for="192.0.2.1").status == 200
        threads = [threading.Thread(target=guess, args=(number,)) for number in range(40)]
        for thread in threads:
            thread.start()
        try:
            wait_until(lambda: statuses == {401, 503}, "a client to have too many checks under way")
            for _ in range(50):
                assert honest.get(authorization=basic("alice", "x"), x_forwarded_for="192.0.2.1").status == 200
            assert honest.get(authorization=basic("bob", "b"), x_forwarded_for="192.0.2.2").status == 200  # not known yet
        finally:
            stopped.set()
            for thread in threads:
                thread.join()


@pytest.mark.threads
def test_clients_that_leave_while_they_are_checked(start):
    _, gateway = start({"alice": bcrypt("x", 10)}, process={"threads": 2})
    for number in range(60):
        client = gateway.client()
        client.send(get(authorization=basic("alice", f"wrong {number}")))
        client.reset()
    with gateway.client() as client:
        assert client.get("/open").status == 200
        wait_until(lambda: client.get(authorization=basic("alice", "x")).status == 200, "the checks of those who left to be dropped")


@pytest.mark.threads
def test_stopping_while_passwords_are_checked(start):
    _, gateway = start({"alice": bcrypt("x", SLOW)}, process={"threads": 2, "shutdown_timeout": "100ms"})
    clients = [gateway.client() for _ in range(8)]
    for number, client in enumerate(clients):
        client.send(get(authorization=basic("alice", f"wrong {number}")))
    gateway.stop()
    for client in clients:
        client.close()


def test_with_access_both_must_let_in(start, portico, upstream):
    users = {"users": {"alice": bcrypt("x")}}
    gateway = portico({"app": upstream(named("app"))}, trusted_proxies=["127.0.0.0/8"],
                      routes=[route_to("app", basic_auth=users, access={"allow": ["192.0.2.0/24"]})])
    with gateway.client() as client:
        right = basic("alice", "x")
        assert client.get(x_forwarded_for="192.0.2.1", authorization=right).status == 200
        assert client.get(x_forwarded_for="192.0.2.1").status == 401
        assert client.get(x_forwarded_for="203.0.113.1", authorization=right).status == 403


def test_answers_of_our_own_are_guarded_too(start):
    auth = {"users": {"alice": bcrypt("x")}}
    routes = [{"prefix": "/text", "respond": {"status": 200, "body": "secret"}, "basic_auth": auth},
              {"prefix": "/there", "redirect": "https://secret.test/", "basic_auth": auth}, route_to("app")]
    _, gateway = start({"alice": bcrypt("x")}, routes=routes)
    with gateway.client() as client:
        for path, status in (("/text", 200), ("/there", 302)):
            assert client.get(path).status == 401
            assert client.get(path, authorization=basic("alice", "x")).status in (status, 301, 307, 308)
