"""Fixtures of every scenario: upstream(...) starts a scripted upstream, portico(...) a gateway in front of it."""
import pytest

from lib.dns import NameServer
from lib.gateway import Gateway, configuration, passable
from lib.ports import free_port
from lib.upstream import Upstream
from lib.wait import BINARY


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes more than a few seconds")


@pytest.fixture
def tmp_path(tmp_path):
    return passable(tmp_path)


@pytest.fixture
def upstream():
    """upstream(script, ...) starts one; what a script asserted in vain fails the test at its end."""
    started = []

    def start(*scripts, **settings):
        started.append(Upstream(*scripts, **settings))
        return started[-1]

    yield start
    for each in started:
        each.close()
    errors = [error for each in started for error in each.errors]
    assert not errors, errors


@pytest.fixture
def names():
    """A name server, for `environment=names.environment`."""
    server = NameServer()
    yield server
    server.close()


@pytest.fixture
def portico(tmp_path):
    """portico(upstream, ...) starts a gateway; at the end of the test it must stop with exit code 0 and no complaint.

    The first argument is an Upstream or a map of names to upstreams, addresses or settings; see configuration() for the rest.
    """
    started = []

    def start(upstreams, environment=None, options=(), prefix=(), program=BINARY, **settings):
        directory = tmp_path / f"gateway{len(started)}"
        directory.mkdir()
        directory.chmod(0o777)
        port = free_port()
        if not isinstance(upstreams, dict):
            upstreams = {"app": upstreams}
        addresses = {name: getattr(value, "address", value) for name, value in upstreams.items()}
        config = configuration(port, addresses, directory, **settings)
        gateway = Gateway(config, directory, port, environment, options, prefix, program)
        started.append(gateway)
        return gateway

    yield start
    for gateway in started:
        gateway.stop()


@pytest.fixture
def bystander():
    """bystander(gateway) opens a keep-alive connection; the returned function shows that it still works.

    Called before and after something bad happened to another connection.
    """
    opened = []

    def open_one(gateway, target="/"):
        client = gateway.client()
        opened.append(client)

        def still_works():
            assert client.get(target).status == 200
        still_works()
        return still_works

    yield open_one
    for client in opened:
        client.close()
