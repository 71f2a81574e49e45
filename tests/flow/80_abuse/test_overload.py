"""Short of open files or of memory: idle connections go first, then who comes is told to come back, then nobody is accepted; what runs
goes on to its end, and when it is over everything is as before."""
import hashlib
import os
import re
import socket
import threading
import time

import pytest

from lib.client import Client, get
from lib.faults import assert_made_here
from lib.h2raw import NO_ERROR, H2, settings
from lib.ports import free_port
from lib.tls import Authority, TlsClient, client_context, tls_listener
from lib.upstream import named, ok
from lib.wait import PATIENCE, asan_options, readable, wait_until
from lib.wire import Closed

FILES = 320
LIMITED = ["prlimit", f"--nofile={FILES}:{FILES}"]
PART = bytes(range(256)) * 64
MIB = 1 << 20
ALWAYS = 16  # clients that are let in however bad it is
OVER, SHEDS, REFUSES, PAUSES = 0, 80, 90, 96  # the stages, by the per cent of what there may be that they begin at
STAGES = {PAUSES: "no new ones accepted", REFUSES: "new ones refused with 503", SHEDS: "idle connections are closed",
          OVER: "nothing is closed or refused any more"}


class Held:
    """A service whose answers begin at once and end when they are released."""

    def __init__(self):
        self.released = threading.Event()

    def __call__(self, connection):
        while request := connection.request():
            if request.target != "/held":
                connection.send(ok(b"quick"))
                continue
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (2 * len(PART)) + PART)
            assert self.released.wait(4 * PATIENCE)
            connection.send(PART)


@pytest.fixture
def held():
    held = Held()
    yield held
    held.released.set()


def is_closed(client):
    ready = readable([client.sock])
    try:
        return bool(ready) and client.sock.recv(1, socket.MSG_PEEK) == b""
    except ConnectionResetError:
        return True


def run_one(gateway):
    """A client that has got half of its answer."""
    client = gateway.client()
    client.send(get("/held"))
    head = client.head()
    assert head.status == 200, head
    assert client.exactly(len(PART)) == PART
    return client


def assert_finishes(client):
    assert client.exactly(len(PART)) == PART
    assert client.get("/").body == b"quick"


def status(client):
    """Of an answer, be it one that was sent before anything was asked; None when the connection ended without."""
    try:
        client.send(get("/"))
        return client.response()
    except (Closed, ConnectionError):
        return None


def besiege(gateway):
    """Clients that have asked once and do not come to the end of their second head, which is not the same as being idle: as many as
    are let in."""
    crowd = []
    while True:
        assert len(crowd) < FILES
        client = gateway.client()
        client.send(get("/") + get("/")[:-2])
        response = client.response()
        if response.status == 503:
            break
        crowd.append(client)
    assert_told(response)
    wait_until(lambda: REFUSES in stages(gateway), "a full house")
    return crowd


def assert_told(response):
    assert response.status == 503 and int(response.get("Retry-After")) >= 1
    assert response.get("Connection") == "close" and b"short of open files or memory" in response.body


def assert_recovers(gateway):
    wait_until(lambda: stages(gateway)[-1:] == [OVER], "the end of the overload")
    with gateway.client() as client:
        assert client.get("/").body == b"quick"
    assert gateway.worker() == gateway.pid


def stages(gateway):
    """Every stage that the gateway has told of."""
    told = [line for line in gateway.stderr().splitlines(keepends=True) if " overload: " in line and line.endswith("\n")]
    return [next(stage for stage, words in STAGES.items() if words in line) for line in told]


def stage(gateway):
    return (stages(gateway) or [OVER])[-1]


def wait_left(gateway, stage, since):
    """Waits until the gateway has told that it is no longer so bad, after so many stages."""
    wait_until(lambda: min(stages(gateway)[since:], default=stage) < stage, "a better stage")


# Open files -----------------------------------------------------------------------------------------------

