"""HTTP/1 read from a socket, strictly and without opinions: both scripted sides use it."""
import contextlib
import dataclasses
import json
import socket
import ssl
import struct

from lib.wait import PATIENCE, wait_for_traffic

NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)  # of a socket that does not block


class Closed(Exception):
    """The other side closed where more bytes were due."""


@dataclasses.dataclass
class Message:
    """A request or a response: start line, field lines in order, content, trailers."""
    start: str
    fields: list
    body: bytes = b""
    trailers: list = dataclasses.field(default_factory=list)
    interim: list = dataclasses.field(default_factory=list)  # the 1xx responses before this one
    chunked: bool = False

    def all(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def get(self, name):
        """The field's only value, None when it is not there."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} is repeated: {values}"
        return values[0] if values else None

    @property
    def status(self):
        return int(self.start.split(" ")[1])

    @property
    def method(self):
        return self.start.split(" ")[0]

    @property
    def target(self):
        return self.start.split(" ")[1]

    @property
    def json(self):
        return json.loads(self.body)


class Wire:
    """A connected socket with a read buffer. `seen` is everything that ever arrived (unless keep=False)."""

    def __init__(self, sock, keep=True):
        self.sock, self.buffer, self.keep = sock, bytearray(), keep
        self.seen = bytearray()
        sock.settimeout(PATIENCE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data):
        self.sock.sendall(data)

    def send_slowly(self, data):
        """One byte in each segment."""
        for offset in range(len(data)):
            self.sock.sendall(data[offset:offset + 1])

    def send_until_answered(self, data):
        """As much as is taken before something comes back. In one thread: Python's TLS is not made for two."""
        left = memoryview(data)
        self.sock.setblocking(False)
        try:
            while left and not self.buffer:
                with contextlib.suppress(*NOT_NOW):
                    left = left[self.sock.send(left[:1 << 16]):]
                    continue
                wait_for_traffic(self.sock)
                with contextlib.suppress(*NOT_NOW):
                    self._fill()
        finally:
            self.sock.settimeout(PATIENCE)

    def _fill(self):
        piece = self.sock.recv(1 << 18)
        if not piece:
            raise Closed(f"closed after {bytes(self.buffer[-200:])!r}")
        if self.keep:
            self.seen += piece
        self.buffer += piece

    def _take(self, count):
        data = bytes(self.buffer[:count])
        del self.buffer[:count]
        return data

    def some(self):
        """Whatever is there, at least one byte."""
        if not self.buffer:
            self._fill()
        return self._take(len(self.buffer))

    def exactly(self, count):
        while len(self.buffer) < count:
            self._fill()
        return self._take(count)

    def until(self, mark):
        """What comes before the mark; both are consumed."""
        while (end := self.buffer.find(mark)) < 0:
            self._fill()
        return self._take(end + len(mark))[:end]

    def rest(self):
        """Everything until the other side closes or resets."""
        data = bytearray()
        try:
            while True:
                data += self.some()
        except (Closed, ConnectionError):
            return bytes(data)

    def head(self):
        lines = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        return Message(lines[0], [_field(line) for line in lines[1:]])

    def chunks(self):
        """The content and the trailers of a chunked body."""
        content = bytearray()
        while size := int(self.until(b"\r\n").split(b";")[0], 16):
            content += self.exactly(size)
            assert self.exactly(2) == b"\r\n"
        trailers = []
        while line := self.until(b"\r\n"):
            trailers.append(_field(line.decode("latin-1")))
        return bytes(content), trailers

    def content(self, message):
        """Reads the body that the message's own fields announce."""
        if message.get("Transfer-Encoding"):
            message.chunked = True
            message.body, message.trailers = self.chunks()
        else:
            message.body = self.exactly(int(message.get("Content-Length") or 0))
        return message

    def request(self):
        """The next request with its body; None when the connection ends instead."""
        try:
            if not self.buffer:
                self._fill()
        except (Closed, ConnectionError):
            return None
        return self.content(self.head())

    def response(self, method="GET"):
        """The next final response to a request with this method, interim ones inside it."""
        interim = []
        while (message := self.head()).status < 200 and message.status != 101:
            interim.append(message)
        message.interim = interim
        if method == "HEAD" or message.status in (101, 204, 304):
            return message
        if message.get("Transfer-Encoding") is None and message.get("Content-Length") is None:
            message.body = self.rest()
            return message
        return self.content(message)

    def ended(self):
        """Waits for the other side to close; False when it sends something instead."""
        try:
            return not self.buffer and self.sock.recv(1) == b""
        except ConnectionError:
            return True

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def close(self):
        self.sock.close()

    def reset(self):
        """Closes with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _field(line):
    name, colon, value = line.partition(":")
    assert colon and name and name == name.strip(), f"not a field line: {line!r}"
    return name, value.strip()
