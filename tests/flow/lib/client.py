"""Raw clients: exactly these bytes go to the gateway."""
import base64
import hashlib
import socket

from lib.wire import Closed, Wire


class Client(Wire):
    """One connection to a port of 127.0.0.1."""

    def __init__(self, port, keep=True, receive_buffer=None):
        sock = socket.socket()
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.connect(("127.0.0.1", port))
        super().__init__(sock, keep)

    def ask(self, request, method=None):
        """Sends a request, or the rest of one, and reads the response."""
        self.send(request)
        return self.response(method or request.split(b" ", 1)[0].decode())

    def get(self, target="/", **fields):
        return self.ask(get(target, **fields))


def get(target="/", method="GET", host="portico.test", **fields):
    """A request head without content; x_real_ip="1" gives X-Real-Ip: 1."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name.replace('_', '-').title()}: {value}" for name, value in fields.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def post(body, target="/", host="portico.test", **fields):
    return get(target, "POST", host, content_length=len(body), **fields) + body


def chunked(*chunks, trailers=b""):
    """A chunked body."""
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n" + trailers + b"\r\n"


def raw(port, data, slowly=False, method="GET"):
    """Sends the bytes, then reads responses until the gateway closes: all of them."""
    responses = []
    with Client(port) as client:
        try:
            (client.send_slowly if slowly else client.send)(data)
        except ConnectionError:
            pass  # refused in the middle: the answer tells
        try:
            while True:
                responses.append(client.response(method))
        except (Closed, ConnectionError):
            assert not client.buffer, f"unfinished response: {client.buffer!r}"
    return responses


# WebSocket ------------------------------------------------------------------------------------------------

KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def accept_of(key=KEY):
    digest = hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    return base64.b64encode(digest).decode()


def upgrade(target="/", **fields):
    """The head of a WebSocket upgrade request."""
    opening = {"upgrade": "websocket", "connection": "Upgrade", "sec_websocket_version": "13", "sec_websocket_key": KEY}
    return get(target, **{**opening, **fields})
