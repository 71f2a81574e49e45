"""The services of the StarMeet document, real ones, and the gateway with conf/starmeet.yaml in front of them."""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import httpx
import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "flow"))

from lib.gateway import Gateway, passable  # noqa: E402
from lib.ports import free_port  # noqa: E402
from lib.tls import DEVELOPMENT, TlsClient, client_context, example  # noqa: E402
from lib.wait import wait_until  # noqa: E402

BUILT = ROOT / "build/real"
HOST = "star-meet.com"
START = 60  # seconds that a service may take


class Service:
    """A process in a group of its own, ready when its path answers."""

    def __init__(self, name, command, directory, log, ready):
        self.name, self.log, self.port = name, log / f"{name}.log", free_port()
        command = [str(part).replace("PORT", str(self.port)) for part in command]
        environment = {**os.environ, "NEXT_TELEMETRY_DISABLED": "1", "PYTHONUNBUFFERED": "1"}
        with open(self.log, "wb") as output:
            self.process = subprocess.Popen(command, cwd=directory, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                            env=environment, start_new_session=True)
        self.ready = ready

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def wait_ready(self):
        wait_until(self._answers, f"{self.name}: {self.log.read_text(errors='replace')}", START)
        return self

    def _answers(self):
        assert self.process.poll() is None, f"{self.name} ended: {self.log.read_text(errors='replace')}"
        try:
            return httpx.get(f"http://{self.address}{self.ready}", timeout=START).status_code == 200
        except httpx.HTTPError:
            time.sleep(0.1)
            return False

    def stop(self):
        """Ends the process and what it started."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, number)
                self.process.wait(5)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue


def next_command(mode, *options):
    return ["node", "node_modules/next/dist/bin/next", mode, *options, "-H", "127.0.0.1", "-p", "PORT"]


@pytest.fixture(scope="session")
def logs(tmp_path_factory):
    return passable(tmp_path_factory.mktemp("services"))


@pytest.fixture(scope="session")
def services(logs):
    """api, streaming, wizard (production mode) and web, by name."""
    uvicorn = ["/usr/bin/python3", "-m", "uvicorn", "main:app", "--port", "PORT", "--timeout-keep-alive", "30"]
    puma = ["puma", "--bind", "tcp://127.0.0.1:PORT", "--threads", "1:5", "--environment", "production", "config.ru"]
    started = [
        Service("api", uvicorn, HERE / "api", logs, "/health"),
        Service("streaming", ["node", "server.js", "PORT"], BUILT / "streaming", logs, "/api/v1/streaming/health"),
        Service("wizard", next_command("start"), BUILT / "next-app", logs, "/join"),
        Service("web", puma, HERE / "web", logs, "/health"),
    ]
    try:
        yield {service.name: service.wait_ready() for service in started}
    finally:
        for service in started:
            service.stop()


@pytest.fixture(scope="session")
def wizard_in_dev_mode(logs):
    """The same Next.js application as its developer runs it, from a copy: both modes write to .next."""
    copy = logs / "next-dev"
    shutil.copytree(BUILT / "next-app", copy, ignore=shutil.ignore_patterns("node_modules", ".next"))
    (copy / "node_modules").symlink_to(BUILT / "next-app/node_modules")
    service = Service("wizard-dev", next_command("dev"), copy, logs, "/join")
    try:
        yield service.wait_ready()
    finally:
        service.stop()


class Starmeet(Gateway):
    """Its clients speak TLS to star-meet.com; plain_port is the listener that redirects."""

    def __init__(self, config, directory, ports, *settings):
        super().__init__(config, directory, ports[":443"], *settings)
        self.access_log, self.plain_port = self.stdout_file, ports[":80"]
        self.url = f"https://127.0.0.1:{self.port}"

    @property
    def context(self):
        """A new one: clients set their ALPN in it."""
        return client_context(DEVELOPMENT)

    def client(self):
        return TlsClient(self.port, self.context, HOST)


def start_starmeet(services, directory):
    """conf/starmeet.yaml as it is: names come from a hosts file, ports from overrides, the log goes to standard output."""
    directory.mkdir()
    places = {"mastodon-streaming:4000": services["streaming"], "starmeet-api:8000": services["api"],
              "starmeet-wizard:3001": services["wizard"], "mastodon-web:3000": services["web"]}
    hosts = directory / "hosts"
    hosts.write_text("".join(f"127.0.0.1 {server.split(':')[0]}\n" for server in places))
    overrides = {server: f"{server.split(':')[0]}:{service.port}" for server, service in places.items()}
    config = example("starmeet.yaml")
    ports = {address: free_port() for address in re.findall(r'"(:[0-9]+)"', config.read_text())}
    overrides |= {address: f"127.0.0.1:{port}" for address, port in ports.items()}
    options = [word for left, right in overrides.items() for word in ("--override", f"{left}={right}")]
    return Starmeet(config, directory, ports, {"PORTICO_HOSTS": str(hosts)}, options)


def connect(gateway, http2=True, timeout=30):
    """An HTTP client that believes to talk to star-meet.com."""
    return httpx.Client(base_url=gateway.url, headers={"Host": HOST}, verify=gateway.context, http2=http2, timeout=timeout)


@pytest.fixture(scope="session")
def starmeet(services, logs):
    gateway = start_starmeet(services, logs / "starmeet")
    yield gateway
    gateway.stop()


@pytest.fixture
def ready(starmeet):
    """The gateway, once its names are resolved."""
    with connect(starmeet) as client:
        wait_until(lambda: client.get("/health").status_code == 200, "the names to be resolved")
    return starmeet


@pytest.fixture(scope="session")
def starmeet_in_dev_mode(services, wizard_in_dev_mode, logs):
    gateway = start_starmeet({**services, "wizard": wizard_in_dev_mode}, logs / "starmeet-dev")
    yield gateway
    gateway.stop()
