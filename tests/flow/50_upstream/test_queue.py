"""connections_max: what an upstream never sees more of, and the queue in front of it."""
import collections
import select
import signal
import socket
import threading

import pytest

from lib import yaml
from lib.client import get, post, upgrade
from lib.faults import assert_made_here
from lib.gateway import route_to
from lib.ports import free_port
from lib.upstream import answers, named, ok, repeat_bytes, silent, websocket
from lib.wait import PATIENCE, wait_until


def is_open(connection):
    """Whether the gateway has not closed it, as far as the kernel knows."""
    poll, descriptor = select.poll(), connection.sock.fileno()
    if descriptor < 0:
        return False
    poll.register(descriptor, select.POLLRDHUP)
    return not poll.poll(0)


def count_open(app):
    return sum(is_open(connection) for connection in list(app.connections))


class Held:
    """An upstream script that answers a request when it is told to; `most` is how many connections were ever open at once."""

    def __init__(self):
        self.waiting, self.served, self.most = collections.deque(), [], 0
        self.lock = threading.Lock()

    def __call__(self, connection):
        with self.lock:
            self.most = max(self.most, count_open(connection.upstream))
        while request := connection.request():
            go = threading.Event()
            with self.lock:
                self.served.append(request.target)
                self.waiting.append(go)
            assert go.wait(PATIENCE)
            connection.send(ok(request.target.encode()))

    def wait(self, count):
        wait_until(lambda: len(self.served) >= count, f"{count} requests at the upstream")

    def release(self):
        wait_until(lambda: self.waiting, "a request to be released")
        self.waiting.popleft().set()

    def release_all(self):
        while self.waiting:
            self.release()


@pytest.fixture
def bounded(portico, upstream):
    """bounded(script, connections_max=..., ...): a gateway in front of an upstream with these settings, and one at /side."""
    def start(*scripts, threads=1, servers=1, gateway=None, **settings):
        apps = [upstream(*scripts) for _ in range(servers)]
        made = portico({"app": {"servers": [app.address for app in apps], "idle_timeout": "1m", **settings},
                        "side": upstream(named("side"))}, routes=[route_to("side", "/side"), route_to("app")],
                       process={"threads": threads}, **(gateway or {}))
        made.apps = apps
        return made
    return start


def ask_later(gateway, request):
    """Sends it and returns when the gateway, which has one thread, has looked at it."""
    client = gateway.client()
    client.send(request)
    with gateway.client() as side:
        assert side.get("/side").body == b"side"
    return client


# the bound ------------------------------------------------------------------------------------------------

@pytest.mark.threads
@pytest.mark.parametrize("threads", [1, 3])
def test_the_upstream_never_sees_more(bounded, threads):
    most = []

    def script(connection):
        while connection.request():
            most.append(count_open(connection.upstream))
            connection.send(ok())

    gateway = bounded(script, threads=threads, connections_max=4)
    statuses = []

    def talk():
        with gateway.client() as client:
            statuses.extend(client.get("/").status for _ in range(25))

    talkers = [threading.Thread(target=talk) for _ in range(24)]
    for talker in talkers:
        talker.start()
    for talker in talkers:
        talker.join()
    assert statuses == [200] * 24 * 25
    assert max(most) == 4


@pytest.mark.threads
def test_a_thread_gives_up_what_rests_when_another_waits(bounded):
    gateway = bounded(named("app"), threads=2, connections_max=1)
    for _ in range(40):  # some on each thread
        with gateway.client() as client:
            assert client.get("/").status == 200
    assert {record.status for record in gateway.log_records(40)} == {200}
    assert len(gateway.apps[0].connections) > 1
    assert count_open(gateway.apps[0]) == 1


def test_a_warm_connection_is_handed_on(bounded):
    held = Held()
    gateway = bounded(held, connections_max=1)
    first = ask_later(gateway, get("/1"))
    others = [ask_later(gateway, get(f"/{number}")) for number in (2, 3)]
    for client in [first, *others]:
        held.release()
        assert client.response().status == 200
    assert len(gateway.apps[0].connections) == 1
    assert [record.reused for record in gateway.log_records(5) if record.upstream == "app"] == [False, True, True]


def test_each_server_has_its_own_bound(bounded):
    held = Held()
    gateway = bounded(held, connections_max=1, servers=2)
    first, second = ask_later(gateway, get("/1")), ask_later(gateway, get("/2"))
    held.wait(2)
    assert [len(app.connections) for app in gateway.apps] == [1, 1]
    third = ask_later(gateway, get("/3"))
    held.release_all()
    held.wait(3)
    held.release_all()
    assert {client.response().body for client in (first, second, third)} == {b"/1", b"/2", b"/3"}
    assert [len(app.connections) for app in gateway.apps] == [1, 1]


