"""TLS to upstreams: who is trusted, for which name, what is asked for, and sessions that go on."""
from concurrent import futures
import contextlib
import signal
import socket
import ssl

import grpc
import pytest

from lib.client import get, post
from lib.clock import DAY, Clock
from lib.faults import assert_made_here
from lib.h2server import H2Upstream, serves
from lib.tls import Authority, openssl
from lib.upstream import Upstream, answers, answers_and_closes, ok, respond
from lib.wait import PATIENCE, wait_until


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    made = Authority(tmp_path_factory.mktemp("certs"))
    made.make("localhost", "127.0.0.1")
    made.make("other.test")
    folder = made.folder / "expired"
    folder.mkdir()
    (folder / "extensions").write_text("subjectAltName = DNS:localhost\n")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "privkey.pem", "-subj", "/CN=localhost",
            "-out", folder / "request.pem")
    openssl("x509", "-req", "-in", folder / "request.pem", "-CA", made.ca, "-CAkey", made.folder / "dev-ca/privkey.pem",
            "-extfile", folder / "extensions", "-days", "-1", "-out", folder / "fullchain.pem", "-set_serial", "9")
    folder = made.folder / "self"
    folder.mkdir()
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "privkey.pem", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost", "-days", "2", "-out", folder / "fullchain.pem")
    return made


