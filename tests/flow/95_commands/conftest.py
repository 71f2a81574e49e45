"""Fixtures of the commands: trial(...) starts `portico try`, command(...) runs one that ends by itself."""
import pathlib
import re
import subprocess

import pytest

from lib import yaml
from lib.gateway import Gateway
from lib.ports import free_port
from lib.wait import BINARY, PATIENCE, wait_until

STARMEET = pathlib.Path(__file__).parents[3] / "conf/starmeet.yaml"


class Trial(Gateway):
    """portico try FILE with a listener of the file on a free port."""

    def __init__(self, file, directory, listener, options):
        self.port, self.directory = free_port(), directory
        self.stdout_file, self.stderr_file = directory / "stdout", directory / "stderr"
        if listener:
            options = [*options, "--override", f"{listener}=127.0.0.1:{self.port}"]
        with open(self.stdout_file, "wb") as stdout, open(self.stderr_file, "wb") as stderr:
            self.process = subprocess.Popen([BINARY, "try", file, *options], cwd=directory, stdin=subprocess.DEVNULL,
                                            stdout=stdout, stderr=stderr)
        self.pid = self.process.pid
        wait_until(self._said_everything, "the lines", PATIENCE)

    def _said_everything(self):
        assert self.process.poll() is None, f"ended at once with {self.process.returncode}: {self.stderr()}"
        return re.search(r"\n# a WebSocket.*\n.*\n\n", self.stdout())

    def stdout(self):
        return self.stdout_file.read_text()

    def lines(self, program):
        """The printed lines that begin with the program."""
        return [line.strip() for line in self.stdout().splitlines() if line.startswith(f"    {program}")]


@pytest.fixture
def trial(tmp_path):
    """trial() tries conf/starmeet.yaml; trial(config) a configuration whose first listener stands in for :80."""
    started = []

    def start(config=None, options=(), listener=":80"):
        directory = tmp_path / f"trial{len(started)}"
        directory.mkdir()
        file = STARMEET
        if config:
            file = directory / "portico.yaml"
            file.write_text(yaml.dump(config))
        started.append(Trial(file, directory, listener, options))
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
    return STARMEET
