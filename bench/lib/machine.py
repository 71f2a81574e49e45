"""What the harness asks of the machine: cores, ports, processes it starts and ends, and what they cost.

Knows nothing of proxies, scenarios or results.
"""
import contextlib
import os
import pathlib
import resource
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BENCH = ROOT / "bench"
WORK = ROOT / "build" / "bench"
TICKS = os.sysconf("SC_CLK_TCK")


class Failure(Exception):
    """Something that was needed did not work; the text says what."""


def cores():
    """(core of the proxy, core of load and upstream)."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise Failure("bench needs two cores: one for the proxy, one for the load")
    return usable[0], usable[1]


def raise_file_limit():
    """Many connections need many descriptors; every process started from here inherits the limit."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def free_port():
    """Below the ephemeral range, so that no outgoing connection can hold it."""
    for port in range(21000, 32000):
        with contextlib.closing(socket.socket()) as probe, contextlib.suppress(OSError):
            if port not in free_port.given:
                probe.bind(("127.0.0.1", port))
                free_port.given.add(port)
                return port
    raise Failure("no free port between 21000 and 32000")


free_port.given = set()


def compile_c(name):
    source, binary = BENCH / f"{name}.c", WORK / name
    newest = max(path.stat().st_mtime for path in [source, *BENCH.rglob("*.h")])
    if not binary.exists() or binary.stat().st_mtime < newest:
        flags = ["-std=c17", "-O2", "-Wall", "-Wextra", "-Wshadow", "-Wconversion", f"-I{BENCH}"]
        subprocess.run(["gcc", *flags, source, "-o", binary, "-lssl", "-lcrypto"], check=True)
    return binary


class Process:
    """A server that runs on one core until stop(), and dies with the harness."""

    def __init__(self, name, core, command):
        self.name, self.log = name, WORK / f"{name}.log"
        with open(self.log, "wb") as log:
            self.child = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", "taskset", "-c", str(core), *map(str, command)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    @property
    def pid(self):
        return self.child.pid

    def wait_for(self, port, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.child.poll() is None:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return self
            time.sleep(0.02)
        said = self.log.read_text(errors="replace").strip()[-600:]
        self.stop()
        raise Failure(f"{self.name} does not listen on {port}: {said or 'it said nothing'}")

    def end(self):
        """Asks it to; stop() waits for that."""
        self.child.terminate()

    def stop(self):
        started = tree(self.pid)
        self.end()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.child.wait(timeout=5)
            return
        for pid in started:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        self.child.wait()


def tree(pid):
    """The process and all its living descendants."""
    found = [pid]
    for parent in found:
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{parent}/task"):
                children = pathlib.Path(f"/proc/{parent}/task/{task}/children").read_text()
                found += map(int, children.split())
    return found


def cpu_seconds(pid):
    """User and system time of the process, all its threads, its descendants and those already reaped."""
    total = 0
    for member in tree(pid):
        with contextlib.suppress(OSError):
            stat = pathlib.Path(f"/proc/{member}/stat").read_text()
            user, system, *reaped = map(int, stat.rpartition(")")[2].split()[11:15])
            total += max((user + system) / TICKS, running_seconds(member)) + sum(reaped) / TICKS
    return total


def running_seconds(pid):
    """The same of the threads alive, in nanoseconds where /proc/PID/stat has ticks of ten milliseconds."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def busy_seconds():
    """CPU time of all cores that was not idle, whoever used it, what the hypervisor stole included."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(
        int, pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICKS


class Bystanders:
    """How much of the cores others used since this was made: what makes a measurement worth less."""

    def __init__(self):
        self.began, self.busy, self.own = time.monotonic(), busy_seconds(), cpu_seconds(os.getpid())

    def share(self):
        others = (busy_seconds() - self.busy) - (cpu_seconds(os.getpid()) - self.own)
        return max(0, others) / (time.monotonic() - self.began) / os.cpu_count()


def memory_kib(pid):
    """Resident memory of the process and its descendants; pages they share count once (Pss)."""
    total = 0
    for member in tree(pid):
        with contextlib.suppress(OSError):
            for line in pathlib.Path(f"/proc/{member}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
    return total


def describe():
    """For the JSON: on what this was measured."""
    cpuinfo = pathlib.Path("/proc/cpuinfo").read_text()
    model = [line.partition(":")[2].strip() for line in cpuinfo.splitlines() if line.startswith("model name")]
    return {"cpu": model[0] if model else "unknown", "cores": os.cpu_count(), "kernel": os.uname().release,
            "load_before": os.getloadavg()[0]}
