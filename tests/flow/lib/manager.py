"""A service manager as the gateway sees it: what it says by sd_notify(3)."""
import secrets
import socket

from lib.wait import PATIENCE, wait_until


class Manager:
    """Listens on a $NOTIFY_SOCKET; `environment` is for the gateway."""

    def __init__(self):
        name = f"portico-{secrets.token_hex(8)}"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind("\0" + name)
        self.environment = {"NOTIFY_SOCKET": "@" + name}
        self.messages = []

    def heard(self):
        """Every message until now, each a map."""
        while True:
            try:
                text = self.socket.recv(4096).decode()
            except BlockingIOError:
                return self.messages
            self.messages.append(dict(line.split("=", 1) for line in text.split("\n")))

    def count(self, name):
        return sum(name in message for message in self.heard())

    def wait(self, name, times=1, timeout=PATIENCE):
        """Waits for a message with this line; gives the last one."""
        wait_until(lambda: self.count(name) >= times, f"{times} x {name}", timeout)
        return next(message for message in reversed(self.messages) if name in message)

    def close(self):
        self.socket.close()
