"""A reload that brings names: they are looked up first, and one that does not resolve is a reason to refuse it."""
import os
import re
import signal
import socket
import threading
import time

import pytest

from lib import yaml
from lib.client import get, upgrade
from lib.dns import NameServer
from lib.gateway import route_to
from lib.ports import free_port
from lib.upstream import named, ok, websocket
from lib.wait import PATIENCE, SLOW, wait_until

BOUND = 5.0  # seconds, RESOLVER_PATIENCE_MS
STAYS, SERVING = "the old configuration stays", "serving the new configuration"


class Gateway:
    """A gateway in front of `app`, whom `names` tells where others are; the one on `port` calls itself late."""

    def __init__(self, portico, upstream, names, **more):
        self.port = upstream(named("late")).port
        self.gateway = portico({"app": upstream(named("app")), **more}, names.environment, routes=[route_to("app")])

    def with_names(self, *hosts):
        """The configuration with an upstream `late` whose servers are these, for /late."""
        config = self.gateway.config
        servers = {"servers": [host if ":" in host else f"{host}:{self.port}" for host in hosts]}
        return {**config, "upstreams": {**config["upstreams"], "late": servers},
                "sites": [{"hosts": ["*"], "routes": [route_to("late", "/late"), route_to("app")]}]}

    def offer(self, config):
        """Has it loaded; what becomes of it is not waited for."""
        self.gateway.config_file.write_text(yaml.dump(config))
        self.gateway.signal(signal.SIGHUP)

    def wait_said(self, text, times=1):
        wait_until(lambda: self.said(text) >= times, f"{times} x {text!r}", PATIENCE + BOUND)

    def said(self, text):
        return self.gateway.stderr().count(text)

    def complaints(self):
        return [line.split(" ", 1)[1] for line in self.gateway.stderr().splitlines() if " error config: " in line]

    def answer(self, target="/"):
        with self.gateway.client() as client:
            response = client.get(target)
            return response.body if response.status == 200 else response.status


@pytest.fixture
def one(portico, upstream, names):
    return Gateway(portico, upstream, names)


# Refused --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("zone, why", [
    ({}, "NXDOMAIN, there is no such name"), ({"late.test": []}, "the name has no address"),
    ({"late.test": NameServer.SILENT}, "no answer"),
], ids=["no such name", "no address", "no answer"])
def test_the_old_configuration_serves_on_and_one_message_says_why(one, names, zone, why):
    names.zone.update(zone)
    begun = time.monotonic()
    one.offer(one.with_names("late.test"))
    one.wait_said(STAYS)
    assert time.monotonic() - begun < BOUND + 2 * SLOW
    line = one.gateway.config_file.read_text().split("\n").index(f'      - "late.test:{one.port}"') + 1
    assert one.complaints() == [f"error config: {one.gateway.config_file}:{line}:9: upstream late: server late.test:{one.port} "
                                f"does not resolve: {why} (asked {names.address}); correct the name, or reload when it resolves"]
    assert one.said("does not resolve") == 1 and one.said(SERVING) == 0
    assert "the last reload failed" in one.gateway.manager.wait("READY", 2)["STATUS"]
    assert one.answer("/late") == b"app"


def test_what_is_under_way_does_not_notice(portico, upstream, names):
    go = threading.Event()

    def slow(connection):
        connection.request()
        go.wait(PATIENCE)
        connection.send(ok(b"slow"))

    def talk(connection):
        while data := connection.some():
            connection.send(data)

    answering = upstream(slow)
    gateway = portico({"app": upstream(named("app")), "slow": answering, "chat": upstream(websocket(talk))}, names.environment,
                      routes=[route_to("slow", "/slow"), route_to("chat", "/chat"), route_to("app")])
    worker = gateway.worker()
    with gateway.client() as chat, gateway.client() as waiting, gateway.client() as client:
        assert chat.ask(upgrade("/chat")).status == 101
        waiting.send(get("/slow"))
        answering.wait_requests(1)
        config = {**gateway.config, "upstreams": {**gateway.config["upstreams"], "late": {"servers": ["late.test:80"]}},
                  "sites": [{"hosts": ["*"], "routes": [route_to("late")]}]}
        gateway.config_file.write_text(yaml.dump(config))
        gateway.refuse_reload()
        chat.send(b"still here")
        assert chat.exactly(10) == b"still here"
        assert client.get("/").body == b"app"
        go.set()
        assert waiting.response().body == b"slow"
    assert gateway.worker() == worker


