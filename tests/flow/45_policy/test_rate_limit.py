"""limits: who may ask how often, what a client is told of it, and what the logs say. Rates are so low that no test waits for one."""
import signal
import subprocess
import time

import pytest

from lib import yaml
from lib.client import get, upgrade
from lib.faults import assert_made_here
from lib.gateway import route_to
from lib.h2raw import H2
from lib.upstream import answers, named, ok, repeat_bytes, respond, websocket
from lib.users import basic, users
from lib.wait import BINARY, SLOW, wait_until

ONE = {"rate": "1/h"}  # the first request, and no other while a test lasts


def start(portico, upstream, limits, routes=None, script=named("app"), **config):
    service = upstream(script)
    routes = routes or [route_to("app", limits=list(limits))]
    return portico({"app": service}, routes=routes, limits=limits, **config), service


def statuses(client, count, target="/", **fields):
    return [client.get(target, **fields).status for _ in range(count)]


# what passes ----------------------------------------------------------------------------------------------

def test_one_and_the_burst_pass_the_rest_is_told_when(portico, upstream):
    gateway, service = start(portico, upstream, {"api": {"rate": "2/m", "burst": 2}})
    with gateway.client() as client:
        answers = [client.get() for _ in range(4)]
        assert [answer.status for answer in answers] == [200, 200, 200, 429]
        assert_made_here(answers[3], "rate_limited")
        assert [answer.get("RateLimit-Policy") for answer in answers] == ['"api";q=2;w=60;portico-burst=3'] * 4
        assert [answer.get("RateLimit") for answer in answers] == [
            f'"api";r={left};t={more}' for left, more in ((2, 30), (1, 30), (0, 30), (0, 30))]
        assert [answer.get("Retry-After") for answer in answers] == [None, None, None, "30"]
    assert len(service.requests) == 3


def test_a_rate_refills_on_time(portico, upstream):
    gateway, _ = start(portico, upstream, {"api": {"rate": "5/s"}})
    with gateway.client() as client:
        began = time.monotonic()
        wait_until(lambda: statuses(client, 1) == [200] and time.monotonic() - began > 1.2)
        passed = gateway.log_records()
        took = time.monotonic() - began
    count = sum(record.status == 200 for record in passed)
    assert 2 <= count <= took * 5 + 1


def test_a_window_passes_all_at_once(portico, upstream):
    gateway, _ = start(portico, upstream, {"day": {"window": "3/24h"}})
    with gateway.client() as client:
        assert statuses(client, 3) == [200] * 3
        refused = client.get()
        assert refused.status == 429 and refused.get("RateLimit-Policy") == '"day";q=3;w=86400'
        assert 86400 < int(refused.get("Retry-After")) <= 86400 * 4 / 3 + 1


def test_those_who_wait_are_served_in_their_turn(portico, upstream):
    gateway, _ = start(portico, upstream, {"slow": {"rate": "4/s", "burst": 3, "delay": 1}})
    with gateway.client() as client:
        began = time.monotonic()
        assert statuses(client, 2) == [200, 200]
        assert statuses(client, 1) == [200]
        assert time.monotonic() - began >= 0.2
    assert [record.limit_status for record in gateway.log_records(3)][:2] == ["PASSED", "PASSED"]
    assert gateway.log_records(3)[2].limit_status == "DELAYED"


@pytest.mark.parametrize("when", ["at once", "meanwhile"])
def test_who_waits_may_have_closed_the_sending_side(portico, upstream, when):
    """The end of the delay was taken for that of the patience with clients that have most likely gone."""
    gateway, service = start(portico, upstream, {"slow": {"rate": "2/s", "burst": 3, "delay": 0}}, client={"half_close_timeout": "50ms"})
    with gateway.client() as first, gateway.client() as client:
        assert first.get("/").status == 200
        began = time.monotonic()
        client.send(get("/waits"))
        time.sleep(0.1 if when == "meanwhile" else 0)
        client.half_close()
        assert client.response().status == 200
        assert 0.35 < time.monotonic() - began < 0.9 * SLOW
    assert [request.target for request in service.requests] == ["/", "/waits"]


def test_a_request_counts_only_if_all_limits_let_it_pass(portico, upstream):
    gateway, _ = start(portico, upstream, {"wide": {"rate": "1/h", "burst": 2}, "one": ONE},
                       [route_to("app", "/both", limits=["wide", "one"]), route_to("app", limits=["wide"])])
    with gateway.client() as client:
        assert statuses(client, 3, "/both") == [200, 429, 429]
        assert client.get("/both").get("RateLimit").startswith('"wide";r=2;t=')
        assert statuses(client, 3) == [200, 200, 429]


