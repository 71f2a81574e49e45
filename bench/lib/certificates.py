"""The certificate that all proxies show: ECDSA P-256, made once; and what the loads are told of TLS."""
import dataclasses
import os
import pathlib
import subprocess

from machine import WORK

FOLDER = WORK / "tls"

# Ciphers and groups are the client's choice where the server has none, so that all proxies do the same
# arithmetic with the same load.
CLIENT_RULES = """\
openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = rules
[rules]
MinProtocol = TLSv1.3
Ciphersuites = TLS_AES_128_GCM_SHA256
Groups = X25519
"""


@dataclasses.dataclass(frozen=True)
class Certificate:
    chain: pathlib.Path
    key: pathlib.Path
    both: pathlib.Path        # in one file, as HAProxy wants it


def certificate():
    made = Certificate(*(FOLDER / name for name in ("chain.pem", "key.pem", "both.pem")))
    if not made.both.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                        "-nodes", "-days", "3650", "-subj", "/CN=bench.test", "-addext",
                        "subjectAltName=DNS:bench.test,IP:127.0.0.1", "-keyout", made.key, "-out", made.chain],
                       check=True, capture_output=True)
        made.both.write_text(made.chain.read_text() + made.key.read_text())
    return made


def client_environment():
    """For wrk, h2load and tls_load: TLS 1.3, AES-128-GCM, X25519."""
    rules = FOLDER / "client.cnf"
    rules.write_text(CLIENT_RULES)
    return {**os.environ, "OPENSSL_CONF": str(rules)}
