"""Several threads: each has its own listener and its own pool, and they do not get into each other's way."""
import os
import threading

import pytest

from lib.client import chunked, get, post
from lib.gateway import route_to
from lib.upstream import echo, named, ok, resets

pytestmark = pytest.mark.threads


def listeners(port):
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table]
    return sum(row[1].endswith(f":{port:04X}") and row[3] == "0A" for row in rows)


def test_every_thread_listens(portico, upstream):
    gateway = portico(upstream(), process={"threads": 2})
    assert listeners(gateway.port) == 2
    assert len(os.listdir(f"/proc/{gateway.pid}/task")) >= 2


def test_every_thread_serves_and_has_its_own_pool(portico, upstream):
    app = upstream(named("app"))
    gateway = portico(app, process={"threads": 2})
    for _ in range(60):
        with gateway.client() as client:
            assert client.get("/").body == b"app"
    assert len(app.connections) == 2


def test_many_clients_at_once(portico, upstream):
    gateway = portico({"app": upstream(echo), "bad": upstream(resets)}, process={"threads": 4},
                      routes=[route_to("bad", "/bad"), route_to("app")])
    failures = []

    def talk(number):
        for turn in range(20):
            with gateway.client() as client:
                content = f"{number}-{turn}".encode()
                seen = [client.ask(post(content)).json["body"],
                        client.ask(get("/", "POST", transfer_encoding="chunked") + chunked(content)).json["body"]]
                if seen != [content.decode()] * 2 or client.get("/bad").status != 502:
                    failures.append((number, turn, seen))

    talkers = [threading.Thread(target=talk, args=(number,)) for number in range(8)]
    for talker in talkers:
        talker.start()
    for talker in talkers:
        talker.join()
    assert failures == []
    records = gateway.log_records(8 * 20 * 3)
    assert len({record.request_id for record in records}) == len(records) == 480


def test_stopping_under_load(portico, upstream):
    gateway = portico(upstream(named("app")), process={"threads": 4})
    answered = []

    def talk():
        try:
            while True:
                with gateway.client() as client:
                    answered.append(client.get("/").body)
        except Exception:  # whatever the end of the gateway looks like from here
            return

    talkers = [threading.Thread(target=talk) for _ in range(4)]
    for talker in talkers:
        talker.start()
    gateway.log_lines(50)
    gateway.stop()
    for talker in talkers:
        talker.join()
    assert set(answered) == {b"app"}


def test_one_thread_per_core_by_default(portico, upstream):
    gateway = portico(upstream(), process={"threads": 0})  # 0: as if it were not written
    assert listeners(gateway.port) == len(os.sched_getaffinity(0))


def test_pipelines_on_many_connections(portico, upstream):
    gateway = portico(upstream(lambda connection: [connection.send(ok(request.target.encode()))
                                                   for request in iter(connection.request, None)]),
                      process={"threads": 2})
    clients = [gateway.client() for _ in range(20)]
    for number, client in enumerate(clients):
        client.send(b"".join(get(f"/{number}/{turn}") for turn in range(20)))
    for number, client in enumerate(clients):
        assert [client.response().body.decode() for _ in range(20)] == [f"/{number}/{turn}" for turn in range(20)]
        client.close()
