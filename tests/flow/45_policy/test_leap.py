"""conf/leap.yaml beside the nginx that it replaces: the same requests, the same answers, one by one."""
import concurrent.futures
import random
import socket
import time

import pytest

from lib.client import get, post, upgrade
from lib.gateway import Gateway
from lib.nginx import Nginx
from lib.ports import free_port
from lib.tls import DEVELOPMENT, TlsClient, client_context, example
from lib.upstream import answers, ok, respond, silent, websocket
from lib.wire import Wire

HOST = "leap.example"
SECURITY = ("Strict-Transport-Security", "X-Frame-Options", "X-Content-Type-Options")

# The text of the deployment with its one mistake repaired: limit_req_zone belongs into http.
NGINX = """
limit_req_zone $binary_remote_addr zone=api:10m rate=10r/s;
upstream fastapi {{ server {upstream}; keepalive 32; }}
server {{
    listen 127.0.0.1:{plain};
    server_name leap.example;
    return 301 https://$server_name$request_uri;
}}
server {{
    listen 127.0.0.1:{secure} ssl http2;
    server_name leap.example;
    ssl_certificate {chain};
    ssl_certificate_key {key};
    add_header Strict-Transport-Security "max-age=31536000" always;
    add_header X-Frame-Options "SAMEORIGIN" always;
    add_header X-Content-Type-Options "nosniff" always;
    limit_req zone=api burst=20 nodelay;
    proxy_connect_timeout 60s;
    proxy_send_timeout 60s;
    proxy_read_timeout 60s;
    client_max_body_size 2G;
    location / {{
        proxy_pass http://fastapi;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection 'upgrade';
        proxy_set_header Host $host;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_cache_bypass $http_upgrade;
    }}
}}
"""
RATE, BURST = 10, 20


class Server:
    """One of the two, as clients see it."""

    def __init__(self, plain, secure, process):
        self.plain, self.secure, self.process = plain, secure, process

    def client(self, address="127.0.0.1"):
        """A client over TLS from one of the addresses of this machine."""
        sock = socket.create_connection(("127.0.0.1", self.secure), source_address=(address, 0))
        client = TlsClient.__new__(TlsClient)
        Wire.__init__(client, client_context(DEVELOPMENT).wrap_socket(sock, server_hostname=HOST))
        return client

    def plainly(self, request):
        with socket.create_connection(("127.0.0.1", self.plain)) as sock:
            wire = Wire(sock)
            wire.send(request)
            return wire.response(request.split(b" ")[0].decode())


@pytest.fixture
def both(tmp_path):
    """both(service) starts nginx and the gateway in front of it; gives the two."""
    started = []

    def start(service):
        config, certificate = example("leap.yaml"), DEVELOPMENT.setting(HOST)
        directories = [tmp_path / name for name in ("nginx", "portico")]
        for directory in directories:
            directory.mkdir()
        plain, secure = free_port(), free_port()
        text = NGINX.format(upstream=service.address, plain=plain, secure=secure, **certificate)
        nginx = Server(plain, secure, Nginx(directories[0], text, plain, secure))
        started.append(nginx)
        plain, secure = free_port(), free_port()
        places = {":80": f"127.0.0.1:{plain}", ":443": f"127.0.0.1:{secure}", "127.0.0.1:8000": service.address}
        options = [word for left, right in places.items() for word in ("--override", f"{left}={right}")]
        portico = Server(plain, secure, Gateway(config, directories[1], secure, options=options))
        started.append(portico)
        return started

    yield start
    for server in started:
        server.process.stop()


def seen(response):
    """What has to be equal."""
    return response.status, [(name, response.all(name)) for name in SECURITY]


def status_of_path(connection):
    """/404 is answered with 404."""
    while request := connection.request():
        content = b"" if request.method == "HEAD" or request.target == "/204" else b"x"
        connection.send(respond(int(request.target[1:]), content))


def test_answers_and_security_headers_are_those_of_nginx(both, upstream):
    asked = [("DELETE", 204), ("GET", 200), ("POST", 201), ("GET", 301), ("HEAD", 400), ("PUT", 401), ("GET", 403),
             ("PATCH", 404), ("OPTIONS", 410), ("GET", 422), ("GET", 500), ("GET", 503)]
    told = []
    for server in both(upstream(status_of_path)):
        with server.client() as client:
            told.append([seen(client.ask(get(f"/{status}", method, HOST, content_length=0))) for method, status in asked])
    assert told[0] == told[1]
    assert [status for status, _ in told[0]] == [status for _, status in asked]
    assert all(values == ["max-age=31536000"] for _, fields in told[0] for name, values in fields if name == SECURITY[0])


def test_errors_of_their_own_are_equal_too(both, upstream):
    service = upstream(silent)
    servers = both(service)
    service.close()
    told = []
    for server in servers:
        with server.client() as client:
            told.append([seen(client.ask(get("/", host=HOST)))])  # nobody listens
        with server.client() as client:
            too_large = get("/upload", "POST", HOST, content_length=(2 << 30) + 1)
            told[-1].append(seen(client.ask(too_large)))
    assert told[0] == told[1]
    assert [status for status, _ in told[0]] == [502, 413]


