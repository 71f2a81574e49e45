"""certs/make-dev-certs: keeps what is good, makes the rest again, and nobody but the owner reads a key."""
import shutil
import ssl
import subprocess
import time

import pytest

from lib.tls import MAKE, openssl

NAMES = ("one.test", "*.one.test", "127.0.0.1")


@pytest.fixture
def folder(tmp_path):
    make(tmp_path)
    return tmp_path


def make(folder, *names):
    return subprocess.run(["sh", MAKE, "-o", folder, *(names or NAMES)], check=True, capture_output=True, text=True)


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def days_left(certificate):
    end = openssl("x509", "-in", certificate, "-noout", "-enddate").stdout.decode().strip().split("=")[1]
    return (ssl.cert_time_to_seconds(end) - time.time()) / 86400


def assert_good(folder, name="one.test"):
    """The pair fits together, the authority has signed it, it lasts, and the keys are the owner's."""
    chain, key = folder / name / "fullchain.pem", folder / name / "privkey.pem"
    ssl.create_default_context().load_cert_chain(chain, key)
    openssl("verify", "-CAfile", folder / "dev-ca/ca.pem", chain)
    assert days_left(chain) > 300 and days_left(folder / "dev-ca/ca.pem") > 3000
    assert {path.stat().st_mode & 0o777 for path in folder.rglob("privkey.pem")} == {0o600}


def sign(folder, days):
    """The certificate again, good for this many days."""
    ca, one = folder / "dev-ca", folder / "one.test"
    (folder / "extensions").write_text("subjectAltName = DNS:one.test\n")
    openssl("req", "-new", "-key", one / "privkey.pem", "-subj", "/CN=one.test", "-out", folder / "request.pem")
    openssl("x509", "-req", "-in", folder / "request.pem", "-CA", ca / "ca.pem", "-CAkey", ca / "privkey.pem", "-days", days,
            "-extfile", folder / "extensions", "-out", one / "fullchain.pem", "-set_serial", "9")


def test_made_for_the_names(folder):
    assert_good(folder)
    shown = openssl("x509", "-in", folder / "one.test/fullchain.pem", "-noout", "-ext", "subjectAltName").stdout.decode()
    assert "DNS:one.test, DNS:*.one.test, IP Address:127.0.0.1" in shown


def test_what_is_good_is_kept(folder):
    before = contents(folder)
    assert make(folder).stdout == "" and contents(folder) == before


@pytest.mark.parametrize("days", ["-1", "3"])
def test_what_expires_is_made_again(folder, days):
    authority = (folder / "dev-ca/ca.pem").read_bytes()
    sign(folder, days)
    assert "made" in make(folder).stdout
    assert_good(folder)
    assert (folder / "dev-ca/ca.pem").read_bytes() == authority


def test_an_authority_that_expires_takes_its_certificates_along(folder):
    make(folder, "two.test")
    ca = folder / "dev-ca"
    openssl("req", "-x509", "-new", "-key", ca / "privkey.pem", "-days", "3", "-subj", "/CN=old", "-out", ca / "ca.pem")
    for name in ("one.test", "two.test"):
        make(folder, *(NAMES if name == "one.test" else [name]))
        assert_good(folder, name)


def test_other_names_make_another_certificate(folder):
    assert "DNS:other.test" in make(folder, "one.test", "other.test").stdout
    assert_good(folder)


@pytest.mark.parametrize("lost", ["one.test/privkey.pem", "one.test/fullchain.pem", "dev-ca/privkey.pem", "dev-ca/ca.pem"])
def test_half_of_a_pair_is_made_again(folder, lost):
    (folder / lost).unlink()
    make(folder)
    assert_good(folder)


def test_a_key_of_another_certificate_is_replaced(folder):
    make(folder, "two.test")
    shutil.copy(folder / "two.test/privkey.pem", folder / "one.test/privkey.pem")
    make(folder)
    assert_good(folder)


def test_a_key_that_others_could_read_is_closed(folder):
    for key in folder.rglob("privkey.pem"):
        key.chmod(0o644)
    assert make(folder).stdout == ""
    assert_good(folder)


def test_several_at_a_time(tmp_path):
    running = [subprocess.Popen(["sh", MAKE, "-o", tmp_path, *NAMES], stdout=subprocess.PIPE, text=True) for _ in range(6)]
    made = [process.communicate(timeout=30)[0] for process in running]
    assert sorted(text != "" for text in made) == [False] * 5 + [True]
    assert_good(tmp_path)
