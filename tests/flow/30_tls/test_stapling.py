"""OCSP stapling: `openssl ocsp` is the authority's responder, `openssl s_client -status` the client that asks."""
import contextlib
import datetime
import http.server
import signal
import subprocess
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp

from lib.clock import HOUR, Clock
from lib.ports import free_port
from lib.tls import Authority, openssl
from lib.upstream import answers, ok
from lib.wait import PATIENCE, SLOW, wait_until

UNREVOKED, REVOKED = "V\t{expires}\t\t{serial}\tunknown\t/CN={name}\n", "R\t{expires}\t{now}\t{serial}\tunknown\t/CN={name}\n"


class Stapled(Authority):
    """An authority whose certificates name a responder, which it can start."""

    def __init__(self, folder):
        super().__init__(folder)
        self.port = free_port()
        self.make("unused.test")  # makes the authority
        self.responder = None

    def certificate(self, name="one.test"):
        folder = self.folder / f"{name}-ocsp"
        folder.mkdir()
        (folder / "extensions").write_text(f"subjectAltName = DNS:{name}\n"
                                           f"authorityInfoAccess = OCSP;URI:http://127.0.0.1:{self.port}/\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", folder / "privkey.pem",
                "-subj", f"/CN={name}", "-out", folder / "request.pem")
        openssl("x509", "-req", "-in", folder / "request.pem", "-CA", self.ca, "-CAkey", self.key, "-days", "30",
                "-extfile", folder / "extensions", "-out", folder / "leaf.pem", "-set_serial", "0x1234")
        (folder / "fullchain.pem").write_bytes((folder / "leaf.pem").read_bytes() + self.ca.read_bytes())
        return self.setting(folder.name)

    @property
    def key(self):
        return self.folder / "dev-ca/privkey.pem"

    def index(self, line):
        stamp = {"expires": "350101000000Z", "now": time.strftime("%y%m%d%H%M%SZ", time.gmtime()), "serial": "1234"}
        (self.folder / "index.txt").write_text(line.format(name="one.test", **stamp))
        return self.folder / "index.txt"

    def start(self, line=UNREVOKED, minutes=60):
        """The responder as a process."""
        self.stop()
        command = ["openssl", "ocsp", "-index", self.index(line), "-port", str(self.port), "-rsigner", self.ca,
                   "-rkey", self.key, "-CA", self.ca, "-nmin", str(minutes)]
        self.responder = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        wait_until(lambda: b"waiting for OCSP client" in self.responder.stderr.readline(), "the responder")

    def stop(self):
        if self.responder:
            self.responder.kill()
            self.responder.wait()
            self.responder.stderr.close()
        self.responder = None


@pytest.fixture
def stapled(tmp_path):
    made = Stapled(tmp_path / "stapled")
    yield made
    made.stop()


def status(gateway, authority, *options):
    """What a client that asks is shown: "good", ..., or None."""
    run = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{gateway.tls_port}", "-servername", "one.test", "-status",
                          "-CAfile", authority.ca, "-verify_return_error", *options], input=b"", capture_output=True, timeout=PATIENCE)
    assert run.returncode == 0, run.stderr
    shown = [line for line in run.stdout.decode(errors="replace").splitlines() if "Cert Status:" in line]
    assert shown or b"OCSP response: no response sent" in run.stdout
    return shown[0].split(":")[1].strip() if shown else None


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_a_good_answer_is_shown(secure, upstream, stapled, version):
    stapled.start()
    gateway = secure(upstream(answers(ok())), certificates=[stapled.certificate()], process={"threads": 2})
    wait_until(lambda: status(gateway, stapled, version) == "good", "the staple")
    assert not [line for line in gateway.stderr().splitlines() if " ocsp: " in line], "nothing went wrong"


def test_an_answer_is_good_by_the_wall_clock(secure, upstream, stapled, tmp_path):
    stapled.start()
    clock = Clock(tmp_path)
    gateway = secure(upstream(answers(ok())), certificates=[stapled.certificate()], environment=clock.environment)
    wait_until(lambda: status(gateway, stapled) == "good", "the staple")
    clock.jump(2 * HOUR)
    assert status(gateway, stapled) is None
    clock.jump(0)
    assert status(gateway, stapled) == "good"


def test_an_answer_stays_over_a_reload(secure, upstream, stapled):
    stapled.start()
    gateway = secure(upstream(answers(ok())), certificates=[stapled.certificate()])
    wait_until(lambda: status(gateway, stapled) == "good", "the staple")
    stapled.stop()
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: "serving the new configuration" in gateway.stderr(), "the reload")
    assert status(gateway, stapled) == "good"


def test_a_responder_that_is_down_holds_nothing_up(secure, upstream, stapled):
    gateway = secure(upstream(answers(ok())), certificates=[stapled.certificate()])
    assert status(gateway, stapled) is None
    wait_until(lambda: "ocsp: " in gateway.stderr(), "the complaint")
    assert f"certificate=/CN=one.test responder=http://127.0.0.1:{stapled.port}/" in gateway.stderr()
    stapled.start()
    wait_until(lambda: status(gateway, stapled) == "good", "the next try", timeout=12 * SLOW)
    wait_until(lambda: "the responder answers again" in gateway.stderr(), "the all-clear")


def test_a_revocation_is_said_and_not_shown(secure, upstream, stapled):
    stapled.start(REVOKED)
    gateway = secure(upstream(answers(ok())), certificates=[stapled.certificate()])
    wait_until(lambda: "error ocsp: the certificate is revoked: replace it certificate=/CN=one.test" in gateway.stderr(), "the error")
    assert status(gateway, stapled) is None


