"""portico try: the whole gateway with a stand-in for every upstream, and lines that work when pasted."""
import contextlib
import json
import os
import random
import signal
import socket
import struct
import subprocess
import time

import pytest
import websockets

from lib import yaml
from lib.client import accept_of, chunked, get, post, upgrade
from lib.faults import assert_made_here
from lib.gateway import route_to
from lib.ports import free_port
from lib.tls import DEVELOPMENT, Authority, client_context
from lib.upstream import named
from lib.wait import PATIENCE, SLOW, wait_until

HOST = "star-meet.com"
MIB = 1 << 20
ROUTES = {"/api/v1/streaming": "streaming", "/api/v1/streaming/user": "streaming", "/api": "api", "/api/v1": "api",
          "/join": "wizard", "/join/2": "wizard", "/_next/a.js": "wizard", "/": "web", "/apiary": "web"}


def config(upstreams, routes=None, listen=":80", hosts=("*",), **settings):
    """A file with one site; without routes everything goes to the first upstream."""
    return {"process": {"threads": 1}, "listen": [listen], "upstreams": upstreams,
            "sites": [{"hosts": list(hosts), "routes": routes or [route_to(next(iter(upstreams)))]}], **settings}


# Requests -------------------------------------------------------------------------------------------------

def test_every_route_names_its_upstream(trial):
    with trial().client() as client:
        found = {target: client.get(target, host=HOST).json["upstream"] for target in ROUTES}
        assert found == ROUTES
        assert_made_here(client.get("/", host="other.test"), "misdirected")


def test_what_a_stand_in_received(trial):
    with trial().client() as client:
        response = client.get("/api/x?a=1&b=%22", host=HOST, x_own='say "\\hi"', x_forwarded_for="6.6.6.6")
        client.send(get("/api", host=HOST)[:-2] + b"X-Two: 1\r\nX-Two: caf\xe9\r\n\r\n")
        twice = client.response()
    seen = response.json
    assert response.get("Content-Type") == "application/json"
    assert (seen["method"], seen["path"], seen["query"], seen["body_bytes"]) == ("GET", "/api/x", "a=1&b=%22", 0)
    fields = {name.lower(): value for name, value in seen["headers"]}
    assert (fields["x-own"], fields["host"]) == ('say "\\hi"', HOST)
    assert fields["x-forwarded-for"] == fields["x-real-ip"] == "127.0.0.1"
    assert [value for name, value in twice.json["headers"] if name == "X-Two"] == ["1", "caf\xe9"]


def test_head_announces_what_get_sends(trial):
    with trial().client() as client:
        head = client.ask(get("/join", "HEAD", HOST))
        body = client.ask(get("/join", "LOOK", HOST)).body
    assert (head.status, int(head.get("Content-Length")), head.body) == (200, len(body), b"")


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_large_body_is_counted(trial, framing):
    content = b"x" * (20 * MIB)
    gateway = trial()
    with gateway.client() as client:
        if framing == "length":
            response = client.ask(post(content, "/api/upload", HOST))
        else:
            client.send(get("/api/upload", "POST", HOST, transfer_encoding="chunked"))
            response = client.ask(chunked(*(content[at:at + MIB] for at in range(0, len(content), MIB))), "POST")
        assert (response.json["upstream"], response.json["body_bytes"]) == ("api", len(content))
        assert client.get("/join", host=HOST).json["body_bytes"] == 0


def test_expect_is_answered(trial):
    with trial().client() as client:
        client.send(get("/api", "POST", HOST, content_length=5, expect="100-continue"))
        assert client.head().status == 100
        assert client.ask(b"hello", "POST").json["body_bytes"] == 5


# Events ---------------------------------------------------------------------------------------------------

