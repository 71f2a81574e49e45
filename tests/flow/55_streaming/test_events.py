"""Server-sent events and other responses that trickle: every byte reaches the client when it comes."""
import threading

from lib.client import get
from lib.upstream import ok
from lib.wait import PATIENCE, wait_until

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def event(number):
    data = b"data: %d\n\n" % number
    return b"%x\r\n%s\r\n" % (len(data), data)


def test_each_event_reaches_the_client_before_the_next_is_made(portico, upstream):
    taken = threading.Semaphore(0)

    def script(connection):
        connection.request()
        connection.send(STREAM)
        for number in range(5):
            connection.send(event(number))
            assert taken.acquire(timeout=PATIENCE), f"event {number} never reached the client"
        connection.send(b"0\r\n\r\n")

    with portico(upstream(script)).client() as client:
        client.send(get("/events", accept="text/event-stream"))
        assert client.head().get("Content-Type") == "text/event-stream"
        for number in range(5):
            client.until(b"data: %d\n\n" % number)
            taken.release()
        client.until(b"0\r\n\r\n")


def test_the_head_alone_reaches_the_client(portico, upstream):
    seen = threading.Event()

    def script(connection):
        connection.request()
        connection.send(STREAM)
        assert seen.wait(PATIENCE)
        connection.send(event(0) + b"0\r\n\r\n")

    with portico(upstream(script)).client() as client:
        client.send(get("/events"))
        assert client.head().status == 200
        seen.set()
        assert b"data: 0" in client.chunks()[0]


def test_until_close_trickles_too(portico, upstream):
    seen = threading.Event()

    def script(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 0\n\n")
        assert seen.wait(PATIENCE)

    with portico(upstream(script)).client() as client:
        client.send(get("/events"))
        client.until(b"data: 0\n\n")
        seen.set()
        client.until(b"0\r\n\r\n")


def test_a_client_that_leaves_ends_the_upstreams_work(portico, upstream):
    ended = threading.Event()

    def script(connection):
        connection.request()
        connection.send(STREAM + event(0))
        if connection.ended():
            ended.set()

    gateway = portico(upstream(script))
    with gateway.client() as client:
        client.send(get("/events"))
        client.until(b"data: 0\n\n")
    wait_until(ended.is_set, "the upstream connection to end")
    assert gateway.last_record().cause == "client_gone"


def test_an_upload_reaches_the_upstream_as_it_is_sent(portico, upstream):
    taken = threading.Semaphore(0)

    def script(connection):
        connection.head()
        for number in range(3):
            connection.until(b"part %d" % number)
            taken.release()
        connection.until(b"0\r\n\r\n")
        connection.send(ok())

    with portico(upstream(script)).client() as client:
        client.send(get("/", "POST", transfer_encoding="chunked"))
        for number in range(3):
            client.send(b"6\r\npart %d\r\n" % number)
            assert taken.acquire(timeout=PATIENCE), f"part {number} never reached the upstream"
        assert client.ask(b"0\r\n\r\n", "POST").status == 200


def test_both_directions_at_once(portico, upstream):
    def script(connection):
        connection.head()
        connection.send(STREAM)
        for number in range(5):
            connection.until(b"ask %d" % number)
            connection.send(event(number))
        connection.until(b"0\r\n\r\n")
        connection.send(b"0\r\n\r\n")

    with portico(upstream(script)).client() as client:
        client.send(get("/", "POST", transfer_encoding="chunked"))
        assert client.head().status == 200
        for number in range(5):
            client.send(b"5\r\nask %d\r\n" % number)
            client.until(b"data: %d\n\n" % number)
        client.send(b"0\r\n\r\n")
        client.until(b"0\r\n\r\n")
