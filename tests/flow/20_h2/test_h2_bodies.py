"""Content over HTTP/2: byte for byte, within the windows, and never more in memory than them."""
import hashlib
import subprocess
import threading
import time

import pytest

from lib.gateway import route_to
from lib.h2raw import CANCEL, H2, HEADERS, PING, frame, rst, window_update
from lib.upstream import answers, named, ok, silent
from lib.wait import PATIENCE, wait_until

MIB = 1 << 20


def pattern(size):
    return (b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(2048)) * (size // 65536 + 1))[:size]


def digests(connection):
    """Answers with the SHA-256 of the content."""
    while request := connection.request():
        connection.send(ok(hashlib.sha256(request.body).hexdigest().encode()))


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_large_download(portico, upstream, h2, framing):
    content = pattern(5 * MIB + 17)
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in
                      (content[at:at + 30011] for at in range(0, len(content), 30011)))
    whole = ok(content) if framing == "length" else b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    response = h2(portico(upstream(answers(whole), keep=False))).get()
    assert response.body == content


def test_ends_apart_from_their_content(portico, upstream, h2):
    """Whatever is left unread when a body is full, be it only the last chunk, is not forgotten."""
    def count_chunks(connection):
        while request := connection.request():
            chunk = b"801\r\n" + bytes(2049) + b"\r\n"
            connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" +
                            chunk * int(request.target[1:]) + b"0\r\n\r\n")

    gateway = portico(upstream(count_chunks, keep=False))
    for count in range(4, 40):
        connection = h2(gateway, window=0)
        stream = connection.request(f"/{count}")
        connection.until_frame(HEADERS)
        connection.send(frame(PING, 0, 0, bytes(8)))
        connection.until_frame(PING)
        connection.send(window_update(stream, count * 2049))
        assert len(connection.finish(stream).body) == count * 2049


@pytest.mark.parametrize("declared", [True, False])
def test_a_large_upload(portico, upstream, h2, declared):
    content = pattern(3 * MIB + 5)
    connection = h2(portico(upstream(digests, keep=False)))
    extra = [("content-length", str(len(content)))] if declared else []
    stream = connection.request("/", method="POST", body=content, extra=extra)
    assert connection.finish(stream).body.decode() == hashlib.sha256(content).hexdigest()


def test_curl_both_ways(portico, upstream, tmp_path):
    def mirror(connection):
        while request := connection.request():
            connection.send(ok(request.body))

    content = pattern(8 * MIB)
    (tmp_path / "up").write_bytes(content)
    gateway = portico(upstream(mirror, keep=False))
    subprocess.run(["curl", "-sS", "--http2-prior-knowledge", "--data-binary", f"@{tmp_path}/up", "-o", tmp_path / "down",
                    f"http://127.0.0.1:{gateway.port}/"], check=True, timeout=5 * PATIENCE)
    assert (tmp_path / "down").read_bytes() == content


def test_many_uploads_at_a_time(portico, upstream, h2):
    """More than the connection's window in all: what streams that wait for their answer have sent is given back."""
    content = pattern(60000)
    connection = h2(portico(upstream(digests, keep=False)))
    ids = [connection.request("/", method="POST", body=content) for _ in range(60)]
    connection.finish(*ids)
    assert {connection.streams[id].body.decode() for id in ids} == {hashlib.sha256(content).hexdigest()}


def test_small_frames_are_gathered(portico, upstream, h2):
    connection = h2(portico(upstream(digests, keep=False)))
    stream = connection.request("/", method="POST", end=False)
    content = pattern(9000)
    for at in range(0, len(content), 3):
        connection.data(stream, content[at:at + 3], end=at + 3 >= len(content))
    assert connection.finish(stream).body.decode() == hashlib.sha256(content).hexdigest()


def test_an_upload_to_a_slow_upstream_stops_at_the_window(portico, upstream, h2):
    """Nothing is read beyond the stream's window while the upstream takes nothing; other streams go on."""
    gateway = portico({"app": upstream(lambda connection: time.sleep(3)), "other": upstream(named("other"))},
                      routes=[route_to("other", "/other"), route_to("app")])
    connection = h2(gateway)
    stream = connection.request("/", method="POST", end=False)
    sent = 0
    connection.sock.settimeout(1)
    with pytest.raises(TimeoutError):
        while sent < 64 * MIB:
            while (room := min(16384, connection.room(stream))) <= 0:
                connection.step()
            connection.data(stream, bytes(room), end=False)
            sent += room
    assert sent < 16 * MIB  # what the kernel holds towards the upstream
    connection.sock.settimeout(PATIENCE)
    assert connection.get("/other").body == b"other"


