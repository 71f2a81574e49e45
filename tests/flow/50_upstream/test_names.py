"""Upstreams by name: resolved in the background, followed when they move, and no reason not to start."""
import pytest

from lib.faults import assert_made_here
from lib.gateway import route_to
from lib.upstream import named
from lib.wait import wait_until


def body_of(gateway, target="/"):
    with gateway.client() as client:
        response = client.get(target)
    return response.body if response.status == 200 else response.status


def test_a_name_from_the_hosts_file(portico, upstream, tmp_path, names):
    app = upstream(named("app"))
    hosts = tmp_path / "hosts"
    hosts.write_text("# names of the test\n127.0.0.1 other.internal app.internal\n")
    gateway = portico({"app": f"app.internal:{app.port}"}, {**names.environment, "PORTICO_HOSTS": str(hosts)})
    wait_until(lambda: body_of(gateway) == b"app", "the name to be resolved")


def test_a_name_from_dns(portico, upstream, names):
    app = upstream(named("app"))
    names.zone["app.test"] = ["127.0.0.1"]
    gateway = portico({"app": f"app.test:{app.port}"}, names.environment)
    wait_until(lambda: body_of(gateway) == b"app", "the name to be resolved")
    assert ("app.test", "A") in names.queries
    assert gateway.log_records()[-1].endpoint == app.address


def test_requests_do_not_ask(portico, upstream, names):
    app = upstream(named("app"))
    names.zone["app.test"] = ["127.0.0.1"]
    gateway = portico({"app": f"app.test:{app.port}"}, names.environment)
    wait_until(lambda: body_of(gateway) == b"app", "the name to be resolved")
    asked = len(names.queries)
    for _ in range(20):
        assert body_of(gateway) == b"app"
    assert len(names.queries) - asked <= 2


def test_a_name_that_does_not_resolve_stops_its_route_only(portico, upstream, names):
    other, app = upstream(named("other")), upstream(named("app"))
    gateway = portico({"missing": f"missing.test:{app.port}", "other": other}, names.environment,
                      routes=[route_to("missing", "/missing"), route_to("other")])
    with gateway.client() as client:
        assert_made_here(client.get("/missing"), "unresolved")
        assert client.get("/").body == b"other"
    assert gateway.log_records(2)[0].cause == "unresolved"

    names.zone["missing.test"] = ["127.0.0.1"]
    wait_until(lambda: body_of(gateway, "/missing") == b"app", "the name to be tried again", 15)


def test_every_address_of_a_name_is_used(portico, upstream, names):
    first = upstream(named("first"))
    upstream(named("second"), host="127.0.0.2", port=first.port)
    names.zone["app.test"] = ["127.0.0.1", "127.0.0.2"]
    gateway = portico({"app": f"app.test:{first.port}"}, names.environment)
    wait_until(lambda: body_of(gateway) != 503, "the name to be resolved")
    assert {body_of(gateway) for _ in range(6)} == {b"first", b"second"}


def test_a_service_that_moved_is_found_at_once(portico, upstream, names):
    old = upstream(named("old"))
    upstream(named("new"), host="127.0.0.2", port=old.port)
    names.zone["app.test"] = ["127.0.0.1"]
    gateway = portico({"app": f"app.test:{old.port}"}, names.environment)
    wait_until(lambda: body_of(gateway) == b"old", "the name to be resolved")

    names.zone["app.test"] = ["127.0.0.2"]
    old.close()
    wait_until(lambda: body_of(gateway) == b"new", "the new address", 4)  # a failed connect asks again, TTL 600 or not


@pytest.mark.slow
def test_a_long_ttl_counts_as_ten_seconds(portico, upstream, names):
    old = upstream(named("old"))
    upstream(named("new"), host="127.0.0.2", port=old.port)
    names.zone["app.test"] = ["127.0.0.1"]
    gateway = portico({"app": f"app.test:{old.port}"}, names.environment)
    wait_until(lambda: body_of(gateway) == b"old", "the name to be resolved")

    names.zone["app.test"] = ["127.0.0.2"]
    wait_until(lambda: body_of(gateway) == b"new", "the clamped TTL to pass", 20)


def test_a_name_server_that_forgets_leaves_the_known_address(portico, upstream, names):
    app = upstream(named("app"))
    names.zone["app.test"], names.ttl = ["127.0.0.1"], 1
    gateway = portico({"app": f"app.test:{app.port}"}, names.environment)
    wait_until(lambda: body_of(gateway) == b"app", "the name to be resolved")
    del names.zone["app.test"]
    asked = len(names.queries)
    wait_until(lambda: len(names.queries) > asked + 1, "another query", 15)
    assert body_of(gateway) == b"app"
