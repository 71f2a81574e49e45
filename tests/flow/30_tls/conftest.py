"""Fixtures of the TLS scenarios: one authority for all of them, secure(...) starts a gateway with a TLS listener."""
import pytest

from lib.ports import free_port
from lib.tls import Authority, TlsClient, client_context, tls_listener


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    made = Authority(tmp_path_factory.mktemp("certs"))
    made.make("one.test", "*.wild.test", "localhost", "127.0.0.1")
    made.make("two.test")
    made.make_rsa("one.test", "*.wild.test", "localhost")
    made.make("alice")
    return made


@pytest.fixture
def secure(portico, authority):
    """secure(upstream, ...) starts a gateway: gateway.tls_port, gateway.connect(name, ...). Certificates: one.test, two.test."""
    def start(upstreams, certificates=None, listener=None, tls=None, **settings):
        port = free_port()
        certificates = certificates or [authority.setting("one.test"), authority.setting("two.test")]
        gateway = portico(upstreams, tls={"certificates": certificates, **(tls or {})}, **settings,
                          listen=[tls_listener(port, **(listener or {}))])
        gateway.tls_port = port

        def connect(name="one.test", session=None, context=None, before=b"", **wanted):
            return TlsClient(port, context or client_context(authority, **wanted), name, session, before)
        gateway.connect = connect
        return gateway
    return start
