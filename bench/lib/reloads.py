"""./dev bench reloads, ./dev bench reload-storm: what a reload costs those who are being served.

Every proxy is started for itself and put under everything at once: wrk over HTTP/1.1, h2load over TLS, and what
reload_load.c brings: WebSockets, uploads, event streams and newcomers. After a while of that its configuration
is changed and loaded again, many times, each time when the last one has been taken into service.
"""
import contextlib
import dataclasses
import itertools
import json
import re
import signal
import subprocess
import threading
import time
from typing import Callable

import loads
import machine
import proxies
from certificates import certificate, client_environment

AFTER = 4                            # seconds of load after the last reload
KEEP_ALIVE, H2_CLIENTS, H2_STREAMS = 32, 8, 8
TOO_MUCH_KIB, TOO_MANY = 3 << 20, 400  # memory and processes at which a proxy is let off the rest
LONGEST = 3                          # times the length of a storm, after which a proxy is let off the rest, too
PATIENCE, AGAIN = 20, 2              # seconds for one reload, and until it is asked for again
NOISE_KIB = 512                      # by which memory moves without any reload
SIZE_EVERY = 20                      # reloads; asking for it holds the proxy up
MIB = 1 << 20


@dataclasses.dataclass(frozen=True)
class Storm:
    """How many reloads, how far apart at least, and what lives meanwhile."""
    before: float  # seconds of load before the first; a heap has grown to what the load needs only after a while
    reloads: int
    apart: float
    sockets: int
    uploads: int
    upload_bytes: int
    streams: int

    def upload_rate(self):
        """Each upload lasts as long as the storm."""
        return int(self.upload_bytes / self.length())

    def length(self):
        """Seconds, for a proxy that reloads as fast as it is asked to."""
        return self.reloads * self.apart


STORMS = {"reloads": Storm(15, 20, 0.5, 300, 5, 20 * MIB, 20),
          "reload-storm": Storm(30, 1000, 0.1, 500, 20, 100 * MIB, 50)}


@dataclasses.dataclass(frozen=True)
class Reloading:
    """How a proxy is made to load its configuration again, and what it says each time it has."""
    signal: int
    says: str
    arguments: Callable = lambda arguments, log: arguments


def with_notices(arguments, log):
    """nginx tells of its workers at this level."""
    return [*arguments, "-g", f"error_log {log} notice;"]


def with_master(arguments, _log):
    """HAProxy reloads only with a master, which says so unless it is quiet, and hands over the sockets by itself."""
    return ["-W", *(each for each in arguments if each != "-q")]


RELOADING = {"portico": Reloading(signal.SIGHUP, r"serving the new configuration"),
             "nginx": Reloading(signal.SIGHUP, r"start worker process \d", with_notices),
             "haproxy": Reloading(signal.SIGUSR2, r"Loading success", with_master)}


