"""The loads that hold many connections and do little with them: idle ones, and slow readers beside fast clients."""
import contextlib
import ssl
import threading

import machine
from loads import Sample, connect, get, http, requests_of, under, wrk_command, wrk_output

REQUEST = b"GET %s HTTP/1.1\r\nHost: bench.test\r\n\r\n"
LARGE = b"/bytes/10485760"   # more than the kernel's buffers take, whoever reads slowly
FILLED, LONGER = 1.5, 5      # seconds until buffers are full, whoever fills them; turns are so many times as long as others'
TURN, SIP = 0.05, 1024       # a slow reader takes so many bytes every so many seconds


def idle(target, _seconds, connections, tls=False):
    """Memory of a keep-alive connection that made one request and waits, KiB, of a proxy started for this."""
    port = target.tls_port if tls else target.port
    errors = get(port, "/", tls)[0] != [b"200"]
    before = machine.memory_kib(target.pid)
    with contextlib.ExitStack() as held:
        for _ in range(connections):
            sock = connect(port, tls)
            held.callback(sock.close)
            sock.sendall(REQUEST % b"/")
            errors += not sock.recv(4096).startswith(b"HTTP/1.1 200")
        after = machine.memory_kib(target.pid)
    return Sample((after - before) / connections, 0, 0, 0, 0, after, errors)


def sip(readers, stop):
    while not stop.wait(TURN):
        for sock in readers:
            with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError):
                sock.recv(SIP)


@contextlib.contextmanager
def slow(port, tls, count):
    """So many clients that asked for a large answer and read it slowly while the block runs."""
    stop = threading.Event()
    with contextlib.ExitStack() as held:
        readers = []
        for _ in range(count):
            readers.append(connect(port, tls, receive_buffer=16384))
            held.callback(readers[-1].close)
            readers[-1].sendall(REQUEST % LARGE)
            readers[-1].setblocking(False)
        thread = threading.Thread(target=sip, args=(readers, stop))
        thread.start()
        held.callback(thread.join)
        held.callback(stop.set)
        yield


def slow_readers(target, seconds, readers, tls=False, cost="memory"):
    """Slow readers beside 16 fast connections. Cost is KiB of the proxy's memory for a slow reader or, with
    cost="cpu", microseconds a request of the fast ones; the rest is the fast ones'."""
    port, scheme = (target.tls_port, "https") if tls else (target.port, "http")
    before = http(target, 0.2, 16, tls=tls).memory
    with slow(port, tls, readers):
        said, span = under(target, wrk_command(port, 16, scheme=scheme), LONGER * seconds, FILLED)
    figures = wrk_output(said)
    costs = {"cost": (span.memory - before) / readers} if cost == "memory" else span.costs(requests_of)
    return Sample(rate=span.rate(), p50=figures["p50"], p99=figures["p99"], p999=0, memory=span.memory,
                  errors=figures["errors"], **costs)
