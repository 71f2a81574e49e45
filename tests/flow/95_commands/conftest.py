"""Fixtures of the commands: trial(...) starts `portico try`, command(...) runs one that ends by itself."""
import itertools
import json
import os
import re
import subprocess

import pytest

from lib import yaml
from lib.gateway import Gateway
from lib.ports import free_port
from lib.tls import DEVELOPMENT, TlsClient, client_context, example
from lib.wait import BINARY, PATIENCE, wait_until

HOST = "star-meet.com"


class Trial(Gateway):
    """portico try FILE with the listeners of the file on free ports; clients use the last one."""

    def __init__(self, file, directory, listeners, options, environment=None):
        self.config_file = file
        self.ports, self.directory = {listener: free_port() for listener in listeners}, directory
        self.port = next(reversed(self.ports.values()), None)
        self.stdout_file, self.stderr_file = directory / "stdout", directory / "stderr"
        for listener, port in self.ports.items():
            options = [*options, "--override", f"{listener}=127.0.0.1:{port}"]
        with open(self.stdout_file, "wb") as stdout, open(self.stderr_file, "wb") as stderr:
            self.process = subprocess.Popen([BINARY, "try", file, *options], cwd=directory, stdin=subprocess.DEVNULL,
                                            stdout=stdout, stderr=stderr, env={**os.environ, **(environment or {})})
        self.pid = self.process.pid  # one process does everything
        self.deaths = 0
        wait_until(self._said_everything, "the lines", PATIENCE)

    def _said_everything(self):
        assert self.process.poll() is None, f"ended at once with {self.process.returncode}: {self.stderr()}"
        return re.search(r"\n# events.*\n.*\n(\n# a WebSocket.*\n.*\n)?\n$", self.stdout())

    def client(self):
        secure = ":443" in self.ports
        return TlsClient(self.port, client_context(DEVELOPMENT), HOST) if secure else super().client()

    def stdout(self):
        return self.stdout_file.read_text()

    def lines(self, program):
        """The printed lines that begin with the program."""
        return [line.strip() for line in self.stdout().splitlines() if line.startswith(f"    {program}")]

    def routes(self):
        """The printed lines that show a route each."""
        return [line for line in self.lines("curl") if " -i " not in line and " -N " not in line]


@pytest.fixture
def trial(tmp_path):
    """trial() tries conf/starmeet.yaml, with clients that speak TLS; trial(config) a configuration that listens on :80."""
    started = []

    def start(config=None, options=(), listeners=None, environment=None):
        directory = tmp_path / f"trial{len(started)}"
        directory.mkdir()
        file = example("starmeet.yaml")
        if config:
            file = directory / "portico.yaml"
            file.write_text(yaml.dump(config))
        if listeners is None:
            listeners = [":80"] if config else [":80", ":443"]
        started.append(Trial(file, directory, listeners, options, environment))
        return started[-1]

    yield start
    for each in started:
        each.stop()


@pytest.fixture
def command(tmp_path):
    """command("check", ...) runs it in an empty directory; gives the finished process with its texts."""
    def run(*arguments, environment=None):
        return subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=PATIENCE,
                              cwd=tmp_path, env=environment)
    return run


@pytest.fixture
def file(tmp_path):
    """file(config or text) writes a configuration; gives its path."""
    def write(config):
        path = tmp_path / "portico.yaml"
        path.write_text(config if isinstance(config, str) else yaml.dump(config))
        return path
    return write


@pytest.fixture
def starmeet():
    return example("starmeet.yaml")


class LoadTest:
    """A finished `portico loadtest` with its report as JSON."""

    def __init__(self, process, report):
        self.code, self.text, self.complaints = process.returncode, process.stdout, process.stderr
        self.report = json.loads(report.read_text()) if report.exists() else None

    @property
    def all(self):
        return self.report["all"]

    @property
    def errors(self):
        return self.all["errors"]

    def line(self, name):
        return next(line for line in self.report["lines"] if line["name"] == name)

    def latency(self, what):
        """In milliseconds."""
        return self.all["latency_us"][what] / 1000


@pytest.fixture
def loadtest(tmp_path):
    """loadtest(url, "--rate", "100/s", ...) runs one of half a second without a warm-up, unless told otherwise."""
    count = itertools.count()

    def run(*arguments, timeout=PATIENCE + 10):
        report = tmp_path / f"report{next(count)}.json"
        defaults = {"--duration": "500ms", "--warmup": "0s", "--connections": "4"}
        options = [word for option, value in defaults.items() if option not in arguments for word in (option, value)]
        process = subprocess.run([BINARY, "loadtest", *map(str, arguments), *options, "--json", report],
                                 capture_output=True, text=True, timeout=timeout, cwd=tmp_path)
        return LoadTest(process, report)
    return run
