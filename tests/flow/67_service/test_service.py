"""Ready to run: what a service manager hears, the pidfile and the commands that read it, the check of a health probe."""
import os
import pathlib
import signal
import socket
import subprocess

import pytest

from lib import yaml
from lib.client import get
from lib.ports import free_port
from lib.upstream import named, silent
from lib.wait import BINARY, PATIENCE, wait_until
from lib.wire import Closed

ROOT = pathlib.Path(__file__).parents[3]


def command(*arguments):
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=PATIENCE)


@pytest.fixture
def served(portico, upstream):
    """served(upstream) is a gateway with a pidfile in a folder of its own."""
    def start(app=None, environment=None, **process):
        gateway = portico(app or upstream(named("app")), environment, process={"pidfile": "portico.pid", **process})
        gateway.pidfile = gateway.directory / "portico.pid"
        return gateway
    return start


# Notifications --------------------------------------------------------------------------------------------

def test_a_reload_is_announced_and_ended(portico, upstream):
    gateway = portico(upstream(named("app")))
    gateway.signal(signal.SIGHUP)
    assert int(gateway.manager.wait("RELOADING")["MONOTONIC_USEC"]) > 0
    gateway.manager.wait("READY", 2)
    gateway.config_file.write_text("nothing: 1")
    gateway.signal(signal.SIGHUP)
    assert "the last reload failed" in gateway.manager.wait("READY", 3)["STATUS"]


def test_stopping_is_announced(portico, upstream):
    gateway = portico(upstream(named("app")))
    gateway.stop()
    assert gateway.manager.wait("STOPPING")["STOPPING"] == "1"


# The pidfile ----------------------------------------------------------------------------------------------

def test_the_pidfile_lives_as_long_as_the_gateway(served):
    gateway = served()
    assert gateway.pidfile.read_text() == f"{gateway.process.pid}\n"
    gateway.stop()
    assert not gateway.pidfile.exists()


def test_a_pidfile_of_another_is_left_alone(served):
    gateway = served()
    gateway.pidfile.write_text("1234567\n")
    gateway.stop()
    assert gateway.pidfile.read_text() == "1234567\n"


def test_reload(served):
    gateway = served()
    done = command("reload", gateway.config_file)
    assert done.returncode == 0, done.stderr
    wait_until(lambda: "serving the new configuration" in gateway.stderr(), "the reload")


def test_reload_to_a_name_that_does_not_resolve(served, names):
    """The command checks the file and asks; what comes of it stands in the log, as it does for a port that is busy."""
    gateway = served(environment=names.environment)
    gateway.rewrite(lambda config: config["upstreams"].update(late={"servers": ["late.test:80"]}))
    done = command("reload", gateway.config_file)
    assert (done.returncode, done.stdout) == (0, "") and done.stderr.endswith('warning: no route uses the upstream "late"\n')
    wait_until(lambda: "the old configuration stays" in gateway.stderr(), "the refusal")
    assert "upstream late: server late.test:80 does not resolve" in gateway.stderr()


def test_stop_waits_for_the_end(served):
    gateway = served()
    done = command("stop", gateway.config_file)
    assert done.returncode == 0, done.stderr
    assert gateway.wait_ended(0.5) == 0


def test_stop_now_does_not_wait_for_what_is_under_way(served, upstream):
    app = upstream(silent)
    gateway = served(app, shutdown_timeout="1h")
    with gateway.client() as client:
        client.send(get("/"))
        wait_until(lambda: app.received, "the request")
        done = command("stop", gateway.config_file, "--now")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["reload", "stop"])
def test_commands_say_when_no_gateway_runs(served, name):
    gateway = served()
    gateway.stop()
    done = command(name, gateway.config_file)
    assert done.returncode == 1 and "no gateway runs" in done.stderr
    gateway.pidfile.write_text("4194303\n")
    done = command(name, gateway.config_file)
    assert done.returncode == 1 and "process 4194303" in done.stderr