@pytest.mark.threads
def test_the_longest_idle_go_first_and_what_runs_goes_on(portico, upstream, held):
    gateway = portico(upstream(held), prefix=LIMITED)
    running = [run_one(gateway) for _ in range(10)]
    idle = [gateway.client() for _ in range(90)]
    assert all(client.get("/").status == 200 for client in idle)
    assert not stages(gateway)
    more = [gateway.client() for _ in range(22)]
    assert [status(client).status for client in more] == [200] * len(more)
    wait_until(lambda: OVER in stages(gateway), "room")
    closed = [is_closed(client) for client in idle + more]
    assert 5 < sum(closed) < 60
    assert closed == sorted(closed, reverse=True), "older ones are closed, younger ones are not"
    assert stages(gateway) == [SHEDS, OVER]
    assert "LimitNOFILE=" in gateway.stderr()
    assert not any(map(is_closed, running))
    held.released.set()
    for client in running:
        assert_finishes(client)
    assert_recovers(gateway)


def test_who_comes_is_told_and_what_runs_ends_well(portico, upstream, held):
    gateway = portico(upstream(held), prefix=LIMITED, client={"head_timeout": "1m"})
    running = [run_one(gateway) for _ in range(30)]
    crowd = besiege(gateway)
    for _ in range(20):
        with gateway.client() as client:
            assert_told(status(client))
            assert client.ended()
    assert gateway.descriptors() < FILES - 30
    assert "reason=overloaded" in gateway.stderr()
    held.released.set()
    for client in running:
        assert_finishes(client)
    for client in crowd:
        client.close()
    assert_recovers(gateway)
    wait_until(lambda: sum(record.cause == "overloaded" for record in gateway.log_records()) == 21, "a record of each refusal")
    assert {record.cause for record in gateway.log_records()} <= {"ok", "client_gone", "head_timeout", "overloaded"}


def test_upstreams_have_descriptors_of_their_own(portico, upstream, held):
    """Clients that only hold connections leave enough for those that ask for something."""
    gateway = portico(upstream(held), prefix=LIMITED, client={"head_timeout": "1m"})
    crowd = besiege(gateway)
    assert len(crowd) > FILES / 3
    for client in crowd[:40]:
        client.send(b"\r\n")
    for client in crowd[:40]:
        assert client.response().body == b"quick"
    for client in crowd:
        client.close()
    assert_recovers(gateway)


@pytest.mark.threads
def test_who_waits_outside_is_served_in_the_end(portico, upstream, held):
    """All that were idle ask at once: there is nothing left for newcomers, not even for an answer."""
    gateway = portico(upstream(held), prefix=LIMITED)
    crowd = [gateway.client() for _ in range(91)]
    for client in crowd:
        client.send(get("/held"))
    for client in crowd:
        assert client.head().status == 200
        assert client.exactly(len(PART)) == PART
    wait_until(lambda: PAUSES in stages(gateway), "a pause")
    with gateway.client() as late:
        late.send(get("/"))
        assert not readable([late.sock], 0.3)
        held.released.set()
        for client in crowd:
            assert client.exactly(len(PART)) == PART
            client.close()
        assert late.response().body == b"quick"
    assert_recovers(gateway)


def test_when_no_descriptor_is_left_requests_are_told(portico, upstream, held):
    """All that have been let in ask at once, and each for a connection of its own, where files are open that nobody counted on: EMFILE."""
    gateway = portico(upstream(held), prefix=[*LIMITED, "bash", "-c", 'for _ in {1..70}; do exec {fd}</dev/null; done; exec "$0" "$@"'])
    crowd = [gateway.client() for _ in range(125)]
    for client in crowd:
        client.send(get("/held"))
    heads = [client.head() for client in crowd]
    refused = [client.content(head) for client, head in zip(crowd, heads) if head.status != 200]
    assert 0 < len(refused) < 40
    for response in refused:
        assert_made_here(response, "out_of_files")
        assert int(response.get("Retry-After")) >= 1
    held.released.set()
    for client, head in zip(crowd, heads):
        assert head.status == 503 or client.exactly(2 * len(PART)) == 2 * PART
        client.close()

    def is_served():
        with gateway.client() as client:
            return client.get("/held").body == 2 * PART
    wait_until(is_served, "a connection to the service")
    assert gateway.worker() == gateway.pid


def test_idle_http2_clients_are_told(portico, upstream, held):
    gateway = portico(upstream(held), prefix=LIMITED)
    connections = []
    for _ in range(118):
        connections.append(H2(gateway.port))
        stream = connections[-1].request("/")
        assert connections[-1].finish(stream).body == b"quick"
    wait_until(lambda: SHEDS in stages(gateway), "a stage")
    first = connections[0]
    first.finish_all()
    assert [code for _, code in first.goaways] == [NO_ERROR, NO_ERROR]
    for connection in connections:
        connection.close()
    assert_recovers(gateway)