class Proxy:
    """One running proxy whose configuration changes with every reload."""

    def __init__(self, name, core, upstream, connections):
        self.name, self.how = name, RELOADING[name]
        self.job = proxies.Job(machine.free_port(), machine.free_port(), upstream.port, connections, self.routes(0), False,
                               certificate())
        proxy, self.log = proxies.PROXIES[name], machine.WORK / f"{name}.log"
        arguments = self.how.arguments(proxy.configure(self.job), self.log)
        self.read = self.count = 0
        self.process = machine.Process(name, core, [proxy.path(), *arguments])
        self.process.wait_for(self.job.port)
        self.started = self.said()
        self.target = loads.Target(name, self.process.pid, self.job.port, self.job.tls_port, upstream.port)

    @staticmethod
    def routes(number):
        return [("prefix", f"/generation-{number}"), ("prefix", "/")]

    def said(self):
        """How often it has; only what is new of its log is read."""
        with open(self.log, errors="replace") as log:
            log.seek(self.read)
            for line in iter(log.readline, ""):
                if not line.endswith("\n"):
                    break
                self.read += len(line.encode(errors="replace"))
                self.count += re.search(self.how.says, line) is not None
        return self.count

    def taken(self):
        """Reloads that have come into service."""
        return self.said() - self.started

    def reload(self, number):
        """False when it does not say in time that it has. HAProxy now and then does not hear a signal that follows the last
        one soon: it is sent again."""
        before = self.said()
        proxies.PROXIES[self.name].configure(dataclasses.replace(self.job, routes=self.routes(number)))
        for _ in range(PATIENCE // AGAIN):
            self.process.child.send_signal(self.how.signal)
            end = time.monotonic() + AGAIN
            while self.said() == before and time.monotonic() < end:
                time.sleep(0.01)
            if self.said() > before:
                return True
        return False

    def processes(self):
        return len(machine.tree(self.process.pid))

    def size(self):
        """(KiB, processes)."""
        return machine.memory_kib(self.process.pid), self.processes()


class Http1:
    """wrk until stop(): its figures then."""

    def __init__(self, target):
        command = loads.wrk_command(target.port, KEEP_ALIVE, 3600)
        self.began = time.monotonic()
        self.wrk = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def stop(self):
        self.wrk.send_signal(signal.SIGINT)
        figures = loads.wrk_output(self.wrk.communicate(timeout=60)[0])
        return {**figures, "rate": figures["requests"] / (time.monotonic() - self.began)}


class Http2:
    """h2load over TLS until stop(): how many requests failed. It has no end of its own but a time, so several
    follow each other."""

    def __init__(self, target):
        self.command = ["h2load", "-t1", f"-c{H2_CLIENTS}", f"-m{H2_STREAMS}", "-D", "4", f"https://127.0.0.1:{target.tls_port}/"]
        self.over, self.failed, self.done, self.problem = threading.Event(), 0, 0, None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            while not self.over.is_set():
                said = subprocess.run(self.command, capture_output=True, text=True, env=client_environment(), timeout=60).stdout
                self.failed += loads.h2load_errors(said)
                self.done += int(re.search(r"(\d+) succeeded", said).group(1))
        except (machine.Failure, subprocess.TimeoutExpired) as failure:
            self.problem = failure

    def stop(self):
        self.over.set()
        self.thread.join()
        if self.problem:
            raise machine.Failure(str(self.problem))
        return self.failed


@contextlib.contextmanager
def lasting(target, storm):
    """reload_load with everything open; next() begins another phase, end() gives what it saw."""
    command = [machine.compile_c("reload_load"), target.port, storm.sockets, storm.uploads, storm.upload_bytes,
               storm.upload_rate(), storm.streams]
    with subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as load:
        if load.stdout.readline() != "ready\n":
            raise machine.Failure(f"{target.name} does not carry {storm.sockets} WebSockets and {storm.streams} event streams")

        def next_phase():
            load.stdin.write("\n")
            load.stdin.flush()

        def end():
            load.stdin.close()
            return json.loads(load.stdout.readline())
        yield next_phase, end


def settle(proxy, seconds):
    """Some seconds of load: (wrk's figures, h2load's failures, the proxy's size near the end)."""
    http1, http2 = Http1(proxy.target), Http2(proxy.target)
    time.sleep(seconds * 0.8)
    size = proxy.size()
    time.sleep(seconds * 0.2)
    return http1.stop(), http2.stop(), size


def blow(proxy, storm):
    """The reloads: (wrk's figures, h2load's failures, processes at most, whether the proxy was let off)."""
    http1, http2 = Http1(proxy.target), Http2(proxy.target)
    most, let_off, end = 0, False, time.monotonic() + LONGEST * storm.length()
    for number in range(1, storm.reloads + 1):
        began = time.monotonic()
        taken = proxy.reload(number)
        processes = proxy.processes()
        most = max(most, processes)
        kib = proxy.size()[0] if number % SIZE_EVERY == 0 else 0
        let_off = not taken or kib > TOO_MUCH_KIB or processes > TOO_MANY or time.monotonic() > end
        if let_off:
            break
        time.sleep(max(0, storm.apart - (time.monotonic() - began)))
    return http1.stop(), http2.stop(), most, let_off


def measure_one(proxy, storm):
    """One row."""
    with lasting(proxy.target, storm) as (next_phase, end):
        calm, calm_h2, before = settle(proxy, storm.before)
        next_phase()
        stormy, stormy_h2, most, let_off = blow(proxy, storm)
        next_phase()
        _, _, after = settle(proxy, AFTER)
        seen = end()
    if calm["errors"] + calm_h2:
        raise machine.Failure(f"{proxy.name} fails requests without any reload")
    during = seen["p99_ms"]
    return {
        "reloads": proxy.taken(), "let_off": let_off,
        "rate_before": calm["rate"], "rate": stormy["rate"],
        "failed": stormy["errors"] + stormy_h2 + seen["newcomers"]["lost"],
        "failed_by": {"http1": stormy["errors"], "http2": stormy_h2, "newcomers": seen["newcomers"]["lost"]},
        "dropped": seen["sockets"]["lost"] + seen["streams"]["lost"],
        "uploads": seen["uploads"]["done"], "wrong": seen["uploads"]["lost"],
        "processes_before": before[1], "processes": most,
        "memory_before": before[0], "memory_after": after[0],
        "p99_before": calm["p99"], "p99": stormy["p99"], "p99_lasting": during,
    }


HEAD = ("scenario", "proxy", "reloads", "failed", "dropped", "uploads", "wrong", "processes", "MiB before", "after", "x",
        "p99 before", "during", "x", "echoes", "during", "per second", "during")
WIDTHS = (12, 8, 8, 7, 7, 7, 5, 9, 10, 7, 5, 10, 7, 5, 7, 7, 10, 7)


def cells(*texts):
    print("  ".join(f"{text:<{width}}" if index < 2 else f"{text:>{width}}"
                    for index, (text, width) in enumerate(zip(texts, WIDTHS))).rstrip(), flush=True)


def print_row(name, proxy, row):
    echoes = row["p99_lasting"]
    cells(name, proxy, f"{row['reloads']}{'!' if row['let_off'] else ''}", str(row["failed"]), str(row["dropped"]), str(row["uploads"]),
          str(row["wrong"]), f"{row['processes_before']} -> {row['processes']}", f"{row['memory_before'] / 1024:.1f}",
          f"{row['memory_after'] / 1024:.1f}", f"{row['memory_after'] / row['memory_before']:.2f}",
          f"{row['p99_before'] / 1000:.1f}ms", f"{row['p99'] / 1000:.1f}ms", f"{row['p99'] / row['p99_before']:.2f}",
          f"{echoes[0]['sockets']:.1f}ms", f"{echoes[1]['sockets']:.1f}ms", f"{row['rate_before']:,.0f}", f"{row['rate']:,.0f}")


def taking_part(names):
    return [name for name in names if name in RELOADING]


def measure(names, wanted, core, upstream):
    """Yields (storm, proxy, row); prints a table."""
    if wanted:
        print()
        cells(*HEAD)
        cells(*("-" * width for width in WIDTHS))
    for name, proxy_name in itertools.product(wanted, taking_part(names)):
        with contextlib.ExitStack() as held:
            try:
                proxy = Proxy(proxy_name, core, upstream, 4000)
                held.callback(proxy.process.stop)
                row = measure_one(proxy, STORMS[name])
            except (machine.Failure, OSError, ValueError, subprocess.TimeoutExpired) as failure:
                print(f"{name}: {proxy_name} is left out: {failure}", flush=True)
                continue
        print_row(name, proxy_name, row)
        yield name, proxy_name, row


TARGET = "0 failed, 0 dropped, 0 wrong, no more processes, memory <= 1.05 and 0.5 MiB, p99 <= 2"


def summary(row):
    """A row in few words, for README."""
    memory = row["memory_after"] / row["memory_before"]
    return f"{row['failed']:,} failed, {row['dropped']} dropped, {row['processes']} processes, memory x {memory:.2f}"


def misses(name, row):
    """What of Portico's row is not as TARGET has it."""
    said = {"reloads": row["reloads"] < STORMS[name].reloads, "failed requests": row["failed"], "dropped": row["dropped"],
            "wrong uploads": row["wrong"], "more processes": row["processes"] > row["processes_before"],
            "memory": row["memory_after"] > row["memory_before"] * 1.05 + NOISE_KIB,
            "p99": row["p99"] > row["p99_before"] * 2}
    return [what for what, is_wrong in said.items() if is_wrong]


def wrong_with(measured):
    """The same of all storms measured."""
    return [f"{name} portico: {what}" for name, rows in measured.items() if proxies.OURS in rows
            for what in misses(name, rows[proxies.OURS])]