@pytest.mark.measured
def test_a_client_without_windows_costs_little(portico, upstream):
    """100 streams whose client opens no window: what waits for them is bounded."""
    gateway = portico(upstream(answers(ok(pattern(4 * MIB))), keep=False))
    before = gateway.rss()
    with H2(gateway.port, window=0, patient=False) as client:
        for _ in range(100):
            client.request()
        time.sleep(2)
        assert gateway.rss() - before < 40 * MIB  # 100 x (32 KiB here, 64 KiB and a block of reading on the other side)


@pytest.mark.measured
def test_a_client_that_reads_nothing_costs_little(portico, upstream, bystander):
    gateway = portico(upstream(answers(ok(pattern(8 * MIB))), keep=False))
    before = gateway.rss()
    with H2(gateway.port, window=(1 << 31) - 1, receive_buffer=4096) as client:
        client.send(window_update(0, (1 << 31) - 65536))
        for _ in range(20):
            client.request()
        time.sleep(1.5)
        assert gateway.rss() - before < 12 * MIB


def test_the_window_of_reset_uploads_is_given_back(portico, upstream, h2):
    """Unconsumed content of dead streams must not stay charged to the connection."""
    gateway = portico({"app": upstream(silent, keep=False), "digests": upstream(digests, keep=False)},
                      routes=[route_to("digests", "/digest"), route_to("app")])
    connection = h2(gateway)
    for _ in range(40):
        stream = connection.request("/", method="POST", body=bytes(65000), end=False)
        connection.send(rst(stream))
    content = pattern(2 * MIB)
    stream = connection.request("/digest", method="POST", body=content)
    assert connection.finish(stream).body.decode() == hashlib.sha256(content).hexdigest()


def test_a_reset_request_reaches_the_upstream(portico, upstream, h2):
    closed = threading.Event()

    def script(connection):
        connection.head()
        connection.rest()
        closed.set()

    app = upstream(script)
    gateway = portico(app)
    connection = h2(gateway)
    stream = connection.request()
    app.wait_connections(1)
    wait_until(lambda: app.heads, "the request")
    connection.send(rst(stream, CANCEL))
    assert closed.wait(PATIENCE)
    assert gateway.last_record().cause == "client_gone"


def test_a_client_that_stops_reading_one_stream(portico, upstream, h2):
    """Its window stays closed: the stream ends after write_timeout, the others never notice."""
    gateway = portico({"app": upstream(answers(ok(pattern(MIB))), keep=False), "other": upstream(named("other"))},
                      routes=[route_to("other", "/other"), route_to("app")], client={"write_timeout": "400ms"})
    connection = h2(gateway, window=10, patient=False)
    stream = connection.request()
    connection.finish(stream)
    assert (len(connection.streams[stream].body), connection.streams[stream].reset) == (10, CANCEL)
    assert connection.get("/other").body == b"other"
    assert gateway.log_records(2)[0].cause == "client_stalled"


def test_an_answer_of_our_own_that_is_not_taken_is_no_success(portico, upstream, h2):
    gateway = portico(upstream(), client={"write_timeout": "300ms"}, routes=[{"prefix": "/", "respond": {"body": "x" * 1000}}])
    connection = h2(gateway, window=0, patient=False)
    stream = connection.finish(connection.request())
    assert (stream.status, bytes(stream.body), stream.reset) == (200, b"", CANCEL)
    record = gateway.last_record()
    assert (record.status, record.cause) == (200, "client_stalled")


def test_an_upload_that_is_too_slow(portico, upstream, h2):
    gateway = portico({"app": upstream(silent, keep=False), "other": upstream(named("other"))},
                      routes=[route_to("other", "/other"), route_to("app")],
                      client={"body_min_rate": "1KiB", "body_grace": "300ms"})
    connection = h2(gateway)
    stream = connection.request("/", method="POST", body=b"x", end=False)
    response = connection.finish(stream)
    assert response.status == 408 and connection.get("/other").body == b"other"


def test_streams_share_the_connection(portico, upstream, h2):
    """RFC 9218: who says nothing about priority gets its share, no stream starves another."""
    gateway = portico(upstream(answers(ok(bytes(4 * MIB))), keep=False))
    connection = h2(gateway)
    ids = [connection.request() for _ in range(3)]
    while max(len(connection.streams[id].body) for id in ids) < 3 * MIB:
        connection.step()
    # in turn, not one after the other; a third would be each one's share if the services were equally fast
    assert min(len(connection.streams[id].body) for id in ids) > MIB // 2


def test_server_sent_events_come_at_once(portico, upstream, h2):
    more = threading.Event()

    def script(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        assert more.wait(PATIENCE)
        connection.send(b"data: 2\n\n")

    connection = h2(portico(upstream(script)))
    stream = connection.request()
    while connection.streams[stream].body != b"data: 1\n\n":
        connection.step()
    more.set()
    assert connection.finish(stream).body == b"data: 1\n\ndata: 2\n\n"