def test_events_come_at_once_and_go_on(trial):
    with trial().client() as client:
        begun = time.monotonic()
        client.send(get("/api/v1/streaming", host=HOST, accept="text/event-stream"))
        assert client.head().get("Content-Type") == "text/event-stream"
        ticks = [json.loads(client.until(b"\n\n").split(b"data: ")[1]) for _ in range(3)]
        times = time.monotonic() - begun
    assert ticks == [{"upstream": "streaming", "tick": number} for number in range(3)]
    assert 1.5 < times < 3.0 * SLOW


# WebSocket ------------------------------------------------------------------------------------------------

def connect(gateway, path="/api/v1/streaming", **settings):
    return websockets.connect(f"wss://{HOST}{path}", host="127.0.0.1", port=gateway.port,
                              ssl=client_context(DEVELOPMENT), server_hostname=HOST, **settings)


async def test_a_websocket_gives_back_what_comes(trial):
    async with connect(trial(), subprotocols=["token", "chat"], max_size=None) as socket:
        assert socket.subprotocol == "token"
        for message in ("hello", "", "caf\xe9", b"\0\xff" * 70, b"\0\xff" * 5000, "x" * 200000, os.urandom(4 * MIB)):
            await socket.send(message)
            assert await socket.recv() == message
        await socket.send(["a", "b", "c"])  # three frames
        assert await socket.recv() == "abc"
        await (await socket.ping(b"payload"))
        await socket.close(4321, "enough")
    assert (socket.close_code, socket.close_reason) == (4321, "enough")


def frame(first, payload=b"", mask=b"\x01\x02\x03\x04", length=None):
    """`first` is the first byte; without a mask it is no client's."""
    length = length or (bytes([len(payload)]) if len(payload) < 126 else struct.pack(">BH", 126, len(payload)))
    masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload)) if mask else payload
    return bytes([first, length[0] | (0x80 if mask else 0)]) + length[1:] + (mask or b"") + masked


def open_websocket(gateway):
    client = gateway.client()
    response = client.ask(upgrade("/join", host=HOST), "GET")
    assert (response.status, response.get("Sec-WebSocket-Accept")) == (101, accept_of())
    return client


@pytest.mark.parametrize("slowly", [False, True])
def test_frames_in_any_pieces(trial, slowly):
    sent = frame(0x01, b"one ") + frame(0x89, b"ping") + frame(0x80, b"two") + frame(0x82, b"\xff" * 300) + frame(0x8a, b"x")
    sent += frame(0x81) + frame(0x88, struct.pack(">H", 1001) + b"bye")
    expected = b"\x01\x04one " + b"\x8a\x04ping" + b"\x80\x03two" + b"\x82\x7e\x01\x2c" + b"\xff" * 300
    expected += b"\x81\x00" + b"\x88\x05\x03\xe9bye"
    with open_websocket(trial()) as client:
        (client.send_slowly if slowly else client.send)(sent)
        assert client.exactly(len(expected)) == expected
        assert client.ended()


@pytest.mark.parametrize("broken", [
    frame(0x81, b"hello", mask=None), frame(0xc1, b"x"), frame(0x91, b"x"), frame(0x83, b"x"), frame(0x8b, b"x"),
    frame(0x80, b"x"), frame(0x01, b"a") + frame(0x01, b"b"), frame(0x09, b"x"), frame(0x89, b"x" * 126),
    frame(0x82, b"x", length=b"\x7e\x00\x01"), frame(0x82, b"x", length=b"\x7f" + bytes(7) + b"\x01"),
    frame(0x82, b"x", length=b"\x7f\x80" + bytes(6) + b"\x01"), frame(0x88, b"x"),
])
def test_what_breaks_the_protocol_is_closed_with_1002(trial, broken):
    with open_websocket(trial()) as client:
        client.send(frame(0x81, b"good") + broken)
        assert client.exactly(6) == b"\x81\x04good"
        assert client.rest().endswith(b"\x88\x02\x03\xea")


def test_a_frame_is_not_gathered(trial):
    with open_websocket(trial()) as client:
        client.send(frame(0x82, b"first bytes", length=struct.pack(">BQ", 127, 1 << 40)))
        assert client.exactly(10 + 11)[10:] == b"first bytes"


