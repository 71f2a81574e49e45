"""The worker dies and another one takes its place: nobody is refused, nothing of what it served is forgotten."""
import os
import signal
import socket
import threading
import time

import pytest

from lib import yaml
from lib.client import Client, get
from lib.gateway import route_to
from lib.ports import free_port
from lib.processes import has_ended, states
from lib.upstream import named, silent
from lib.wait import PATIENCE, wait_until
from lib.wire import Closed


def kill(gateway, number=signal.SIGKILL):
    """Kills the worker; comes back when there is another one that serves."""
    os.kill(gateway.worker(), number)
    gateway.deaths += 1
    gateway.manager.wait("READY", gateway.deaths + 1)


class Load:
    """Clients that ask as often as they can, each request on a connection of its own."""

    def __init__(self, port, clients=4):
        self.port, self.over = port, threading.Event()
        self.refused, self.served_at = [], []
        self.threads = [threading.Thread(target=self._run) for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def _run(self):
        while not self.over.is_set():
            try:
                with Client(self.port) as client:
                    if client.get("/").status == 200:
                        self.served_at.append(time.monotonic())
            except ConnectionRefusedError as error:
                self.refused.append(error)
            except (OSError, Closed):
                pass  # this one was with the worker that died

    def first_after(self, moment):
        return next((at for at in sorted(self.served_at) if at > moment), None)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.over.set()
        for thread in self.threads:
            thread.join(PATIENCE)


@pytest.mark.measured
def test_a_killed_worker_refuses_no_connection_and_is_replaced_at_once(portico, upstream):
    gateway = portico(upstream(named("app")), process={"threads": 2})
    gaps = []
    with Load(gateway.port) as load:
        for _ in range(3):
            wait_until(lambda: len(load.served_at) > 20 * (gateway.deaths + 1), "requests")
            killed = time.monotonic()
            kill(gateway)
            gaps.append(wait_until(lambda: load.first_after(killed + 0.002), "a request to be served") - killed)
    assert load.refused == []
    assert gaps[0] < 0.2, gaps  # the later ones have waited 100 and 200 ms, lest a fault be repeated without end


def test_connections_that_wait_are_served_by_the_next_worker(portico, upstream):
    gateway = portico(upstream(named("app")))
    os.kill(gateway.worker(), signal.SIGSTOP)
    wait_until(lambda: states(gateway.worker()) == {"T"}, "the worker to stand still")
    waiting = [gateway.client() for _ in range(20)]
    for client in waiting:
        client.send(get("/"))
    kill(gateway)
    for client in waiting:
        assert client.response().body == b"app"
        client.close()


@pytest.mark.parametrize("number, said", [(signal.SIGKILL, "signal 9 (Killed)"), (signal.SIGSEGV, "signal 11 (Segmentation fault)"),
                                          (signal.SIGABRT, "signal 6 (Aborted)")])
@pytest.mark.measured  # a sanitizer turns crashes into reports of its own
def test_how_it_died_is_said(portico, upstream, number, said):
    gateway = portico(upstream(named("app")))
    pid = gateway.worker()
    kill(gateway, number)
    assert f"worker {pid} has died of {said} step=none request=none" in gateway.stderr()
    with gateway.client() as client:
        assert client.get("/").status == 200


def test_one_that_dies_again_and_again_is_replaced_more_and_more_slowly(portico, upstream):
    gateway = portico(upstream(named("app")))
    for _ in range(3):
        kill(gateway)
    for wait in (0, 100, 200):
        assert f"another worker in {wait} ms" in gateway.stderr()


def test_the_next_worker_serves_the_newest_configuration(portico, upstream):
    gateway = portico({"old": upstream(named("old")), "new": upstream(named("new"))}, routes=[route_to("old")])
    port = free_port()
    gateway.config["sites"][0]["routes"] = [route_to("new")]
    gateway.config["listen"].append({"address": f"127.0.0.1:{port}"})
    gateway.config_file.write_text(yaml.dump(gateway.config))
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: "serving the new configuration" in gateway.stderr(), "the reload")
    gateway.config_file.write_text("nothing: useful")  # what is on disk now is not what was loaded
    os.kill(gateway.worker(), signal.SIGKILL)
    gateway.deaths += 1
    gateway.manager.wait("READY", 3)
    for each in (gateway.port, port):
        with Client(each) as client:
            assert client.get("/").body == b"new"


def test_a_reload_without_a_worker_counts_for_the_next_one(portico, upstream):
    gateway = portico({"old": upstream(named("old")), "new": upstream(named("new"))}, routes=[route_to("old")])
    for _ in range(4):
        kill(gateway)
    os.kill(gateway.worker(), signal.SIGKILL)
    gateway.deaths += 1
    wait_until(lambda: "another worker in 800 ms" in gateway.stderr(), "the supervisor to wait")
    gateway.config["sites"][0]["routes"] = [route_to("new")]
    gateway.config_file.write_text(yaml.dump(gateway.config))
    gateway.signal(signal.SIGHUP)
    with gateway.client() as client:
        assert client.get("/").body == b"new"


