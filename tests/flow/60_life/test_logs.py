"""Where the access log goes, and reopening it."""
import fcntl
import json
import os
import signal

from lib.gateway import route_to
from lib.upstream import named
from lib.wait import readable, wait_until


def test_sigusr1_reopens_the_access_log(portico, upstream):
    gateway = portico(upstream(named("app")))
    with gateway.client() as client:
        client.get("/before")
        gateway.log_lines(1)
        kept = gateway.access_log.rename(gateway.directory / "access.log.1")
        gateway.signal(signal.SIGUSR1)
        wait_until(gateway.access_log.exists, "the new access log")
        client.get("/after")
    assert gateway.last_record().target == "/after"
    assert kept.read_text().count("\n") == 1


def test_reopening_loses_nothing(portico, upstream):
    gateway = portico(upstream(named("app")), process={"threads": 2})
    kept = []
    for number in range(10):
        with gateway.client() as client:
            for _ in range(20):
                client.get("/")
        kept.append(gateway.access_log.rename(gateway.directory / f"access.log.{number}"))
        gateway.signal(signal.SIGUSR1)
        wait_until(gateway.access_log.exists, "the new access log")
    gateway.stop()
    assert sum(file.read_text().count("\n") for file in [*kept, gateway.access_log]) == 200


def test_sigusr1_reopens_the_log_that_is_written_until_a_restart(portico, upstream):
    gateway = portico(upstream(named("app")))
    other = gateway.directory / "other.log"
    for access in (str(other), "off", "stdout"):
        gateway.reload({**gateway.config, "log": {"access": access}})
        kept = gateway.access_log.rename(gateway.directory / "access.log.1")
        gateway.signal(signal.SIGUSR1)
        wait_until(gateway.access_log.exists, "the new access log")
        with gateway.client() as client:
            client.get("/after")
        assert gateway.last_record().target == "/after"
        kept.unlink()
    assert not other.exists()


def test_standard_output(portico, upstream):
    gateway = portico(upstream(named("app")), log={"access": "stdout"})
    with gateway.client() as client:
        client.get("/seen")
    wait_until(lambda: "\n" in gateway.stdout_file.read_text(), "the record")
    assert json.loads(gateway.stdout_file.read_text())["target"] == "/seen"


def test_off(portico, upstream):
    gateway = portico(upstream(named("app")), log={"access": "off"})
    with gateway.client() as client:
        assert client.get("/").status == 200
    gateway.stop()
    assert gateway.stdout_file.read_text() == "" and not gateway.access_log.exists()


def test_a_reader_of_standard_error_that_is_stuck_holds_nobody(portico, upstream, tmp_path):
    os.mkfifo(tmp_path / "pipe", 0o666)
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    gateway = portico(upstream(named("app")), limits={"one": {"rate": "1/h"}}, process={"threads": 1},
                      routes=[route_to("app", "/limited", limits=["one"]), route_to("app")],
                      prefix=["sh", "-c", f'exec "$0" "$@" 2>{tmp_path}/pipe'])
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 8192)
    with gateway.client() as client, gateway.client() as other:
        client.get("/limited")
        for _ in range(60):
            assert client.get("/limited").status == 429
        assert other.get("/").status == 200
        os.set_blocking(reader, True)
        wait_until(lambda: b"limiting requests" in os.read(reader, 65536), "a refusal")
        client.get("/limited")
        wait_until(lambda: b"standard error took nothing for a while, lines lost=" in os.read(reader, 65536), "the complaint")
    gateway.stop()
    os.close(reader)


def test_a_reader_of_standard_output_that_goes_away_stops_nobody(portico, upstream, tmp_path):
    os.mkfifo(tmp_path / "pipe", 0o666)
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    gateway = portico(upstream(named("app")), log={"access": "stdout"},
                      prefix=["sh", "-c", f'exec "$0" "$@" >{tmp_path}/pipe'])
    with gateway.client() as client:
        assert client.get("/").status == 200
        wait_until(lambda: readable([reader]), "the record")
        os.close(reader)
        for _ in range(50):
            assert client.get("/").status == 200
        wait_until(lambda: "Broken pipe" in gateway.stderr(), "the complaint")
        assert client.get("/").status == 200
    assert gateway.stderr().count("Broken pipe") == 1
