"""SIGUSR2: the program that is on disk now takes over; whoever is served does not notice, and a bad one changes nothing."""
import os
import signal
import threading

import pytest

from lib.adopted import Adopted
from lib.client import Client, get, upgrade as upgrade_to_websocket
from lib.gateway import route_to
from lib.processes import has_ended
from lib.upstream import named, websocket
from lib.wait import PATIENCE, SLOW, wait_until
from lib.wire import Closed


def upgrade(gateway):
    """Comes back when the new process serves and the old one has ended."""
    old, heard = gateway.process, gateway.manager.count("MAINPID")
    old.send_signal(signal.SIGUSR2)
    pid = int(gateway.manager.wait("MAINPID", heard + 1)["MAINPID"])
    assert old.wait(PATIENCE) == 0, gateway.stderr()
    gateway.process = Adopted(pid)


class Load:
    """Clients that keep their connections, and clients that open one for each request."""

    def __init__(self, port):
        self.port, self.over, self.served, self.failures = port, threading.Event(), 0, []
        runs = [self._keep, self._keep, self._reconnect, self._reconnect]
        self.threads = [threading.Thread(target=self._run, args=[run]) for run in runs]

    def _run(self, run):
        while not self.over.is_set():
            try:
                run()
            except (OSError, AssertionError, Closed) as error:
                self.failures.append(repr(error))

    def _check(self, response):
        if (response.status, response.body) != (200, b"app"):
            self.failures.append(response)
        self.served += 1

    def _reconnect(self):
        with Client(self.port) as client:
            client.send(get("/", connection="close"))
            self._check(client.response())

    def _keep(self):
        """RFC 9112 section 9.3.1: a connection may be closed between two requests; then the next one goes to another."""
        with Client(self.port) as client:
            first = True
            while not self.over.is_set():
                try:
                    client.send(get("/"))
                    response = client.response()
                except (Closed, ConnectionError):
                    if first or client.buffer:
                        raise
                    return
                self._check(response)
                if response.get("Connection") == "close":
                    return
                first = False

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *error):
        self.over.set()
        for thread in self.threads:
            thread.join(PATIENCE)


def test_twenty_upgrades_under_load_fail_no_request(portico, upstream, program):
    gateway = portico(upstream(named("app")), program=program(), process={"threads": 2})
    with Load(gateway.port) as load:
        for number in range(20):
            wait_until(lambda: load.served > number * 20, "requests")
            program()
            upgrade(gateway)
        wait_until(lambda: load.served > 500, "requests")
    assert load.failures == []


def test_threads_are_as_many_as_before_and_that_is_said(portico, upstream, program):
    gateway = portico(upstream(named("app")), program=program(), process={"threads": 2})
    upgrade(gateway)
    assert "threads=2" in gateway.stderr() and "restart" not in gateway.stderr()
    gateway.rewrite(lambda config: config["process"].update(threads=3))
    upgrade(gateway)
    assert "warn server: process.threads is 3, but an upgrade keeps the 2 threads that there were; restart" in gateway.stderr()


def test_the_new_process_reads_the_file_anew_and_takes_orders(portico, upstream, program):
    gateway = portico({"old": upstream(named("old")), "new": upstream(named("new"))}, routes=[route_to("old")], program=program())
    gateway.rewrite(lambda config: config["sites"][0].update(routes=[route_to("new")]))
    upgrade(gateway)
    with gateway.client() as client:
        assert client.get("/").body == b"new"
    gateway.rewrite(lambda config: config["sites"][0].update(routes=[route_to("old")]))
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: "serving the new configuration" in gateway.stderr(), "the reload")
    with gateway.client() as client:
        assert client.get("/").body == b"old"
    os.kill(gateway.worker(), signal.SIGKILL)
    gateway.deaths += 1
    with gateway.client() as client:
        assert client.get("/").body == b"old"


