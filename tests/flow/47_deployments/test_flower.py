"""The route of conf/leap.yaml that guards Flower (DEPLOYMENTS.md C11, D14): an address and a password, both."""
import pytest

from lib.client import get
from lib.upstream import named, websocket
from lib.users import basic, bcrypt

HOST, OURS, OTHERS = "leap.example", "127.0.0.7", "127.0.0.8"
RIGHT, WRONG = basic("anna", "secret"), basic("anna", "guess")


@pytest.fixture
def leap(deployment, upstream, tmp_path):
    def start(flower=named("flower")):
        users = tmp_path / "users"
        users.write_text(f"anna:{bcrypt('secret')}\n")
        return deployment("leap", {"127.0.0.1:8000": upstream(named("fastapi")), "127.0.0.1:5555": upstream(flower)}, [HOST],
                          [("203.0.113.7", OURS), ("leap.htpasswd", str(users))])
    return start


def ask(gateway, address, target="/flower/", **fields):
    with gateway.secure_from(address, HOST) as client:
        client.send(get(target, host=HOST, **fields))
        return client.response()


def test_both_an_address_and_a_password_are_needed(leap):
    gateway = leap()
    let_in = ask(gateway, OURS, authorization=RIGHT)
    assert (let_in.status, let_in.body) == (200, b"flower")
    refused = {(address, credentials): ask(gateway, address, authorization=credentials)
               for address in (OURS, OTHERS) for credentials in (RIGHT, WRONG)}
    assert {case: response.status for case, response in refused.items()} == {
        (OURS, RIGHT): 200, (OURS, WRONG): 401, (OTHERS, RIGHT): 403, (OTHERS, WRONG): 403}
    assert refused[OURS, WRONG].get("WWW-Authenticate") == 'Basic realm="Flower", charset="UTF-8"'
    assert refused[OTHERS, RIGHT].get("WWW-Authenticate") is None  # nobody is asked for a password in vain
    assert ask(gateway, OURS).status == 401 and ask(gateway, OTHERS, "/flower").status == 403


def test_everybody_else_reaches_the_application(leap):
    gateway = leap()
    for target in ("/", "/docs", "/flowers"):
        assert ask(gateway, OTHERS, target).body == b"fastapi"
    for target in ("/flower/../flower/", "/%66lower", "//flower"):
        assert ask(gateway, OTHERS, target).status in (400, 403), target


def test_refusals_have_the_sites_headers_and_count(leap):
    gateway = leap()
    statuses = []
    with gateway.secure_from(OTHERS, HOST) as client:
        for _ in range(40):
            client.send(get("/flower", host=HOST))
            response = client.response()
            statuses.append(response.status)
            assert response.all("Strict-Transport-Security") == ["max-age=31536000"]
    assert set(statuses) == {403}  # the address is looked at before the limit, which is spared
    guesses = [ask(gateway, OURS, authorization=WRONG).status for _ in range(40)]
    assert guesses[:20] == [401] * 20 and 503 in guesses  # guesses are limited


def test_live_updates_pass(leap):
    gateway = leap(websocket(lambda connection: connection.send(connection.some())))
    with gateway.secure_from(OURS, HOST) as client:
        client.send(get("/flower/update-dashboard", host=HOST, authorization=RIGHT, upgrade="websocket", connection="Upgrade",
                        sec_websocket_version="13", sec_websocket_key="dGhlIHNhbXBsZSBub25jZQ=="))
        assert client.response().status == 101
        client.send(b"hello")
        assert client.exactly(5) == b"hello"
