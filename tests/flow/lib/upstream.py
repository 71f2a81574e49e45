"""Scripted upstreams: a script is a function of one connection; the n-th connection runs the n-th script, the last for ever.

Everything a connection received is kept in `upstream.received`, every whole request in `upstream.requests`.
"""
import json
import socket
import threading

from lib.client import accept_of
from lib.ports import free_port
from lib.wait import wait_until
from lib.wire import Closed, Wire


class Connection(Wire):
    """One connection from the gateway."""

    def __init__(self, sock, upstream):
        super().__init__(sock, upstream.keep)
        self.upstream = upstream

    def request(self):
        request = super().request()
        if request:
            self.upstream.requests.append(request)
        return request

    def head(self):
        """The request head alone, noted in upstream.heads."""
        head = super().head()
        self.upstream.heads.append(head)
        return head


class Upstream:
    connection_class = Connection

    def __init__(self, *scripts, host="127.0.0.1", port=None, keep=True):
        self.scripts = scripts or (echo,)
        self.host, self.port, self.keep = host, port or free_port(), keep
        self.requests, self.heads, self.connections, self.errors = [], [], [], []
        self._threads = []
        self._listener = socket.create_server((host, self.port), backlog=512)
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    @property
    def received(self):
        return b"".join(bytes(connection.seen) for connection in self.connections)

    def wait_connections(self, count):
        wait_until(lambda: len(self.connections) >= count, f"{count} connections to the upstream")
        return self.connections[count - 1]

    def wait_requests(self, count):
        wait_until(lambda: len(self.requests) >= count, f"{count} requests to the upstream")
        return self.requests[count - 1]

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            script = self.scripts[min(len(self.connections), len(self.scripts) - 1)]
            connection = self.connection_class(sock, self)
            self.connections.append(connection)
            thread = threading.Thread(target=self._serve, args=(script, connection), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, script, connection):
        try:
            script(connection)
        except (Closed, OSError):
            pass  # the gateway went away; whether it should have is the scenario's business
        except Exception as error:  # kept for the fixture, which fails the test
            self.errors.append(error)
        finally:
            connection.close()

    def close_listener(self):
        """New connections are refused; the ones that stand go on."""
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        self._accepting.join()

    def close(self):
        self.close_listener()
        for connection in self.connections:
            try:
                connection.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self._threads:
            thread.join(5)


# responses ------------------------------------------------------------------------------------------------

def ok(body=b"ok", **fields):
    """A 200 with Content-Length."""
    return respond(200, body, **fields)


def respond(status, body=b"", **fields):
    lines = [f"HTTP/1.1 {status} As Scripted", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-').title()}: {value}" for name, value in fields.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


# scripts --------------------------------------------------------------------------------------------------

def answers(*responses):
    """Whole requests in, one response each, the last one for ever."""
    def script(connection):
        served = 0
        while connection.request():
            connection.send(responses[min(served, len(responses) - 1)])
            served += 1
    return script


def answers_and_closes(response):
    """One request in, these bytes out, then FIN."""
    def script(connection):
        if connection.request():
            connection.send(response)
    return script


def named(name):
    """Answers everything with its name."""
    return answers(ok(name.encode()))


def echo(connection):
    """Answers each request with what arrived, as JSON; the content comes back as latin-1 text."""
    while request := connection.request():
        seen = {"start": request.start, "fields": request.fields, "body": request.body.decode("latin-1"),
                "trailers": request.trailers, "chunked": request.chunked}
        body = b"" if request.method == "HEAD" else json.dumps(seen).encode()
        connection.send(ok(body, content_type="application/json"))


def silent(connection):
    """Takes everything, says nothing, until the gateway closes."""
    connection.rest()


def resets(connection):
    """Reads a request, then resets the connection."""
    connection.request()
    connection.reset()


def websocket(talk, **fields):
    """Accepts the upgrade, then `talk` has the bare connection."""
    def script(connection):
        head = connection.head()
        lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
                 f"Sec-WebSocket-Accept: {accept_of(head.get('Sec-WebSocket-Key'))}"]
        lines += [f"{name.replace('_', '-').title()}: {value}" for name, value in fields.items()]
        connection.send(("\r\n".join(lines) + "\r\n\r\n").encode())
        talk(connection)
    return script


def repeat_bytes(connection):
    """Sends back every byte until the other side ends, then ends too."""
    try:
        while True:
            connection.send(connection.some())
    except Closed:
        pass