def test_stopping_without_a_worker(portico, upstream):
    gateway = portico(upstream(named("app")))
    for _ in range(4):
        kill(gateway)
    os.kill(gateway.worker(), signal.SIGKILL)
    gateway.deaths += 1
    wait_until(lambda: "another worker in 800 ms" in gateway.stderr(), "the supervisor to wait")
    gateway.signal(signal.SIGTERM)
    assert gateway.wait_ended() == 0


def test_without_its_supervisor_the_worker_finishes_and_ends(portico, upstream):
    gateway = portico(upstream(silent), process={"shutdown_timeout": "300ms"})
    worker = gateway.worker()
    with gateway.client() as client:
        client.send(get("/"))
        gateway.process.kill()
        gateway.process.wait()
        assert client.rest()[:12] in (b"", b"HTTP/1.1 503")
    wait_until(lambda: has_ended(worker), "the worker to end")
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", gateway.port)) != 0
    assert "the supervisor has gone" in gateway.stderr()
    gateway.process.returncode = 0  # it was killed on purpose


# Privileges -----------------------------------------------------------------------------------------------

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root has privileges to give up")


def ids(pid):
    """Real, effective, saved and file system user of a process, then the same of its group."""
    with open(f"/proc/{pid}/status") as status:
        lines = dict(line.split(":", 1) for line in status)
    return [*map(int, lines["Uid"].split())], [*map(int, lines["Gid"].split())]


@root_only
@pytest.mark.parametrize("settings, user, group", [
    ({}, 65534, 65534), ({"user": "www-data"}, 33, 33), ({"user": "www-data", "group": "nogroup"}, 33, 65534),
    ({"user": "root"}, 0, 0),
])
def test_whom_the_worker_runs_as(portico, upstream, settings, user, group):
    gateway = portico(upstream(named("app")), process=settings)
    assert ids(gateway.worker()) == ([user] * 4, [group] * 4)
    assert ids(gateway.process.pid) == ([0] * 4, [0] * 4)


@root_only
@pytest.mark.parametrize("key", ["user", "group"])
def test_a_user_that_does_not_exist_is_an_error(portico, upstream, key):
    with pytest.raises(AssertionError, match=f'there is no {key} "nobody-there"'):
        portico(upstream(named("app")), process={key: "nobody-there"})


@root_only
def test_started_without_root(portico, upstream):
    as_somebody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    gateway = portico(upstream(named("app")), prefix=as_somebody, process={"user": "www-data"})
    assert ids(gateway.process.pid) == ids(gateway.worker()) == ([65534] * 4, [65534] * 4)
    kill(gateway)
    with gateway.client() as client:
        assert client.get("/").body == b"app"
    assert gateway.last_record().status == 200


# Sandbox --------------------------------------------------------------------------------------------------

def walls(pid):
    with open(f"/proc/{pid}/status") as status:
        lines = dict(line.split(":", 1) for line in status)
    return {name: int(lines[name], 16) for name in ("NoNewPrivs", "Seccomp", "CapPrm", "CapEff", "CapInh", "CapAmb")}


ALL_WALLS = {"NoNewPrivs": 1, "Seccomp": 2, "CapPrm": 0, "CapEff": 0, "CapInh": 0, "CapAmb": 0}


@pytest.mark.measured  # sanitizers need more than the sandbox gives
@pytest.mark.parametrize("user", [{}, {"user": "root"}])
def test_the_worker_stands_in_a_sandbox(portico, upstream, user):
    gateway = portico(upstream(named("app")), process=user)
    assert walls(gateway.worker()) == ALL_WALLS
    assert walls(gateway.process.pid)["Seccomp"] == 0


def test_without_sandbox(portico, upstream):
    gateway = portico(upstream(named("app")), process={"sandbox": "off"})
    assert walls(gateway.worker())["Seccomp"] == walls(gateway.worker())["NoNewPrivs"] == 0
    with gateway.client() as client:
        assert client.get("/").body == b"app"


# Limits ---------------------------------------------------------------------------------------------------

def test_too_few_open_files_are_told(portico, upstream):
    gateway = portico(upstream(named("app")), prefix=["prlimit", "--nofile=128:1024"])
    assert "1024 open files are allowed, room for about 445 clients" in gateway.stderr()
    assert "LimitNOFILE" in gateway.stderr()
    with open(f"/proc/{gateway.worker()}/limits") as limits:
        assert next(line.split()[3:5] for line in limits if line.startswith("Max open files")) == ["1024", "1024"]
