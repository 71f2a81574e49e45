"""portico check: everything that is wrong with a file at once, with its place; and what takes effect."""
import os
import shutil
import subprocess

import pytest

from lib import yaml
from lib.gateway import route_to
from lib.tls import MAKE

GOOD = {"listen": [":8080"], "upstreams": {"app": "127.0.0.1:3000"},
        "sites": [{"hosts": ["*"], "routes": [route_to("app")]}]}
BAD = """listen:
  - "127.0.0.1:99999"
upstreams:
  app: { servers: ["127.0.0.1:2"], idle_timeout: 5 }
client: { head_timeout: soon }
sites:
  - hosts: ["*"]
    routes:
      - { prefix: /, upsteam: app }
      - { prefix: /a, upstream: ap }
"""


def test_a_good_file(command, file):
    run = command("check", file(GOOD))
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.endswith("portico.yaml: ok, 1 site, 1 route, 1 upstream\n")


def test_the_example(command, starmeet):
    run = command("check", starmeet)
    assert (run.returncode, run.stderr) == (0, "") and "1 site, 5 routes, 4 upstreams" in run.stdout


@pytest.mark.parametrize("verb", ["check", "try", "run"])
@pytest.mark.parametrize("lost, place", [("fullchain.pem", "10:14"), ("privkey.pem", "11:12")])
def test_missing_certificates(command, starmeet, tmp_path, verb, lost, place):
    """A fresh clone: what to do is said, and doing it helps."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "certs").mkdir()
    shutil.copy(starmeet, tmp_path / "conf")
    shutil.copy(MAKE, tmp_path / "certs")
    subprocess.run([tmp_path / "certs/make-dev-certs"], check=True, capture_output=True)
    (tmp_path / "certs/star-meet.com" / lost).unlink()
    run = command(verb, "conf/starmeet.yaml")
    assert run.returncode == 1 and "cannot be read: No such file" in run.stderr
    assert f"starmeet.yaml:{place}: error: " in run.stderr and f"star-meet.com/{lost} " in run.stderr
    assert "for development, run certs/make-dev-certs" in run.stderr
    subprocess.run(["sh", "certs/make-dev-certs"], check=True, capture_output=True, cwd=tmp_path)
    assert command("check", "conf/starmeet.yaml").returncode == 0


def test_all_errors_at_once_with_their_places(command, file):
    run = command("check", file(BAD))
    assert (run.returncode, run.stdout) == (1, "")
    lines = run.stderr.splitlines()
    places = [line.split(": error: ")[0].split("portico.yaml:")[1] for line in lines]
    assert places == ["2:5", "4:50", "5:25", "9:22", "10:33"]
    assert 'did you mean "upstream"?' in lines[3] and 'did you mean "app"?' in lines[4]


POLICIES = """listen: [":80"]
upstreams: { app: "127.0.0.1:1" }
limits: { api: { rate: 10/s } }
defaults:
  limits: [apis]
  access: { allow: [10.0.0.1/8] }
  security_headers: { csp: "default-src 'self'\\r\\nSet-Cookie: a=b" }
  headers: { request: { set: { X-A: "a\\x01b" } }, response: { set: { "X B": "1" } } }
  cors: { origins: ["https://a.test/path"] }
trusted_proxies: [192.0.2.1/24]
sites:
  - hosts: [a.test]
    routes:
      - { prefix: /, upstream: app, basic_auth: { users: { anna: secret } } }
"""


def test_what_is_wrong_in_policies(command, file):
    run = command("check", file(POLICIES))
    said = [line.partition("portico.yaml:")[2] for line in run.stderr.splitlines()]
    expected = [("5:12", 'no limit is called "apis"; did you mean "api"?'),
                ("6:21", "has bits behind its mask; the network is 10.0.0.0/8"), ("7:28", "a field holds no line break"),
                ("8:37", "a field holds printable ASCII only"), ("8:70", '"X B" is no name of a field'),
                ("9:21", "an origin is scheme, host and port"), ("10:19", "has bits behind its mask; the network is 192.0.2.0/24"),
                ("14:66", "neither bcrypt ($2y$, $2b$) nor SHA-512")]
    assert run.returncode == 1 and len(said) == len(expected), said
    for line, (place, words) in zip(said, expected):
        assert line.startswith(f"{place}: error: ") and words in line
    assert "secret" not in run.stderr


def test_warnings_are_no_errors(command, file):
    config = {**GOOD, "sites": [{"hosts": ["*"], "routes": [route_to("app"), route_to("app", "/never")]}]}
    run = command("check", file(config))
    assert run.returncode == 0 and "1 warning" in run.stdout
    assert ": warning: " in run.stderr and "/never" in run.stderr


def test_what_is_printed_can_be_loaded(command, file, starmeet):
    printed = command("check", starmeet, "--print")
    assert printed.returncode == 0 and "idle_timeout: 1h  # " in printed.stdout
    again = command("check", file(printed.stdout), "--print")
    assert again.returncode == 0

    def without_origins(text):
        return [line.split("  # ")[0] for line in text.splitlines()[1:]]
    assert without_origins(again.stdout) == without_origins(printed.stdout)


def test_secrets_are_printed_as_written(command, file):
    config = {**GOOD, "upstreams": {"app": "${env:APP}"}}
    run = command("check", file(config), "--print", environment={**os.environ, "APP": "hidden.test:1"})
    assert run.returncode == 0 and "${env:APP}" in run.stdout and "hidden" not in run.stdout + run.stderr


def test_a_missing_secret_is_an_error(command, file):
    run = command("check", file({**GOOD, "upstreams": {"app": "${env:NOT_THERE}"}}))
    assert run.returncode == 1 and "NOT_THERE" in run.stderr


def test_a_difference_is_a_line(command, tmp_path):
    for name, body in (("old", "one\ntwo\n"), ("new", "one\n\x1b[31mtwo\n")):
        text = yaml.dump({"listen": [":8080"], "sites": [{"hosts": ["*"], "routes": [{"prefix": "/", "respond": {"body": body}}]}]})
        (tmp_path / f"{name}.yaml").write_text(text)
    run = command("check", "new.yaml", "--against", "old.yaml")
    assert run.stdout == "route * /: respond.body one\\x0atwo\\x0a -> one\\x0a\\x1b[31mtwo\\x0a\n"


def test_a_missing_file(command):
    run = command("check", "missing.yaml")
    assert run.returncode == 1 and "missing.yaml" in run.stderr


@pytest.mark.parametrize("arguments", [(), ("a", "b"), ("--what", "a"), ("a", "--print", "--live"),
                                       ("a", "--against", "b", "--live")])
def test_wrong_uses(command, arguments):
    run = command("check", *arguments)
    assert run.returncode == 2 and "usage: portico check" in run.stderr


def test_the_list_of_commands(command):
    run = command("help")
    assert run.returncode == 0
    for name in ("run", "check", "explain", "try", "reference"):
        assert f"\n  portico {name}" in run.stdout
    assert command("nothing").returncode == 2 and 'no command is called "nothing"' in command("nothing").stderr
