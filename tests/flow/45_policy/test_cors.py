"""cors: preflights answered here, origins compared exactly, caches told to keep origins apart."""
import signal

import pytest

from lib.client import get
from lib.gateway import route_to
from lib.upstream import answers, named, ok
from lib.wait import wait_until

SITE, STRANGER = "https://app.test", "https://evil.test"
CORS = {"origins": [SITE, "http://localhost:3000"], "credentials": True, "expose": ["X-Total"], "headers": ["X-Token"]}


def cors_fields(response):
    return {name.lower(): value for name, value in response.fields if name.lower().startswith("access-control-")}


def preflight(client, origin, target="/", method="PUT"):
    return client.ask(get(target, "OPTIONS", origin=origin, access_control_request_method=method), "OPTIONS")


def test_a_preflight_is_answered_here(portico, upstream):
    app = upstream(named("app"))
    gateway = portico({"app": app}, routes=[route_to("app", methods=["GET", "PUT"])], defaults={"cors": CORS})
    with gateway.client() as client:
        answer = preflight(client, SITE)
        assert (answer.status, answer.body, answer.all("Content-Length"), answer.all("Vary")) == (204, b"", [], ["Origin"])
        assert cors_fields(answer) == {
            "access-control-allow-origin": SITE, "access-control-allow-credentials": "true",
            "access-control-expose-headers": "X-Total", "access-control-allow-headers": "X-Token",
            "access-control-allow-methods": "GET, HEAD, POST, PUT, PATCH, DELETE", "access-control-max-age": "600"}
        stranger = preflight(client, STRANGER)
        assert (stranger.status, cors_fields(stranger), stranger.all("Vary")) == (204, {}, ["Origin"])
        assert client.ask(get("/", "OPTIONS", origin=SITE), "OPTIONS").status == 405  # no preflight
        assert client.get("/").body == b"app"  # the connection lives on
    assert [request.method for request in app.requests] == ["GET"]
    assert gateway.log_records(4)[0].cause == "ok"


@pytest.mark.parametrize("origin,allowed", [(SITE, True), ("http://localhost:3000", True), (STRANGER, False), ("null", False),
                                            (SITE + ".evil.test", False), ("http://app.test", False), (None, False)])
def test_the_service_s_own_fields_never_pass(portico, upstream, origin, allowed):
    sent = ok(access_control_allow_origin="*", access_control_allow_credentials="true", vary="Accept-Encoding")
    gateway = portico({"app": upstream(answers(sent))}, defaults={"cors": CORS})
    with gateway.client() as client:
        response = client.get("/", **({"origin": origin} if origin else {}))
    assert response.all("Vary") == ["Accept-Encoding", "Origin"]
    assert cors_fields(response) == ({"access-control-allow-origin": origin, "access-control-allow-credentials": "true",
                                      "access-control-expose-headers": "X-Total"} if allowed else {})


def test_errors_of_the_gateway_can_be_read_too(portico, upstream):
    gateway = portico({"app": upstream()}, routes=[route_to("app", "/app")], defaults={"cors": CORS})
    with gateway.client() as client:
        response = client.get("/none", origin=SITE)
        assert (response.status, response.get("Access-Control-Allow-Origin"), response.all("Vary")) == (404, SITE, ["Origin"])


def test_every_origin(portico, upstream):
    gateway = portico({"app": upstream()}, defaults={"cors": {"origins": ["*"]}})
    with gateway.client() as client:
        assert cors_fields(client.get("/", origin=STRANGER)) == {"access-control-allow-origin": "*"}


def test_credentials_never_go_to_every_origin(portico, upstream):
    gateway = portico({"app": upstream()})
    gateway.config_file.write_text(gateway.config_file.read_text() + 'defaults:\n  cors: { origins: ["*"], credentials: true }\n')
    gateway.refuse_reload()
    assert "credentials never go to every origin" in gateway.stderr()


def test_origins_from_a_file_are_read_again(portico, upstream, tmp_path):
    origins = tmp_path / "origins.txt"
    origins.write_text(f"{SITE}\nhttps://two.test\n")
    gateway = portico({"app": upstream()}, defaults={"cors": {"origins": f"${{file:{origins}}}"}})
    with gateway.client() as client:
        assert cors_fields(client.get("/", origin="https://two.test")) == {"access-control-allow-origin": "https://two.test"}
        assert cors_fields(client.get("/", origin=STRANGER)) == {}
        origins.write_text(f"{STRANGER}\n")
        gateway.signal(signal.SIGHUP)
        wait_until(lambda: "serving the new configuration" in gateway.stderr(), "the reload")
        assert cors_fields(client.get("/", origin="https://two.test")) == {}
        assert cors_fields(client.get("/", origin=STRANGER)) == {"access-control-allow-origin": STRANGER}
