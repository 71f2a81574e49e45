"""The gateway as a process: started from a configuration, watched, stopped, and asked whether it ended well."""
import os
import signal
import subprocess

from lib import yaml
from lib.client import Client, raw
from lib.manager import Manager
from lib.records import Record
from lib.wait import BINARY, PATIENCE, wait_until

COMPLAINTS = ("Sanitizer", "runtime error:", "CHECK")
DEATH = "error supervisor: worker"


def passable(tmp_path):
    """A temporary folder of pytest's that the process that serves, nobody when the tests run as root, may pass."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.name.startswith(("pytest-", "popen-")) or folder == tmp_path:
            folder.chmod(0o755)
    return tmp_path


def route_to(upstream, prefix="/", **settings):
    return {"prefix": prefix, "upstream": upstream, **settings}


class Gateway:
    """portico run FILE. `config` is a map to be written or the path of a file; `options` stand before the file, `prefix` before
    the program."""

    def __init__(self, config, directory, port, environment=None, options=(), prefix=(), program=BINARY):
        self.port, self.directory = port, directory
        self.config = config
        self.config_file, self.access_log = directory / "portico.yaml", directory / "access.log"
        self.stdout_file, self.stderr_file = directory / "stdout", directory / "stderr"
        if isinstance(config, dict):
            self.text = yaml.dump(config)
            self.config_file.write_text(self.text)
        else:
            self.config_file = config
        command = [*prefix, program, "run", *options, self.config_file]
        self.manager = Manager()
        self.deaths = 0  # of workers, that the test has brought about
        with open(self.stdout_file, "wb") as stdout, open(self.stderr_file, "wb") as stderr:
            self.process = subprocess.Popen(command, cwd=directory, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
                                            env={**os.environ, **self.manager.environment, **(environment or {})})
        wait_until(self._is_ready, "the gateway to be ready", PATIENCE)
        self.pid = self.worker()

    def _is_ready(self):
        assert self.process.poll() is None, f"ended at once with {self.process.returncode}: {self.stderr()}"
        return self.manager.count("READY")

    def worker(self):
        """The process that serves; None while there is none. `process` is the supervisor."""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as children:
            return next(map(int, children.read().split()), None)

    # seeing

    def stderr(self):
        return self.stderr_file.read_text(errors="replace")

    def log_lines(self, count=0):
        """The access log, once it has at least `count` lines."""
        def lines():
            text = self.access_log.read_text() if self.access_log.exists() else ""
            return [line for line in text.split("\n")[:-1] if line]
        wait_until(lambda: len(lines()) >= count, f"{count} access records")
        return lines()

    def log_records(self, count=1):
        return [Record(line) for line in self.log_lines(count)]

    def last_record(self, count=1):
        """The count-th access record; with 1 the only one."""
        return self.log_records(count)[count - 1]

    def rss(self):
        """Resident bytes of the process that serves."""
        with open(f"/proc/{self.pid}/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def forget_peak(self):
        """peak_rss() counts from now on."""
        with open(f"/proc/{self.pid}/clear_refs", "w") as clear:
            clear.write("5")

    def peak_rss(self):
        """The most bytes that were ever resident."""
        with open(f"/proc/{self.pid}/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    # talking

    def client(self, **settings):
        return Client(self.port, **settings)

    def raw(self, data, slowly=False):
        return raw(self.port, data, slowly)

    # life

    def rewrite(self, change):
        """Writes the configuration anew, after change(config)."""
        change(self.config)
        self.config_file.write_text(yaml.dump(self.config))

    def signal(self, number):
        self.process.send_signal(number)

    def reload(self, config):
        """Serves from another configuration, once this has returned."""
        done = self.stderr().count("serving the new configuration")
        self.config = config
        self.config_file.write_text(yaml.dump(config))
        self.signal(signal.SIGHUP)
        wait_until(lambda: self.stderr().count("serving the new configuration") > done, "the new configuration")

    def refuse_reload(self):
        """Has the file read again, which must be wrong."""
        done = self.stderr().count("the old configuration stays")
        self.signal(signal.SIGHUP)
        wait_until(lambda: self.stderr().count("the old configuration stays") > done, "the refusal")

    def wait_ended(self, timeout=PATIENCE):
        """The exit code."""
        return self.process.wait(timeout)

    def stop(self):
        """Drains and asserts that the process ended well, and no worker by itself before."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        try:
            code = self.wait_ended()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"does not stop: {self.stderr()}") from None
        complaints = [line for line in self.stderr().splitlines() if any(word in line for word in COMPLAINTS)]
        assert not complaints and code == 0, f"exit code {code}: {self.stderr()}"
        assert self.stderr().count(DEATH) == self.deaths, self.stderr()


def configuration(port, upstreams, directory, routes=None, sites=None, **settings):
    """A configuration with one listener and short patience with clients that have gone.

    `upstreams` maps names to addresses or to whole upstream settings. Without routes everything goes to the first.
    `listen` adds listeners behind the plain one.
    """
    named = {name: value if isinstance(value, dict) else {"servers": [value]} for name, value in upstreams.items()}
    if routes is None:
        routes = [route_to(next(iter(named)))]
    base = {
        "process": {"threads": 1, "shutdown_timeout": "2s"},
        "log": {"access": str(directory / "access.log")},
        "listen": [{"address": f"127.0.0.1:{port}"}],
        "upstreams": named,
        "sites": sites or [{"hosts": ["*"], "routes": routes}],
    }
    base["listen"] += settings.pop("listen", [])
    for section, values in settings.items():
        base[section] = {**base.get(section, {}), **values} if isinstance(values, dict) else values
    return base