@pytest.mark.parametrize("name", ["reload", "stop"])
def test_commands_say_that_there_is_no_pidfile(portico, upstream, name):
    gateway = portico(upstream(named("app")))
    done = command(name, gateway.config_file)
    assert done.returncode == 1 and "process: { pidfile: PATH }" in done.stderr


def test_a_pidfile_that_was_left_behind_signals_nobody_else(served):
    gateway = served()
    gateway.stop()
    with subprocess.Popen(["sleep", "60"]) as stranger:
        gateway.pidfile.write_text(f"{stranger.pid}\n")
        for name in ("reload", "stop"):
            done = command(name, gateway.config_file)
            assert done.returncode == 1 and f"process {stranger.pid} of {gateway.pidfile} is \"sleep\"" in done.stderr
        assert stranger.poll() is None
        stranger.kill()


@pytest.mark.skipif(os.geteuid() != 0, reason="makes a process namespace")
def test_the_first_process_of_a_container(tmp_path):
    """As the image has it, and with a /proc of its own."""
    port, config = free_port(), tmp_path / "portico.yaml"
    config.write_text(yaml.dump({"process": {"pidfile": "./pid"}, "listen": [f"127.0.0.1:{port}"],
                                 "sites": [{"hosts": ["*"], "routes": [{"prefix": "/", "respond": 204}]}]}))
    with subprocess.Popen(["unshare", "--pid", "--mount-proc", "--fork", "--kill-child", BINARY, "run", config],
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as outside:
        wait_until((tmp_path / "pid").exists, "the pidfile")
        assert (tmp_path / "pid").read_text() == "1\n"
        inside = pathlib.Path(f"/proc/{outside.pid}/task/{outside.pid}/children").read_text().strip()

        def within(name):
            return subprocess.run(["nsenter", "-t", inside, "-p", "-m", BINARY, name, config], capture_output=True, text=True,
                                  timeout=PATIENCE)
        done = within("reload")
        assert (done.returncode, done.stderr) == (0, "")
        wait_until(lambda: "serving the new configuration" in outside.stderr.readline(), "the reload")
        assert within("stop").stderr == ""  # it ends with the first process of its namespace
        assert outside.wait(PATIENCE) == 0
    assert not (tmp_path / "pid").exists()


def test_a_reload_that_would_be_refused_is_not_asked_for(served):
    """What `check` finds, certificates included."""
    gateway = served()
    gateway.rewrite(lambda config: config.update(tls={"certificates": [{"chain": "none.pem", "key": "none.key"}]}))
    done = command("reload", gateway.config_file)
    assert done.returncode == 1 and done.stderr == command("check", gateway.config_file).stderr and "none.pem" in done.stderr
    done = command("stop", gateway.config_file)
    assert (done.returncode, done.stderr) == (0, "")
    assert "the old configuration stays" not in gateway.stderr()


# Is it alive ----------------------------------------------------------------------------------------------

def is_stopped(process):
    """Whether a SIGSTOP has reached every thread."""
    tasks = pathlib.Path(f"/proc/{process}/task").glob("*/stat")
    return all(task.read_text().rpartition(")")[2].split()[0] == "T" for task in tasks)


def test_live(portico, upstream):
    gateway = portico(upstream(silent), listen=[{"address": f"unix:{free_port()}.sock"}])
    done = command("check", "--live", gateway.config_file)
    assert (done.returncode, done.stderr) == (0, "")
    os.kill(gateway.worker(), signal.SIGSTOP)  # the port is open, but nobody answers
    wait_until(lambda: is_stopped(gateway.worker()), "all threads to stop")
    done = command("check", "--live", gateway.config_file)
    os.kill(gateway.worker(), signal.SIGCONT)
    assert done.returncode == 1 and f"127.0.0.1:{gateway.port} does not answer" in done.stderr


def test_nothing_lives(tmp_path):
    file = tmp_path / "portico.yaml"
    port = free_port()
    file.write_text(yaml.dump({"listen": [f"127.0.0.1:{port}"], "upstreams": {"app": "127.0.0.1:1"},
                               "sites": [{"hosts": ["*"], "routes": [{"prefix": "/", "upstream": "app"}]}]}))
    done = command("check", "--live", file)
    assert done.returncode == 1 and "Connection refused" in done.stderr


def test_the_port_of_the_environment(portico, upstream):
    port = free_port()
    gateway = portico(upstream(named("app")), {"PORT": str(port)}, listen=[{"address": "127.0.0.1:${env:PORT}"}])
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(get("/"))
        assert client.recv(100).startswith(b"HTTP/1.1 200")
    assert gateway.worker()


# Bad days -------------------------------------------------------------------------------------------------

def test_a_second_term_stops_at_once(portico, upstream):
    app = upstream(silent)
    gateway = portico(app, process={"shutdown_timeout": "1h"})
    with gateway.client() as client:
        client.send(get("/"))
        wait_until(lambda: app.received, "the request")
        gateway.signal(signal.SIGTERM)
        wait_until(lambda: "draining" in gateway.stderr(), "the drain")
        gateway.signal(signal.SIGTERM)
        assert gateway.wait_ended() == 0
    assert "asked twice" in gateway.stderr()


def test_a_storm_of_hangups_is_coalesced(portico, upstream):
    gateway = portico(upstream(named("app")))
    for _ in range(2000):
        gateway.signal(signal.SIGHUP)
    with gateway.client() as client:
        assert client.get("/").body == b"app"
    assert gateway.manager.count("RELOADING") < 500
    gateway.rewrite(lambda config: config["log"].update(level="debug"))
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: "level info -> debug" in gateway.stderr(), "the last one to count")