def test_what_is_under_way_is_finished_by_the_old_process(portico, upstream, program):
    def talk(connection):
        while data := connection.some():
            connection.send(data)

    gateway = portico(upstream(websocket(talk)), program=program(), process={"shutdown_timeout": "20s"})
    old, heard = gateway.process, gateway.manager.count("MAINPID")
    with gateway.client(keep=False) as client:
        assert client.ask(upgrade_to_websocket()).status == 101
        gateway.signal(signal.SIGUSR2)
        gateway.process = Adopted(int(gateway.manager.wait("MAINPID", heard + 1)["MAINPID"]))
        client.send(b"still here")
        assert client.exactly(10) == b"still here"
        assert old.poll() is None
    assert old.wait(PATIENCE) == 0


def test_a_name_that_answers_late_fails_no_request(portico, upstream, names, program):
    """The old process serves as long as the new one waits for it."""
    app = upstream(named("app"))
    names.zone["app.test"] = ["127.0.0.1"]
    gateway = portico({"app": f"app.test:{app.port}"}, names.environment, program=program())
    with Load(gateway.port) as load:
        wait_until(lambda: load.served > 20, "requests")
        names.delays["app.test"] = 1.2
        upgrade(gateway)
        served = load.served
        wait_until(lambda: load.served > served + 20, "requests of the new process")
    assert load.failures == []


def test_a_name_that_does_not_resolve_is_no_obstacle(portico, upstream, names, program):
    """An upgrade is a start: whatever the old process knew of names, the new one may not. With a reload it is one."""
    app = upstream(named("app"))
    gateway = portico({"app": app, "missing": f"missing.test:{app.port}"}, names.environment, program=program(),
                      routes=[route_to("missing", "/missing"), route_to("app")])
    upgrade(gateway)
    with gateway.client() as client:
        assert client.get("/").body == b"app" and client.get("/missing").status == 503
        names.zone["missing.test"] = ["127.0.0.1"]
        wait_until(lambda: client.get("/missing").status == 200, "the name to be found")
    gateway.rewrite(lambda config: config["upstreams"].update(late={"servers": [f"late.test:{app.port}"]}))
    gateway.refuse_reload()
    upgrade(gateway)
    with gateway.client() as client:
        assert client.get("/").body == b"app"


@pytest.mark.parametrize("script, said", [
    ("exit 3", "it has ended before it was ready"), ("exec sleep 600", "it does not become ready"), (None, 'unknown key "nothing"'),
], ids=["ends", "hangs", "bad file"])
def test_a_bad_upgrade_changes_nothing(portico, upstream, program, script, said):
    environment = {"PORTICO_UPGRADE_TIMEOUT_MS": str(int(500 * SLOW))}
    gateway = portico(upstream(named("app")), environment, program=program())
    if script:
        program(script)
    else:
        gateway.config_file.write_text("nothing: 1")
    with gateway.client() as client:
        client.get("/")
        gateway.signal(signal.SIGUSR2)
        wait_until(lambda: "no upgrade, this process goes on" in gateway.stderr(), "the complaint")
        assert said in gateway.stderr()
        assert client.get("/").body == b"app"  # on the same connection
    gateway.config_file.write_text(gateway.text)
    program()
    upgrade(gateway)
    with gateway.client() as client:
        assert client.get("/").body == b"app"


def test_a_program_that_is_gone_changes_nothing(portico, upstream, program):
    path = program()
    gateway = portico(upstream(named("app")), program=path)
    path.unlink()
    gateway.signal(signal.SIGUSR2)
    wait_until(lambda: "no upgrade, this process goes on" in gateway.stderr(), "the complaint")
    assert f"cannot execute {path}: No such file or directory" in gateway.stderr()
    os.kill(gateway.worker(), signal.SIGKILL)  # workers do not need the file
    gateway.deaths += 1
    with gateway.client() as client:
        assert client.get("/").body == b"app"


def test_stopping_ends_the_new_process_too(portico, upstream, program):
    gateway = portico(upstream(named("app")), program=program())
    program(f"echo $$ > {gateway.directory}/pid; exec sleep 600")
    gateway.signal(signal.SIGUSR2)
    pid_file = gateway.directory / "pid"
    wait_until(lambda: pid_file.exists() and pid_file.read_text().endswith("\n"), "the new process")
    gateway.signal(signal.SIGTERM)
    assert gateway.wait_ended() == 0
    new = int(pid_file.read_text())
    wait_until(lambda: has_ended(new), "the new process to end")
