"""portico loadtest --config: what a configuration says about the gateway, and gateways that the test starts itself."""
import os
import signal
import subprocess

import pytest

from lib.gateway import route_to
from lib.ports import free_port
from lib.processes import has_ended
from lib.tls import Authority, tls_listener
from lib.upstream import named
from lib.wait import BINARY, PATIENCE, SLOW, wait_until


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    made = Authority(tmp_path_factory.mktemp("certificates"))
    made.make("one.test")
    return made


def config(listen, authority=None, **settings):
    tls = {"tls": {"certificates": [authority.setting("one.test")]}} if authority else {}
    return {"process": {"threads": 1}, "log": {"access": "off"}, "listen": listen,
            "upstreams": {"api": "127.0.0.1:1", "web": "127.0.0.1:1"},
            "sites": [{"hosts": ["one.test"], "routes": [route_to("api", "/api"), {"regex": "^/x+$", "upstream": "api"},
                                                         {"prefix": "/gone", "respond": 410}, route_to("web")]}],
            **tls, **settings}


# A gateway that runs --------------------------------------------------------------------------------------

def test_one_path_of_each_route(loadtest, portico, upstream, authority):
    """Over TLS, trusting the certificate of the configuration: nothing need be said."""
    plain, secure = free_port(), free_port()
    servers = {"api": upstream(named("api")), "web": upstream(named("web"))}
    settings = config([f"127.0.0.1:{plain}", tls_listener(secure)], authority)
    gateway = portico(servers, **{key: settings[key] for key in ("listen", "tls", "sites")})
    test = loadtest("--config", gateway.config_file, "--rate", "40/s")
    assert test.code == 0, test.complaints
    assert [(line["name"], line["good"]) for line in test.report["lines"]] == [("/api", 10), ("/", 10)]
    assert {request.get("Host") for request in servers["web"].requests} == {f"one.test:{secure}"}
    assert test.report["parameters"]["address"] == f"127.0.0.1:{secure}"

    test = loadtest("--config", gateway.config_file, "--listener", f"127.0.0.1:{plain}", "--mix", "/xxx")
    assert test.code == 0 and test.report["parameters"]["address"] == f"127.0.0.1:{plain}"


def test_reloads_by_the_pidfile(loadtest, portico, upstream, tmp_path):
    port, pidfile = free_port(), tmp_path / "pid"
    gateway = portico(upstream(), listen=[f"127.0.0.1:{port}"], process={"threads": 1, "pidfile": str(pidfile)})
    test = loadtest("--config", gateway.config_file, "--reload-every", "300ms", "--duration", "1s", "--fail-if", "errors>0")
    assert test.code == 0, test.complaints
    assert [mark["text"] for mark in test.report["marks"]] == ["reload"] * 3
    assert all(mark["at_us"] >= 300_000 * number for number, mark in enumerate(test.report["marks"], 1))
    wait_until(lambda: gateway.manager.count("RELOADING") >= 3, "three reloads")


@pytest.mark.parametrize("arguments, said", [
    (["--mix", "/api,two.test/"], "at character 6: no site of "),
    (["--mix", "/api/%2e%2e/%2e%2e"], "at character 1: no route of "),
    (["--listener", ":81"], "listens on 127.0.0.1:8000"),
    (["--reload-every", "1s"], "says nothing of a pidfile"),
])
def test_what_the_configuration_does_not_have(command, file, arguments, said):
    result = command("loadtest", "--config", file(config(["127.0.0.1:8000"])), *arguments)
    assert result.returncode in (1, 2) and said in result.stderr


def test_an_upstream_that_is_not_there(command, file):
    path = file(config([f"127.0.0.1:{free_port()}"]))
    result = command("loadtest", "--config", path, "--try", "--kill-upstream", "apt")
    assert result.returncode == 1 and "--kill-upstream apt: " in result.stderr and "has no such upstream" in result.stderr


def test_a_route_that_is_not_there(command, file):
    settings = config(["127.0.0.1:8000"])
    del settings["sites"][0]["routes"][3]
    result = command("loadtest", "--config", file(settings), "--mix", "/apo")
    assert result.returncode == 2 and "no route of " in result.stderr and "takes /apo; did you mean /api?" in result.stderr


def test_a_bad_configuration(command, file):
    result = command("loadtest", "--config", file("listen: [1"), "--try")
    assert result.returncode == 2 and "portico.yaml:2:1: error: not valid YAML" in result.stderr


# A gateway of its own -------------------------------------------------------------------------------------

def test_everything_at_once(loadtest, file, authority):
    path = file(config([tls_listener(free_port())], authority))
    test = loadtest("--config", path, "--try", "--mix",
                    "h1:/api=2,h2:/=2,ws:/api/chat=4,ws2:/chat=8,sse:/events=3,sse2:/api/events=3", "--rate", "160/s",
                    "--duration", "2s", "--fail-if", "errors>0")
    assert test.code == 0, test.complaints
    assert [line["good"] for line in test.report["lines"][:4]] == [40, 40, 80, 160]
    for path in ("/events", "/api/events"):
        assert 3 <= test.line(path)["good"] <= 9  # an event a second on each of three streams
    assert test.line("/api/chat")["bytes"] == 80 * 64 and test.line("/chat")["bytes"] == 160 * 64
    # h1, ws, and one for h2 and ws2 of each client; each event stream's own, and one for all over HTTP/2
    assert test.all["good"] == 320 and test.report["generator"]["connects"] <= 4 * 3 + 3 + 1