def test_several_bad_names_are_one_report(one, names):
    names.zone.update({"good.test": ["127.0.0.1"], "empty.test": []})
    one.offer(one.with_names("gone.test", "good.test", "empty.test", "127.0.0.1:1", "lost.test"))
    one.wait_said(STAYS)
    found = [re.search(r"portico\.yaml:(\d+):9: upstream late: server (\w+)\.test:\d+ does not resolve", line) for line in one.complaints()]
    assert [match[2] for match in found] == ["gone", "empty", "lost"]
    assert [int(match[1]) - int(found[0][1]) for match in found] == [0, 2, 4]
    assert one.said(STAYS) == 1


def test_nothing_of_it_is_left(one, names):
    """Neither listener, nor descriptors, nor questions."""
    port, before = free_port(), one.gateway.descriptors()
    names.zone["silent.test"] = names.SILENT
    for _ in range(2):
        config = one.with_names("gone.test", "silent.test")
        config["listen"] = [*config["listen"], {"address": f"127.0.0.1:{port}"}]
        one.gateway.config_file.write_text(yaml.dump(config))
        one.gateway.refuse_reload()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    names.zone["kept.test"], names.ttl = ["127.0.0.1"], 1
    one.gateway.reload(one.with_names("kept.test"))  # the next question for it comes as late as one for the others would
    asked, kept = names.count("gone.test") + names.count("silent.test"), names.count("kept.test")
    wait_until(lambda: names.count("kept.test") >= kept + 6, "three questions more")
    assert names.count("gone.test") + names.count("silent.test") == asked
    assert one.gateway.descriptors() <= before + 4  # the sockets of the name server's


def test_the_answer_is_the_same_for_a_file_of_values(portico, upstream, names, tmp_path):
    """What a watched file holds goes the same way as what SIGHUP says."""
    app, address = upstream(named("app")), tmp_path / "address"
    address.write_text(upstream(named("old")).address)
    gateway = portico({"app": f"${{file:{address}}}"}, names.environment)
    with gateway.client() as client:
        assert client.get("/").body == b"old"
        address.write_text(f"secret.test:{app.port}")
        wait_until(lambda: STAYS in gateway.stderr(), "the refusal")
        assert f"upstream app: server ${{file:{address}}} does not resolve: NXDOMAIN" in gateway.stderr()
        assert "secret.test" not in gateway.stderr()
        assert client.get("/").body == b"old"
        names.zone["secret.test"] = ["127.0.0.1"]
        gateway.signal(signal.SIGHUP)
        wait_until(lambda: client.get("/").body == b"app", "the new address")


# Taken ----------------------------------------------------------------------------------------------------

@pytest.mark.threads
def test_a_name_that_answers_late_is_waited_for(one, names):
    names.zone["late.test"], names.delays["late.test"] = ["127.0.0.1"], 2
    one.offer(one.with_names("late.test"))
    with one.gateway.client() as client:
        while one.said(SERVING) == 0:
            assert client.get("/late").status == 200  # of the old configuration, then of the new one
    assert one.answer("/late") == b"late" and one.said("does not resolve") == 0


def test_many_names_at_once(one, names):
    """More than are asked for in one go."""
    hosts = [f"n{number}.test" for number in range(200)]
    names.zone.update({host: ["127.0.0.1"] for host in hosts})
    one.offer(one.with_names(*hosts))
    one.wait_said(SERVING)
    assert one.answer("/late") == b"late" and one.said(STAYS) == 0


def test_a_name_that_is_unresolved_already_is_no_obstacle(portico, upstream, names):
    """Neither for a change elsewhere nor for more servers that bear it."""
    one = Gateway(portico, upstream, names, missing="missing.test:80")
    one.gateway.reload({**one.gateway.config, "defaults": {"methods": ["GET"]}})
    one.gateway.reload(one.with_names("missing.test:81"))
    assert one.answer() == b"app" and one.answer("/late") == 503
    assert one.said("upstream late: server missing.test:81 does not resolve") == 1
    assert one.said(STAYS) == 0


