"""testssl.sh finds nothing of medium severity or worse in versions, ciphers, forward secrecy and known vulnerabilities."""
import json
import shutil
import subprocess

import pytest

from lib.upstream import echo


@pytest.mark.slow
@pytest.mark.measured
@pytest.mark.skipif(not shutil.which("testssl"), reason="testssl.sh is not installed")
def test_no_finding(secure, upstream, tmp_path):
    gateway = secure(upstream(echo))
    findings = tmp_path / "findings.json"
    subprocess.run(["testssl", "--quiet", "--color", "0", "--warnings", "off", "--nodns", "none", "-p", "-s", "-f", "-U",
                    "--severity", "MEDIUM", "--jsonfile", findings, f"127.0.0.1:{gateway.tls_port}"],
                   capture_output=True, timeout=250, stdin=subprocess.DEVNULL)
    found = [entry for entry in json.loads(findings.read_text()) if entry["severity"] in ("MEDIUM", "HIGH", "CRITICAL", "FATAL")]
    assert not found
