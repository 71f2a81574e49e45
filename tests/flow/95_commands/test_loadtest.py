"""portico loadtest as an instrument: what it counts, how it measures time, what it calls errors, and its exit code.

Most scenarios let it ask a scripted server directly: then it is known what it should have seen.
"""
import contextlib
import json
import os
import pty
import re
import signal
import socket
import subprocess
import time

import pytest

from lib.client import accept_of
from lib.gateway import route_to
from lib.h2server import H2Upstream, serves
from lib.ports import free_port
from lib.tls import Authority, tls_listener
from lib.upstream import answers, named, ok, respond
from lib.wait import BINARY, PATIENCE, SLOW


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    made = Authority(tmp_path_factory.mktemp("certificates"))
    made.make("one.test")
    return made


def url(server, path="/"):
    return f"http://{server.address}{path}"


# What is counted ------------------------------------------------------------------------------------------

def test_closed_loop_counts_what_the_server_has_seen(loadtest, upstream):
    server = upstream(answers(ok(b"twelve bytes")), keep=False)
    test = loadtest(url(server, "/a?b=1"), "--connections", 3)
    assert test.code == 0, test.complaints
    assert test.all["good"] == len(server.requests) > 10
    assert test.all["bytes"] == 12 * test.all["good"]
    assert test.errors == {} and len(server.connections) == 3 + 1  # and the one that asks whether anybody is there
    assert {request.target for request in server.requests} == {"/a?b=1"}
    assert {request.get("Host") for request in server.requests} == {server.address}
    assert test.report["generator"]["connects"] == 3


def test_open_loop_keeps_its_rate(loadtest, upstream):
    server = upstream(answers(ok()), keep=False)
    test = loadtest(url(server), "--rate", "100/s", "--duration", "1s")
    assert test.all["good"] == len(server.requests) == 100
    assert test.report["generator"]["unsent"] == 0


def test_threads_share_the_rate_and_the_clients(loadtest, upstream):
    server = upstream(answers(ok()), keep=False)
    test = loadtest(url(server), "--rate", "90/s", "--duration", "1s", "--threads", 3, "--connections", 7)
    assert test.all["good"] == len(server.requests) == 90
    assert len(server.connections) <= 7 + 1


def test_warm_up_is_counted_in_nothing(loadtest, upstream):
    server = upstream(answers(ok()), keep=False)
    test = loadtest(url(server), "--rate", "100/s", "--warmup", "500ms", "--duration", "500ms")
    assert (test.all["good"], len(server.requests), test.all["bytes"]) == (50, 100, 50 * len("ok"))


def test_the_mix_has_its_shares(loadtest, upstream):
    server = upstream(answers(ok()), keep=False)
    test = loadtest(url(server), "--mix", "/api=7,/=2,other.test/x=1", "--rate", "200/s", "--duration", "1s")
    assert [line["good"] for line in test.report["lines"]] == [140, 40, 20]
    seen = [(request.get("Host"), request.target) for request in server.requests]
    assert seen.count(("other.test", "/x")) == 20 and seen.count((server.address, "/api")) == 140


@pytest.mark.parametrize("protocol", ["h1", "h2"])
def test_content_is_sent(loadtest, portico, upstream, protocol):
    """Of every size, through both protocols; the gateway would complain of a byte too many or too few."""
    server = upstream(answers(ok(b"taken")), keep=False)
    gateway = portico(server, routes=[route_to("app", max_body="8MiB")])
    for size, length in (("1B", 1), ("17KiB", 17 << 10), ("3MiB", 3 << 20)):
        test = loadtest(f"http://127.0.0.1:{gateway.port}/", "--protocol", protocol, "--body", size, "--rate", "8/s", "--expect",
                        "taken")
        assert (test.code, test.all["good"], test.errors) == (0, 4, {})
        assert {(request.method, len(request.body)) for request in server.requests} == {("POST", length)}
        server.requests.clear()


def test_content_that_is_refused(loadtest, portico, upstream):
    gateway = portico(upstream(answers(ok()), keep=False), routes=[route_to("app", max_body="1MiB")])
    test = loadtest(f"http://127.0.0.1:{gateway.port}/", "--body", "20MiB", "--method", "PUT", "--rate", "8/s")
    assert test.all["statuses"] == {"413": 4} and test.errors == {"4xx": 4}


