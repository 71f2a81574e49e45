"""The kinds of load. Each puts one proxy under it for some seconds and returns a Sample.

A load reads the cost around the work alone: set-up and teardown stay outside where they can.
"""
import contextlib
import dataclasses
import re
import socket
import ssl
import subprocess
import time

import machine
from certificates import client_environment

UNITS = {"us": 1, "ms": 1e3, "s": 1e6, "m": 60e6}
SETTLED, MARGIN = 0.3, 0.5  # seconds of a load over TLS before and after what is measured of it


@dataclasses.dataclass
class Target:
    """A proxy as the load sees it, and the upstream behind it."""
    name: str
    pid: int
    port: int
    tls_port: int | None
    upstream: int


@dataclasses.dataclass
class Sample:
    cost: float               # in the scenario's unit
    rate: float               # requests, or messages, per second
    p50: float                # microseconds
    p99: float
    memory: float             # KiB
    errors: int


def connect(port, tls=False):
    sock = socket.create_connection(("127.0.0.1", port), timeout=10)
    if not tls:
        return sock
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(sock, server_hostname="bench.test")


def get(port, path, tls=False):
    """(status, body) of one GET, for questions and not for load."""
    with contextlib.closing(connect(port, tls)) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: bench.test\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: sock.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.split(b" ")[1:2], body


def seen_by_upstream(target):
    """(requests, bytes of their bodies) so far."""
    return tuple(map(int, get(target.upstream, "/stats")[1].split()[:2]))


def received_bytes(target):
    return seen_by_upstream(target)[1]


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
        "rate": float(re.search(r"Requests/sec:\s+([\d.]+)", said).group(1)),
        "p50": percentile(50), "p99": percentile(99),
        "errors": number(r"Non-2xx or 3xx responses: (\d+)")
                  + sum(map(int, faults.groups() if faults else ())),
    }


def wrk_command(port, seconds, connections, path="/", script=None, args=(), scheme="http"):
    script = ["-s", machine.BENCH / script] if script else []
    return list(map(str, ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "30s",
                          *script, f"{scheme}://127.0.0.1:{port}{path}", "--", *args]))


def run_wrk(command, during=lambda: None, after=0):
    """wrk's figures; `during` is called once, `after` seconds into the run."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as wrk:
        with contextlib.suppress(subprocess.TimeoutExpired):
            wrk.wait(timeout=after)
        during()
        said = wrk.communicate()[0]
    if wrk.returncode != 0:
        raise machine.Failure(f"{' '.join(command)}: {said}")
    return wrk_output(said)


def http(target, seconds, connections, per="request", size=1, **request):
    """Closed loop with wrk. Cost is microseconds a request or, per="byte", nanoseconds a byte of the answers
    (size of each given) or of the uploads (size None: the upstream counts what reached it)."""
    memory = []
    received = received_bytes(target) if size is None else 0
    cpu = machine.cpu_seconds(target.pid)
    figures = run_wrk(wrk_command(target.port, seconds, connections, **request),
                      lambda: memory.append(machine.memory_kib(target.pid)), seconds * 0.8)
    cpu = machine.cpu_seconds(target.pid) - cpu
    work = figures["requests"] * size if size else received_bytes(target) - received
    if work == 0:
        raise machine.Failure(f"{target.name} answered nothing")
    cost = cpu / work * (1e9 if per == "byte" else 1e6)
    return Sample(cost, figures["rate"], figures["p50"], figures["p99"], memory[0], figures["errors"])


def settled(target, command, seconds):
    """(what it says, CPU seconds, requests, requests per second, memory) of the middle of a load that runs for
    `seconds` and one more, without its handshakes and its end."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=client_environment()) as load:
        time.sleep(SETTLED)
        began, before, cpu = time.monotonic(), seen_by_upstream(target)[0], machine.cpu_seconds(target.pid)
        time.sleep(seconds + 1 - SETTLED - MARGIN)
        cpu = machine.cpu_seconds(target.pid) - cpu
        requests = seen_by_upstream(target)[0] - before - 1  # the question itself
        rate = requests / (time.monotonic() - began)
        memory = machine.memory_kib(target.pid)
        said = load.communicate()[0]
    if load.returncode != 0 or requests < 1:
        raise machine.Failure(f"{' '.join(command)}: {said}")
    return said, cpu, requests, rate, memory