@pytest.mark.parametrize("start, lines", [
    ("GET / HTTP/1.1", []), ("GET /../x HTTP/1.1", [f"Host: {HOST}"]), ("POST / HTTP/1.1", [f"Host: {HOST}", "Content-Length: x"]),
    ("GET / HTTP/1.1", [f"Host: {HOST}", f"Host: {HOST}"]),
    ("POST / HTTP/1.1", [f"Host: {HOST}", "Content-Length: 3", "Transfer-Encoding: chunked"]),
], ids=["no host", "above the root", "bad length", "two hosts", "two framings"])
def test_malformed_requests_are_refused_alike(both, upstream, start, lines):
    told = []
    for server in both(upstream(silent)):
        with server.client() as client:
            client.send("\r\n".join([start, *lines, "", ""]).encode())
            told.append(seen(client.response()))
    assert told[0] == told[1]
    assert told[0][0] == 400 and all(len(values) == 1 for _, values in told[0][1])


def test_uploads_pass_whole(both, upstream):
    service = upstream(answers(ok(b"stored")))
    for server in both(service):
        with server.client() as client:
            assert client.ask(post(b"x" * 300000, "/upload", HOST)).body == b"stored"
    assert [len(request.body) for request in service.requests] == [300000] * 2


def test_websockets_pass(both, upstream):
    told = []
    for server in both(upstream(websocket(lambda connection: connection.send(connection.some())))):
        with server.client() as client:
            told.append(seen(client.ask(upgrade("/ws", host=HOST))))
            client.send(b"back")
            assert client.exactly(4) == b"back"
    assert told[0] == told[1] and told[0][0] == 101


@pytest.mark.parametrize("target", ["/", "/docs?x=1", "/a%20b//c"])
def test_plain_http_is_sent_to_the_same_place(both, upstream, target):
    redirects = [server.plainly(get(target, method, HOST)) for server in both(upstream(silent)) for method in ("GET", "HEAD")]
    assert {(each.status, each.get("Location")) for each in redirects} == {(301, f"https://{HOST}{target}")}


def test_what_the_service_is_told(both, upstream):
    service = upstream(answers(ok()))
    for server in both(service):
        with server.client() as client:
            client.ask(get("/x?y=%20", host="LEAP.example:443"))
    by_nginx, by_portico = service.requests
    for name in ("X-Real-Ip", "X-Forwarded-For", "X-Forwarded-Proto"):
        assert by_nginx.get(name) == by_portico.get(name), name
    assert by_nginx.target == by_portico.target == "/x?y=%20"


# schedules ------------------------------------------------------------------------------------------------

class Disturbed(Exception):
    """The machine was busy with something else: the requests did not come when they should have."""


def draw_schedule(seed):
    """[(seconds, requests)]: a burst finds the bucket empty or half a request away from its next decision."""
    dice = random.Random(seed)
    at, level, halves, schedule = 0.0, -1.0, False, []
    for _ in range(5):
        count = dice.choice((1, 2, 5, 12, 15, 21, 25))
        schedule.append((at, count))
        level = max(level, min(level + count, BURST if not halves else BURST - 0.5))
        pause = dice.randrange(1, 5) + (0 if halves else 0.5)
        level = max(-1.0, level - pause)
        at, halves = at + pause / RATE, level > -1.0
    return schedule


def expected(schedule):
    """The decisions of a bucket for it."""
    level, last, decisions = -1.0, 0.0, []
    for at, count in schedule:
        level, last = max(-1.0, level - (at - last) * RATE), at
        for _ in range(count):
            passes = level + 1 <= BURST
            level += passes
            decisions.append(passes)
    return decisions


def play(server, address, schedule):
    """What became of each request. A burst is one write; patience is less than the distance to another decision."""
    patience = 0.4 / RATE
    decisions = []
    with server.client(address) as client:
        client.sock.settimeout(10)
        began = time.monotonic()
        for at, count in schedule:
            time.sleep(max(0, began + at - time.monotonic()))
            client.send(get("/", host=HOST) * count)
            decisions += [client.response().status for _ in range(count)]
            if time.monotonic() - began > at + patience:
                raise Disturbed
    return [{200: True, 503: False}[status] for status in decisions]


def compare(servers, number):
    """Until both have played one schedule undisturbed."""
    schedule = draw_schedule(number)
    for attempt in range(12):
        address = f"127.1.{number + 1}.{attempt + 1}"  # a bucket of its own
        try:
            played = [play(server, address, schedule) for server in servers]
        except Disturbed:
            continue
        assert played[0] == expected(schedule), f"nginx, {schedule}"
        assert played[1] == played[0], f"{schedule}"
        return
    pytest.fail("the machine is too busy to tell 40 ms apart")


@pytest.mark.slow
def test_twenty_schedules_are_decided_alike(both, upstream):
    servers = both(upstream(answers(ok())))
    assert sum(not passes for number in range(20) for passes in expected(draw_schedule(number))) > 100
    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        for done in [pool.submit(compare, servers, number) for number in range(20)]:
            done.result()
