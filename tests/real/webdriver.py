"""A headless Chromium, driven over WebDriver (W3C) with nothing but HTTP and JSON."""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import time
import urllib.error
import urllib.request

from lib.ports import free_port
from lib.wait import wait_until

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # WebDriver section 12.3: names a reference to an element
START = 60  # seconds that the browser may take
QUIET = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync"]


class Browser:
    """One browser in a folder of its own, which is its home, too. It trusts `authority` besides its own roots.

    `places` are pairs of host:port and where they are instead. Certificates are verified as always.
    """

    def __init__(self, folder, authority, places):
        self.folder, self.log = folder, folder / "chromedriver.log"
        self._trust(authority)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        with open(self.log, "wb") as log:
            self.driver = subprocess.Popen(["chromedriver", f"--port={port}"], cwd=folder, stdin=subprocess.DEVNULL, stdout=log,
                                           stderr=log, env={**os.environ, "HOME": str(folder)})
        try:
            wait_until(self._is_ready, "chromedriver", START)
            self.session = self._begin(places)
        except BaseException:
            self.stop()
            raise

    # life

    def _trust(self, authority):
        database = self.folder / ".pki/nssdb"
        database.mkdir(parents=True)
        for options in (["-N", "--empty-password"], ["-A", "-n", "development", "-t", "C,,", "-i", authority]):
            subprocess.run(["certutil", "-d", f"sql:{database}", *options], check=True, capture_output=True, timeout=START)

    def _is_ready(self):
        assert self.driver.poll() is None, self.log.read_text(errors="replace")
        with contextlib.suppress(OSError):
            return self._call("GET", "/status")["ready"]
        time.sleep(0.05)
        return False

    def _begin(self, places):
        rules = ", ".join(f"MAP {name} {place}" for name, place in places)
        arguments = [*QUIET, f"--user-data-dir={self.folder / 'profile'}", f"--host-resolver-rules={rules}"]
        wanted = {"browserName": "chrome", "goog:chromeOptions": {"args": arguments, "binary": "/usr/bin/chromium"},
                  "timeouts": {"pageLoad": START * 1000, "script": START * 1000}}
        begun = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        return f"/session/{begun['sessionId']}"

    def stop(self):
        """Ends the browser, then its driver, by their ids."""
        with contextlib.suppress(AttributeError, OSError, RuntimeError):
            self._call("DELETE", self.session)
        self.driver.terminate()
        try:
            self.driver.wait(5)
        except subprocess.TimeoutExpired:
            self.driver.kill()
            self.driver.wait()
        for process in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def processes(self):
        """Ids of the processes that have this browser's folder on their command line."""
        mark, found = f"--user-data-dir={self.folder}/".encode(), []
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if mark in path.read_bytes():
                    found.append(int(path.parent.name))
        return found

    # doing

    def _call(self, method, path, arguments=None):
        body = None if method in ("GET", "DELETE") else json.dumps(arguments or {}).encode()
        request = urllib.request.Request(self.url + path, body, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=START) as response:
                return json.load(response)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {json.load(error)['value']['message']}") from None

    def open(self, url):
        """Loads the page, or shows the browser's own word on why not."""
        self._call("POST", f"{self.session}/url", {"url": url})

    def script(self, text, *arguments):
        """The value that the script returns in the page."""
        return self._call("POST", f"{self.session}/execute/sync", {"script": text, "args": arguments})

    def click(self, selector):
        found = self._call("POST", f"{self.session}/element", {"using": "css selector", "value": selector})
        self._call("POST", f"{self.session}/element/{found[ELEMENT]}/click")

    def text(self, selector):
        """What stands in the element; empty when there is none."""
        return self.script("return document.querySelector(arguments[0])?.textContent ?? ''", selector)

    def press(self, key):
        """Presses and releases a key, by its WebDriver code (W3C WebDriver section 17.4.2) or as it is."""
        strokes = [{"type": kind, "value": key} for kind in ("keyDown", "keyUp")]
        self._call("POST", f"{self.session}/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": strokes}]})

    def emulate(self, scheme, width):
        """A screen of this width whose owner prefers the scheme, "light" or "dark"."""
        for command, parameters in (
                ("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}),
                ("Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False})):
            self._call("POST", f"{self.session}/goog/cdp/execute", {"cmd": command, "params": parameters})

    def transfers(self):
        """Paths of the page and of all that it has loaded, with the protocol that brought each, as the browser says."""
        return self.script("""return ['navigation', 'resource'].flatMap(kind => performance.getEntriesByType(kind))
                              .map(entry => [new URL(entry.name).pathname, entry.nextHopProtocol])""")