@pytest.mark.parametrize("protocol", ["h1", "h2"])
def test_headers_are_sent_and_in_no_report(loadtest, portico, upstream, protocol):
    server = upstream(answers(ok()), keep=False)
    gateway = portico(server)
    test = loadtest(f"http://127.0.0.1:{gateway.port}/", "--protocol", protocol, "--rate", "4/s", "--method", "LOOK", "--header",
                    "Authorization: Bearer s3cret", "--header", "X-Two:1", "--header", "x-two: 2", "--header", "User-Agent: own")
    assert test.code == 0 and test.all["good"] == 2
    request = server.requests[0]
    assert (request.method, request.get("Authorization"), request.get("User-Agent")) == ("LOOK", "Bearer s3cret", "own")
    assert [value for name, value in request.fields if name.lower() == "x-two"] == ["1", "2"]
    assert "s3cret" not in json.dumps(test.report) + test.text


# Time -----------------------------------------------------------------------------------------------------

def stalls(after, seconds):
    """Answers at once, but once, on each connection, so many seconds late."""
    def script(connection):
        for number in range(1_000_000):
            if not connection.request():
                return
            if number == after:
                time.sleep(seconds)
            connection.send(ok())
    return script


def test_a_stall_is_in_the_open_loop_s_percentiles(loadtest, upstream):
    """Coordinated omission: with one connection a stall of a second delays a hundred requests, not one."""
    options = ("--connections", 1, "--duration", "2s")
    open_loop = loadtest(url(upstream(stalls(20, 1), keep=False)), "--rate", "100/s", *options)
    assert open_loop.all["good"] == 200
    assert 950 < open_loop.latency("max") < 4000 * SLOW
    assert open_loop.latency("p90") > 700 and open_loop.latency("p99") > 900
    slow = [interval["latency_us"]["max"] > 100_000 for interval in open_loop.report["intervals"]]
    assert sum(slow) * open_loop.report["interval_us"] > 700_000
    assert open_loop.report["generator"]["queued"] > 50
    assert "due while every connection was busy" in open_loop.text

    closed_loop = loadtest(url(upstream(stalls(20, 1), keep=False)), *options)
    assert closed_loop.latency("max") > 950 > closed_loop.latency("p99")  # it does not see what it kept from asking


def test_what_waits_for_longer_than_the_timeout(loadtest, upstream):
    server = upstream(stalls(0, 3), keep=False)
    test = loadtest(url(server), "--rate", "50/s", "--connections", 1, "--timeout", "300ms", "--duration", "600ms")
    assert test.all["good"] + test.errors["timeout"] == 30
    assert test.errors["timeout"] > 20 and 300 <= test.latency("p99") < 3000 * SLOW
    assert test.report["generator"]["unsent"] > 0


# What is wrong with answers -------------------------------------------------------------------------------

def resets(connection):
    while connection.request():
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.sock.close()
        return


@pytest.mark.parametrize("script, kind", [
    (answers(respond(404)), "4xx"), (answers(respond(503, b"no")), "5xx"), (answers(ok(b"another")), "content"),
    (answers(b"HTTP/1.1 200 OK\nContent-Length: 0\n\n"), "protocol"), (resets, "reset"),
], ids=["4xx", "5xx", "content", "protocol", "reset"])
def test_errors_by_their_kind(loadtest, upstream, script, kind):
    test = loadtest(url(upstream(script, keep=False)), "--expect", "right", "--rate", "20/s")
    assert (test.all["good"], test.errors) == (0, {kind: 10})
    assert f"10 {kind}: " in test.text


def test_a_truncated_answer(loadtest, upstream):
    def script(connection):
        if connection.request():
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
    test = loadtest(url(upstream(script, keep=False)), "--rate", "20/s")
    assert (test.all["good"], test.errors) == (0, {"reset": 10})


