"""An HTTP/2 client that sends exactly these frames (RFC 9113), in clear by prior knowledge, and tells what came back."""
import collections
import dataclasses
import struct

import hpack

from lib.client import Client
from lib.wire import Closed

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
PRIORITY_UPDATE = 16
END_STREAM, ACK, END_HEADERS, PADDED, WITH_PRIORITY = 1, 1, 4, 8, 32
(NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM,
 CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, ENHANCE_YOUR_CALM) = range(12)
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

Frame = collections.namedtuple("Frame", "kind flags stream payload")


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def settings(**values):
    ids = {"header_table_size": 1, "enable_push": 2, "max_concurrent_streams": 3, "initial_window_size": 4, "max_frame_size": 5}
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", ids[name], value) for name, value in values.items()))


def window_update(stream, increment):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", increment))


def rst(stream, code=CANCEL):
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def request_fields(path="/", method="GET", authority="portico.test", scheme="http", extra=()):
    return [(":method", method), (":scheme", scheme), (":authority", authority), (":path", path), *extra]


@dataclasses.dataclass
class Stream:
    """What has come on one stream."""
    heads: list = dataclasses.field(default_factory=list)  # interim heads, the final one, trailers
    body: bytearray = dataclasses.field(default_factory=bytearray)
    ended: bool = False
    reset: int = None  # the code of RST_STREAM

    @property
    def final(self):
        return next(head for head in self.heads if head.get(":status", "1") >= "2")

    @property
    def status(self):
        return int(self.final[":status"])

    @property
    def trailers(self):
        return self.heads[-1] if ":status" not in self.heads[-1] else {}


class H2(Client):
    """One connection. `patient` acknowledges settings and gives windows back by itself."""

    def __init__(self, port, preface=True, window=65535, patient=True, receive_buffer=None):
        super().__init__(port, keep=False, receive_buffer=receive_buffer)
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.decoder.max_header_list_size = 1 << 20
        self.streams, self.pings, self.settings = collections.defaultdict(Stream), [], {}
        self.goaways, self.windows = [], collections.Counter()
        self.patient, self.next_id, self.block = patient, 1, b""
        if preface:
            self.send(PREFACE + settings(initial_window_size=window))

    @property
    def goaway(self):
        """The code of the last GOAWAY."""
        return self.goaways[-1][1] if self.goaways else None

    # sending

    def block_of(self, fields):
        return self.encoder.encode([hpack.NeverIndexedHeaderTuple(*field) for field in fields])

    def request(self, path="/", body=None, end=True, **settings):
        """Opens a stream with a request; gives its id."""
        stream = self.next_id
        self.next_id += 2
        self.headers(stream, request_fields(path, **settings), END_STREAM if end and body is None else 0)
        if body is not None:
            self.data(stream, body, end)
        return stream

    def request_with_id(self, stream, path="/"):
        """A plain request on this stream."""
        self.headers(stream, request_fields(path))
        return stream

    def headers(self, stream, fields, flags=END_STREAM):
        self.send(frame(HEADERS, END_HEADERS | flags, stream, self.block_of(fields)))

    def data(self, stream, content, end=True):
        """Sends content as fast as the windows allow."""
        view = memoryview(content)
        while True:
            room = 16384
            while len(view) and (room := min(16384, self.room(stream))) <= 0:
                self.step()
            part, view = view[:room], view[room:]
            self.windows[stream] -= len(part)
            self.windows[0] -= len(part)
            last = end and not len(view)
            self.send(frame(DATA, END_STREAM if last else 0, stream, bytes(part)))
            if not len(view):
                return

    def room(self, stream):
        return 65535 + min(self.windows[0], self.windows[stream])

    # receiving

    def frame(self):
        """The next frame, whatever it is."""
        head = self.exactly(9)
        length = struct.unpack(">I", b"\0" + head[:3])[0]
        kind, flags, stream = struct.unpack(">BBI", head[3:])
        return Frame(kind, flags, stream, self.exactly(length))

    def step(self):
        """Takes the next frame into account."""
        got = self.frame()
        handler = getattr(self, f"_on_{got.kind}", None)
        if handler:
            handler(got)
        return got

    def _on_0(self, got):
        stream = self.streams[got.stream]
        stream.body += got.payload
        stream.ended = bool(got.flags & END_STREAM)
        if self.patient and got.payload:
            self.send(window_update(0, len(got.payload)))
            if not stream.ended:
                self.send(window_update(got.stream, len(got.payload)))

    def _on_1(self, got):
        self.block += got.payload
        self.streams[got.stream].ended |= bool(got.flags & END_STREAM)
        if got.flags & END_HEADERS:
            block, self.block = self.block, b""
            fields = {}
            for name, value in self.decoder.decode(block):
                fields[name] = f"{fields[name]}\n{value}" if name in fields else value
            self.streams[got.stream].heads.append(fields)

    _on_9 = _on_1

    def _on_3(self, got):
        self.streams[got.stream].reset = struct.unpack(">I", got.payload)[0]

    def _on_4(self, got):
        if got.flags & ACK:
            return
        for at in range(0, len(got.payload), 6):
            name, value = struct.unpack(">HI", got.payload[at:at + 6])
            self.settings[name] = value
        if self.patient:
            self.send(frame(SETTINGS, ACK, 0))

    def _on_6(self, got):
        self.pings.append(got)
        if self.patient and not got.flags & ACK:
            self.send(frame(PING, ACK, 0, got.payload))

    def _on_7(self, got):
        self.goaways.append(struct.unpack(">II", got.payload[:8]))

    def _on_8(self, got):
        self.windows[got.stream] += struct.unpack(">I", got.payload)[0]

    def until_frame(self, kind):
        while (got := self.step()).kind != kind:
            pass
        return got

    def finish(self, *ids):
        """Reads until these streams have ended or were reset."""
        while not all(self.streams[id].ended or self.streams[id].reset is not None for id in ids):
            self.step()
        return self.streams[ids[0]]

    def finish_all(self):
        """Reads until the gateway closes."""
        try:
            while True:
                self.step()
        except (Closed, ConnectionError):
            return self

    def get(self, path="/", **settings):
        return self.finish(self.request(path, **settings))

    def ping(self):
        """Everything that was sent before has been read, and answered as far as it could be, when this returns."""
        self.send(frame(PING, 0, 0, b"roundabt"))
        while not (got := self.until_frame(PING)).flags & ACK:
            pass
        return got
