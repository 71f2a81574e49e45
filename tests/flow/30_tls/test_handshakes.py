"""Handshakes: versions, names, protocols, resumption, client certificates, and what is no handshake."""
import contextlib
import os
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest

from lib.client import Client, get
from lib.clock import HOUR, Clock
from lib.tls import Authority, TlsClient, client_context
from lib.upstream import answers, echo, ok
from lib.wait import wait_until

SO_TIMESTAMPNS = 35  # Linux's; Python has no name for it
V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


# versions and names ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("version,name", [(V12, "TLSv1.2"), (V13, "TLSv1.3")])
def test_both_versions_serve(secure, upstream, version, name):
    gateway = secure(upstream(echo))
    with gateway.connect(version=version) as client:
        assert client.sock.version() == name
        response = client.get("/x", host="one.test")
        assert response.status == 200
        fields = {key.lower(): value for key, value in response.json["fields"]}
        assert fields["x-forwarded-proto"] == "https"


@pytest.mark.parametrize("version,printed,ciphers", [(V12, "TLSv1.2", "ECDHE-ECDSA-"), (V13, "TLSv1.3", "TLS_")])
def test_the_log_says_how_it_was_encrypted(secure, upstream, version, printed, ciphers):
    gateway = secure(upstream(echo))
    with gateway.connect("A.wild.test", version=version) as client:
        client.get("/x", host="one.test")
        cipher = client.sock.cipher()[0]
    record = gateway.last_record()
    assert (record.tls_version, record.tls_cipher, record.tls_name) == (printed, cipher, "a.wild.test")
    assert cipher.startswith(ciphers)


def test_the_log_says_nothing_of_tls_without_it(secure, upstream, authority):
    gateway = secure(upstream(echo))
    context = client_context(authority)
    context.check_hostname = False
    with gateway.connect(None, context=context) as client:
        client.get()
    with gateway.client() as plain:
        plain.get()
    without_name, without_tls = gateway.log_records(2)
    assert without_name.tls_version == "TLSv1.3" and "tls_name" not in without_name.values
    assert not [name for name in without_tls.values if name.startswith("tls_")]


def test_min_version(secure, upstream):
    gateway = secure(upstream(echo), tls={"min_version": "1.3"})
    with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION|protocol version"):
        gateway.connect(version=V12)
    assert gateway.connect(version=V13).get().status == 200


def test_old_versions_are_refused(secure, upstream):
    gateway = secure(upstream(echo))
    for option in ("-tls1", "-tls1_1"):
        run = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{gateway.tls_port}", option, "-cipher", "ALL:@SECLEVEL=0"],
                             stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
        assert run.returncode != 0 and b"protocol version" in run.stderr


@pytest.mark.parametrize("name,shown", [("one.test", "one.test"), ("TWO.test", "two.test"), ("a.wild.test", "one.test"),
                                        ("unknown.test", "one.test"), (None, "one.test")])
def test_certificate_by_name(secure, upstream, authority, name, shown):
    gateway = secure(upstream(echo))
    context = client_context(authority)
    context.check_hostname = False
    assert gateway.connect(name, context=context).shown[0] == shown


def test_strict_sni(secure, upstream):
    gateway = secure(upstream(echo), tls={"strict_sni": True})
    for name in ("unknown.test", "a.b.wild.test"):
        with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME|unrecognized name"):
            gateway.connect(name)
    assert gateway.connect("a.wild.test").get().status == 200


def test_rsa_and_ecdsa_together(secure, upstream, authority):
    rsa = authority.setting("one.test-rsa")
    gateway = secure(upstream(echo), certificates=[authority.setting("one.test"), rsa])
    for cipher in ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"):
        context = client_context(authority, version=V12)
        context.set_ciphers(cipher)
        with gateway.connect("one.test", context=context) as client:
            assert client.sock.cipher()[0] == cipher
            assert client.get().status == 200


def test_protocols(secure, upstream):
    gateway = secure(upstream(echo))
    assert gateway.connect(alpn=["http/1.1"]).sock.selected_alpn_protocol() == "http/1.1"
    assert gateway.connect().sock.selected_alpn_protocol() is None
    with pytest.raises(ssl.SSLError, match="NO_APPLICATION_PROTOCOL|no application protocol"):
        gateway.connect(alpn=["foo"])


# resumption -----------------------------------------------------------------------------------------------

def resume(gateway, client):
    """Another connection with the session of this one."""
    assert client.get().status == 200
    session = client.sock.session
    client.close()
    return gateway.connect(context=client.sock.context, session=session)