# Addresses ------------------------------------------------------------------------------------------------

def test_upstreams_with_one_address_are_told_apart(trial):
    routes = [route_to("a", "/a"), route_to("b", "/b")]
    with trial(config({"a": "127.0.0.1:1", "b": {"servers": ["127.0.0.1:1", "unix:b.sock"]}}, routes)).client() as client:
        assert [client.get(target).json["upstream"] for target in ("/a", "/b", "/b", "/b")] == ["a", "b", "b", "b"]


def test_a_privileged_port_is_lifted(trial):
    host, port = f"127.{random.randrange(1, 255)}.{random.randrange(256)}.9", random.randrange(1, 1024)
    gateway = trial(config({"app": "127.0.0.1:1"}, listen=f"{host}:{port}"), listeners=[])
    assert f"on {host}:{port + 8000} ({host}:{port} in the file)" in gateway.stdout()
    assert run_line(gateway.routes()[0])["upstream"] == "app"


def test_an_override_is_taken_as_it_is(trial, upstream):
    real = upstream(named("real"))
    gateway = trial(options=["--override", f"starmeet-api:8000={real.address}"])
    with gateway.client() as client:
        wait_until(lambda: client.get("/api", host=HOST).status == 200, "the upstream")
        assert client.get("/api", host=HOST).body == b"real"
        assert client.get("/join", host=HOST).json["upstream"] == "wizard"
    assert f"Not a stand-in: api at {real.address}" in gateway.stdout()


def test_many_upstreams(trial):
    names = [f"u{number}" for number in range(300)]
    routes = [route_to(name, f"/{name}") for name in names]
    with trial(config({name: f"{name}:80" for name in names}, routes)).client() as client:
        assert [client.get(f"/{name}").json["upstream"] for name in names] == names


# Lines to paste -------------------------------------------------------------------------------------------

def paste(line):
    run = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=PATIENCE)
    assert run.returncode == 0, run.stderr
    return run.stdout


def run_line(line):
    return json.loads(paste(f"{line} -s"))


def head_and_body(line):
    """What a line with -i prints: the status line, the fields, the body."""
    head, body = paste(f"{line} -s").split("\n\n", 1)
    start, *fields = head.splitlines()
    return start.strip(), dict(field.lower().split(": ", 1) for field in fields), body


def first_event(line):
    with subprocess.Popen(["sh", "-c", f"exec {line} -s"], stdout=subprocess.PIPE, text=True) as run:
        text = run.stdout.readline() + run.stdout.readline()
        run.terminate()
    return text


def test_the_lines_of_starmeet_work(trial):
    gateway = trial()
    *routes, over_h2, plain, events = gateway.lines("curl")
    assert [run_line(line)["upstream"] for line in routes] == ["streaming", "api", "wizard", "wizard", "web"]
    assert not any(" -k" in line or " -H 'Host" in line for line in (*routes, over_h2, plain, events))
    start, _, body = head_and_body(over_h2)
    assert start == "HTTP/2 200" and json.loads(body)["upstream"] == "streaming"
    start, fields, _ = head_and_body(plain)
    assert start.startswith("HTTP/1.1 301")
    assert fields["location"].strip() == f"https://{HOST}:{gateway.port}/api/v1/streaming"
    assert first_event(events) == 'event: tick\ndata: {"upstream":"streaming","tick":0}\n'
    (websocket,) = gateway.lines("/usr/bin/python3")
    assert " wss://" in websocket and paste(websocket) == "hello\n"


def test_the_lines_of_a_site_for_any_host_work(trial):
    gateway = trial(config({"app": "127.0.0.1:1"}))
    line, over_h2, events = gateway.lines("curl")
    assert "--resolve" not in line and run_line(line)["upstream"] == "app"
    assert head_and_body(over_h2)[0] == "HTTP/2 200" and first_event(events).startswith("event: tick")
    (websocket,) = gateway.lines("/usr/bin/python3")
    assert paste(websocket) == "hello\n"


