"""Ready to run: the image of the Dockerfile as a container without rights, and the unit as systemd itself runs it."""
import os
import shutil
import socket
import time

import httpx
import pytest

from containers import DEBIAN, Container, build, build_portico, obstacle, podman
from lib.client import Client, get
from lib.ports import free_port
from lib.upstream import Upstream, ok
from lib.wait import BINARY, PATIENCE, wait_until

pytestmark = [pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("podman") or not DEBIAN.exists(),
                                 reason="needs root, podman and the Debian that setup.sh makes"), pytest.mark.timeout(600)]
LEAST = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
SYSTEMD = ["--systemd=always", "--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined"]


def written(port, body, app="127.0.0.1:9"):
    return (f'listen: ["0.0.0.0:{port}"]\nupstreams: {{ app: "{app}" }}\nsites:\n  - hosts: ["*"]\n    routes:\n'
            f"      - {{ prefix: /app, upstream: app }}\n      - {{ prefix: /, respond: {{ body: {body} }} }}\n")


def body_at(port):
    try:
        return httpx.get(f"http://127.0.0.1:{port}/", timeout=PATIENCE).text
    except httpx.HTTPError:
        return None


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    if reason := obstacle():
        pytest.skip(f"this machine runs no containers: {reason}")
    build_portico(BINARY, tmp_path_factory.mktemp("image"))
    return "localhost/portico"


@pytest.fixture
def contained(tmp_path):
    """contained(image, text, option...) runs one; it is removed at the end."""
    started = []

    def start(image, text, *options):
        config = tmp_path / "portico.yaml"
        config.write_text(text)
        config.chmod(0o644)
        started.append(Container(image, config, *options))
        return started[-1]

    yield start
    for container in started:
        container.remove()


# The container -------------------------------------------------------------------------------------------

def test_a_container_without_rights(image, contained):
    port = free_port()
    container = contained(image, written("${env:PORT}", "first"), *LEAST, "--env", f"PORT={port}")
    wait_until(lambda: body_at(port) == "first", "the container to answer")
    podman("healthcheck", "run", container.id)
    nowhere = container.execute("portico", "check", "--live", "/etc/portico/portico.yaml", options=["--env", f"PORT={free_port()}"],
                                check=False)
    assert nowhere.returncode != 0 and "does not answer" in nowhere.stderr
    status = container.execute("cat", "/proc/1/status").stdout
    assert "Uid:\t65534\t65534" in status and "CapBnd:\t0000000000000000" in status
    container.rewrite(written("${env:PORT}", "second"))
    podman("kill", "--signal", "HUP", container.id)
    wait_until(lambda: body_at(port) == "second", "the new configuration")
    podman("stop", "--time", "10", container.id)
    assert container.state(".State.ExitCode") == "0" and "stopped" in container.logs()


# The unit ------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def with_systemd(image):
    build("localhost/portico-systemd", "-f", "tests/real/systemd/Dockerfile")
    return "localhost/portico-systemd"


def show(container, *names):
    """Properties of the unit."""
    lines = container.execute("systemctl", "show", "portico", *(f"--property={name}" for name in names)).stdout.split("\n")
    return dict(line.split("=", 1) for line in lines if line)


def upgrade(container):
    before = show(container, "MainPID")
    container.execute("systemctl", "kill", "--signal=USR2", "--kill-whom=main", "portico")
    wait_until(lambda: show(container, "MainPID") != before, "another main process")
    assert show(container, "StatusText") == {"StatusText": "Serving after an upgrade"}


@pytest.mark.parametrize("upgraded", [False, True], ids=["as started", "upgraded"])
def test_the_unit_serves_reloads_and_stops(with_systemd, contained, upgraded):
    """A stop waits for what is under way, also when systemd is not the parent of the main process any more."""
    def slowly(connection):
        while connection.request():
            time.sleep(1)
            connection.send(ok(b"late"))

    port, app = free_port(), Upstream(slowly)
    container = contained(with_systemd, written(port, "first", app.address), *SYSTEMD)
    wait_until(lambda: body_at(port) == "first", "the unit to serve", 4 * PATIENCE)
    assert show(container, "ActiveState", "SubState") == {"ActiveState": "active", "SubState": "running"}
    container.rewrite(written(port, "second"))
    container.execute("systemctl", "reload", "portico")
    wait_until(lambda: body_at(port) == "second", "the new configuration")
    container.rewrite("listen: nonsense\n")
    container.execute("systemctl", "reload", "portico")
    assert body_at(port) == "second" and show(container, "ActiveState") == {"ActiveState": "active"}
    container.rewrite(written(port, "third", app.address))
    container.execute("systemctl", "reload", "portico")
    wait_until(lambda: body_at(port) == "third", "the last configuration")
    if upgraded:
        upgrade(container)
    assert body_at(port) == "third"
    with Client(port) as client:
        client.send(get("/app"))
        app.wait_requests(1)
        container.execute("systemctl", "stop", "portico")
        assert client.response().body == b"late"
    assert show(container, "ActiveState", "Result") == {"ActiveState": "inactive", "Result": "success"}
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
        pass
    app.close()
