"""Certificate files that change while the gateway serves, and what `portico check` says about files that are no good."""
import datetime
import os
import re
import shutil
import signal
import socket
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from lib import yaml
from lib.client import Client, upgrade
from lib.gateway import configuration
from lib.ports import free_port
from lib.tls import TlsClient, client_context
from lib.upstream import echo, repeat_bytes, websocket
from lib.wait import BINARY, wait_until


@pytest.fixture
def live(authority, tmp_path):
    """A folder as certbot has it: live/{fullchain,privkey}.pem are links into a folder that can be turned."""
    folder = tmp_path / "live"
    folder.mkdir()

    def turn(name):
        for file in ("fullchain.pem", "privkey.pem"):
            link = folder / f"{file}.new"
            link.symlink_to(authority.folder / name / file)
            link.rename(folder / file)
    turn("one.test")
    turn.setting = {"chain": str(folder / "fullchain.pem"), "key": str(folder / "privkey.pem")}
    turn.folder = folder
    return turn


def shown(gateway, authority):
    context = client_context(authority)
    context.check_hostname = False
    with gateway.connect("any.test", context=context) as client:
        return client.shown[0]


def test_links_are_turned(secure, upstream, authority, live):
    gateway = secure(upstream(echo), certificates=[live.setting], process={"threads": 2})
    with gateway.connect() as before:
        assert before.get().status == 200
        live("two.test")
        wait_until(lambda: "are in use" in gateway.stderr(), "the new certificate")
        wait_until(lambda: all(shown(gateway, authority) == "two.test" for _ in range(8)), "both threads")
        assert before.get().status == 200


def test_keys_that_only_root_reads_outlive_the_worker(secure, upstream, authority, live):
    gateway = secure(upstream(echo), certificates=[live.setting])
    for name in ("one.test", "two.test"):
        assert (authority.folder / name / "privkey.pem").stat().st_mode & 0o077 == 0
    live("two.test")
    wait_until(lambda: "are in use" in gateway.stderr(), "the new certificate")
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: "serving the new configuration" in gateway.stderr(), "the reload")
    assert shown(gateway, authority) == "two.test"
    os.kill(gateway.worker(), signal.SIGKILL)
    gateway.deaths += 1
    assert shown(gateway, authority) == "two.test"  # by the next worker


def test_a_renewed_certificate_outlives_the_worker(secure, upstream, authority, live):
    gateway = secure(upstream(echo), certificates=[live.setting])
    live("two.test")
    wait_until(lambda: "are in use" in gateway.stderr(), "the new certificate")
    os.kill(gateway.worker(), signal.SIGKILL)
    gateway.deaths += 1
    assert shown(gateway, authority) == "two.test"


def test_a_bad_pair_keeps_the_old_one(secure, upstream, authority, live):
    gateway = secure(upstream(echo), certificates=[live.setting])
    link = live.folder / "new"
    link.symlink_to(authority.folder / "two.test/fullchain.pem")
    link.rename(live.folder / "fullchain.pem")
    wait_until(lambda: "the certificates stay as they are" in gateway.stderr(), "the complaint")
    assert shown(gateway, authority) == "one.test"
    complaints = [line for line in gateway.stderr().splitlines() if " error tls: " in line]
    assert len(complaints) == 1 and "is not the key of the certificate" in complaints[0]
    assert "portico.yaml:" in complaints[0]
    live("two.test")
    wait_until(lambda: "are in use" in gateway.stderr(), "the pair that fits")
    assert shown(gateway, authority) == "two.test"


@pytest.mark.parametrize("zone, outcome", [
    ({"new.test": ["127.0.0.1"]}, "serving the new configuration"), ({}, "the old configuration stays"),
], ids=["taken", "refused"])
def test_a_change_during_a_reload_is_noticed(secure, upstream, authority, live, names, zone, outcome):
    """The configuration has been read, and waits for the name of a new upstream, when the certificate changes."""
    names.zone, names.delays = zone, {"new.test": 1.0}
    gateway = secure(upstream(echo), certificates=[live.setting], environment=names.environment)
    config = {**gateway.config, "upstreams": {**gateway.config["upstreams"], "new": {"servers": ["new.test:1"]}}}
    gateway.config_file.write_text(yaml.dump(config))
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: names.count("new.test") > 0, "the question")
    live("two.test")
    wait_until(lambda: outcome in gateway.stderr(), "the reload")
    wait_until(lambda: shown(gateway, authority) == "two.test", "the new certificate")


def test_unchanged_files_are_not_taken_for_new(secure, upstream, live):
    gateway = secure(upstream(echo), certificates=[live.setting])
    live("one.test")  # the same again
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: "serving the new configuration" in gateway.stderr(), "the reload")
    live("two.test")
    wait_until(lambda: "are in use" in gateway.stderr(), "the new certificate")
    assert gateway.stderr().count("are in use") == 1


def check(directory, certificate, **settings):
    file = directory / "check.yaml"
    config = configuration(1, {"app": "127.0.0.1:1"}, directory, listen=[{"address": ":443", "tls": True}],
                           tls={"certificates": [certificate]}, **settings)
    file.write_text(yaml.dump(config))
    return subprocess.run([BINARY, "check", file], capture_output=True, text=True, cwd=directory, timeout=20)


def test_check_names_the_file_that_is_missing(authority, tmp_path):
    run = check(tmp_path, {"chain": "nowhere.pem", "key": "nowhere.key"})
    assert run.returncode == 1
    assert f"{tmp_path}/nowhere.pem cannot be read: No such file or directory" in run.stderr
    assert "check.yaml:" in run.stderr


