"""h2(gateway, ...) opens an HTTP/2 connection, closed at the test's end."""
import pytest

from lib.h2raw import H2


@pytest.fixture
def h2():
    opened = []

    def open_one(gateway, **settings):
        opened.append(H2(gateway.port, **settings))
        return opened[-1]

    yield open_one
    for connection in opened:
        connection.close()
