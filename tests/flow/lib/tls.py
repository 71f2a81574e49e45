"""Certificates made for one test run, and clients that speak TLS."""
import functools
import pathlib
import re
import socket
import ssl
import subprocess

from lib.client import Client
from lib.wait import PATIENCE
from lib.wire import Wire

ROOT = pathlib.Path(__file__).parents[3]
MAKE = ROOT / "certs/make-dev-certs"


class Authority:
    """A development authority and what it signs, in one folder."""

    def __init__(self, folder):
        self.folder = folder
        self.ca = folder / "dev-ca/ca.pem"

    def make(self, *names):
        """The setting of a certificate for the names; the first one names its folder."""
        subprocess.run([MAKE, "-o", self.folder, *names], check=True, capture_output=True)
        return self.setting(names[0])

    def setting(self, name):
        return {"chain": str(self.folder / name / "fullchain.pem"), "key": str(self.folder / name / "privkey.pem")}

    def make_rsa(self, *names):
        """The same with an RSA key, beside the other."""
        folder = self.folder / f"{names[0]}-rsa"
        folder.mkdir()
        alternatives = ",".join(f"DNS:{name}" for name in names)
        extensions = folder / "extensions"
        extensions.write_text(f"subjectAltName = {alternatives}\n")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "privkey.pem", "-subj", f"/CN={names[0]}",
                "-out", folder / "request.pem")
        openssl("x509", "-req", "-in", folder / "request.pem", "-CA", self.ca, "-CAkey", self.folder / "dev-ca/privkey.pem",
                "-extfile", extensions, "-days", "30", "-out", folder / "fullchain.pem", "-set_serial", "7")
        return self.setting(folder.name)


DEVELOPMENT = Authority(ROOT / "certs")  # whom clients of the examples trust


@functools.cache
def example(name):
    """A file of conf/, once the certificates that it names are there."""
    file = ROOT / "conf" / name
    for host in set(re.findall(r"\.\./certs/([^/]+)/", file.read_text())):
        names = [] if host == "star-meet.com" else [host]  # that one by default, with all its names
        subprocess.run([MAKE, *names], check=True, capture_output=True)
    return file


def openssl(*arguments):
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=PATIENCE, stdin=subprocess.DEVNULL)


def client_context(authority, certificate=None, version=None, alpn=None):
    context = ssl.create_default_context(cafile=authority.ca)
    if certificate:
        context.load_cert_chain(certificate["chain"], certificate["key"])
    if version:
        context.minimum_version = context.maximum_version = version
    if alpn:
        context.set_alpn_protocols(alpn)
    return context


class TlsClient(Client):
    """One TLS connection to a port of 127.0.0.1."""

    def __init__(self, port, context, name="one.test", session=None, before=b""):
        sock = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        sock.sendall(before)
        Wire.__init__(self, context.wrap_socket(sock, server_hostname=name, session=session))

    @property
    def shown(self):
        """Names of the certificate that the gateway has shown."""
        return [value for _, value in self.sock.getpeercert()["subjectAltName"]]


def tls_listener(port, **settings):
    return {"address": f"127.0.0.1:{port}", "tls": True, **settings}
