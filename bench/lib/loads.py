"""The kinds of load. Each puts one proxy under it for some seconds and returns a Sample.

A load reads the cost around the work alone: set-up and teardown stay outside where they can.
"""
import contextlib
import dataclasses
import functools
import itertools
import re
import signal
import socket
import ssl
import statistics
import subprocess
import time

import machine
from certificates import client_environment

UNITS = {"us": 1, "ms": 1e3, "s": 1e6, "m": 60e6}
SETTLED, SETTLED_TLS, MARGIN = 0.1, 0.2, 0.05  # seconds of a load before and after what is measured of it
PATIENCE = 10             # seconds for a load that has been asked to end, or whose time is over
SLICES = 3                # of a turn, each with a cost of its own
ENOUGH = 150              # requests of a slice: with fewer, those under way at its ends count for too much


@dataclasses.dataclass
class Target:
    """A proxy as the load sees it, and the upstream behind it."""
    name: str
    pid: int
    port: int
    tls_port: int | None
    upstream: int
    at_rest: float = 0        # KiB, when it had come up


@dataclasses.dataclass
class Sample:
    cost: float               # in the scenario's unit, of the whole turn
    rate: float               # requests, or messages, per second
    p50: float                # microseconds
    p99: float
    p999: float               # 0 where the load does not tell
    memory: float             # KiB
    errors: int
    slices: list | None = None  # costs of the turn's slices, where it has any
    growth: float = 0         # KiB more than when the proxy had done nothing but come up
    others: float = 0         # share of the machine that other programs used meanwhile


@functools.cache
def trusting():
    """One for all connections: making it takes longer than a handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def connect(port, tls=False, receive_buffer=None):
    sock = socket.socket()
    sock.settimeout(10)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or requests wait for the handshake's acknowledgement
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.connect(("127.0.0.1", port))
    if not tls:
        return sock
    return trusting().wrap_socket(sock, server_hostname="bench.test")


def get(port, path, tls=False):
    """(status, body) of one GET, for questions and not for load."""
    with contextlib.closing(connect(port, tls)) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: bench.test\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: sock.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.split(b" ")[1:2], body


def seen_by_upstream(target):
    """(requests and WebSocket messages, bytes of request bodies) so far."""
    return tuple(map(int, get(target.upstream, "/stats")[1].split()[:2]))


def wrk_output(said):
    def number(pattern):
        return sum(map(int, re.findall(pattern, said)))

    def percentile(share):
        found = re.search(rf"^\s+{share}%\s+([\d.]+)(us|ms|s|m)\s*$", said, re.M)
        if not found:
            raise machine.Failure(f"wrk said:\n{said}")
        return float(found.group(1)) * UNITS[found.group(2)]

    faults = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", said)
    return {
        "requests": number(r"(\d+) requests in"),
        "p50": percentile(50), "p99": percentile(99),
        "errors": number(r"Non-2xx or 3xx responses: (\d+)")
                  + sum(map(int, faults.groups() if faults else ())),
    }


def wrk_command(port, connections, seconds=20, path="/", script=None, args=(), scheme="http"):
    """Without `seconds` it is stopped before its time, and reports nevertheless."""
    script = ["-s", machine.BENCH / script] if script else []
    return list(map(str, ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "30s",
                          *script, f"{scheme}://127.0.0.1:{port}{path}", "--", *args]))


def run_wrk(command):
    """wrk's figures of a run that ends by itself."""
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=client_environment())
    if said.returncode != 0:
        raise machine.Failure(f"{' '.join(command)}: {said.stdout}")
    return wrk_output(said.stdout)


@dataclasses.dataclass
class Work:
    """What the proxy did in some time."""
    seconds: float
    cpu: float                # seconds
    requests: int
    received: int             # bytes of request bodies


@dataclasses.dataclass
class Span:
    """The middle of a load: without its handshakes, connects and its end."""
    whole: Work
    slices: list
    memory: float             # KiB

    def rate(self):
        return self.whole.requests / self.whole.seconds

    def costs(self, units, scale=1e6):
        """{cost, slices} of a Sample; `units` says how much of what is paid for some Work was."""
        is_enough = all(each.requests >= ENOUGH for each in self.slices)
        slices = self.slices if is_enough else []
        cost, *parts = [each.cpu / max(units(each), 1) * scale for each in [self.whole, *slices]]
        return {"cost": cost, "slices": parts or [cost]}


def requests_of(work):
    return work.requests


def look(target):
    return time.monotonic(), machine.cpu_seconds(target.pid), *seen_by_upstream(target)


def between(before, after):
    return Work(*(late - early for early, late in zip(before, after)))


def watch(target, seconds):
    looks = [look(target)]
    for _ in range(SLICES):
        time.sleep(seconds / SLICES)
        looks.append(look(target))
    slices = [between(*ends) for ends in itertools.pairwise(looks)]
    return Span(between(looks[0], looks[-1]), slices, machine.memory_kib(target.pid))


def wait_for_work(target, load, before):
    """A load that makes its requests first may take its time before it sends one."""
    end = time.monotonic() + 10
    while load.poll() is None and seen_by_upstream(target) == before and time.monotonic() < end:
        time.sleep(0.01)


def end_of(load, command):
    """What it says at its end. h2load has none when its time is over before its connections stand."""
    try:
        return load.communicate(timeout=PATIENCE)[0]
    except subprocess.TimeoutExpired:
        load.kill()
        raise machine.Failure(f"{' '.join(command)} does not end") from None