CERTIFICATES = {  # of the site's host: by an authority in the file, alone in its file, for another host
    "authority": lambda authority: [authority.make("two.test"), authority.make("shop.test")],
    "leaf": lambda authority: [authority.make("two.test"), authority.make_rsa("shop.test")],
    "none": lambda authority: [authority.make("two.test")],
}


@pytest.mark.parametrize("kind", CERTIFICATES)
def test_the_lines_trust_what_is_shown(trial, tmp_path, kind):
    authority = Authority(tmp_path / "it's $HOME")
    settings = {"tls": {"certificates": CERTIFICATES[kind](authority)}, "hosts": ["shop.test"]}
    gateway = trial(config({"app": "127.0.0.1:1"}, listen={"address": ":80", "tls": True}, **settings))
    line, over_h2, events = gateway.lines("curl")
    assert (" -k " in line) == (kind == "none")
    assert run_line(line)["upstream"] == "app"
    assert head_and_body(over_h2)[0] == "HTTP/2 200" and first_event(events).startswith("event: tick")
    (websocket,) = gateway.lines("/usr/bin/python3")
    assert paste(websocket) == "hello\n"


def test_lines_over_a_unix_socket_and_ipv6(trial):
    here = trial(config({"app": "127.0.0.1:1"}, listen="unix:here.sock"), listeners=[])
    line, over_h2, events = here.lines("curl")
    assert run_line(line)["upstream"] == "app" and head_and_body(over_h2)[0] == "HTTP/2 200"
    port = free_port()
    six = trial(config({"app": "127.0.0.1:1"}, listen=f"[::1]:{port}", hosts=["shop.test"]), listeners=[])
    line, *_ = six.lines("curl")
    assert run_line(line)["upstream"] == "app"
    assert paste(*six.lines("/usr/bin/python3")) == "hello\n"


@pytest.mark.parametrize("host", ["192.0.2.7", "[2001:db8::7]"])
def test_lines_of_a_site_that_is_an_address(trial, host):
    gateway = trial(config({"app": "127.0.0.1:1"}, hosts=[host]))
    assert run_line(gateway.routes()[0])["upstream"] == "app"
    assert paste(*gateway.lines("/usr/bin/python3")) == "hello\n"


def test_a_site_that_asks_for_certificates_has_no_lines(trial, tmp_path):
    authority = Authority(tmp_path)
    settings = {"tls": {"certificates": [authority.make("shop.test")]}}
    both = config({"app": "127.0.0.1:1"}, listen={"address": ":80", "tls": True}, hosts=["shop.test"], **settings)
    both["sites"].append({"hosts": ["staff.test"], "client_certificates": {"ca": str(authority.ca)}, "routes": [route_to("app")]})
    gateway = trial(both)
    assert "# staff.test: clients must have a certificate" in gateway.stdout()
    assert not any("staff.test" in line for line in gateway.lines("curl"))


def test_lines_lead_where_they_say(trial):
    routes = [{"path": "/a", "upstream": "one"}, route_to("two", "/a"), {"regex": r"^/v1/x\.js$", "upstream": "three"},
              {"regex": "^/u/[0-9]+$", "upstream": "four"}, route_to("five", "/five+x"),
              route_to("never", "/a;b"), route_to("six", "/")]
    names = ("one", "two", "three", "four", "five", "never", "six")
    gateway = trial(config({name: "127.0.0.1:1" for name in names}, routes, hosts=["*.wild.test"]))
    assert [run_line(line)["upstream"] for line in gateway.routes()] == ["one", "two", "three", "five", "six"]
    for route in ("regex ^/u/[0-9]+$ -> four", "prefix /a;b -> never"):
        assert f"{route}\n    # no path is made up for it" in gateway.stdout()


