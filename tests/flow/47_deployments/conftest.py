"""deployment(NAME, ...) serves a copy of conf/NAME.yaml with certificates made here and stand-ins for its servers."""
import pathlib
import re
import socket

import pytest

from lib.gateway import Gateway
from lib.ports import free_port
from lib.tls import Authority, TlsClient, client_context
from lib.wire import Wire

CONF = pathlib.Path(__file__).parents[3] / "conf"


class Deployment(Gateway):
    def __init__(self, file, directory, servers):
        listeners = re.findall(r'"(:[0-9]+)"', file.read_text())
        self.ports = {listener: free_port() for listener in listeners}
        places = {**{listener: f"127.0.0.1:{port}" for listener, port in self.ports.items()}, **servers}
        options = [word for left, right in places.items() for word in ("--override", f"{left}={right}")]
        super().__init__(file, directory, self.ports[listeners[0]], options=options)
        self.access_log = self.stdout_file

    def secure(self, host, alpn=None):
        """A TLS connection for the host."""
        return TlsClient(self.ports[":443"], client_context(self.authority, alpn=alpn), host)

    def secure_from(self, address, host):
        """The same from another address of this machine."""
        sock = socket.create_connection(("127.0.0.1", self.ports[":443"]), source_address=(address, 0))
        return Wire(client_context(self.authority).wrap_socket(sock, server_hostname=host))


@pytest.fixture
def deployment(tmp_path):
    """deployment("vrss", {"vrss-api:3000": upstream, ...}, ["vrss.example", ...]): what its certificate is for; `changes` are made to
    the text, which is served as it is otherwise."""
    started = []

    def start(name, servers, names=(), changes=()):
        (tmp_path / "conf").mkdir()
        (tmp_path / "run").mkdir()
        (tmp_path / "certs").mkdir()
        authority = Authority(tmp_path / "certs")
        if names:
            authority.make(*names)
        file = tmp_path / "conf" / f"{name}.yaml"
        text = (CONF / file.name).read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        file.write_text(text)
        gateway = Deployment(file, tmp_path / "run", {server: upstream.address for server, upstream in servers.items()})
        gateway.authority = authority
        started.append(gateway)
        return gateway

    yield start
    for gateway in started:
        gateway.stop()