def under(target, command, seconds, settled, stops=True):
    """(what the load says, Span). A load that does not stop when asked has to end by itself."""
    before = seen_by_upstream(target)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=client_environment()) as load:
        wait_for_work(target, load, before)
        time.sleep(settled)
        span = watch(target, seconds)
        if stops:
            load.send_signal(signal.SIGINT)
        said = end_of(load, command)
    if load.returncode != 0:
        raise machine.Failure(f"{' '.join(command)}: {said}")
    if span.whole.requests < 1 and span.whole.received < 1:
        raise machine.Failure(f"{target.name} answered nothing")
    return said, span


def http(target, seconds, connections, per="request", size=1, tls=False, **request):
    """Closed loop with wrk. Cost is microseconds a request or, per="byte", nanoseconds a byte of the answers
    (size of each given) or of the uploads (size None: the upstream counts what reached it)."""
    port, scheme = (target.tls_port, "https") if tls else (target.port, "http")
    command = wrk_command(port, connections, scheme=scheme, **request)
    said, span = under(target, command, seconds, SETTLED_TLS if tls else SETTLED)
    figures = wrk_output(said)
    costs = span.costs(lambda work: work.requests * size if size else work.received, 1e9 if per == "byte" else 1e6)
    return Sample(rate=span.rate(), p50=figures["p50"], p99=figures["p99"], p999=0, memory=span.memory,
                  errors=figures["errors"], **costs)


def h2load_errors(said):
    """Requests that failed or got another status than 2xx or 3xx; those cut off by the end do not count."""
    failed = re.search(r"(\d+) failed, (\d+) errored, (\d+) timeout", said)
    statuses = re.search(r"(\d+) 4xx, (\d+) 5xx", said)
    if not failed or not statuses:
        raise machine.Failure(f"h2load said:\n{said}")
    return sum(map(int, failed.groups() + statuses.groups()))


def http2(target, seconds, connections, streams, tls):
    """h2load over TLS; every connection has that many requests under way. Cost is microseconds a request."""
    longer = int((SETTLED_TLS + seconds + 2 * MARGIN) * 1000)
    command = ["h2load", "-t1", f"-c{connections}", f"-m{streams}", "-D", f"{longer}ms",
               f"{'https' if tls else 'http'}://127.0.0.1:{target.tls_port if tls else target.port}/"]
    said, span = under(target, command, seconds, SETTLED_TLS, stops=False)
    if "Application protocol: h2\n" not in said:
        raise machine.Failure(f"{target.name} does not speak HTTP/2: {said}")
    return Sample(rate=span.rate(), p50=0, p99=0, p999=0, memory=span.memory, errors=h2load_errors(said),
                  **span.costs(requests_of))


def begin(load):
    load.stdin.write("\n")
    load.stdin.flush()


def watched(target, load, seconds):
    """(Span of the middle of the load, what it says at its end)."""
    begin(load)
    time.sleep(MARGIN)
    span = watch(target, seconds)
    return span, load.stdout.readline()


def left_alone(target, load, _seconds):
    """(Span of the whole load, what it says), for latencies: each look takes the load's core a millisecond or two,
    which is where p99 would be."""
    before = look(target)
    begin(load)
    said = load.stdout.readline()
    return Span(between(before, look(target)), [], machine.memory_kib(target.pid)), said


def own_load(target, command, seconds, attend=watched):
    """A load of ours: it says when it is ready, begins at a line, and prints "units seconds p50 p99 p999 faults" after
    so long as its last argument says. Cost is microseconds a unit."""
    command = [*map(str, command), f"{seconds + 2 * MARGIN:.3f}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                          env=client_environment()) as load:
        if load.stdout.readline() != "ready\n":
            raise machine.Failure(f"{target.name} does not serve {' '.join(command)}")
        span, said = attend(target, load, seconds)
        load.stdin.close()
    said = said.split()
    if len(said) != 6 or span.whole.requests < 1:
        raise machine.Failure(f"{target.name} ends {' '.join(command)}")
    units, took, p50, p99, p999, faults = map(float, said)
    return Sample(rate=units / took, p50=p50, p99=p99, p999=p999, memory=span.memory, errors=int(faults),
                  **span.costs(requests_of))


def websocket(target, seconds, connections, size):
    """Closed loop of echoes over WebSockets. Cost is microseconds a message, there and back."""
    return own_load(target, [machine.compile_c("ws_load"), target.port, connections, size], seconds)


def handshakes(target, seconds, connections, kind, tls):
    """One request for each TLS connection; kind is "full" or "resumed". Cost is microseconds a connection."""
    return own_load(target, [machine.compile_c("tls_load"), target.tls_port, connections, kind], seconds)


def most(target, connections, tls):
    """Requests per second that a proxy answers when it is asked as fast as it answers: the median of three turns."""
    return statistics.median(http(target, 0.5, connections, tls=tls).rate for _ in range(3))


def open_loop(target, seconds, connections, tls=False, rate=1000):
    """Requests at a fixed rate, due whether or not earlier ones are answered. Cost is microseconds a request."""
    port, kind = (target.tls_port, "tls") if tls else (target.port, "plain")
    command = [machine.compile_c("open_load"), port, connections, f"{rate:.0f}", kind]
    return own_load(target, command, seconds, attend=left_alone)