def test_the_log_of_the_configuration_is_left_alone(loadtest, file, tmp_path):
    log = tmp_path / "access.log"
    log.write_text("as it was\n")
    path = file(config([f"127.0.0.1:{free_port()}"], log={"access": str(log)}))
    test = loadtest("--config", path, "--try", "--rate", "20/s", "--reload-every", "200ms")
    assert test.code == 0 and test.all["good"] == 10 and log.read_text() == "as it was\n"


@pytest.mark.parametrize("protocol", ["ws", "ws2"])
def test_big_messages_of_websockets(loadtest, file, protocol):
    path = file(config([f"127.0.0.1:{free_port()}"]))
    test = loadtest("--config", path, "--try", "--mix", f"{protocol}:/chat", "--message", "1MiB", "--timeout", "8s")
    assert test.code == 0 and test.errors == {} and test.all["bytes"] == test.all["good"] << 20


def test_websockets_live_through_reloads(loadtest, file):
    path = file(config([f"127.0.0.1:{free_port()}"]))
    test = loadtest("--config", path, "--try", "--mix", "ws:/chat,ws2:/chat,sse:/e=2,sse2:/e=2,/=2", "--reload-every", "200ms", "--connections", 20,
                    "--duration", "1s", "--fail-if", "lost>0,errors>0")
    assert test.code == 0, (test.complaints, test.errors)
    assert len(test.report["marks"]) >= 3


def test_an_upstream_that_goes_and_comes_back(loadtest, file):
    path = file(config([f"127.0.0.1:{free_port()}"]))
    test = loadtest("--config", path, "--try", "--mix", "/api=2,/=2,ws:/api=1,sse:/api=1", "--kill-upstream", "api", "--rate",
                    "100/s", "--duration", "3s", "--connections", 8)
    assert [mark["text"] for mark in test.report["marks"]] == ["api is gone", "api is back"]
    assert test.line("/")["errors"] == {}  # the other upstream's requests go on
    assert test.errors["5xx"] > 10 and test.errors["lost"] >= 2  # a WebSocket and the event stream
    assert [mark["at_us"] >= 1_000_000 * number for number, mark in enumerate(test.report["marks"], 1)] == [True, True]
    length = test.report["interval_us"]
    wrong = [number * length for number, interval in enumerate(test.report["intervals"]) if interval["errors"]]
    assert 700_000 < wrong[0] and wrong[-1] < 2_500_000 * SLOW
    assert test.report["intervals"][-2]["good"] > 0


def test_a_gateway_that_cannot_start(command, file):
    port = free_port()
    path = file(config([f"127.0.0.1:{port}"]))
    with subprocess.Popen([BINARY, "try", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as other:
        other.stdout.readline()
        other.stdout.readline()
        result = command("loadtest", "--config", path, "--try")
        other.terminate()
    assert result.returncode == 1
    assert "the gateway does not start" in result.stderr and f":{port}" in result.stderr


def test_a_gateway_that_dies_on_the_way(file):
    path = file(config([f"127.0.0.1:{free_port()}"]))
    test = subprocess.Popen([BINARY, "loadtest", "--config", path, "--try", "--warmup", "0s", "--duration", "2s"],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert " good " in test.stderr.readline()
    gateway, = open(f"/proc/{test.pid}/task/{test.pid}/children").read().split()
    os.kill(int(gateway), signal.SIGKILL)
    out, said = test.communicate(timeout=PATIENCE)
    assert test.returncode == 1 and "the gateway did not serve to the end of the test" in said
    assert " connect: no connection" in out


def test_control_c_ends_it_early_and_reports(file, tmp_path):
    path, report = file(config([f"127.0.0.1:{free_port()}"])), tmp_path / "report.json"
    test = subprocess.Popen([BINARY, "loadtest", "--config", path, "--try", "--warmup", "0s", "--duration", "1h", "--json", report],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert " good " in test.stderr.readline()  # a second has gone by
    children = open(f"/proc/{test.pid}/task/{test.pid}/children").read().split()
    os.killpg(test.pid, signal.SIGINT)  # as a terminal sends it
    out, said = test.communicate(timeout=PATIENCE)
    assert test.returncode == 0, said
    assert "note: ended early" in out and '"interrupted": true' in report.read_text()
    assert not any(os.path.exists(f"/proc/{child}") for child in children)


def test_nothing_stays_behind_when_it_is_killed(file):
    path = file(config([f"127.0.0.1:{free_port()}"]))
    test = subprocess.Popen([BINARY, "loadtest", "--config", path, "--try", "--duration", "1h"], stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, text=True)
    assert " good " in test.stderr.readline()
    children = open(f"/proc/{test.pid}/task/{test.pid}/children").read().split()
    test.kill()
    test.communicate(timeout=PATIENCE)
    wait_until(lambda: all(map(has_ended, children)), "the end of its gateway")
