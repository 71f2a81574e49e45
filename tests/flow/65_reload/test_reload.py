"""SIGHUP: the new configuration counts from the next request on, nothing that is under way notices, a bad file changes nothing."""
import signal
import socket
import subprocess
import threading

import pytest

from lib import yaml
from lib.client import Client, get, upgrade
from lib.gateway import route_to
from lib.ports import free_port
from lib.upstream import echo, named, websocket
from lib.wait import BINARY, PATIENCE, wait_until


class Reloads:
    """A gateway whose configuration can be written anew."""

    def __init__(self, gateway):
        self.gateway, self.done = gateway, 0
        self.config = gateway.config

    def expect(self, text):
        self.done += 1
        wait_until(lambda: self.gateway.stderr().count(text) >= self.done, f"{self.done} x {text!r}")

    def reload(self):
        self.gateway.config_file.write_text(yaml.dump(self.config))
        self.gateway.signal(signal.SIGHUP)
        self.expect("serving the new configuration")

    def refuse(self):
        self.gateway.config_file.write_text(yaml.dump(self.config))
        self.gateway.refuse_reload()

    def route_everything_to(self, name):
        self.config["sites"][0]["routes"] = [route_to(name)]
        self.reload()


@pytest.fixture
def two(portico, upstream):
    """A gateway with two upstreams, in front of the first."""
    return Reloads(portico({"old": upstream(named("old")), "new": upstream(named("new"))}, routes=[route_to("old")]))


@pytest.mark.threads
def test_the_next_request_sees_the_new_routes(two):
    with two.gateway.client() as client:
        assert client.get("/").body == b"old"
        two.route_everything_to("new")
        assert client.get("/").body == b"new"  # on the same connection
    with two.gateway.client() as client:
        assert client.get("/").body == b"new"


def test_a_bad_file_changes_nothing_and_every_error_is_said(two):
    two.config["sites"][0]["routes"] = [{"prefix": "/", "upsteam": "new"}, {"prefix": "/x", "upstream": "newt"}]
    two.refuse()
    said = two.gateway.stderr()
    assert 'did you mean "upstream"' in said and 'did you mean "new"' in said
    with two.gateway.client() as client:
        assert client.get("/").body == b"old"


def test_a_new_listener_opens_and_a_removed_one_closes(two):
    port, kept = free_port(), two.gateway.port
    two.config["listen"].append({"address": f"127.0.0.1:{port}"})
    two.reload()
    with Client(port) as client:
        assert client.get("/").body == b"old"
        two.config["listen"].pop()
        two.reload()
        assert client.get("/").body == b"old"  # its connections live on
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    with Client(kept) as client:
        assert client.get("/").body == b"old"


def test_a_listener_becomes_wider_and_narrower(two):
    """The port is in use, by the gateway itself."""
    port = two.gateway.port
    for addresses in ([f":{port}"], [f"0.0.0.0:{port}"], [f"[::]:{port}"], [f"127.0.0.1:{port}", f":{port}"],
                      [f":{port}", f"127.0.0.1:{port}"], [f"127.0.0.1:{port}"]):
        two.config["listen"] = [{"address": address} for address in addresses]
        two.reload()
        with Client(port) as client:
            assert client.get("/").body == b"old"


def test_listeners_on_one_port_at_the_start(portico, upstream):
    port = free_port()
    gateway = portico(upstream(named("app")), listen=[{"address": f"127.0.0.2:{port}"}, {"address": f":{port}"}])
    for host in ("127.0.0.1", "127.0.0.2"):
        with socket.create_connection((host, port)) as client:
            client.sendall(get("/", connection="close"))
            assert client.recv(1000).startswith(b"HTTP/1.1 200")
    assert gateway.worker()


def test_a_second_gateway_takes_nobodys_unix_socket(two, tmp_path):
    path = tmp_path / "gateway.sock"
    two.config["listen"].append({"address": f"unix:{path}"})
    two.reload()
    config = tmp_path / "second.yaml"
    config.write_text(yaml.dump({"listen": [f"unix:{path}"],
                                 "sites": [{"hosts": ["*"], "routes": [{"prefix": "/", "respond": 404}]}]}))
    second = subprocess.run([BINARY, "run", config], capture_output=True, text=True, timeout=PATIENCE)
    assert second.returncode == 1 and f"cannot listen on unix:{path}: Address already in use" in second.stderr
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(get("/", connection="close"))
        assert client.recv(1000).startswith(b"HTTP/1.1 200")