def closed_socket():
    """A TCP connection whose other side has ended."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        socket.create_connection(listener.getsockname()).close()
        return listener.accept()[0]


@pytest.fixture
def secured(authority):
    """secured(script, certificate, alpn): an upstream that speaks TLS; `names` and `resumed` tell of its handshakes."""
    started = []

    def start(*scripts, certificate="localhost", alpn=("http/1.1",), kind=Upstream, version=None):
        setting = authority.setting(certificate)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(setting["chain"], setting["key"])
        context.set_alpn_protocols(list(alpn))
        if version:
            context.maximum_version = version
        names, resumed = [], []
        context.sni_callback = lambda sock, name, _: names.append(name)

        class Secured(kind.connection_class):
            def __init__(self, sock, upstream):
                sock.settimeout(PATIENCE)
                try:
                    sock = context.wrap_socket(sock, server_side=True)
                    resumed.append(sock.session_reused)
                except OSError:
                    sock = closed_socket()  # refused by the gateway: the script finds it so
                super().__init__(sock, upstream)

        app = type("SecuredUpstream", (kind,), {"connection_class": Secured})(*scripts)
        app.names, app.resumed = names, resumed
        started.append(app)
        return app

    yield start
    for each in started:
        each.close()


@pytest.fixture
def behind(portico, authority):
    """behind(upstream, ...): a gateway that speaks TLS with it and trusts the development authority."""
    def start(app, protocol="h1", tls=None, **settings):
        tls = {"ca": str(authority.ca), **(tls or {})} if tls is not True else True
        return portico({"app": {"servers": [f"localhost:{app.port}"], "protocol": protocol, "tls": tls, **settings}})
    return start


def test_http1(secured, behind):
    app = secured(answers(ok(b"safe")))
    client = behind(app).client()
    for _ in range(3):
        assert client.get().body == b"safe"
    assert app.names == ["localhost"] and len(app.connections) == 1


def test_an_answer_before_the_upload_ends(secured, behind):
    """It lay unread when the upload could not be written any more: two of three were lost."""
    def refuses(connection):
        connection.head()
        connection.send(respond(413, b"too large", connection="close"))

    gateway = behind(secured(refuses))
    for _ in range(20):
        with gateway.client() as client:
            with contextlib.suppress(ConnectionError):  # closed behind the answer
                client.send(get("/", "POST", content_length=4 << 20) + bytes(4 << 20))
            assert client.response("POST").status == 413


def reload(gateway):
    """Takes the file of the gateway again."""
    before = gateway.stderr().count("serving the new configuration")
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: gateway.stderr().count("serving the new configuration") > before, "the reload")


@pytest.mark.parametrize("protocol", ["h1", "h2"])
def test_a_reload_that_changes_nothing_keeps_connections(protocol, secured, behind):
    kinds = {"h1": (answers(ok(b"ok")), {}), "h2": (serves, {"kind": H2Upstream, "alpn": ("h2",)})}
    script, settings = kinds[protocol]
    app = secured(script, **settings)
    gateway = behind(app, protocol, idle_timeout="60s")
    client = gateway.client()
    for _ in range(3):
        assert client.get().body == b"ok"
        reload(gateway)
    assert client.get().body == b"ok"
    assert len(app.connections) == 1


def test_a_reload_that_changes_nothing_keeps_sessions(secured, behind):
    app = secured(answers_and_closes(ok(b"ok")))
    gateway = behind(app, idle_max=0)
    client = gateway.client()
    assert client.get().body == b"ok"
    reload(gateway)
    assert client.get().body == b"ok"
    assert app.resumed == [False, True]


def test_another_authority_is_noticed_by_a_reload(secured, behind, authority, tmp_path):
    """The file is another one under the same name: nobody is trusted any longer for whom the old one stood."""
    trusted = tmp_path / "ca.pem"
    trusted.write_bytes(authority.ca.read_bytes())
    app = secured(answers(ok(b"ok")))
    gateway = behind(app, tls={"ca": str(trusted)}, idle_timeout="60s")
    client = gateway.client()
    assert client.get().body == b"ok"
    stranger = Authority(tmp_path / "stranger")
    stranger.make("stranger.test")
    trusted.write_bytes(stranger.ca.read_bytes())
    reload(gateway)
    assert_made_here(client.get(), "upstream_certificate_untrusted")


def test_large_bodies(secured, behind):
    body = bytes(range(256)) * 8192  # 2 MiB
    app = secured(answers(ok(body)))
    assert behind(app).client().ask(post(body)).body == body
    assert app.requests[0].body == body


def test_http2(secured, behind):
    app = secured(serves, kind=H2Upstream, alpn=("h2", "http/1.1"))
    client = behind(app, "h2").client()
    for _ in range(3):
        assert client.get().body == b"ok"
    assert app.heads[0][":scheme"] == "https" and len(app.connections) == 1


def test_a_server_without_http2(secured, behind):
    assert_made_here(behind(secured(answers(ok())), "h2").client().get(), "upstream_not_http2")


@pytest.mark.parametrize("certificate, fault", [("expired", "upstream_certificate_expired"),
                                                ("self", "upstream_certificate_untrusted"),
                                                ("other.test", "upstream_certificate_name")])
@pytest.mark.parametrize("protocol", ["h1", "h2"])
def test_certificates_that_are_refused(certificate, fault, protocol, secured, behind):
    app = secured(answers(ok()), certificate=certificate, alpn=("h2", "http/1.1"))
    gateway = behind(app, protocol)
    assert_made_here(gateway.client().get(), fault)
    assert gateway.last_record().cause == fault and not app.requests


def test_a_certificate_expires_by_the_wall_clock(portico, secured, authority, tmp_path):
    """Connections that stand go on; handshakes ask the clock, whichever way it has jumped."""
    clock, app = Clock(tmp_path), secured(answers(ok(b"safe")))
    settings = {"servers": [f"localhost:{app.port}"], "tls": {"ca": str(authority.ca)}, "idle_max": 1}
    gateway = portico({"app": settings}, environment=clock.environment)
    with gateway.client() as client:
        assert client.get().body == b"safe"
        for ahead in (3 * 365 * DAY, -365 * DAY):
            clock.jump(ahead)
            assert client.get().body == b"safe"
            app.connections[-1].sock.close()
            wait_until(lambda: client.get().status == 502, "a new handshake")
            assert_made_here(client.get(), "upstream_certificate_expired")
            clock.jump(0)
            assert client.get().body == b"safe"


def test_the_system_does_not_trust_the_development_authority(secured, behind):
    assert_made_here(behind(secured(answers(ok())), tls=True).client().get(), "upstream_certificate_untrusted")


def test_without_verification(secured, behind):
    assert behind(secured(answers(ok()), certificate="self"), tls={"verify": False}).client().get().status == 200


def test_another_name(secured, behind):
    app = secured(answers(ok()), certificate="other.test")
    assert behind(app, tls={"server_name": "other.test"}).client().get().status == 200
    assert app.names == ["other.test"]


def test_an_address_for_a_name(secured, portico, authority):
    app = secured(answers(ok()))
    gateway = portico({"app": {"servers": [f"127.0.0.1:{app.port}"], "tls": {"ca": str(authority.ca)}}})
    assert gateway.client().get().status == 200
    assert app.names == [None]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_go_on(version, secured, behind):
    app = secured(answers_and_closes(ok()), version=version)
    client = behind(app, idle_max=0).client()
    for _ in range(6):
        assert client.get().status == 200
    assert app.resumed == [False] + [True] * 5


def test_a_server_in_clear(upstream, behind):
    app = upstream(lambda connection: connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    assert_made_here(behind(app).client().get(), "upstream_tls_failed")


def test_a_handshake_without_end(upstream, behind):
    gateway = behind(upstream(lambda connection: connection.rest()), connect_timeout="300ms")
    assert_made_here(gateway.client().get(), "connect_timeout")


def test_grpc(portico, authority):
    class Echo(grpc.GenericRpcHandler):
        def service(self, details):
            return grpc.stream_stream_rpc_method_handler(lambda requests, context: requests)

    setting = authority.setting("localhost")
    server = grpc.server(futures.ThreadPoolExecutor(4), handlers=[Echo()])
    with open(setting["key"], "rb") as key, open(setting["chain"], "rb") as chain:
        credentials = grpc.ssl_server_credentials([(key.read(), chain.read())])
    port = server.add_secure_port("localhost:0", credentials)
    server.start()
    gateway = portico({"app": {"servers": [f"localhost:{port}"], "protocol": "h2", "tls": {"ca": str(authority.ca)}}})
    with grpc.insecure_channel(f"127.0.0.1:{gateway.port}") as channel:
        words = [b"%d" % number * 1000 for number in range(100)]
        assert list(channel.stream_stream("/t/Echo")(iter(words), timeout=PATIENCE)) == words
    server.stop(0).wait()