def test_on_a_tls_port_there_is_no_handshake(portico, upstream, held, tmp_path):
    authority, port = Authority(tmp_path), free_port()
    authority.make("one.test")
    gateway = portico(upstream(held), prefix=LIMITED, listen=[tls_listener(port)], client={"head_timeout": "1m"},
                      tls={"certificates": [authority.setting("one.test")]})
    crowd = besiege(gateway)
    with Client(port) as refused:
        assert refused.rest() == b""
    for client in crowd:
        client.close()
    assert_recovers(gateway)
    with TlsClient(port, client_context(authority)) as client:
        assert client.get("/", host="one.test").body == b"quick"


# Memory ---------------------------------------------------------------------------------------------------

BODY = hashlib.shake_128(b"portico").digest(4 << 20)
PIECE, PIECES = BODY[:128 << 10], 16  # twice as much as the gateway holds of an answer; how many a client asks for
HELD = PIECES * len(PIECE) // 2
# What is freed goes back to the kernel at once.
FRUGAL = asan_options("quarantine_size_mb=0:thread_local_quarantine_size_kb=0:allocator_release_to_os_interval_ms=50")


def bulky(connection):
    while request := connection.request():
        connection.send(ok({"/bulk": BODY, "/piece": PIECE}.get(request.target, b"quick")))


class Hoarder:
    """A client that asks for many things and takes none of them: the gateway holds the beginning of each."""

    def __init__(self, gateway):
        self.client = H2(gateway.port, window=0)
        self.streams = [self.client.request("/piece")]

    def is_answered(self):
        """Whether each of its answers has begun, as far as can be seen without waiting."""
        while not (begun := all(self.client.streams[stream].heads for stream in self.streams)):
            if not self.client.buffer and not readable([self.client.sock]):
                break
            self.client.step()
        return begun

    def is_outside(self):
        """It has not even heard with what settings the gateway speaks."""
        return not self.is_answered() and not self.client.settings

    def status(self):
        return self.client.streams[self.streams[0]].status

    def ask_for_more(self):
        self.streams += [self.client.request("/piece") for _ in range(1, PIECES)]
        wait_until(self.is_answered, "the beginnings of all answers")
        assert {self.client.streams[stream].status for stream in self.streams} == {200}

    def take(self):
        """All answers, to their ends."""
        self.client.send(settings(initial_window_size=1 << 20))
        self.client.finish(*self.streams)
        self.client.close()
        return [self.client.streams[stream] for stream in self.streams]


def due(gateway, limit):
    """The stage of a gateway that holds so much."""
    return max(stage for stage in STAGES if gateway.rss() * 100 >= stage * limit)


def hoard(gateway, limit):
    """Lets hoarders come, each when the gateway has seen what it holds for those before: (who is in, the first who is not)."""
    hoarders = []
    while True:
        wait_until(lambda: stage(gateway) >= due(gateway, limit), "the gateway to see what it holds")
        told, before = len(stages(gateway)), stage(gateway)
        newcomer = Hoarder(gateway)
        wait_until(lambda: newcomer.is_answered() or newcomer.is_outside() and stage(gateway) == PAUSES, "an answer, or a closed door")
        if not newcomer.is_answered() or newcomer.status() != 200:
            return hoarders, newcomer
        if len(hoarders) >= ALWAYS and before >= REFUSES:
            wait_left(gateway, REFUSES, told)
        newcomer.ask_for_more()
        hoarders.append(newcomer)
        assert len(hoarders) * HELD < limit, "everybody is let in"


def assert_is_refused(gateway, hoarder):
    wait_until(lambda: max(stages(gateway)) >= REFUSES, "the reason")
    told = hoarder.take()[0]
    assert told.status == 503 and int(told.final["retry-after"]) >= 1 and b"short of open files or memory" in told.body


def assert_has_to_wait(gateway, hoarder, others):
    """The thread that would accept him serves the others meanwhile."""
    for other in others[:3]:
        other.client.ping()
    if not hoarder.is_outside():
        wait_left(gateway, PAUSES, stages(gateway).index(PAUSES))


