"""Fixtures of the policies: over_tls(...) starts a gateway that speaks TLS too."""
import pytest

from lib.ports import free_port
from lib.tls import Authority, TlsClient, client_context, tls_listener


@pytest.fixture(scope="session")
def policy_authority(tmp_path_factory):
    made = Authority(tmp_path_factory.mktemp("certs"))
    made.make("one.test")
    return made


@pytest.fixture
def over_tls(portico, policy_authority):
    """over_tls(upstream, ...) starts a gateway; its connect() opens a TLS connection to one.test."""
    def start(upstreams, tls=None, listen=(), **settings):
        port = free_port()
        gateway = portico(upstreams, tls={"certificates": [policy_authority.setting("one.test")], **(tls or {})},
                          listen=[tls_listener(port), *listen], **settings)
        gateway.tls_port = port
        gateway.connect = lambda: TlsClient(port, client_context(policy_authority), "one.test")
        return gateway
    return start