def test_limits_are_inherited_replaced_and_removed(portico, upstream):
    gateway, _ = start(portico, upstream, {"a": ONE, "b": {"rate": "1/h", "burst": 1}},
                       [route_to("app", "/none", limits=[]), route_to("app", "/b", limits=["b"]), route_to("app")],
                       defaults={"limits": ["a"]})
    with gateway.client() as client:
        assert statuses(client, 3, "/none") == [200] * 3
        assert client.get("/none").get("RateLimit") is None
        assert statuses(client, 3, "/b") == [200, 200, 429]
        assert statuses(client, 2) == [200, 429]


# who is counted -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("key, one, other, nobody", [
    ("header X-Api-Key", {"x_api_key": "a"}, {"x_api_key": "b"}, {}),
    ("header X-Api-Key", {"x_api_key": "a" * 7000}, {"x_api_key": "a" * 6999 + "b"}, {"x_api_key": ""}),
    ("cookie session", {"cookie": "x=1; session=a"}, {"cookie": "session=b; x=1"}, {"cookie": "xsession=a; y=session=a"}),
    ("host", {"host": "a.test"}, {"host": "b.test"}, None),
])
def test_keys(portico, upstream, key, one, other, nobody):
    gateway, _ = start(portico, upstream, {"api": {**ONE, "key": key}})
    with gateway.client() as client:
        assert statuses(client, 2, **one) == [200, 429]
        assert statuses(client, 2, **other) == [200, 429]
        if nobody is not None:
            assert statuses(client, 3, **nobody) == [200] * 3


USERS = users(ann="secret", bob="b")
ANN, BOB, GUESS = basic("ann", "secret"), basic("bob", "b"), basic("ann", "guess")


def test_a_user_is_counted_once_it_has_proved_who_it_is(portico, upstream):
    gateway, service = start(portico, upstream, {"api": {"rate": "1/h", "burst": 1, "key": "user"}}, defaults={"basic_auth": USERS})
    with gateway.client() as client:
        assert statuses(client, 5, authorization=GUESS) == [401] * 5  # uses up nothing of ann's
        assert statuses(client, 5) == [401] * 5
        assert statuses(client, 3, authorization=ANN) == [200, 200, 429]
        assert statuses(client, 1, authorization=GUESS) == [401]
        assert statuses(client, 3, authorization=BOB) == [200, 200, 429]
    assert len(service.requests) == 4


def test_other_limits_spare_the_password_check(portico, upstream):
    """In front of it they count guesses too; a request that they let pass is asked about as a user, and told of both."""
    limits = {"all": {"rate": "1/h", "burst": 2}, "each": {**ONE, "key": ["user", "route"]}}
    gateway, _ = start(portico, upstream, limits, defaults={"basic_auth": USERS})
    with gateway.client() as client:
        assert client.get(authorization=GUESS).status == 401
        first = client.get(authorization=ANN)
        assert first.status == 200
        assert first.all("RateLimit") == ['"all";r=1;t=3600, "each";r=0;t=3600']
        assert first.all("RateLimit-Policy") == ['"all";q=2;w=7200;portico-burst=3, "each";q=1;w=3600;portico-burst=1']
        told = client.get(authorization=ANN, accept="application/json")
        assert told.status == 429 and told.json["violated-policies"] == ["each"]
        told = client.get(authorization=GUESS, accept="application/json")
        assert told.status == 429 and told.json["violated-policies"] == ["all"]
    records = gateway.log_records(4)
    assert [(record.limit, record.limit_status) for record in records] == [
        ("all", "PASSED"), ("all", "PASSED"), ("each", "REJECTED"), ("all", "REJECTED")]


def test_users_are_delayed_and_counted_by_status_and_only_watched(portico, upstream):
    limits = {"slow": {"rate": "2/s", "burst": 5, "delay": 0, "key": "user"}, "wrong": {"window": "1/1h", "key": "user", "count": [404]},
              "watch": {**ONE, "key": "user", "mode": "shadow"}}

    def script(connection):
        while request := connection.request():
            connection.send(respond(404 if request.target == "/none" else 200, b"x"))
    gateway, _ = start(portico, upstream, limits, script=script, defaults={"basic_auth": USERS})
    with gateway.client() as client:
        began = time.monotonic()
        assert statuses(client, 2, authorization=ANN) == [200, 200]
        assert time.monotonic() - began > 0.4
        assert statuses(client, 2, "/none", authorization=BOB) == [404, 429]
    assert gateway.log_records(4)[1].limit_status == "REJECTED_DRY_RUN"