@pytest.mark.parametrize("version", [V12, V13])
def test_every_reconnection_resumes(secure, upstream, version):
    gateway = secure(upstream(answers(ok())), process={"threads": 2})
    client = gateway.connect(version=version)
    assert not client.sock.session_reused
    for _ in range(100):
        client = resume(gateway, client)
        assert client.sock.session_reused
    client.close()


@pytest.mark.parametrize("version", [V12, V13])
def test_resumption_after_a_key_rotation(secure, upstream, version, tmp_path):
    clock = Clock(tmp_path)
    gateway = secure(upstream(answers(ok())), environment=clock.environment)
    client = gateway.connect(version=version)

    def come_back_after(seconds):
        """The connection before is closed first: nobody keeps it for so long."""
        assert client.get().status == 200
        context, session = client.sock.context, client.sock.session
        client.close()
        clock.let_pass(seconds)
        return gateway.connect(context=context, session=session)

    for _ in range(4):
        client = come_back_after(12 * HOUR)
        assert client.sock.session_reused
    client = come_back_after(24 * HOUR)
    assert not client.sock.session_reused, "a key seals for half a day, and opens for another"
    client.close()


# what is no handshake -------------------------------------------------------------------------------------

def test_plain_http_on_a_tls_port(secure, upstream):
    gateway = secure(upstream(echo))
    with Client(gateway.tls_port) as client:
        answer = client.get("/page")
        assert answer.status == 400 and b"HTTPS" in answer.body
        assert client.ended()
    record = gateway.last_record()
    assert (record.cause, record.target, record.status) == ("plain_on_tls", "/page", 400)


def test_plain_http2_on_a_tls_port(secure, upstream):
    url = f"http://127.0.0.1:{secure(upstream(echo)).tls_port}/"
    asked = subprocess.run(["curl", "-sS", "--http2-prior-knowledge", url], capture_output=True, text=True, timeout=20)
    assert "HTTPS" in asked.stdout, asked.stderr


@pytest.mark.parametrize("first", [b"\x00", b"\x80\x2e\x01\x00\x02", b"hello\r\n", b"\x16\x03\x01\xff\xff\x01", b"\x16\x03\x01\x00\x02\x01\x00"])
def test_garbage_is_closed(secure, upstream, first):
    gateway = secure(upstream(echo))
    with socket.create_connection(("127.0.0.1", gateway.tls_port), timeout=15) as client:
        with contextlib.suppress(OSError):  # it may be closed already
            client.sendall(first)
            client.shutdown(socket.SHUT_WR)
            while client.recv(4096):
                pass
    assert gateway.connect().get().status == 200


def test_slow_handshakes_end(secure, upstream):
    gateway = secure(upstream(echo))
    begun = time.monotonic()
    clients = [socket.create_connection(("127.0.0.1", gateway.tls_port), timeout=20) for _ in range(3)]
    clients[1].sendall(b"\x16")
    clients[2].sendall(b"\x16\x03\x01\x02\x00\x01\x00")
    for client in clients:
        with contextlib.suppress(ConnectionError):
            assert client.recv(1) == b""
        client.close()
    assert 9 < time.monotonic() - begun < 14


def test_many_open_handshakes_leave_room(secure, upstream):
    gateway = secure(upstream(echo))
    idle = [socket.create_connection(("127.0.0.1", gateway.tls_port), timeout=20) for _ in range(1100)]
    assert gateway.connect().get().status == 200
    wait_until(lambda: gateway.descriptors() < 1100, "the oldest to be closed")
    for client in idle:
        client.close()


def test_the_bound_of_handshakes(secure, upstream):
    gateway = secure(upstream(echo), tls={"handshakes_max": 20})
    before = gateway.descriptors()
    idle = [socket.create_connection(("127.0.0.1", gateway.tls_port), timeout=20) for _ in range(60)]
    assert gateway.connect().get().status == 200
    wait_until(lambda: gateway.descriptors() <= before + 20, "the others to be closed")
    said = [line for line in gateway.stderr().splitlines() if "reason=handshakes_full" in line]
    assert len(said) == 1 and "client=127.0.0.1" in said[0], "once, however many there are"
    for client in idle:
        client.close()