def test_memory_has_a_limit(portico, upstream):
    """Clients that do not read hold memory; no more come in than there is room for, and those in there lose nothing."""
    gateway = portico(upstream(bulky), environment=FRUGAL, client={"write_timeout": "5m"})
    with gateway.client() as client:
        assert client.get("/").body == b"quick"
    limit = gateway.rss() * 4 // 3 + 32 * MIB
    gateway.rewrite(lambda config: config["process"].update(memory_max=f"{limit // 1024}KiB"))
    gateway.reload(gateway.config)
    gateway.forget_peak()
    hoarders, last = hoard(gateway, limit)
    assert gateway.peak_rss() < limit
    waits = not last.is_answered()
    if waits:
        assert_has_to_wait(gateway, last, hoarders)
    else:
        assert_is_refused(gateway, last)
    used, most = map(int, re.search(r"(\d+) of (\d+) MiB of memory in use: .* new ones .*process.memory_max", gateway.stderr()).groups())
    assert (used + 1) * 100 >= REFUSES * most, "nobody is sent away too early"
    for each in hoarders:
        assert [answer.body for answer in each.take()] == PIECES * [PIECE]
    if waits:
        wait_until(last.is_answered, "an answer for who had to wait")
        last.client.close()
    assert_recovers(gateway)


def test_a_limit_that_cannot_be_kept_leaves_a_few(portico, upstream):
    """Nothing is gained by refusing everybody when nobody is there."""
    gateway = portico(upstream(named("app")), process={"memory_max": "1MiB"})
    wait_until(lambda: "of 1 MiB of memory in use" in gateway.stderr(), "the complaint")
    with gateway.client() as client:
        assert client.get("/").body == b"app"
    crowd = [gateway.client() for _ in range(16)]
    for client in crowd:
        client.send(get("/")[:-2])
    with gateway.client() as late:
        late.send(get("/"))
        assert not readable([late.sock], 0.3)
        for client in crowd:
            client.close()
        assert late.response().status == 200


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts what stands for the control groups")
@pytest.mark.parametrize("limit, bounded", [(2 * MIB, True), (8 << 30, False), ("max", False)])
def test_the_limit_of_the_control_group_counts(portico, upstream, limit, bounded):
    """Nine tenths of it, unless the configuration says something else."""
    groups = f'mount -t tmpfs tmpfs /sys/fs/cgroup && echo {limit} >/sys/fs/cgroup/memory.max && exec "$0" "$@"'
    gateway = portico(upstream(named("app")), prefix=["unshare", "--mount", "sh", "-c", groups])
    with gateway.client() as client:
        assert client.get("/").body == b"app"
    if bounded:
        wait_until(lambda: "MiB of memory in use" in gateway.stderr(), "the first look")
        gateway.reload({**gateway.config, "process": {**gateway.config["process"], "memory_max": "8GiB"}})
        wait_until(lambda: OVER in stages(gateway), "the end")
    else:
        with pytest.raises(AssertionError):
            wait_until(lambda: stages(gateway), timeout=0.6)


# A storm of connections -----------------------------------------------------------------------------------

def storm(port, over, made):
    """Connects and leaves, as fast as this can."""
    while not over.is_set():
        batch = []
        for _ in range(50):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", port))
            batch.append(sock)
        made.append(len(batch))
        for sock in batch:
            sock.close()


def test_a_storm_of_connections_leaves_what_runs_alone(portico, upstream):
    """One thread: its keep-alive client and its download go on while others knock."""
    gateway = portico(upstream(bulky))
    over, made = threading.Event(), []
    download = Client(gateway.port, keep=False)
    with gateway.client() as client:
        assert client.get("/").body == b"quick"
        storms = [threading.Thread(target=storm, args=(gateway.port, over, made)) for _ in range(2)]
        for each in storms:
            each.start()
        try:
            slowest, until = 0, time.monotonic() + 2
            while time.monotonic() < until:
                begun = time.monotonic()
                assert client.get("/").body == b"quick"
                slowest = max(slowest, time.monotonic() - begun)
                assert download.ask(get("/bulk")).body == BODY
        finally:
            over.set()
            for each in storms:
                each.join()
        assert sum(made) > 1000
        assert slowest < PATIENCE / 4
        assert client.get("/").body == b"quick"
