"""connections_max with HTTP/2: connections are counted, not streams; who finds no room waits."""
import itertools
import threading

import pytest

from lib.client import get
from lib.h2server import serves
from lib.wait import PATIENCE, wait_until


def streams_of(app):
    return sum(len(connection.order) for connection in app.connections)


def test_streams_wait_for_room(h2_upstream, h2c):
    all_asked = threading.Event()

    def serves_two_at_a_time(connection):
        """Answers in pairs, as only both together can have come; all but the first when everybody has asked."""
        connection.greet(max_concurrent_streams=2)
        for pairs in itertools.count():
            pair = [connection.request_whole() for _ in range(2)]
            assert pairs == 0 or all_asked.wait(PATIENCE)
            for stream in pair:
                connection.answer(stream)

    app = h2_upstream(serves_two_at_a_time)
    gateway = h2c(app, connections_max=1)
    with gateway.client() as first, gateway.client() as second:  # the gateway learns how many streams there may be
        for client in (first, second):
            client.send(get("/"))
        assert [client.response().status for client in (first, second)] == [200] * 2
    clients = [gateway.client() for _ in range(10)]
    for client in clients:
        client.send(get("/"))
    assert [answer.status for answer in gateway.raw(b"nonsense\r\n\r\n")] == [400]  # the gateway has looked at what came before
    all_asked.set()
    assert [client.response().status for client in clients] == [200] * 10
    assert len(app.connections) == 1
    waits = [record.queue_us for record in gateway.log_records(13) if record.status == 200]
    assert sum(wait > 0 for wait in waits) == 8


@pytest.mark.threads
@pytest.mark.parametrize("most", [1, 2])
def test_every_thread_gets_a_connection(h2_upstream, h2c, most):
    app = h2_upstream(serves)
    gateway = h2c(app, connections_max=most, gateway={"process": {"threads": 2}})
    for _ in range(40):
        with gateway.client() as client:
            assert client.get("/").status == 200
    assert len(app.connections) >= 2


@pytest.mark.threads
def test_a_busy_connection_is_let_go_when_another_thread_has_none(h2_upstream, h2c):
    """The streams of one thread follow each other without a pause, so that its connection never rests."""
    app = h2_upstream(serves)
    gateway = h2c(app, connections_max=1, gateway={"process": {"threads": 2}}, queue={"timeout": "20s"})
    statuses = []

    def talk():
        with gateway.client() as client:
            statuses.extend(client.get("/").status for _ in range(40))

    talkers = [threading.Thread(target=talk) for _ in range(16)]
    for talker in talkers:
        talker.start()
    for talker in talkers:
        talker.join()
    assert statuses == [200] * 16 * 40


def test_a_connection_that_its_server_leaves_frees_its_slot(h2_upstream, h2c):
    left = threading.Event()

    def leaves(connection):
        connection.greet()
        stream = connection.request_whole()
        connection.goaway(stream)
        assert left.wait(PATIENCE)
        connection.answer(stream)

    app = h2_upstream(leaves, serves)
    gateway = h2c(app, connections_max=1)
    with gateway.client() as first, gateway.client() as second:
        first.send(get("/"))
        wait_until(lambda: streams_of(app) == 1, "the first stream")
        second.send(get("/"))
        left.set()
        assert [client.response().status for client in (first, second)] == [200] * 2
    assert len(app.connections) == 2