def test_a_name_that_is_only_claimed_is_nobodys(portico, upstream):
    gateway, _ = start(portico, upstream, {"api": {**ONE, "key": "user"}})
    assert "here nobody proves to be one" in gateway.stderr()
    with gateway.client() as client:
        assert statuses(client, 3, authorization=ANN) == [200] * 3


def test_a_tuple_is_one_key(portico, upstream):
    gateway, _ = start(portico, upstream, {"api": {**ONE, "key": ["header X-A", "route"]}},
                       [route_to("app", "/a", limits=["api"]), route_to("app", limits=["api"])])
    with gateway.client() as client:
        assert statuses(client, 2, "/a", x_a="1") == [200, 429]
        assert statuses(client, 2, "/", x_a="1") == [200, 429]
        assert statuses(client, 2, "/", x_a="2") == [200, 429]
        assert statuses(client, 2, "/") == [200, 429]  # a missing part is empty, the route is there


def test_a_spoofed_address_moves_nobodys_limit(portico, upstream):
    gateway, _ = start(portico, upstream, {"api": ONE})
    with gateway.client() as client:
        assert statuses(client, 1, x_forwarded_for="192.0.2.1") == [200]
        assert statuses(client, 1, x_forwarded_for="192.0.2.2", forwarded="for=192.0.2.3", x_real_ip="192.0.2.4") == [429]


def test_behind_a_trusted_proxy_its_clients_are_counted(portico, upstream):
    gateway, _ = start(portico, upstream, {"api": ONE}, trusted_proxies=["127.0.0.1/32"])
    with gateway.client() as client:
        for address, status in (("192.0.2.1", 200), ("192.0.2.2", 200), ("192.0.2.1", 429), ("192.0.2.9, 192.0.2.2", 429),
                                ("2001:db8:1:2::1", 200), ("2001:db8:1:2:ffff::9", 429), ("2001:db8:1:3::1", 200),
                                ("::ffff:192.0.2.1", 429)):
            assert statuses(client, 1, x_forwarded_for=address) == [status], address


# what a limit does ----------------------------------------------------------------------------------------

def test_a_client_that_reads_json_gets_a_problem(portico, upstream):
    gateway, _ = start(portico, upstream, {"api": {**ONE, "status": 503}, "day": {"window": "1/24h"}, "wide": {"rate": "9/s", "burst": 9}})
    with gateway.client() as client:
        assert client.get().status == 200
        refused = client.get(accept="application/json")
        assert refused.status == refused.json["status"] == 503
        assert refused.get("Content-Type") == "application/problem+json"
        assert refused.json["type"] == "https://iana.org/assignments/http-problem-types#quota-exceeded"
        assert refused.json["violated-policies"] == ["api", "day"]
        assert refused.json["cause"] == "rate_limited"
        assert int(refused.get("Retry-After")) > 86000  # the longest of both


def test_fields_of_the_upstream_are_replaced(portico, upstream):
    script = answers(ok(ratelimit='"own";r=1', ratelimit_policy='"own";q=1'))
    gateway, _ = start(portico, upstream, {"api": ONE}, script=script)
    with gateway.client() as client:
        response = client.get()
        assert response.get("RateLimit").startswith('"api"') and response.get("RateLimit-Policy").startswith('"api"')


def test_shadow_watches_and_off_does_nothing(portico, upstream):
    gateway, _ = start(portico, upstream, {"api": {**ONE, "mode": "shadow"}, "none": {**ONE, "mode": "off"}})
    with gateway.client() as client:
        assert statuses(client, 3) == [200] * 3
        assert client.get().get("RateLimit") is None
    assert [(record.limit, record.limit_status) for record in gateway.log_records(4)] == [
        ("api", "PASSED")] + [("api", "REJECTED_DRY_RUN")] * 3
    assert "limiting requests, dry run, excess: " in gateway.stderr()


def test_a_guard_of_a_login_counts_failures_only(portico, upstream):
    script = answers(ok(), ok(), respond(401), ok(), respond(403), respond(401))
    gateway, service = start(portico, upstream, {"login": {"window": "2/24h", "count": [401, 403]}}, script=script)
    with gateway.client() as client:
        assert statuses(client, 6) == [200, 200, 401, 200, 403, 429]
    assert len(service.requests) == 5


def test_websockets_are_limited_before_the_101(portico, upstream):
    gateway, service = start(portico, upstream, {"api": ONE}, script=websocket(repeat_bytes))
    with gateway.client() as first, gateway.client() as second:
        assert first.ask(upgrade()).status == 101
        assert second.ask(upgrade()).status == 429
        first.send(b"still there")
        assert first.exactly(11) == b"still there"
    assert len(service.heads) == 1


