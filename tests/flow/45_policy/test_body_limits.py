"""max_body over HTTP/2: 413 before anything is read when the length is told, in the middle when it is not; streams go on."""
import pytest

from lib.gateway import route_to
from lib.h2raw import H2
from lib.upstream import echo


@pytest.fixture
def limited(portico, upstream):
    app = upstream(echo)
    gateway = portico(app, routes=[route_to("app", "/small", max_body="1KiB"), route_to("app")])
    with H2(gateway.port) as connection:
        yield app, gateway, connection


def test_a_length_that_is_told(limited):
    app, gateway, connection = limited
    stream = connection.request("/small", method="POST", end=False, extra=[("content-length", "1025")])
    assert connection.finish(stream).status == 413
    assert not app.connections
    assert gateway.last_record().cause == "body_too_large"


def test_a_length_that_is_not_told(limited):
    app, gateway, connection = limited
    stream = connection.request("/small", body=b"x" * 1024, end=False, method="POST")
    other = connection.request("/", body=b"y" * 4096, method="POST")
    assert connection.finish(other).status == 200
    connection.data(stream, b"x", end=False)
    assert connection.finish(stream).status == 413
    assert connection.get("/").status == 200  # the connection is none the worse for it
    assert sorted(record.cause for record in gateway.log_records(3)) == ["body_too_large", "ok", "ok"]


def test_exactly_the_limit(limited):
    _, _, connection = limited
    stream = connection.request("/small", body=b"x" * 1024, method="POST")
    assert connection.finish(stream).status == 200