def test_a_name_that_the_old_configuration_alone_had_is_new_again(one, names):
    names.zone["late.test"] = ["127.0.0.1"]
    old, new = one.gateway.config, one.with_names("late.test")
    one.gateway.reload(new)
    del names.zone["late.test"]
    one.gateway.reload(new)  # it is followed
    one.gateway.reload(old)
    one.offer(new)
    one.wait_said(STAYS)


# Meanwhile ------------------------------------------------------------------------------------------------

@pytest.fixture
def waiting(one, names):
    """A gateway that waits for a name that nobody answers."""
    names.zone["silent.test"] = names.SILENT
    one.offer(one.with_names("silent.test"))
    wait_until(lambda: names.count("silent.test"), "the question")
    return one


@pytest.mark.threads
def test_the_newest_file_wins(waiting, names):
    names.zone["late.test"] = ["127.0.0.1"]
    begun = time.monotonic()
    waiting.offer(waiting.with_names("late.test"))
    served = 0
    with waiting.gateway.client() as client:
        while (body := client.get("/late").body) != b"late":
            assert body == b"app" and time.monotonic() - begun < BOUND + 2 * SLOW
            served += 1
    waiting.wait_said(SERVING)
    assert served > 10 and waiting.said(STAYS) == 1 and waiting.said(SERVING) == 1


def test_a_thousand_signals_are_one_reload(waiting, names):
    names.zone["late.test"] = ["127.0.0.1"]
    for _ in range(1000):
        waiting.gateway.signal(signal.SIGHUP)
    waiting.offer(waiting.with_names("late.test"))
    waiting.wait_said(SERVING)
    assert waiting.said(STAYS) <= 2 and waiting.said(SERVING) == 1
    assert waiting.gateway.manager.count("RELOADING") <= 3


def test_stopping_does_not_wait(waiting):
    begun = time.monotonic()
    waiting.gateway.stop()
    assert time.monotonic() - begun < BOUND / 2 * SLOW
    assert waiting.said("does not resolve") == waiting.said(STAYS) == 0


def test_a_worker_that_dies_meanwhile(waiting, names):
    gateway, before = waiting.gateway, waiting.gateway.worker()
    os.kill(before, signal.SIGKILL)
    gateway.deaths += 1
    waiting.wait_said("the worker has ended before it took the new configuration")
    waiting.wait_said(STAYS)
    assert waiting.answer("/late") == b"app" and gateway.worker() != before
    names.zone["late.test"] = ["127.0.0.1"]
    gateway.reload(waiting.with_names("late.test"))
    assert waiting.answer("/late") == b"late"


def test_what_a_worker_took_before_it_died_counts(one, names):
    """Its answer and its death reach the supervisor in the same moment."""
    gateway, names.zone["late.test"], names.delays["late.test"] = one.gateway, ["127.0.0.1"], 0.3
    one.offer(one.with_names("late.test"))
    wait_until(lambda: names.count("late.test"), "the question")
    worker = gateway.worker()
    gateway.signal(signal.SIGSTOP)
    one.wait_said(SERVING)
    os.kill(worker, signal.SIGKILL)
    gateway.deaths += 1
    gateway.signal(signal.SIGCONT)
    one.wait_said("starting another worker")
    assert one.answer("/late") == b"late" and one.said(STAYS) == 0


def test_a_worker_that_begins_asks_nobody(portico, upstream, names):
    """It has what its predecessor served: names that do not resolve any more cost their own routes."""
    one = Gateway(portico, upstream, names)
    names.zone["late.test"] = ["127.0.0.1"]
    one.gateway.reload(one.with_names("late.test"))
    assert one.answer("/late") == b"late"
    del names.zone["late.test"]
    os.kill(one.gateway.worker(), signal.SIGKILL)
    one.gateway.deaths += 1
    assert one.answer("/late") == 503 and one.answer() == b"app"
