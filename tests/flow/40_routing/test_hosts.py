"""Which site a host belongs to: exact, longest wildcard, default; 421 without one."""
import pytest

from lib.client import get
from lib.faults import assert_made_here
from lib.gateway import route_to
from lib.upstream import named


def start(portico, upstream, **hosts):
    """One site per keyword: its name is also its upstream's."""
    names = {name: upstream(named(name)) for name in hosts}
    sites = [{"hosts": patterns, "routes": [route_to(name)]} for name, patterns in hosts.items()]
    return portico(names, sites=sites)


@pytest.mark.parametrize("host, site", [
    ("a.test", "exact"), ("A.Test", "exact"), ("a.test:8080", "exact"), ("a.test.", "exact"),
    ("x.b.test", "wild"), ("x.y.b.test", "wild"), ("x.deep.b.test", "deeper"), ("own.b.test", "one"),
    ("b.test", "default"), ("xb.test", "default"), ("127.0.0.1", "default"), ("[::1]", "default"),
])
def test_the_most_specific_host_wins(portico, upstream, host, site):
    gateway = start(portico, upstream, default=["*"], wild=["*.b.test"], deeper=["*.deep.b.test"],
                    exact=["a.test"], one=["own.b.test"])
    with gateway.client() as client:
        assert client.get("/", host=host).body.decode() == site


def test_an_unknown_host_is_421_and_the_connection_lives(portico, upstream):
    gateway = start(portico, upstream, a=["a.test"], b=["*.b.test"])
    with gateway.client() as client:
        for host in ("other.test", "a.test.evil", "b.test"):
            assert_made_here(client.get("/", host=host), "misdirected")
        assert client.get("/", host="a.test").body == b"a"
    records = gateway.log_records(4)
    assert [bool(record.site) for record in records] == [False, False, False, True]


def test_x_forwarded_host_chooses_nothing(portico, upstream):
    gateway = start(portico, upstream, a=["a.test"], b=["b.test"])
    with gateway.client() as client:
        assert client.get("/", host="a.test", x_forwarded_host="b.test").body == b"a"


def test_absolute_form_chooses_the_site(portico, upstream):
    gateway = start(portico, upstream, a=["a.test"], b=["b.test"])
    with gateway.client() as client:
        assert client.ask(get("http://b.test/", host="a.test")).body == b"b"
