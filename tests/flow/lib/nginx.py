"""nginx as a process, for scenarios that compare: the configuration stands in http, ports and files are given."""
import shutil
import socket
import subprocess

from lib.wait import PATIENCE, wait_until

BINARY = shutil.which("nginx") or "/usr/sbin/nginx"
TEMPORARY = "\n".join(f"{kind}_temp_path {kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))


class Nginx:
    """nginx with one worker in a folder of its own; `http` is the text of its http block."""

    def __init__(self, directory, http, *ports):
        config = directory / "nginx.conf"
        config.write_text(f"daemon off;\nmaster_process off;\npid nginx.pid;\nevents {{}}\nhttp {{\naccess_log off;\n{TEMPORARY}\n{http}\n}}\n")
        self.error_log = directory / "error.log"
        with open(directory / "stderr", "wb") as stderr:
            self.process = subprocess.Popen([BINARY, "-p", directory, "-e", self.error_log, "-c", config],
                                            stdin=subprocess.DEVNULL, stderr=stderr)
        for port in ports:
            wait_until(lambda: self._accepts(port), "nginx", PATIENCE)

    def _accepts(self, port):
        assert self.process.poll() is None, self.error_log.read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE)