def upgraded(connection):
    """The 101 that the connection's request asks for."""
    key = connection.head().get("Sec-WebSocket-Key")
    return (b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Accept: " + accept_of(key).encode() + b"\r\n\r\n")


def unmasked(frame):
    """The payload of a masked frame of 64 bytes."""
    return bytes(byte ^ frame[2 + at % 4] for at, byte in enumerate(frame[6:]))


def websocket(*answers):
    """Answers the n-th message with these bytes, where ECHO stands for its payload; the last one for ever."""
    def script(connection):
        connection.send(upgraded(connection))
        for number in range(1_000_000):
            payload = unmasked(connection.exactly(2 + 4 + 64))
            connection.send(answers[min(number, len(answers) - 1)].replace(b"ECHO", payload))
    return script


ECHO, PING, CLOSE = b"\x82\x40ECHO", b"\x89\x03you", b"\x88\x00"


@pytest.mark.parametrize("messages, good, errors", [
    ([ECHO], 10, {}), ([PING + ECHO[:1], ECHO[1:]], 0, {"timeout": 10}), ([b"\x82\x04oops"], 0, {"content": 10}),
    ([ECHO + CLOSE], 10, {"lost": 10}), ([ECHO, CLOSE], 5, {"lost": 5}), ([b"\xf2\x40ECHO"], 0, {"protocol": 10}),
    ([b"\x02\x00\x8a\x00\x80\x40ECHO"], 10, {}),
], ids=["echo", "half", "wrong", "closed at rest", "closed instead", "compressed", "in parts"])
def test_websockets_by_their_answers(loadtest, upstream, messages, good, errors):
    test = loadtest(url(upstream(websocket(*messages), keep=False)), "--mix", "ws:/", "--rate", "20/s", "--connections", 1,
                    "--timeout", "700ms" if "timeout" in errors else "8s")
    assert (test.all["good"], test.errors) == (good, errors)


@pytest.mark.parametrize("status, kind", [(200, "content"), (403, "4xx"), (502, "5xx")])
def test_a_server_that_does_not_upgrade(loadtest, upstream, status, kind):
    test = loadtest(url(upstream(answers(respond(status)), keep=False)), "--mix", "ws:/", "--rate", "10/s")
    assert (test.all["good"], test.errors) == (0, {kind: 5})


def test_pings_are_answered(loadtest, upstream):
    pong = b"\x8a\x83\x12\x34\x56\x78" + bytes(a ^ b for a, b in zip(b"you", b"\x12\x34\x56"))

    def script(connection):
        connection.send(upgraded(connection) + PING)
        seen = connection.exactly(len(pong) + 2 + 4 + 64)
        assert pong in seen
        connection.send(b"\x82\x40" + unmasked(seen.replace(pong, b"")))
        connection.exactly(1)  # until it goes
    test = loadtest(url(upstream(lambda probe: None, script)), "--mix", "ws:/", "--rate", "2/s", "--connections", 1)
    assert (test.all["good"], test.errors) == (1, {})


def events(connection):
    """Three events and a comment, then the end."""
    connection.head()
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n")
    for text in (b": hello\n\n", b"data: 1\n\ndata: 2\n", b"\nid: 3\ndata: 3\n\n"):
        connection.send(b"%x\r\n%b\r\n" % (len(text), text))
        time.sleep(0.02)
    connection.send(b"0\r\n\r\n")


def test_event_streams_that_end_are_lost_and_opened_again(loadtest, upstream):
    server = upstream(lambda probe: None, events, keep=False)
    test = loadtest(url(server), "--mix", "sse:/=2", "--duration", "1s")
    line = test.line("/")
    opened = len(server.connections) - 1
    assert 2 <= opened <= 8 and 2 * 3 <= line["good"] <= opened * 3
    assert line["errors"] == test.errors and set(test.errors) == {"lost"} and 1 <= test.errors["lost"] <= opened
    assert (test.all["good"], test.all["latency_us"]["count"]) == (0, 0)  # events are no requests
    assert 1 <= line["latency_us"]["count"] <= opened  # times to the first event
    assert {head.get("Accept") for head in server.heads} == {"text/event-stream"}


@pytest.mark.parametrize("answer, kind", [(respond(404), "4xx"), (respond(503), "5xx"), (ok(content_type="text/html"), "content")])
def test_what_is_no_event_stream(loadtest, upstream, answer, kind):
    test = loadtest(url(upstream(answers(answer), keep=False)), "--mix", "sse:/")
    assert set(test.errors) == {kind}


def test_what_is_expected_may_stand_anywhere(loadtest, upstream):
    test = loadtest(url(upstream(answers(ok(b"x" * 9000 + b"right" + b"y" * 9000)), keep=False)), "--expect", "right")
    assert test.errors == {}


def test_a_server_that_goes_away(loadtest, upstream):
    """It is there when the test begins, and refuses from then on."""
    server = upstream(lambda connection: server.close_listener())
    test = loadtest(url(server), "--rate", "40/s")
    assert (test.all["good"], sum(test.errors.values())) == (0, 20)
    assert test.errors["connect"] > 10


def test_statuses_one_by_one(loadtest, upstream):
    script = answers(*[respond(status) for status in (200, 401, 429, 429, 503)] * 4)
    test = loadtest(url(upstream(script, keep=False)), "--rate", "40/s", "--connections", 1)
    assert test.all["statuses"] == {"200": 4, "401": 4, "429": 8, "503": 4}
    assert test.errors == {"4xx": 12, "5xx": 4}
    assert "from 400 to 499 (401: 4, 429: 8)\n" in test.text and "(503: 4)\n" in test.text


def test_redirects_are_good_and_told(loadtest, upstream):
    test = loadtest(url(upstream(answers(respond(301, location="https://x/")), keep=False)), "--rate", "20/s")
    assert (test.all["good"], test.all["redirects"], test.errors) == (10, 10, {})
    assert "10 of the good answers were redirects" in test.text


# The generator itself -------------------------------------------------------------------------------------

def test_a_generator_that_cannot_keep_the_rate_says_so(upstream, tmp_path):
    """It is stopped for a while: what was due then begins late although connections are free."""
    server, report = upstream(answers(ok()), keep=False), tmp_path / "report.json"
    test = subprocess.Popen([BINARY, "loadtest", url(server), "--rate", "200/s", "--connections", "50", "--warmup", "0s",
                             "--duration", "1500ms", "--json", report], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    server.wait_connections(2)  # one that looks whether it is there; then it has begun
    test.send_signal(signal.SIGSTOP)
    time.sleep(0.5)
    test.send_signal(signal.SIGCONT)
    out, _ = test.communicate(timeout=PATIENCE)
    seen = json.loads(report.read_text())
    assert seen["generator"]["lag_us"]["max"] > 200_000 and seen["all"]["good"] == 300
    assert "note: the generator could not keep the rate: with a connection free it was late by " in out
    assert any("could not keep the rate" in note for note in seen["notes"])


def test_progress_is_one_line_on_a_terminal_and_lines_elsewhere(loadtest, upstream):
    server = upstream(answers(ok()), keep=False)
    lines = loadtest(url(server), "--duration", "2200ms", "--rate", "20/s").complaints.splitlines()
    assert len(lines) == 2 and all(re.fullmatch(r"[\d.]+s/2.20s  [\d.]+/s  \d+ good  0 errors", line) for line in lines)
    terminal, other_end = pty.openpty()
    test = subprocess.Popen([BINARY, "loadtest", url(server), "--warmup", "0s", "--duration", "1200ms", "--rate", "20/s"],
                            stdout=subprocess.PIPE, stderr=other_end)
    os.close(other_end)
    test.communicate(timeout=PATIENCE)
    said = b""
    with contextlib.suppress(OSError):  # EIO: the other end is closed and everything was read
        while part := os.read(terminal, 4096):
            said += part
    os.close(terminal)
    assert said.startswith(b"\r\x1b[K") and said.endswith(b"\r\x1b[K") and b"\n" not in said and b" good " in said


# Thresholds -----------------------------------------------------------------------------------------------

def test_thresholds_decide_the_exit_code(loadtest, upstream):
    server = upstream(answers(ok()), keep=False)
    assert loadtest(url(server), "--fail-if", "p99>10s,errors>0,rate<1/s").code == 0
    test = loadtest(url(server), "--fail-if", "p99>10s,p50>1us,requests<1000000")
    assert test.code == 1
    assert [sentence.split(":")[0] for sentence in test.report["broken"]] == ["p50>1us", "requests<1000000"]
    assert "portico: --fail-if p50>1us: it was " in test.complaints


def test_thresholds_may_be_about_one_thing_that_is_asked_for(loadtest, upstream):
    def script(connection):
        while request := connection.request():
            connection.send(ok() if request.target == "/good" else respond(503))
    server = upstream(script, keep=False)
    test = loadtest(url(server), "--mix", "/good,/bad", "--fail-if", "/good: errors>0, /bad: errors>0, h1:/bad: 5xx>99%")
    assert test.code == 1
    assert [sentence.split(": it was")[0] for sentence in test.report["broken"]] == ["/bad: errors>0", "h1:/bad: 5xx>99%"]


# Through the gateway --------------------------------------------------------------------------------------

@pytest.mark.parametrize("protocol", ["h1", "h2"])
@pytest.mark.parametrize("secure", [True, False], ids=["tls", "plain"])
def test_every_protocol_through_the_gateway(loadtest, portico, upstream, authority, protocol, secure):
    port = free_port()
    portico({"api": upstream(named("api")), "web": upstream(named("web"))},
            routes=[route_to("api", "/api"), route_to("web")],
            listen=[tls_listener(port) if secure else f"127.0.0.1:{port}"], tls={"certificates": [authority.setting("one.test")]})
    trust = ["--host", "one.test", "--ca", authority.ca] if secure else []
    test = loadtest(f"{'https' if secure else 'http'}://127.0.0.1:{port}", *trust, "--protocol", protocol, "--streams", 3,
                    "--mix", "/api/x=2,/=1", "--rate", "120/s")
    assert test.code == 0, test.complaints
    assert [line["good"] for line in test.report["lines"]] == [40, 20]
    assert [line["bytes"] for line in test.report["lines"]] == [40 * 3, 20 * 3]
    assert test.errors == {}


@pytest.mark.parametrize("messages, good, errors", [
    ([ECHO], 10, {}), ([PING + ECHO[:1], ECHO[1:]], 0, {"timeout": 10}), ([b"\x82\x04oops"], 0, {"content": 10}),
    ([ECHO, CLOSE], 5, {"lost": 5}), ([b"\x02\x00\x8a\x00\x80\x40ECHO"], 10, {}),
], ids=["echo", "half", "wrong", "closed instead", "in parts"])
def test_websockets_over_http2_by_their_answers(loadtest, portico, upstream, messages, good, errors):
    gateway = portico(upstream(websocket(*messages), keep=False))
    test = loadtest(f"http://127.0.0.1:{gateway.port}", "--mix", "ws2:/", "--rate", "20/s", "--connections", 1,
                    "--timeout", "700ms" if "timeout" in errors else "8s")
    assert (test.all["good"], test.errors) == (good, errors)
    assert test.report["generator"]["connects"] == 1


@pytest.mark.parametrize("status, kind", [(200, "5xx"), (403, "4xx"), (502, "5xx")])  # the gateway knows that 200 is no upgrade
def test_an_upgrade_over_http2_that_is_refused(loadtest, portico, upstream, status, kind):
    gateway = portico(upstream(answers(respond(status)), keep=False))
    test = loadtest(f"http://127.0.0.1:{gateway.port}", "--mix", "ws2:/", "--rate", "10/s")
    assert (test.all["good"], test.errors) == (0, {kind: 5})


def test_a_server_of_http2_without_websockets(loadtest):
    """It has not said that it takes them (RFC 8441 section 3), so it is not asked."""
    server = H2Upstream(lambda probe: probe.greet().rest(), serves)
    test = loadtest(f"http://127.0.0.1:{server.port}", "--mix", "h2:/,ws2:/chat", "--rate", "20/s")
    server.close()
    assert (test.line("/")["good"], test.errors) == (5, {"protocol": 5})
    assert "CONNECT" not in [head[":method"] for head in server.heads]


def test_event_streams_over_http2_share_a_connection(loadtest, portico, upstream):
    server = upstream(events, keep=False)
    gateway = portico(server)
    test = loadtest(f"http://127.0.0.1:{gateway.port}", "--mix", "sse2:/=3", "--duration", "1s")
    line = test.line("/")
    opened = len(server.connections)
    assert 3 <= opened <= 12 and 3 * 3 <= line["good"] <= opened * 3
    assert set(test.errors) == {"lost"} and 1 <= test.errors["lost"] <= opened
    assert test.report["generator"]["connects"] == 1
    assert {head.get("Accept") for head in server.heads} == {"text/event-stream"}


@pytest.mark.parametrize("protocol", ["ws2", "sse2"])
def test_who_speaks_no_http2_is_told_so(loadtest, upstream, protocol):
    test = loadtest(url(upstream(answers(ok()), keep=False)), "--mix", f"{protocol}:/")
    assert test.code == 1 and "it does not speak HTTP/2" in test.complaints


# Wrong from the start -------------------------------------------------------------------------------------

def test_nobody_is_there(loadtest):
    test = loadtest(f"http://127.0.0.1:{free_port()}/")
    assert (test.code, test.report) == (1, None)
    assert "nobody listens there" in test.complaints


def test_who_is_not_trusted(loadtest, portico, upstream, authority, tmp_path):
    port = free_port()
    portico(upstream(), listen=[tls_listener(port)], tls={"certificates": [authority.setting("one.test")]})
    target = f"https://127.0.0.1:{port}"
    untrusted = loadtest(target, "--host", "one.test")
    assert untrusted.code == 1 and "not signed by anybody who is trusted: --ca FILE says whom to trust" in untrusted.complaints
    misnamed = loadtest(target, "--host", "two.test", "--ca", authority.ca)
    assert misnamed.code == 1 and "for another name" in misnamed.complaints
    anybody = loadtest(target, "--insecure")
    assert anybody.code == 0 and "certificate was not checked (--insecure)" in anybody.text
    assert "was not checked" in anybody.report["notes"][0]
    assert loadtest(f"http://127.0.0.1:{port}").errors.keys() == {"4xx"}  # TLS is spoken there: the gateway says so


@pytest.mark.parametrize("arguments, said", [
    ([], "say whom to ask: a URL, or --config FILE"),
    (["ftp://x/"], "not a URL"), (["http:///x"], "no valid host"), (["http://127.0.0.1:1/", "http://x"], "more than one URL"),
    (["http://127.0.0.1:1", "--rate", "100"], "--rate 100: that is not a rate such as 500/s"),
    (["http://127.0.0.1:1", "--duration", "10"], "that is not a time with its unit"),
    (["http://127.0.0.1:1", "--connections", "0"], "more than 0 and at most 20000"),
    (["http://127.0.0.1:1", "--conections", "1"], "did you mean --connections?"),
    (["http://127.0.0.1:1", "--mix", "/a,api"], "--mix, at character 4: \"api\" has no path"),
    (["http://127.0.0.1:1", "--mix", "/a,wss:/chat=3"],
     "at character 4: \"wss:\" is no host, nor one of h1: h2: ws: ws2: sse: sse2:"),
    (["http://127.0.0.1:1", "--mix", "http://127.0.0.1/a"], "\"http:\" is no host"),
    (["http://127.0.0.1:1", "--mix", "a_b~[/c"], "\"a_b~[\" is no host"),
    (["http://127.0.0.1:1/a b"], "holds what cannot be sent; percent-encode it"),
    (["http://127.0.0.1:1", "--fail-if", ""], "portico: --fail-if needs LIMITS"),
    (["http://127.0.0.1:1", "--expect", ""], "portico: --expect needs TEXT"),
    (["http://127.0.0.1:1", "--json", ""], "portico: --json needs FILE"),
    (["http://127.0.0.1:1", "--pid", "1"], "--pid needs --reload-every"),
    (["http://127.0.0.1:1", "--json", "/nonexistent/x"], "/nonexistent/x: No such file or directory"),
    (["http://127.0.0.1:1", "--html", "/"], "/: Is a directory"),
    (["http://127.0.0.1:1", "--mix", "sse:/a", "--rate", "1/s"], "besides event streams"),
    (["http://127.0.0.1:1", "--fail-if", "p99>5,errors>0"], "--fail-if, at character 5: \"5\" is not a time"),
    (["http://127.0.0.1:1", "--fail-if", "spped>5"], "at character 1: nothing is called \"spped\""),
    (["http://127.0.0.1:1", "--mix", "/a,ws:/b", "--fail-if", "/c: p99>5ms"],
     "at character 1: \"/c\" is not asked for; write one of these before the colon, with or without its protocol: h1:/a, ws:/b"),
    (["http://127.0.0.1:1", "--ca", "/nonexistent", "--insecure"], "give one of them"),
    (["https://127.0.0.1:1", "--ca", "/nonexistent"], "/nonexistent "),
    (["http://127.0.0.1:1", "--try"], "--try needs --config FILE"),
    (["http://127.0.0.1:1", "--reload-every", "1s"], "or --pid PID"),
    (["http://127.0.0.1:1", "--kill-upstream", "app"], "--kill-upstream needs --try"),
    (["http://127.0.0.1:1", "--timeout"], "--timeout needs TIME"),
    (["http://127.0.0.1:1", "--header", "Nonsense"], "that is not of the form 'Name: value'"),
    (["http://127.0.0.1:1", "--header", "A b: c"], "that is not of the form"),
    (["http://127.0.0.1:1", "--header", "A: b\r\nC: d"], "that is not of the form"),
    (["http://127.0.0.1:1", "--header", "Host: x"], "--host and --body make it"),
    (["http://127.0.0.1:1", "--header", "transfer-encoding: chunked"], "belongs to the connection"),
    (["http://127.0.0.1:1", "--method", "A B"], "a method that can be asked with"),
    (["http://127.0.0.1:1", "--threads", "17"], "--threads must not be more than --connections"),
    (["http://127.0.0.1:1", "--connections", "20000", "--mix", "/,a/,b/,ws:/c"], "raise the limit (ulimit -n)"),
])
def test_what_is_asked_for_wrongly(command, arguments, said):
    result = command("loadtest", *arguments)
    assert result.returncode == 2 and said in result.stderr
