"""./dev bench syscalls: what one proxied keep-alive request costs in system calls, and whether that grew.

wrk runs wholly inside the time strace watches, so its count of requests and strace's count of calls cover
the same work; the 64 connections' accepts and epoll registrations are inside too: they are what the small
allowance is for, and why there have to be ENOUGH requests.
"""
import contextlib
import pathlib
import signal
import subprocess
import time

import loads
import machine

SECONDS, LONGEST, CONNECTIONS, ENOUGH = 6, 60, 64, 25000
IO = {"read", "readv", "recvfrom", "recvmsg", "recvmmsg", "write", "writev", "sendto", "sendmsg", "sendmmsg",
      "sendfile", "splice"}
RARE = {"epoll_ctl", "ioctl", "accept", "accept4", "clock_gettime", "clock_gettime64", "gettimeofday", "time"}
MOST_IO, MOST_RARE = 4.1, 0.01


def traced(pids):
    for pid in pids:
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            if "TracerPid:\t0\n" in (task / "status").read_text():
                return False
    return True


@contextlib.contextmanager
def strace(pid, output):
    """Counts the system calls of the process tree while the block runs."""
    pids = machine.tree(pid)
    attach = [word for each in pids for word in ("-p", str(each))]
    command = ["strace", "-c", "-f", "-o", str(output), *attach]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
        end = time.monotonic() + 10
        while not traced(pids):
            if tracer.poll() is not None or time.monotonic() > end:
                tracer.terminate()
                raise machine.Failure(f"strace cannot attach: {tracer.stderr.read()}")
            time.sleep(0.05)
        try:
            yield
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.communicate()


def counts(summary):
    """{name: (calls, errors)} of strace -c: columns % time, seconds, usecs/call, calls, [errors,] name."""
    found = {}
    for line in summary.splitlines():
        words = line.split()
        if len(words) in (5, 6) and words[3].isdigit() and words[-1] != "total":
            found[words[-1]] = (int(words[3]), int(words[4]) if len(words) == 6 else 0)
    return found


def report(found, requests):
    """Prints the table; returns what is wrong with it."""
    print(f"{'system call':<20}{'per request':>12}{'of them failed':>16}{'calls':>10}")
    for name, (calls, errors) in sorted(found.items(), key=lambda entry: -entry[1][0]):
        print(f"{name:<20}{calls / requests:>12.4f}{errors / requests:>16.4f}{calls:>10}")
    io = sum(found[name][0] for name in IO & set(found)) / requests
    print(f"{requests} requests; socket reads and writes per request: {io:.3f} (at most {MOST_IO})")
    wrong = [f"{io:.3f} reads and writes per request, more than {MOST_IO}"] if io > MOST_IO else []
    return wrong + [f"{found[name][0] / requests:.4f} {name} per request, more than {MOST_RARE}"
                    for name in sorted(RARE & set(found)) if found[name][0] / requests > MOST_RARE]


def measure(target):
    """Exit status: 0 when one request costs what it should."""
    loads.run_wrk(loads.wrk_command(target.port, CONNECTIONS, 1))  # the pool to the upstream is filled
    output, seconds = machine.WORK / "strace.txt", SECONDS
    while True:
        with strace(target.pid, output):
            figures = loads.run_wrk(loads.wrk_command(target.port, CONNECTIONS, seconds))
        if figures["requests"] >= ENOUGH or seconds == LONGEST:
            break
        seconds = min(LONGEST, seconds * 5 // 4 * ENOUGH // max(figures["requests"], 1) + 1)
    wrong = report(counts(output.read_text()), max(figures["requests"], 1))
    if figures["errors"]:
        wrong.append(f"{figures['errors']} requests failed")
    for line in wrong:
        print(f"FAIL {target.name}: {line}")
    return 1 if wrong else 0
