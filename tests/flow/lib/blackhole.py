"""An address where connecting never ends: a listener whose backlog is full."""
import socket

from lib.ports import free_port


class Blackhole:
    def __init__(self):
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=0)
        self._fillers = []
        while self._fill():
            pass

    def _fill(self):
        """One connection more; False when it does not come about."""
        filler = socket.socket()
        filler.settimeout(0.3)
        self._fillers.append(filler)
        try:
            filler.connect(("127.0.0.1", self.port))
        except OSError:
            return False
        return True

    def close(self):
        for each in (*self._fillers, self._listener):
            each.close()
