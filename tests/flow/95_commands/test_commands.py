"""What all commands share: help, options that they do not have, results that cannot be written, streams that are closed."""
import os
import re
import subprocess

import pytest

from lib.client import Client
from lib.ports import free_port
from lib.wait import BINARY, PATIENCE, wait_until

COMMANDS = ["run", "check", "explain", "try", "reload", "stop", "loadtest", "reference", "version", "help"]
ANSWERED = {"upstreams": {"app": "127.0.0.1:1"}, "sites": [{"hosts": ["*"], "routes": [{"prefix": "/", "respond": {"body": "here"}}]}]}


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("asked", [("--help",), ("-h",), ("portico.yaml", "--help")])
def test_help_of_a_command(command, name, asked):
    run = command(name, *asked)
    usage, sentence = run.stdout.splitlines()[:2]
    assert (run.returncode, run.stderr) == (0, "") and usage.split()[:3] == ["usage:", "portico", name]
    assert usage == usage.rstrip() and sentence.strip() in command("help").stdout
    assert command("help", name).stdout == run.stdout


def test_help_of_nothing_that_there_is(command):
    run = command("help", "chekc")
    assert run.returncode == 2 and run.stdout == "" and 'no command is called "chekc"' in run.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_an_option_that_a_command_does_not_have(command, name):
    run = command(name, "--frobnicate")
    assert run.returncode == 2 and run.stdout == ""
    assert f'portico: {name} has no option "--frobnicate"' in run.stderr and len(run.stderr.splitlines()) <= 2


@pytest.mark.parametrize("words", [("reference",), ("version",), ("help",), ("check", "{}"), ("check", "{}", "--print"),
                                   ("explain", "{}", "GET", "http://a/")])
def test_a_result_that_cannot_be_written_is_no_success(file, words):
    path = file({"listen": [":8080"], **ANSWERED})
    with open("/dev/full", "w") as full:
        run = subprocess.run([BINARY, *(word.format(path) for word in words)], stdout=full, stderr=subprocess.PIPE,
                             text=True, timeout=PATIENCE)
    assert run.returncode == 1 and "No space left on device" in run.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes somebody without privileges")
@pytest.mark.parametrize("network, address, said", [
    (["unshare", "--net"], "127.0.0.1:80", "cannot listen on 127.0.0.1:80: Permission denied; ports below 1024 need root, CAP_NET_BIND_SERVICE or"),
    ([], "192.0.2.1:8080", "cannot listen on 192.0.2.1:8080: Cannot assign requested address; no interface of this machine")])
def test_an_address_that_cannot_be_listened_on(file, tmp_path, network, address, said):
    path = file({"listen": [address], **ANSWERED})
    run = subprocess.run([*network, "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", BINARY, "run", path],
                         cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE)
    assert run.returncode == 1 and f"{path}:2:5: {said}" in run.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_gateway_whose_streams_are_closed(file, tmp_path, closed):
    port = free_port()
    path = file({"process": {"pidfile": "./pid"}, "listen": [f"127.0.0.1:{port}"], **ANSWERED})
    process = subprocess.Popen(["sh", "-c", f'exec "$0" run "$1" {closed}', BINARY, path], cwd=tmp_path,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until((tmp_path / "pid").exists, "the pidfile")
        with Client(port) as client:
            assert client.get("/").body == b"here"
        links = subprocess.run(["ls", "-l", f"/proc/{process.pid}/fd/"], capture_output=True, text=True).stdout
        assert re.findall(r" ([012]) -> (.*)", links) == [(number, "/dev/null") for number in "012"]
        process.terminate()
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
