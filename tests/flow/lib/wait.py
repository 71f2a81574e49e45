"""Time: scenarios wait on conditions; everything is slower under a sanitizer."""
import os
import pathlib
import select
import time

BINARY = pathlib.Path(os.environ.get("PORTICO", "build/release/portico")).resolve()


def _holds(symbol):
    return BINARY.is_file() and symbol in BINARY.read_bytes()


SANITIZED = _holds(b"__asan_init") or _holds(b"__tsan_init")
SLOW = 4.0 if SANITIZED or os.environ.get("PORTICO_SLOW") == "1" else 1.0
PATIENCE = 8.0 * SLOW  # seconds after which what was waited for will not come


def asan_options(more):
    """The environment variable with these options more."""
    return {"ASAN_OPTIONS": ":".join(filter(None, [os.environ.get("ASAN_OPTIONS"), more]))}


def wait_until(condition, what="the condition", timeout=PATIENCE):
    """The condition's first true value."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {timeout:.0f} s in vain for {what}"
        time.sleep(0.01)
    return value


def readable(files, timeout=0.0):
    """Those of the files or sockets that can be read, when the first can; empty when none can in that many seconds."""
    poll = select.poll()  # select() knows no descriptor beyond 1023
    for file in files:
        poll.register(file, select.POLLIN)
    ready = {descriptor for descriptor, _ in poll.poll(timeout * 1000)}
    return [file for file in files if (file if isinstance(file, int) else file.fileno()) in ready]


def wait_for_traffic(sock, timeout=PATIENCE):
    """Until the socket can be read or written."""
    poll = select.poll()
    poll.register(sock, select.POLLIN | select.POLLOUT)
    assert poll.poll(timeout * 1000), f"nothing came and nothing was taken for {timeout:.0f} s"