def https(target, seconds, connections, size=None, path="/"):
    """wrk, HTTP/1.1 over TLS. Cost is microseconds a request or, with a size, nanoseconds a byte of the answers."""
    command = wrk_command(target.tls_port, seconds + 1, connections, path, scheme="https")
    said, cpu, requests, rate, memory = settled(target, command, seconds)
    figures = wrk_output(said)
    cost = cpu / (requests * size) * 1e9 if size else cpu / requests * 1e6
    return Sample(cost, rate, figures["p50"], figures["p99"], memory, figures["errors"])


def h2load_errors(said):
    """Requests that failed or got another status than 2xx or 3xx; those cut off by the end do not count."""
    failed = re.search(r"(\d+) failed, (\d+) errored, (\d+) timeout", said)
    statuses = re.search(r"(\d+) 4xx, (\d+) 5xx", said)
    if not failed or not statuses:
        raise machine.Failure(f"h2load said:\n{said}")
    return sum(map(int, failed.groups() + statuses.groups()))


def http2(target, seconds, connections, streams):
    """h2load over TLS; every connection has that many requests under way. Cost is microseconds a request."""
    command = ["h2load", "-t1", f"-c{connections}", f"-m{streams}", "-D", str(seconds + 1),
               f"https://127.0.0.1:{target.tls_port}/"]
    said, cpu, requests, rate, memory = settled(target, command, seconds)
    if "Application protocol: h2\n" not in said:
        raise machine.Failure(f"{target.name} does not speak HTTP/2: {said}")
    return Sample(cpu / requests * 1e6, rate, 0, 0, memory, h2load_errors(said))


def own_load(target, command):
    """A load of ours: it says when it is ready, begins at a line, and prints
    "units seconds p50 p99 faults". Cost is microseconds a unit."""
    with subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                          env=client_environment()) as load:
        if load.stdout.readline() != "ready\n":
            raise machine.Failure(f"{target.name} does not serve {' '.join(map(str, command))}")
        cpu = machine.cpu_seconds(target.pid)
        load.stdin.write("\n")
        load.stdin.flush()
        units, took, p50, p99, faults = load.stdout.readline().split()
        cpu = machine.cpu_seconds(target.pid) - cpu
        memory = machine.memory_kib(target.pid)
        load.stdin.close()
    cost = cpu / max(int(units), 1) * 1e6
    return Sample(cost, int(units) / float(took), float(p50), float(p99), memory, int(faults))


def websocket(target, seconds, connections, size):
    """Closed loop of echoes over WebSockets. Cost is microseconds a message, there and back."""
    return own_load(target, [machine.compile_c("ws_load"), target.port, connections, size, seconds])


def handshakes(target, seconds, connections, kind):
    """One request for each TLS connection; kind is "full" or "resumed". Cost is microseconds a connection."""
    return own_load(target, [machine.compile_c("tls_load"), target.tls_port, connections, kind, seconds])


def idle(target, _seconds, connections, tls=False):
    """Memory of a keep-alive connection that made one request and waits, KiB, of a proxy started for this."""
    request = b"GET / HTTP/1.1\r\nHost: bench.test\r\n\r\n"
    port = target.tls_port if tls else target.port
    errors = get(port, "/", tls)[0] != [b"200"]
    before = machine.memory_kib(target.pid)
    with contextlib.ExitStack() as held:
        for _ in range(connections):
            sock = connect(port, tls)
            held.callback(sock.close)
            sock.sendall(request)
            errors += not sock.recv(4096).startswith(b"HTTP/1.1 200")
        after = machine.memory_kib(target.pid)
    return Sample((after - before) / connections, 0, 0, 0, after, errors)