def test_lines_of_many_routes_are_cut(trial):
    routes = [route_to("app", f"/r{number}") for number in range(100)]
    gateway = trial(config({"app": "127.0.0.1:1"}, routes))
    assert len(gateway.routes()) == 40 and "... and more routes" in gateway.stdout()


# Life -----------------------------------------------------------------------------------------------------

def test_stops_with_everything_open(trial):
    gateway = trial(config({"app": "127.0.0.1:1"}, process={"threads": 1, "shutdown_timeout": "300ms"}))
    clients = [gateway.client() for _ in range(3)]
    clients[0].send(get(accept="text/event-stream"))
    clients[0].until(b"\n\n")
    assert clients[1].ask(upgrade(), "GET").status == 101
    clients[2].send(get("/", "POST", content_length=10) + b"half")
    gateway.signal(signal.SIGTERM)
    assert gateway.wait_ended() == 0
    for client in clients:
        client.close()


@pytest.fixture
def named_trial(trial, upstream, names):
    """An upstream that --override gives a name to, which does not resolve; and the file with and without it."""
    app = upstream(named("app"))
    without = config({"app": "app.test:80"})
    with_name = config({"app": "app.test:80", "late": "late.test:80"}, [route_to("late", "/late"), route_to("app")])
    options = ["--override", f"app.test:80={app.address}", "--override", f"late.test:80=real.test:{app.port}"]
    return trial(with_name, options, environment=names.environment), without, with_name


def test_a_reload_waits_for_names(named_trial, names):
    """As it does with a supervisor; a start does not."""
    gateway, without, with_name = named_trial
    with gateway.client() as client:
        assert client.get("/").body == b"app"
        assert_made_here(client.get("/late"), "unresolved")
        gateway.reload(without)
        for zone, why in ((names.SILENT, "no answer"), ([], "the name has no address")):
            names.zone["real.test"] = zone
            gateway.config_file.write_text(yaml.dump(with_name))
            gateway.refuse_reload()
            assert f"does not resolve: {why} (asked {names.address})" in gateway.stderr()
            assert client.get("/late").body == b"app"
        names.zone["real.test"] = ["127.0.0.1"]
        gateway.reload(with_name)
        assert client.get("/late").body == b"app"
    assert gateway.stderr().count("the old configuration stays") == 2


def test_the_newest_file_wins_while_names_are_waited_for(named_trial, names):
    gateway, without, with_name = named_trial
    gateway.reload(without)
    names.zone["real.test"], asked = names.SILENT, names.count("real.test")
    gateway.config_file.write_text(yaml.dump(with_name))
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: names.count("real.test") > asked, "the question")
    gateway.reload(config({"app": "app.test:80"}, [route_to("app", "/new")]))
    with gateway.client() as client:
        assert client.get("/new").body == b"app" and client.get("/").status == 404
    gateway.config_file.write_text(yaml.dump(with_name))
    asked = names.count("real.test")
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: names.count("real.test") > asked, "the question again")
    gateway.stop()  # does not wait


def listening(gateway):
    """The addresses in /proc/net/tcp that the process listens on."""
    folder = f"/proc/{gateway.pid}/fd"
    with open(f"/proc/{gateway.pid}/net/tcp") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    own = set()
    for name in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):
            own.add(os.readlink(f"{folder}/{name}"))
    return {row[1] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in own}


def threads(gateway):
    return len(os.listdir(f"/proc/{gateway.pid}/task"))


def in_front_of(*upstreams):
    return config({name: "127.0.0.1:1" for name in upstreams}, [route_to(name, f"/{name}") for name in upstreams])


