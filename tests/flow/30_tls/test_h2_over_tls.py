"""HTTP/2 where TLS agreed on it (RFC 9113 section 3.2): ALPN decides, and nothing else differs."""
import json
import subprocess

import pytest

from lib.upstream import answers, echo, ok
from lib.wait import PATIENCE


def curl(gateway, authority, *options):
    done = subprocess.run(["curl", "-sS", "--fail", "--cacert", authority.ca, "--resolve", f"one.test:{gateway.tls_port}:127.0.0.1",
                           "-w", "\n%{http_version}", *options, f"https://one.test:{gateway.tls_port}/x"],
                          capture_output=True, timeout=5 * PATIENCE, check=True)
    return done.stdout.rsplit(b"\n", 1)


@pytest.mark.parametrize("option, version", [("--http2", b"2"), ("--http1.1", b"1.1")])
def test_alpn_decides(secure, authority, upstream, option, version):
    gateway = secure(upstream(echo))
    body, spoken = curl(gateway, authority, option)
    assert spoken == version
    seen = dict(json.loads(body)["fields"])
    assert {name.lower(): value for name, value in seen.items()}["x-forwarded-proto"] == "https"
    assert json.loads(gateway.log_lines(1)[0])["protocol"] == ("HTTP/2.0" if version == b"2" else "HTTP/1.1")


def test_large_bodies_over_h2(secure, authority, upstream, tmp_path):
    def mirror(connection):
        while request := connection.request():
            connection.send(ok(request.body))

    content = bytes(range(256)) * 20000
    (tmp_path / "up").write_bytes(content)
    gateway = secure(upstream(mirror, keep=False))
    body, spoken = curl(gateway, authority, "--http2", "--data-binary", f"@{tmp_path}/up")
    assert spoken == b"2" and body == content


def test_many_streams_over_tls(secure, authority, upstream):
    gateway = secure(upstream(answers(ok(bytes(30000))), keep=False))
    done = subprocess.run(["h2load", "-n", "2000", "-c", "4", "-m", "32", f"https://127.0.0.1:{gateway.tls_port}/"],
                          capture_output=True, text=True, timeout=10 * PATIENCE)
    assert "2000 succeeded, 0 failed" in done.stdout and "Application protocol: h2" in done.stdout, done.stdout