def test_a_websocket_holds_its_connection(bounded):
    gateway = bounded(websocket(repeat_bytes), named("app"), connections_max=1)
    with gateway.client() as tunnel:
        assert tunnel.ask(upgrade("/")).status == 101
        waiting = ask_later(gateway, get("/"))
        tunnel.send(b"ping")
        assert tunnel.exactly(4) == b"ping"
        assert len(gateway.apps[0].connections) == 1
    assert waiting.response().body == b"app"


# the queue ------------------------------------------------------------------------------------------------

def test_first_come_first_served(bounded):
    held = Held()
    gateway = bounded(held, connections_max=2)
    clients = [ask_later(gateway, get(f"/{number}")) for number in range(8)]
    for number, client in enumerate(clients):
        held.wait(min(number + 2, 8))
        held.release()
        assert client.response().body == b"/%d" % number
    assert held.served[2:] == [f"/{number}" for number in range(2, 8)]
    assert held.most == 2
    waits = [record.queue_us for record in gateway.log_records(16) if record.upstream == "app"]
    assert waits[:2] == [0, 0] and min(waits[2:]) > 0


def test_a_full_queue(bounded):
    held = Held()
    gateway = bounded(held, connections_max=1, queue={"length": 2})
    clients = [ask_later(gateway, get(f"/{number}")) for number in range(3)]
    with gateway.client() as refused:
        response = refused.get("/3")
        assert_made_here(response, "queue_full")
        assert int(response.get("Retry-After")) >= 1
        assert "connection_limit_reached" in response.get("Proxy-Status")
        assert refused.get("/side").body == b"side"  # its connection lives on
    for client in clients:
        held.release()
        assert client.response().status == 200
    assert held.served == ["/0", "/1", "/2"]


def test_the_wait_is_bounded(bounded):
    held = Held()
    gateway = bounded(held, connections_max=1, queue={"timeout": "300ms"})
    first, late = ask_later(gateway, get("/1")), ask_later(gateway, get("/2"))
    response = late.response()
    assert_made_here(response, "queue_timeout")
    assert int(response.get("Retry-After")) >= 1
    held.release()
    assert first.response().status == 200
    with gateway.client() as client:
        client.send(get("/3"))
        held.release()
        assert client.response().body == b"/3"
    assert held.served == ["/1", "/3"]
    record = next(record for record in gateway.log_records(5) if record.cause == "queue_timeout")
    assert (record.status, record.attempts, record.endpoint) == (503, 0, "") and record.queue_us >= 300_000


@pytest.mark.parametrize("leave", ["close", "reset", "half_close"])
def test_who_vanishes_leaves_the_queue(bounded, leave):
    held = Held()
    gateway = bounded(held, connections_max=1, queue={"length": 1})
    first, gone = ask_later(gateway, get("/1")), ask_later(gateway, get("/gone"))
    getattr(gone, leave)()
    wait_until(lambda: any(record.cause == "client_gone" for record in gateway.log_records()), "the record of its end")
    last = ask_later(gateway, get("/2"))
    for client in (first, last):
        held.release()
        assert client.response().status == 200
    assert held.served == ["/1", "/2"]
    assert len(gateway.apps[0].connections) == 1


def test_a_body_waits_with_its_request(bounded):
    held = Held()
    gateway = bounded(held, connections_max=1)
    first = ask_later(gateway, get("/1"))
    body = bytes(range(256)) * 2000
    with gateway.client() as client:
        sender = threading.Thread(target=client.send, args=(post(body, "/2"),))
        sender.start()
        held.release()
        assert first.response().status == 200
        held.release()
        assert client.response().status == 200
        sender.join()
    assert gateway.apps[0].requests[1].body == body


# connections that die -------------------------------------------------------------------------------------

def test_a_dead_connection_frees_its_slot(bounded):
    def dies(connection):
        connection.request()
        wait_until(lambda: len(gateway.waiting) == 2, "the others to wait")
        connection.reset()

    app_after = named("second")
    gateway = bounded(dies, app_after, connections_max=1)
    gateway.waiting = []
    first = ask_later(gateway, post(b"x", "/1"))
    for number in (2, 3):
        gateway.waiting.append(ask_later(gateway, get(f"/{number}")))
    assert first.response().status == 502
    assert [client.response().body for client in gateway.waiting] == [b"second"] * 2


def test_an_idle_connection_that_the_upstream_closes_frees_its_slot(bounded):
    gateway = bounded(answers(ok(b"first")), named("second"), connections_max=1)
    with gateway.client() as client:
        assert client.get("/").body == b"first"
        gateway.apps[0].connections[0].sock.shutdown(socket.SHUT_RDWR)
        wait_until(lambda: client.get("/").body == b"second", "the next connection")


def test_refused_connections_hold_no_slot(portico):
    gateway = portico({"app": {"servers": [f"127.0.0.1:{free_port()}"], "connections_max": 1, "queue": {"timeout": "20s"}}})
    with gateway.client() as client:
        for _ in range(5):
            assert client.get("/").status == 502
    assert {record.cause for record in gateway.log_records(5)} == {"connect_refused"}


