"""Orders that cross: a reload during an upgrade, either of them while the gateway drains, while the worker is replaced, or dies."""
import os
import signal

import pytest

from lib.adopted import Adopted
from lib.client import get
from lib.gateway import route_to
from lib.upstream import named, silent
from lib.wait import BINARY, PATIENCE, wait_until


@pytest.fixture
def gateway(portico, upstream, program):
    """In front of the first of three upstreams; serve(name) writes a file for another and has it loaded."""
    started = portico({name: upstream(named(name)) for name in ("first", "second", "third")}, routes=[route_to("first")],
                      program=program())

    def serve(name):
        started.rewrite(lambda config: config["sites"][0].update(routes=[route_to(name)]))
        started.signal(signal.SIGHUP)
    started.serve = serve
    return started


def said(gateway, text):
    wait_until(lambda: text in gateway.stderr(), repr(text))


def serves(gateway, name):
    def answer():
        with gateway.client() as client:
            return client.get("/").body.decode()
    wait_until(lambda: answer() == name, f"the {name} upstream")


def hold_reload(gateway, name):
    """The worker stands still, and does not answer to the configuration that it is sent."""
    os.kill(gateway.worker(), signal.SIGSTOP)
    gateway.serve(name)
    gateway.manager.wait("RELOADING")


def kill_worker(gateway):
    os.kill(gateway.worker(), signal.SIGKILL)
    gateway.deaths += 1


def upgrade_to(gateway, program, what):
    """Starts an upgrade whose new process does nothing but wait for release()."""
    begun, go = gateway.directory / "begun", gateway.directory / "go"
    program(f"touch {begun}; while [ ! -e {go} ]; do sleep 0.02; done; {what}")
    gateway.signal(signal.SIGUSR2)
    wait_until(begun.exists, "the new process")
    return go.touch


def test_a_reload_during_an_upgrade_is_the_new_process_s(gateway, program):
    release = upgrade_to(gateway, program, f'exec {BINARY} "$@"')
    gateway.serve("second")
    said(gateway, "the reload waits for the end of the upgrade")
    release()
    becomes_new(gateway)
    said(gateway, "serving the new configuration generation=2")  # it might have read the file before it was changed
    serves(gateway, "second")


def test_a_reload_during_an_upgrade_that_fails_is_made_up_for(gateway, program):
    release = upgrade_to(gateway, program, "exit 3")
    gateway.serve("second")
    said(gateway, "the reload waits for the end of the upgrade")
    serves(gateway, "first")
    release()
    said(gateway, "no upgrade, this process goes on")
    serves(gateway, "second")


def becomes_new(gateway):
    """Comes back when the new process serves and the old one has ended."""
    old, gateway.process = gateway.process, Adopted(int(gateway.manager.wait("MAINPID")["MAINPID"]))
    assert old.wait(PATIENCE) == 0


@pytest.mark.parametrize("newest", ["second", "third"])
def test_an_upgrade_waits_for_the_configuration_that_is_on_its_way(gateway, newest):
    """And a file that is newer still is the new process's."""
    hold_reload(gateway, "second")
    for times in (1, 2):
        gateway.signal(signal.SIGUSR2)
        wait_until(lambda: gateway.stderr().count("the upgrade waits for the end of the reload") == times, "the line")
    gateway.serve(newest)
    os.kill(gateway.worker(), signal.SIGCONT)
    becomes_new(gateway)
    serves(gateway, newest)
    assert "no upgrade" not in gateway.stderr()


def test_an_upgrade_that_was_asked_for_outlives_the_worker(gateway):
    hold_reload(gateway, "second")
    gateway.signal(signal.SIGUSR2)
    said(gateway, "the upgrade waits for the end of the reload")
    kill_worker(gateway)
    becomes_new(gateway)
    serves(gateway, "second")


def test_neither_upgrade_nor_reload_while_it_drains(portico, upstream, program):
    app = upstream(silent)
    gateway = portico(app, program=program(), process={"shutdown_timeout": "60s"})
    with gateway.client() as client:
        client.send(get("/"))
        wait_until(lambda: app.received, "the request")
        gateway.signal(signal.SIGTERM)
        said(gateway, "draining")
        gateway.signal(signal.SIGUSR2)
        gateway.signal(signal.SIGHUP)
        said(gateway, "no upgrade: this process is draining")
        said(gateway, "no reload: this process is draining")
        assert gateway.process.poll() is None
    assert gateway.wait_ended() == 0


def test_a_stop_while_a_configuration_is_on_its_way(gateway):
    hold_reload(gateway, "second")
    gateway.signal(signal.SIGTERM)
    gateway.manager.wait("STOPPING")
    os.kill(gateway.worker(), signal.SIGCONT)
    assert gateway.wait_ended() == 0


def test_a_reload_while_the_next_worker_starts(gateway):
    before = gateway.worker()
    kill_worker(gateway)
    wait_until(lambda: gateway.worker() not in (None, before), "the next worker")
    hold_reload(gateway, "second")
    os.kill(gateway.worker(), signal.SIGCONT)
    serves(gateway, "second")


def test_a_worker_that_dies_of_a_configuration_does_not_get_it_again(gateway):
    hold_reload(gateway, "second")
    kill_worker(gateway)
    said(gateway, "the worker has ended before it took the new configuration")
    said(gateway, "the old configuration stays")
    serves(gateway, "first")
    gateway.serve("second")
    serves(gateway, "second")


def test_an_order_that_came_meanwhile_outlives_the_worker(gateway):
    hold_reload(gateway, "second")
    gateway.serve("third")
    kill_worker(gateway)
    said(gateway, "the worker has ended before it took the new configuration")
    serves(gateway, "third")
