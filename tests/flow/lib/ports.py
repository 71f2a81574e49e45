"""Ports below the ephemeral range, each given to one test process on the machine only."""
import fcntl
import os
import pathlib
import random
import socket
import tempfile

FIRST, LAST = 10000, 32000
_LOCKS = pathlib.Path(tempfile.gettempdir()) / "portico-test-ports"
_random = random.Random(os.urandom(8))
_held = []  # open lock files: a port is ours until this process ends


def _reserve(port):
    _LOCKS.mkdir(exist_ok=True)
    lock = open(_LOCKS / str(port), "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return False
    _held.append(lock)
    return True


def _is_free(port, kind):
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True


def free_port():
    """A TCP and UDP port that nobody listens on and no other test process will be given."""
    while True:
        port = _random.randrange(FIRST, LAST)
        if _reserve(port) and _is_free(port, socket.SOCK_STREAM) and _is_free(port, socket.SOCK_DGRAM):
            return port