def test_a_reload_keeps_the_stand_ins_that_stay_and_ends_those_that_went(trial):
    gateway = trial(in_front_of("one", "two"))
    before, count = listening(gateway), threads(gateway)
    with gateway.client() as tunnel, gateway.client() as client:
        assert client.get("/two").json["upstream"] == "two"
        assert tunnel.ask(upgrade("/one"), "GET").status == 101
        for upstreams in [("one", "two"), ("two", "one"), ("one", "two")]:
            gateway.reload(in_front_of(*upstreams))
            assert listening(gateway) == before
        gateway.reload(in_front_of("two", "three"))
        assert client.get("/three").json["upstream"] == "three"
        wait_until(lambda: len(listening(gateway)) == len(before), "the end of the one that went")
        assert len(listening(gateway) & before) == len(before) - 1
        assert client.get("/two").json["upstream"] == "two"
        tunnel.send(bytes([0x81, 0x82, 0, 0, 0, 0]) + b"hi")
        assert tunnel.exactly(4) == b"\x81\x02hi"  # what was under way with it goes on
    assert threads(gateway) == count


def test_a_refused_reload_leaves_the_stand_ins(trial):
    gateway = trial(in_front_of("one"))
    before = listening(gateway)
    with socket.create_server(("127.0.0.1", 0)) as taken, gateway.client() as client:
        wanted = {**in_front_of("one", "two"), "listen": [":80", f"127.0.0.1:{taken.getsockname()[1]}"]}
        for _ in range(3):
            gateway.config_file.write_text(yaml.dump(wanted))
            gateway.refuse_reload()
        wait_until(lambda: listening(gateway) == before, "the end of the one that was not wanted")
        assert client.get("/one").json["upstream"] == "one"


def test_no_request_fails_while_stand_ins_change(trial):
    """The one that went is there as long as a request may still be sent to it."""
    gateway = trial(in_front_of("one", "two"))
    before, descriptors = len(listening(gateway)), gateway.descriptors()
    said = gateway.stderr().count("serving the new configuration")
    with gateway.client() as client:
        for number in range(1, 21):
            gateway.config_file.write_text(yaml.dump(config({f"app{number}": "127.0.0.1:1", "two": "127.0.0.1:1"})))
            gateway.signal(signal.SIGHUP)
            while gateway.stderr().count("serving the new configuration") < said + number:
                assert client.get("/two").status == 200
    wait_until(lambda: len(listening(gateway)) == before and gateway.descriptors() <= descriptors + 2, "the end of those that went")


def test_a_stand_in_forgets_who_left(trial):
    gateway = trial()
    before = gateway.descriptors()
    for number in range(5):
        client = gateway.client()
        client.send(get("/join", host=HOST, accept="text/event-stream"))
        client.until(b"\n\n")
        client.close()
    wait_until(lambda: gateway.descriptors() <= before + 1, "the connections to be closed", 20 * SLOW)


@pytest.mark.parametrize("arguments, code, said", [
    ((), 2, "usage: portico try"), (("a", "b"), 2, "usage: portico try"), (("--what",), 2, "usage: portico try"),
    (("a", "--override"), 2, "usage: portico try"), (("a", "--override", "x"), 2, "usage: portico try"),
    (("missing.yaml",), 1, "missing.yaml"),
])
def test_wrong_uses(command, arguments, code, said):
    run = command("try", *arguments)
    assert run.returncode == code and said in run.stderr


@pytest.mark.parametrize("replaced, said", [
    (":80=127.0.0.1:99999", '"127.0.0.1:99999" is no address; write host:port'),
    (":80=http://127.0.0.1:1", '"http://127.0.0.1:1" is no address; write it without scheme'),
    (":80=localhost:1", '"localhost:1" is not an IP address and port'),
    ("starmeet-api:8000=a..b:1", '"a..b:1": not a host name or an address'),
])
def test_what_an_override_says_wrongly_is_shown(command, starmeet, replaced, said):
    run = command("try", starmeet, "--override", replaced)
    assert run.returncode == 1 and said in run.stderr


def test_an_override_of_nothing_is_an_error(command, starmeet):
    run = command("try", starmeet, "--override", "nobody:1=127.0.0.1:2")
    assert run.returncode == 1 and "nobody:1" in run.stderr