def test_check_compares_key_and_certificate(authority, tmp_path):
    mixed = {"chain": authority.setting("one.test")["chain"], "key": authority.setting("two.test")["key"]}
    run = check(tmp_path, mixed)
    assert run.returncode == 1 and "two.test/privkey.pem is not the key of the certificate" in run.stderr


def dated(folder, start, end):
    """A certificate for one.test, good from one hour to the other, counted from now."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.utcnow()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "one.test")])
    hours = [now + datetime.timedelta(hours=hour, minutes=5) for hour in (start, end)]
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, *hours)
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("one.test")]), False).sign(key, hashes.SHA256())
    folder.mkdir()
    (folder / "fullchain.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / "privkey.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return {"chain": str(folder / "fullchain.pem"), "key": str(folder / "privkey.pem")}


DATES = [(-100, -50, "expired 2d ago"), (-100, -2, "expired 1h ago"), (2, 100, "is not valid for another 2h"),
         (50, 100, "is not valid for another 2d"), (-1, 100, None)]


@pytest.mark.parametrize("start, end, said", DATES)
def test_check_warns_of_certificates_that_nobody_accepts_now(tmp_path, start, end, said):
    text = yaml.dump(configuration(8443, {"app": "127.0.0.1:1"}, tmp_path, listen=[{"address": ":8444", "tls": True}],
                                   tls={"certificates": [dated(tmp_path / "made", start, end)]},
                                   sites=[{"hosts": ["one.test"], "routes": [{"prefix": "/", "upstream": "app"}]}]))
    (tmp_path / "portico.yaml").write_text(text)
    run = subprocess.run([BINARY, "check", tmp_path / "portico.yaml"], capture_output=True, text=True)
    assert run.returncode == 0 and "ok" in run.stdout
    assert f"warning: the certificate {said}\n" in run.stderr if said else run.stderr == ""


def test_a_renewed_certificate_that_nobody_accepts_is_said(secure, upstream, authority, live):
    gateway = secure(upstream(echo), certificates=[live.setting])
    dated(authority.folder / "late.test", -100, -50)
    live("late.test")
    wait_until(lambda: "are in use" in gateway.stderr(), "the new certificate")
    assert re.search(r"warn config: \S+portico.yaml:\d+:\d+: the certificate expired 2d ago\n", gateway.stderr())


def test_check_warns_of_hosts_without_certificate(authority, tmp_path):
    sites = [{"hosts": ["one.test", "three.test"], "routes": [{"prefix": "/", "upstream": "app"}]}]
    run = check(tmp_path, authority.setting("one.test"), sites=sites)
    assert run.returncode == 0
    assert 'no certificate is for "three.test"' in run.stderr and '"one.test"' not in run.stderr


def test_relative_paths_are_the_file_s(authority, tmp_path):
    shutil.copytree(authority.folder / "one.test", tmp_path / "pair")
    os.makedirs(tmp_path / "conf")
    run = check(tmp_path / "conf", {"chain": "../pair/fullchain.pem", "key": "../pair/privkey.pem"})
    assert run.returncode == 0, run.stderr


def test_a_reload_brings_certificates_and_rules(secure, upstream, authority):
    """New handshakes see the new configuration; a connection that stands goes on."""
    gateway = secure(upstream(echo), certificates=[authority.setting("one.test")])
    before = gateway.connect()
    assert before.get().status == 200
    text = gateway.config_file.read_text()
    gateway.config_file.write_text(text.replace(str(authority.folder / "one.test"), str(authority.folder / "two.test")))
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: shown(gateway, authority) == "two.test", "the new certificate")
    assert before.get().status == 200
    gateway.config_file.write_text(text.replace("one.test/privkey.pem", "two.test/privkey.pem"))
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: "is not the key of the certificate" in gateway.stderr(), "the complaint")
    assert shown(gateway, authority) == "two.test"
    before.close()


def test_a_trial_redirects_to_its_own_port(authority, tmp_path):
    """`portico try` serves :443 somewhere else, and so its redirects say."""
    plain, port = free_port(), free_port()
    file = tmp_path / "try.yaml"
    config = configuration(1, {"app": "127.0.0.1:1"}, tmp_path, tls={"certificates": [authority.setting("one.test")]},
                           sites=[{"hosts": ["one.test"], "routes": [{"prefix": "/", "upstream": "app"}]}])
    config["listen"] = [{"address": f"127.0.0.1:{plain}", "redirect": "https"}, {"address": f"127.0.0.1:{port}", "tls": True}]
    file.write_text(yaml.dump(config))
    with subprocess.Popen([BINARY, "try", file], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as trial:
        def accepts():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", plain)) == 0
        wait_until(accepts, "the listener")
        with Client(plain) as client:
            assert client.get("/x", host="one.test").get("Location") == f"https://one.test:{port}/x"
        with TlsClient(port, client_context(authority)) as client:
            assert client.get("/", host="one.test").status == 200
        trial.terminate()


@pytest.mark.measured
def test_connections_of_many_generations_share_what_has_not_changed(secure, upstream):
    gateway = secure(upstream(websocket(repeat_bytes)))
    opened = []

    def grow(times):
        for _ in range(times):
            opened.append(gateway.connect())
            assert opened[-1].ask(upgrade(host="one.test")).status == 101
            gateway.reload(gateway.config)
    grow(10)
    before = gateway.rss()
    grow(30)
    assert gateway.rss() - before < 30 * 40 * 1024  # 25 KiB is what a connection needs; certificates and all that goes with them 50 more
    for client in opened:
        client.close()