def client_hello():
    """The first bytes of a client, as often as one likes: nobody goes on with them."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="one.test").do_handshake()
    return outgoing.read()


def arrival(sock):
    """When the kernel got what is read next, whenever this process gets to run."""
    _, ancillary, _, _ = sock.recvmsg(65536, 256)
    return next(struct.unpack("qq", data) for _, kind, data in ancillary if kind == SO_TIMESTAMPNS)


def test_requests_do_not_wait_for_a_flood_of_handshakes(secure, upstream):
    """Hundreds of hellos are there when a request comes, and each of them costs a signature: the answer does not come behind
    theirs. The order is the kernel's, so that it does not depend on how busy the machine is."""
    gateway = secure(upstream(echo), routes=[{"prefix": "/app", "upstream": "app"}])
    hello = client_hello()
    with gateway.client() as plain:
        assert plain.get("/").status == 404
        flood = [socket.create_connection(("127.0.0.1", gateway.tls_port), timeout=20) for _ in range(400)]
        for sock in [plain.sock, *flood]:
            sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        wait_until(lambda: gateway.descriptors() > 400, "the connections")
        os.kill(gateway.pid, signal.SIGSTOP)
        for sock in flood:
            sock.sendall(hello)
        plain.sock.sendall(get("/"))
        os.kill(gateway.pid, signal.SIGCONT)
        answered = arrival(plain.sock)
        served_before = sum(arrival(sock) < answered for sock in flood)
    assert served_before < 100
    for sock in flood:
        sock.close()


# client certificates --------------------------------------------------------------------------------------

def sites(authority, verify="require"):
    routes = [{"prefix": "/", "upstream": "app"}]
    return [{"hosts": ["one.test"], "routes": routes},
            {"hosts": ["two.test"], "client_certificates": {"ca": str(authority.ca), "verify": verify}, "routes": routes}]


def fields_of(response):
    return {key.lower(): value for key, value in response.json["fields"]}


FORGED = {"x_client_cert_subject": "CN=forged", "x_client_cert_verify": "SUCCESS"}


@pytest.mark.parametrize("version", [V12, V13])
def test_client_certificate_is_required(secure, upstream, authority, version):
    gateway = secure(upstream(echo), sites=sites(authority))
    with pytest.raises((ssl.SSLError, ConnectionError)):
        gateway.connect("two.test", version=version).get(host="two.test")
    with gateway.connect("two.test", version=version, certificate=authority.setting("alice")) as client:
        fields = fields_of(client.get(host="two.test", **FORGED))
        assert fields["x-client-cert-subject"] == "CN=alice" and fields["x-client-cert-verify"] == "SUCCESS"
        session, context = client.sock.session, client.sock.context
    with gateway.connect("two.test", context=context, session=session) as client:
        assert client.sock.session_reused, "the certificate travels in the ticket"
        assert fields_of(client.get(host="two.test"))["x-client-cert-subject"] == "CN=alice"


def test_client_certificate_is_optional(secure, upstream, authority):
    gateway = secure(upstream(echo), sites=sites(authority, "optional"))
    with gateway.connect("two.test") as client:
        fields = fields_of(client.get(host="two.test", **FORGED))
        assert fields["x-client-cert-verify"] == "NONE" and "x-client-cert-subject" not in fields
    with gateway.connect("two.test", certificate=authority.setting("alice")) as client:
        assert fields_of(client.get(host="two.test"))["x-client-cert-subject"] == "CN=alice"


def test_limits_count_users_by_their_certificates(secure, upstream, authority):
    gateway = secure(upstream(echo), sites=sites(authority, "optional"), limits={"one": {"rate": "1/h", "key": "user"}},
                     defaults={"limits": ["one"]})
    for name in ("alice", "one.test"):
        with gateway.connect("two.test", certificate=authority.setting(name)) as client:
            assert [client.get(host="two.test").status for _ in range(2)] == [200, 429]
    with gateway.connect("two.test") as client:
        assert [client.get(host="two.test").status for _ in range(3)] == [200] * 3


def test_another_authority_is_refused(secure, upstream, authority, tmp_path):
    gateway = secure(upstream(echo), sites=sites(authority, "optional"))
    stranger = type(authority)(tmp_path / "other").make("mallory")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        gateway.connect("two.test", certificate=stranger).get(host="two.test")


def test_fields_cannot_be_forged(secure, upstream, authority):
    gateway = secure(upstream(echo), sites=sites(authority))
    with gateway.connect("one.test") as client:
        fields = fields_of(client.get(host="one.test", **FORGED))
        assert not any("client-cert" in name for name in fields)


def test_host_must_be_the_name_of_the_handshake(secure, upstream, authority):
    gateway = secure(upstream(echo), sites=sites(authority))
    with gateway.connect("one.test") as client:
        assert client.get(host="two.test").status == 421
        assert client.get(host="one.test").status == 200
    with gateway.client() as plain:
        assert plain.get(host="two.test").status == 421
    with gateway.connect("two.test", certificate=authority.setting("alice")) as client:
        assert client.get(host="one.test").status == 200


