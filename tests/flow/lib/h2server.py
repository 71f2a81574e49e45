"""HTTP/2 upstreams of scripted frames (RFC 9113): a script is a function of one connection."""
import struct

import hpack

from lib.h2raw import (ACK, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PREFACE, SETTINGS, Frame, Stream, frame, rst,
                       settings, window_update)
from lib.upstream import Connection, Upstream
from lib.wire import Closed


class ServerConnection(Connection):
    """One connection from the gateway, its preface read. `patient` gives windows back by itself."""

    def __init__(self, sock, upstream):
        super().__init__(sock, upstream)
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.streams, self.order, self.resets, self.frames = {}, [], {}, []
        self.patient = True

    def greet(self, **values):
        assert self.exactly(len(PREFACE)) == PREFACE
        self.send(settings(**values))
        return self

    def block_of(self, fields):
        return self.encoder.encode(list(fields))

    # receiving

    def step(self):
        head = self.exactly(9)
        length = struct.unpack(">I", b"\0" + head[:3])[0]
        kind, flags, stream = struct.unpack(">BBI", head[3:])
        got = Frame(kind, flags, stream, self.exactly(length))
        self.frames.append(got)
        getattr(self, f"_on_{kind}", lambda _: None)(got)
        return got

    def _on_0(self, got):
        stream = self.streams[got.stream]
        stream.body += got.payload
        stream.ended |= bool(got.flags & END_STREAM)
        if self.patient and got.payload:
            self.send(window_update(0, len(got.payload)) + window_update(got.stream, len(got.payload)))

    def _on_1(self, got):
        assert got.flags & END_HEADERS
        fields = self.decoder.decode(got.payload)
        if got.stream not in self.streams:
            self.streams[got.stream] = Stream()
            self.order.append(got.stream)
            self.upstream.heads.append(dict(fields))
        stream = self.streams[got.stream]
        stream.heads.append(dict(fields))
        stream.ended |= bool(got.flags & END_STREAM)

    def _on_3(self, got):
        self.resets[got.stream] = struct.unpack(">I", got.payload)[0]

    def _on_4(self, got):
        if not got.flags & ACK:
            self.send(frame(SETTINGS, ACK, 0))

    def _on_6(self, got):
        if not got.flags & ACK:
            self.send(frame(PING, ACK, 0, got.payload))

    def next_stream(self):
        """The id of the next request whose head has come."""
        known = len(self.order)
        while len(self.order) == known:
            self.step()
        return self.order[-1]

    def request_whole(self):
        """The id of the next request, all of which has come."""
        stream = self.next_stream()
        while not self.streams[stream].ended:
            self.step()
        return stream

    def until_reset(self, stream):
        while stream not in self.resets:
            self.step()
        return self.resets[stream]

    def rest(self):
        """Answers nothing until the gateway closes."""
        try:
            while True:
                self.step()
        except (Closed, OSError):
            pass

    # sending

    def head(self, stream, status=200, end=False, fields=()):
        self.send(frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream,
                        self.block_of([(":status", str(status)), *fields])))

    def data(self, stream, content, end=True):
        self.send(frame(DATA, END_STREAM if end else 0, stream, content))

    def trailers(self, stream, *fields):
        self.send(frame(HEADERS, END_HEADERS | END_STREAM, stream, self.block_of(fields)))

    def answer(self, stream, body=b"ok", status=200):
        self.head(stream, status)
        self.data(stream, body)

    def reset_stream(self, stream, code):
        self.send(rst(stream, code))

    def goaway(self, last, code=0):
        self.send(frame(GOAWAY, 0, 0, struct.pack(">II", last, code)))


class H2Upstream(Upstream):
    """See lib.upstream.Upstream; `scripts` get a ServerConnection."""

    connection_class = ServerConnection


def serves(connection):
    """Answers every request with "ok"."""
    connection.greet()
    while True:
        connection.answer(connection.request_whole())