def test_it_can_be_switched_off(secure, upstream, stapled):
    stapled.start()
    gateway = secure(upstream(answers(ok())), certificates=[stapled.certificate()], tls={"ocsp_stapling": False})
    asked = secure(upstream(answers(ok())), certificates=[stapled.setting("one.test-ocsp")])
    wait_until(lambda: status(asked, stapled) == "good", "the other gateway's staple")
    assert status(gateway, stapled) is None


def test_a_new_certificate_is_asked_for(secure, upstream, stapled, tmp_path):
    """Certbot turns a link: the certificate that comes with it has an answer of its own."""
    stapled.start()
    live = tmp_path / "live"
    live.symlink_to(stapled.folder / "unused.test")
    gateway = secure(upstream(answers(ok())), certificates=[{"chain": str(live / "fullchain.pem"), "key": str(live / "privkey.pem")}])
    assert status(gateway, stapled) is None
    stapled.certificate()
    (tmp_path / "turned").symlink_to(stapled.folder / "one.test-ocsp")
    (tmp_path / "turned").rename(live)
    wait_until(lambda: status(gateway, stapled) == "good", "the staple")


# responders that answer something else --------------------------------------------------------------------

@contextlib.contextmanager
def scripted(port, respond):
    """A responder that answers as it is told; gives the questions."""
    questions = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            questions.append(self.rfile.read(int(self.headers["Content-Length"])))
            with contextlib.suppress(OSError):
                respond(self)

        def log_message(self, *arguments):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield questions
    server.shutdown()
    thread.join()
    server.server_close()


def answer(handler, body, status=200):
    handler.send_response(status)
    handler.send_header("Content-Type", "application/ocsp-response")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def endless(handler):
    handler.send_response(200)
    handler.end_headers()
    for _ in range(200):
        handler.wfile.write(b"\x30" * 65536)


def silent(handler):
    time.sleep(1)
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Le")
    time.sleep(2)


def redirecting(handler):
    handler.send_response(302)
    handler.send_header("Location", "file:///etc/passwd")
    handler.send_header("Content-Length", "0")
    handler.end_headers()


@pytest.mark.parametrize("respond,said", [
    (lambda handler: answer(handler, b"<html>It works!</html>"), "the answer is no OCSP response"),
    (lambda handler: answer(handler, b""), "the answer is no OCSP response"),
    (lambda handler: answer(handler, b"\x30\x03\x0a\x01\x06"), "unauthorized"),
    (lambda handler: answer(handler, b"gone", 404), "the status is not 200"),
    (lambda handler: answer(handler, b"x" * 65537), "the answer is longer than 64 KiB"),
    (endless, "the answer is longer than 64 KiB"),
    (redirecting, "the status is not 200"),
], ids=["html", "empty", "unauthorized", "404", "long", "endless", "redirect"])
def test_other_answers_are_not_shown(secure, upstream, stapled, respond, said):
    with scripted(stapled.port, respond):
        gateway = secure(upstream(answers(ok())), certificates=[stapled.certificate()])
        wait_until(lambda: f"warn ocsp: {said} certificate=/CN=one.test" in gateway.stderr(), "the complaint")
        assert status(gateway, stapled) is None
        with gateway.client() as client:
            assert client.get().status == 200


def test_a_silent_responder_does_not_delay_the_end(secure, upstream, stapled):
    """The gateway stops while an answer is awaited."""
    with scripted(stapled.port, silent) as questions:
        gateway = secure(upstream(answers(ok())), certificates=[stapled.certificate()])
        wait_until(lambda: questions, "the question")
        assert status(gateway, stapled) is None
        begun = time.monotonic()
        gateway.stop()
        assert time.monotonic() - begun < 1.5 * SLOW


def signed_answer(authority, seconds):
    """A good answer for so long from now."""
    def load(path):
        return x509.load_pem_x509_certificate(path.read_bytes())
    issuer, key = load(authority.ca), serialization.load_pem_private_key(authority.key.read_bytes(), None)
    now = datetime.datetime.utcnow()
    builder = ocsp.OCSPResponseBuilder().add_response(
        cert=load(authority.folder / "one.test-ocsp/leaf.pem"), issuer=issuer, algorithm=hashes.SHA1(),
        cert_status=ocsp.OCSPCertStatus.GOOD, this_update=now, next_update=now + datetime.timedelta(seconds=seconds),
        revocation_time=None, revocation_reason=None).responder_id(ocsp.OCSPResponderEncoding.HASH, issuer)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def test_an_answer_is_renewed_and_dropped_when_it_is_stale(secure, upstream, stapled):
    """It is asked for again when half of its life is over; when nothing better comes, it is shown to its last second and not
    longer."""
    setting = stapled.certificate()
    wanted, made = signed_answer(stapled, 13), time.time()
    with scripted(stapled.port, lambda handler: answer(handler, wanted)) as questions:
        gateway = secure(upstream(answers(ok())), certificates=[setting])
        wait_until(lambda: status(gateway, stapled) == "good", "the staple")
        assert len(questions) == 1
        wait_until(lambda: len(questions) > 1, "the next question", timeout=10)
        assert 4 < time.time() - made < 9
        assert status(gateway, stapled) == "good"
        wait_until(lambda: status(gateway, stapled) is None, "the end of the answer's life", timeout=15)
        assert 11 < time.time() - made < 15 + SLOW