@pytest.mark.parametrize("version", [V12, V13])
def test_a_session_is_for_its_name(secure, upstream, authority, version):
    gateway = secure(upstream(echo), sites=sites(authority, "optional"))
    with gateway.connect("one.test", version=version) as client:
        assert client.get(host="one.test").status == 200
        session, context = client.sock.session, client.sock.context
    with TlsClient(gateway.tls_port, context, "two.test", session) as client:
        assert not client.sock.session_reused


def another_authority(gateway, ca, tmp_path):
    """Puts it in the place of the site's."""
    stranger = Authority(tmp_path / "stranger")
    certificate = stranger.make("bob")
    ca.write_bytes(stranger.ca.read_bytes())
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: "serving the new configuration" in gateway.stderr(), "the reload")
    return certificate


@pytest.fixture
def guarded(secure, authority, tmp_path):
    """guarded(upstream): a gateway whose site two.test trusts the authority, by a file that can be written."""
    ca = tmp_path / "client-ca.pem"
    ca.write_bytes(authority.ca.read_bytes())

    def start(app):
        settings = sites(authority)
        settings[1]["client_certificates"]["ca"] = str(ca)
        return secure(app, sites=settings), ca
    return start


def is_over(client):
    with contextlib.suppress(ConnectionError):
        return client.sock.recv(1) == b""
    return True


def test_trust_ends_with_its_authority(guarded, upstream, authority, tmp_path):
    """A connection that was verified by an authority that is no more is closed; others are not touched."""
    gateway, ca = guarded(upstream(echo))
    alice = gateway.connect("two.test", certificate=authority.setting("alice"))
    bystander = gateway.connect("one.test")
    assert alice.get(host="two.test").status == bystander.get(host="one.test").status == 200
    bob = another_authority(gateway, ca, tmp_path)
    assert is_over(alice)
    assert bystander.get(host="one.test").status == 200
    with pytest.raises((ssl.SSLError, ConnectionError)):
        gateway.connect("two.test", context=alice.sock.context, session=alice.sock.session).get(host="two.test")
    context = client_context(authority, certificate=bob)
    with gateway.connect("two.test", context=context) as client:
        assert fields_of(client.get(host="two.test"))["x-client-cert-subject"] == "CN=bob"
    for client in (alice, bystander):
        client.close()


def test_trust_outlives_a_reload_that_does_not_change_it(guarded, upstream, authority):
    gateway, _ = guarded(upstream(echo))
    with gateway.connect("two.test", certificate=authority.setting("alice")) as alice:
        assert alice.get(host="two.test").status == 200
        gateway.signal(signal.SIGHUP)
        wait_until(lambda: "serving the new configuration" in gateway.stderr(), "the reload")
        assert alice.get(host="two.test").status == 200


def test_what_is_under_way_ends_in_trust(guarded, upstream, authority, tmp_path):
    """The response that is awaited still comes; nothing more is taken on the connection."""
    asked, go_on = threading.Event(), threading.Event()

    def script(connection):
        connection.request()
        asked.set()
        go_on.wait(20)
        connection.send(ok(b"late"))
    gateway, ca = guarded(upstream(script))
    with gateway.connect("two.test", certificate=authority.setting("alice")) as alice:
        alice.send(get("/", host="two.test"))
        assert asked.wait(20)
        another_authority(gateway, ca, tmp_path)
        go_on.set()
        response = alice.response("GET")
        assert response.body == b"late" and response.get("Connection") == "close"
        assert is_over(alice)


# memory ---------------------------------------------------------------------------------------------------

@pytest.mark.measured
@pytest.mark.slow
def test_closed_connections_leave_nothing(secure, upstream):
    gateway = secure(upstream(answers(ok())))
    context = gateway.connect().sock.context

    def handshakes(count):
        for _ in range(count):
            gateway.connect(context=context).close()
    handshakes(1000)
    before = gateway.rss()
    handshakes(3000 if not os.environ.get("PORTICO_LONG") else 10000)
    assert gateway.rss() - before < 512 * 1024


@pytest.mark.measured
def test_idle_connection_is_small(secure, upstream):
    gateway = secure(upstream(answers(ok())))
    context = gateway.connect().sock.context

    def open_idle(count):
        clients = [gateway.connect(context=context) for _ in range(count)]
        for client in clients:
            assert client.get().status == 200
        return clients
    warm = open_idle(50)
    before = gateway.rss()
    clients = open_idle(400)
    assert (gateway.rss() - before) / len(clients) <= 16 * 1024
    for client in warm + clients:
        client.close()