def test_a_server_that_refuses_is_no_way_out_of_the_queue(portico, upstream):
    held = Held()
    app = upstream(held)
    gateway = portico({"app": {"servers": [f"127.0.0.1:{free_port()}", app.address], "connections_max": 1},
                       "side": upstream(named("side"))}, routes=[route_to("side", "/side"), route_to("app")])
    first = ask_later(gateway, get("/1"))
    held.wait(1)
    second = ask_later(gateway, get("/2"))
    for client in (first, second):
        held.release()
        assert client.response().status == 200


def test_a_replay_goes_to_the_front(bounded):
    held, dying = Held(), threading.Event()

    def dies_reused(connection):
        connection.request()
        connection.send(ok(b"warm"))
        connection.request()
        assert dying.wait(PATIENCE)
        connection.reset()

    gateway = bounded(dies_reused, held, connections_max=1)
    with gateway.client() as client:
        assert client.get("/0").body == b"warm"
    first, *others = [ask_later(gateway, get(f"/{number}")) for number in (1, 2, 3, 4)]
    dying.set()  # its slot goes to the first in the queue, and /1 before the rest
    for client in (others[0], first, *others[1:]):
        held.release()
        assert client.response().status == 200
    assert held.served == ["/2", "/1", "/3", "/4"]


# reload ---------------------------------------------------------------------------------------------------

def reload(gateway, **settings):
    done = gateway.stderr().count("serving the new configuration")
    app = gateway.config["upstreams"]["app"]
    gateway.config["upstreams"]["app"] = {key: value for key, value in {**app, **settings}.items() if value is not None}
    gateway.config_file.write_text(yaml.dump(gateway.config))
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: gateway.stderr().count("serving the new configuration") > done, "the reload")


@pytest.mark.threads
@pytest.mark.parametrize("now", [3, None])
def test_a_larger_bound_lets_the_queue_go(bounded, now):
    held = Held()
    gateway = bounded(held, connections_max=1, threads=2)
    clients = [gateway.client() for _ in range(3)]
    for client in clients:
        client.send(get("/"))
    held.wait(1)
    reload(gateway, connections_max=now)
    held.wait(3)
    held.release_all()
    assert [client.response().status for client in clients] == [200] * 3


@pytest.mark.threads
@pytest.mark.parametrize("before", [4, None])
def test_a_smaller_bound_closes_what_rests(bounded, before):
    held = Held()
    gateway = bounded(held, threads=2, **({"connections_max": before} if before else {}))
    clients = [gateway.client() for _ in range(4)]
    for client in clients:
        client.send(get("/"))
    held.wait(4)
    held.release_all()
    assert [client.response().status for client in clients] == [200] * 4
    assert count_open(gateway.apps[0]) == 4
    reload(gateway, connections_max=1)
    wait_until(lambda: count_open(gateway.apps[0]) <= 1, "three to be closed")
    clients[0].send(get("/"))
    held.release()
    assert clients[0].response().status == 200


@pytest.mark.threads
def test_a_smaller_bound_waits_for_what_is_in_use(bounded):
    held = Held()
    gateway = bounded(held, connections_max=3, threads=2)
    clients = [gateway.client() for _ in range(3)]
    for client in clients:
        client.send(get("/"))
    held.wait(3)
    reload(gateway, connections_max=1)
    late = gateway.client()
    late.send(get("/late"))
    assert count_open(gateway.apps[0]) == 3
    held.release_all()
    assert [client.response().status for client in clients] == [200] * 3
    held.release()
    assert late.response().body == b"/late"
    wait_until(lambda: count_open(gateway.apps[0]) == 1, "the others to be closed")


# stopping -------------------------------------------------------------------------------------------------

@pytest.mark.threads
def test_a_stop_lets_the_queue_finish(bounded):
    held = Held()
    gateway = bounded(held, connections_max=1, threads=2, gateway={})
    clients = [gateway.client() for _ in range(6)]
    for client in clients:
        client.send(get("/"))
    held.wait(1)
    gateway.signal(signal.SIGTERM)
    for served in range(6):
        held.wait(served + 1)
        held.release()
    assert [client.response().status for client in clients] == [200] * 6
    assert gateway.wait_ended() == 0


@pytest.mark.threads
def test_a_stop_does_not_wait_for_a_stuck_queue(portico, upstream):
    app = upstream(silent)
    gateway = portico({"app": {"servers": [app.address], "connections_max": 1}}, process={"threads": 2, "shutdown_timeout": "300ms"})
    clients = [gateway.client() for _ in range(6)]
    for client in clients:
        client.send(get("/"))
    app.wait_connections(1)
    gateway.signal(signal.SIGTERM)
    assert gateway.wait_ended() == 0
    for client in clients:
        client.close()
