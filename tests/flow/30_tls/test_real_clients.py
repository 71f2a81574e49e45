"""Clients as people have them, over TLS: openssl, nghttp, httpx, the h2 package and gRPC. curl and h2load: test_h2_over_tls."""
import json
import ssl
import subprocess
from concurrent import futures

import grpc
import h2.config
import h2.connection
import h2.events
import httpx
import pytest

from lib.tls import client_context
from lib.upstream import echo, named
from lib.wait import PATIENCE

NAME = "one.test"


def s_client(gateway, authority, *options):
    """One connection with one request, as openssl s_client reports it."""
    request = f"GET /x HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n\r\n".encode()
    run = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{gateway.tls_port}", "-servername", NAME, "-CAfile",
                          authority.ca, "-verify_hostname", NAME, "-verify_return_error", "-ign_eof", *options],
                         input=request, capture_output=True, timeout=2 * PATIENCE, check=True)
    text = run.stdout.decode(errors="replace")
    assert "HTTP/1.1 200" in text and "Verification: OK" in text, text
    return text


@pytest.mark.parametrize("option, version", [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")])
def test_openssl_resumes_again_and_again(secure, authority, upstream, tmp_path, option, version):
    gateway, session = secure(upstream(echo)), tmp_path / "session"
    assert f"New, {version}" in s_client(gateway, authority, option, "-sess_out", session)
    for _ in range(5):
        assert f"Reused, {version}" in s_client(gateway, authority, option, "-sess_in", session, "-sess_out", session)
    assert len(gateway.log_records(6)) == 6


@pytest.mark.parametrize("offered, chosen", [("h2,http/1.1", "h2"), ("http/1.1", "http/1.1"), ("http/1.1,h2", "h2")])
def test_openssl_is_told_the_protocol(secure, upstream, offered, chosen):
    gateway = secure(upstream(named("app")))
    run = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{gateway.tls_port}", "-servername", NAME, "-alpn", offered],
                         stdin=subprocess.DEVNULL, capture_output=True, timeout=2 * PATIENCE, check=True)
    assert f"ALPN protocol: {chosen}\n".encode() in run.stdout


def test_nghttp(secure, upstream):
    gateway = secure(upstream(named("app")))
    run = subprocess.run(["nghttp", "-v", "-m", "10", f"https://127.0.0.1:{gateway.tls_port}/x"], capture_output=True, text=True,
                         timeout=2 * PATIENCE, check=True)
    assert "The negotiated protocol: h2" in run.stdout and run.stdout.count(":status: 200") == 10
    assert {record.protocol for record in gateway.log_records(10)} == {"HTTP/2.0"}


@pytest.mark.parametrize("http2", [True, False])
def test_httpx(secure, authority, upstream, http2):
    gateway = secure(upstream(echo))
    with httpx.Client(http2=http2, verify=client_context(authority)) as client:
        for _ in range(3):
            response = client.post(f"https://localhost:{gateway.tls_port}/", content=b"x" * 100000)
            assert response.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
            assert response.json()["body"] == "x" * 100000


def test_a_strict_client_finds_no_fault(secure, authority, upstream):
    """The h2 package checks every frame that it gets."""
    gateway = secure(upstream(echo))
    machine = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
    with gateway.connect(alpn=["h2"]) as client:
        assert client.sock.selected_alpn_protocol() == "h2"
        machine.initiate_connection()
        for stream in (1, 3, 5):
            machine.send_headers(stream, [(":method", "POST"), (":scheme", "https"), (":authority", NAME), (":path", f"/{stream}")])
            machine.send_data(stream, b"x" * 1000, end_stream=True)
        client.send(machine.data_to_send())
        events = []
        while sum(isinstance(event, h2.events.StreamEnded) for event in events) < 3:
            events += machine.receive_data(client.sock.recv(65536))
            client.send(machine.data_to_send())
    bodies = {stream: b"".join(event.data for event in events if isinstance(event, h2.events.DataReceived)
                               and event.stream_id == stream) for stream in (1, 3, 5)}
    assert all(json.loads(body)["body"] == "x" * 1000 for body in bodies.values())


class Echo(grpc.GenericRpcHandler):
    """/t/Once repeats a message, /t/Each every one of a stream."""

    def service(self, call):
        return {"/t/Once": grpc.unary_unary_rpc_method_handler(lambda message, _: message),
                "/t/Each": grpc.stream_stream_rpc_method_handler(lambda messages, _: messages)}.get(call.method)


def test_grpc(secure, authority):
    server = grpc.server(futures.ThreadPoolExecutor(4), handlers=[Echo()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        gateway = secure({"app": {"servers": [f"127.0.0.1:{port}"], "protocol": "h2c"}})
        trust = grpc.ssl_channel_credentials(authority.ca.read_bytes())
        options = [("grpc.ssl_target_name_override", NAME)]
        with grpc.secure_channel(f"127.0.0.1:{gateway.tls_port}", trust, options) as channel:
            assert channel.unary_unary("/t/Once")(b"hello" * 50000, timeout=PATIENCE) == b"hello" * 50000
            words = [b"%d" % number for number in range(200)]
            assert list(channel.stream_stream("/t/Each")(iter(words), timeout=PATIENCE)) == words
        records = gateway.log_records(2)
    finally:
        server.stop(0).wait()
    assert {(record.protocol, record.cause) for record in records} == {("HTTP/2.0", "ok")}


def test_a_client_of_another_authority_refuses(secure, upstream):
    gateway = secure(upstream(named("app")))
    with pytest.raises(ssl.SSLCertVerificationError):
        gateway.connect(context=ssl.create_default_context())