def test_streams_of_http2_are_limited_one_by_one(portico, upstream):
    gateway, _ = start(portico, upstream, {"api": {"rate": "1/h", "burst": 1}},
                       [route_to("app", "/free"), route_to("app", limits=["api"])])
    with H2(gateway.port) as client:
        ids = [client.request(path) for path in ("/", "/", "/", "/free")]
        client.finish(*ids)
        assert [client.streams[each].status for each in ids] == [200, 200, 429, 200]


def test_websockets_over_http2_are_limited_before_they_open(portico, upstream):
    gateway, service = start(portico, upstream, {"api": ONE}, script=websocket(repeat_bytes))
    opening = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":path", "/live"), (":authority", "portico.test"),
               ("sec-websocket-version", "13")]
    with H2(gateway.port) as client:
        for stream in (1, 3):
            client.headers(stream, opening, flags=0)
        client.next_id = 5
        while not all(client.streams[stream].heads for stream in (1, 3)):
            client.step()
        assert [client.streams[stream].status for stream in (1, 3)] == [200, 429]
    assert len(service.heads) == 1


@pytest.mark.parametrize("when_full", ["reject", "pass"])
def test_who_changes_the_key_all_the_time_pushes_nobody_out(portico, upstream, when_full):
    """More keys than have room, each used twice: what an honest client has used up stays, and newcomers get what the setting says."""
    gateway, _ = start(portico, upstream, {"api": {"rate": "1/h", "burst": 4, "key": "header X-Key", "memory": "64KiB", "when_full": when_full}})

    def told(client, keys, times):
        for batch in range(0, len(keys), 100):
            client.send(b"".join(get(x_key=key) * times for key in keys[batch:batch + 100]))
            yield from (client.response().status for _ in range(100 * times))

    with gateway.client() as client:
        assert statuses(client, 6, x_key="honest") == [200] * 5 + [429]
        filling = list(told(client, [f"a{number}" for number in range(7000)], 2))
        assert set(filling[:1000]) == {200}
        newcomers = list(told(client, [f"b{number}" for number in range(500)], 1))
        assert newcomers.count(429) > 400 if when_full == "reject" else set(newcomers) == {200}
        assert statuses(client, 1, x_key="honest") == [429]


# logs -----------------------------------------------------------------------------------------------------

def test_the_access_log_names_the_limit(portico, upstream):
    gateway, _ = start(portico, upstream, {"wide": {"rate": "9/s", "burst": 9}, "api": ONE},
                       [route_to("app", "/free"), route_to("app", limits=["wide", "api"])])
    with gateway.client() as client:
        statuses(client, 2)
        client.get("/free")
    passed, rejected, free = gateway.log_records(3)
    assert (passed.limit, passed.limit_status, passed.cause) == ("wide", "PASSED", "ok")
    assert (rejected.limit, rejected.limit_status, rejected.cause) == ("api", "REJECTED", "rate_limited")
    assert (free.limit, free.limit_status) == (None, None)


@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::7"])
def test_fail2bans_own_filter_finds_the_client(portico, upstream, address):
    gateway, _ = start(portico, upstream, {"api": ONE}, trusted_proxies=["127.0.0.1/32"])
    with gateway.client() as client:
        statuses(client, 4, '/a"b?token=s3cret', x_forwarded_for=address)
    wait_until(lambda: gateway.stderr().count("limiting requests") == 3)
    assert "s3cret" not in gateway.stderr()
    found = subprocess.run(["fail2ban-regex", "-o", "ip", gateway.stderr_file, "/etc/fail2ban/filter.d/nginx-limit-req.conf"],
                           capture_output=True, text=True, timeout=60, check=False)
    assert found.stdout.split() == [address] * 3, found.stdout + found.stderr


# reload ---------------------------------------------------------------------------------------------------

def reload(gateway, **changes):
    gateway.config["limits"]["api"].update(changes)
    before = gateway.stderr().count("serving the new configuration")
    gateway.config_file.write_text(yaml.dump(gateway.config))
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: gateway.stderr().count("serving the new configuration") > before)


def test_what_was_counted_survives_a_reload(portico, upstream):
    gateway, _ = start(portico, upstream, {"api": {"rate": "1/h", "burst": 1}})
    with gateway.client() as client:
        assert statuses(client, 2) == [200, 200]
        reload(gateway)
        assert statuses(client, 1) == [429]
        reload(gateway, burst=3, status=503)  # another burst of the same rate
        assert statuses(client, 3) == [200, 200, 503]
        reload(gateway, key="host")  # that is another count
        assert statuses(client, 1) == [200]