def test_a_closed_stdout_stops_nobody(portico, upstream):
    gateway = portico(upstream(named("app")), log={"access": "stdout"},
                      prefix=["sh", "-c", 'exec "$0" "$@" >&-'])
    with gateway.client() as client:
        assert client.get("/").body == b"app"


def test_few_descriptors_refuse_nobody_for_good(portico, upstream):
    gateway = portico(upstream(named("app")), prefix=["prlimit", "--nofile=64:64"])
    crowd = [gateway.client() for _ in range(80)]
    for each in crowd:
        each.close()

    def is_served():
        try:
            with gateway.client() as client:
                return client.get("/").body == b"app"
        except (OSError, Closed):
            return False  # refused while the crowd leaves
    wait_until(is_served, "an answer")


@pytest.fixture
def small_disk(tmp_path):
    """A file system with room for a few records."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")
def test_a_full_disk_under_the_log_stops_nobody_and_is_said(portico, upstream, small_disk):
    log = small_disk / "access.log"
    gateway = portico(upstream(named("app")), log={"access": str(log)})
    with gateway.client() as client:
        for _ in range(200):
            assert client.get("/").body == b"app"
        wait_until(lambda: "No space left on device" in gateway.stderr(), "the complaint")
        log.rename(small_disk / "old.log")
        (small_disk / "old.log").unlink()
        gateway.signal(signal.SIGUSR1)
        wait_until(lambda: log.exists() and log.stat().st_size > 0, "the log to go on")
        assert client.get("/").body == b"app"


# Files to install -----------------------------------------------------------------------------------------

def test_the_unit_is_one(tmp_path):
    unit = tmp_path / "portico.service"
    text = (ROOT / "conf/systemd/portico.service").read_text()
    unit.write_text(text.replace("/usr/local/bin/portico", str(BINARY)))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, timeout=PATIENCE)
    said = [line for line in done.stderr.splitlines() if "portico.service" in line]
    assert (done.returncode, said) == (0, []), done.stderr
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=30", "--no-pager", unit],
                          capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stdout
