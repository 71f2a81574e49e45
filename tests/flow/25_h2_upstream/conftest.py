"""Upstreams that speak HTTP/2: grpcio, hypercorn and nghttpd as they are, and servers of scripted frames."""
import pytest

from lib.h2raw import H2
from lib.h2server import H2Upstream


@pytest.fixture
def h2_upstream():
    """h2_upstream(script, ...): the n-th connection runs the n-th script, the last for ever."""
    started = []

    def start(*scripts):
        started.append(H2Upstream(*scripts))
        return started[-1]

    yield start
    for each in started:
        each.close()
    errors = [error for each in started for error in each.errors]
    assert not errors, errors


@pytest.fixture
def h2():
    """h2(gateway, ...) opens an HTTP/2 connection, closed at the test's end."""
    opened = []

    def open_one(gateway, **settings):
        opened.append(H2(gateway.port, **settings))
        return opened[-1]

    yield open_one
    for connection in opened:
        connection.close()


@pytest.fixture
def h2c(portico):
    """h2c(upstream, ...): a gateway that speaks HTTP/2 with it. Keywords are the upstream's settings; `gateway` holds others."""
    def start(upstream, gateway=None, **settings):
        address = getattr(upstream, "address", upstream)
        return portico({"app": {"servers": [address], "protocol": "h2c", **settings}}, **(gateway or {}))
    return start