def test_a_port_of_somebody_else_is_busy_beside_an_own_one(two):
    with socket.socket() as busy:
        busy.bind(("127.0.0.2", two.gateway.port))
        busy.listen()
        two.config["listen"] = [{"address": f":{two.gateway.port}"}]
        two.refuse()
    assert "Address already in use" in two.gateway.stderr()
    with two.gateway.client() as client:
        assert client.get("/").body == b"old"


def test_a_busy_port_changes_nothing(two):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        two.config["listen"].append({"address": f"127.0.0.1:{busy.getsockname()[1]}"})
        two.config["sites"][0]["routes"] = [route_to("new")]
        two.refuse()
    assert "cannot listen on" in two.gateway.stderr()
    with two.gateway.client() as client:
        assert client.get("/").body == b"old"


def test_requests_under_way_end_as_they_began(portico, upstream):
    released = threading.Event()

    def slow(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
        assert released.wait(PATIENCE)
        connection.send(b"rest")

    reloads = Reloads(portico({"old": upstream(slow), "new": upstream(named("new"))}, routes=[route_to("old")]))
    with reloads.gateway.client() as client:
        client.send(get("/"))
        client.until(b"half")
        reloads.route_everything_to("new")
        released.set()
        assert client.exactly(4) == b"rest"
        assert client.get("/").body == b"new"


def test_an_upload_under_way_goes_on(portico, upstream):
    app = upstream(echo)
    reloads = Reloads(portico({"old": app, "new": upstream(named("new"))}, routes=[route_to("old")]))
    with reloads.gateway.client() as client:
        client.send(get("/", "POST", content_length=10) + b"hello")
        wait_until(lambda: b"hello" in app.received, "the upload to begin")
        reloads.route_everything_to("new")
        client.send(b"again")
        assert b"helloagain" in client.response("POST").body


def test_websockets_go_on(portico, upstream):
    def talk(connection):
        while data := connection.some():
            connection.send(data)

    reloads = Reloads(portico({"old": upstream(websocket(talk)), "new": upstream(named("new"))}, routes=[route_to("old")]))
    with reloads.gateway.client(keep=False) as client:
        assert client.ask(upgrade()).status == 101
        for _ in range(3):
            reloads.route_everything_to("new")
            client.send(b"still here")
            assert client.exactly(10) == b"still here"


def test_a_new_upstream_is_known_at_once(two, upstream):
    third = upstream(named("third"))
    with two.gateway.client() as client:
        two.config["upstreams"]["third"] = {"servers": [third.address]}
        two.route_everything_to("third")
        assert client.get("/").body == b"third"


@pytest.mark.threads
def test_a_storm_of_reloads_fails_no_request(portico, upstream):
    reloads = Reloads(portico({"old": upstream(named("old")), "new": upstream(named("new"))},
                              routes=[route_to("new")], process={"threads": 2}))
    over, failures = threading.Event(), []

    def load():
        with reloads.gateway.client() as client:
            while not over.is_set():
                response = client.get("/")
                if (response.status, response.body) != (200, b"new"):
                    failures.append(response)

    workers = [threading.Thread(target=load) for _ in range(4)]
    for worker in workers:
        worker.start()
    for _ in range(300):
        reloads.gateway.signal(signal.SIGHUP)
    for _ in range(20):
        before = reloads.gateway.stderr().count("serving the new configuration")
        reloads.gateway.signal(signal.SIGHUP)
        wait_until(lambda: reloads.gateway.stderr().count("serving the new configuration") > before, "a reload")
    over.set()
    for worker in workers:
        worker.join(PATIENCE)
    assert failures == []


@pytest.mark.measured
def test_reloads_leave_no_memory_behind(two):
    def reload(times):
        for _ in range(times):
            two.route_everything_to("new")

    reload(20)
    before = two.gateway.rss()
    reload(60)
    assert two.gateway.rss() < before * 1.05 + 512 * 1024


def test_what_needs_a_restart_is_said(two):
    two.config["process"]["threads"] = 2
    two.reload()
    assert "process: threads 1 -> 2 (takes effect at the next restart)" in two.gateway.stderr()
