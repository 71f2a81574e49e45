"""Files that values are read from (${file:}, users, pages) are watched: what they hold counts soon after it has changed, without a signal."""
import os

import pytest

from lib import yaml
from lib.client import get, upgrade
from lib.gateway import route_to
from lib.upstream import named, websocket
from lib.users import basic, sha512
from lib.wait import wait_until

OLD, NEW = "https://old.test", "https://new.test"
CHANGED, SERVING, STAYS = "has changed on disk", "serving the new configuration", "the old configuration stays"


def replace(path, text):
    """In one step, as tools that rotate secrets do."""
    draft = path.with_name(path.name + ".draft")
    draft.write_text(text)
    os.rename(draft, path)


class Origins:
    """A gateway whose CORS origins stand in a file that its worker, another user, may not read."""

    def __init__(self, portico, upstream, path):
        self.path = path
        path.write_text(OLD + "\n")
        path.chmod(0o600)
        self.gateway = portico({"app": upstream(named("app"))}, defaults={"cors": {"origins": f"${{file:{path}}}"}})

    def allows(self, origin):
        with self.gateway.client() as client:
            return client.get(origin=origin).get("Access-Control-Allow-Origin") == origin

    def count(self, text):
        return self.gateway.stderr().count(text)


@pytest.fixture
def origins(portico, upstream, tmp_path):
    made = Origins(portico, upstream, tmp_path / "origins")
    assert made.allows(OLD) and not made.allows(NEW)
    return made


def test_a_new_value_counts_without_a_signal(origins):
    with origins.gateway.client() as client:
        assert client.get(origin=NEW).get("Access-Control-Allow-Origin") is None
        replace(origins.path, NEW)
        wait_until(lambda: origins.allows(NEW), "the new origin")
        assert client.get(origin=NEW).get("Access-Control-Allow-Origin") == NEW  # on the connection from before
    assert not origins.allows(OLD)
    wait_until(lambda: origins.count(SERVING), "the line")
    assert origins.count(f"{origins.path} {CHANGED}") == 1 and origins.count(SERVING) == 1


def test_a_link_that_is_turned_counts(portico, upstream, tmp_path):
    """As Kubernetes and certbot change several files at once."""
    for name, origin in (("1", OLD), ("2", NEW)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "origins").write_text(origin)
    (tmp_path / "data").symlink_to("1")
    (tmp_path / "origins").symlink_to("data/origins")
    gateway = portico({"app": upstream(named("app"))}, defaults={"cors": {"origins": f"${{file:{tmp_path / 'origins'}}}"}})
    (tmp_path / "turned").symlink_to("2")
    os.rename(tmp_path / "turned", tmp_path / "data")
    with gateway.client() as client:
        wait_until(lambda: client.get(origin=NEW).get("Access-Control-Allow-Origin") == NEW, "the new origin")


def test_what_is_wrong_changes_nothing_and_is_said(origins):
    replace(origins.path, "no origin")
    wait_until(lambda: origins.count(STAYS), "the refusal")
    assert origins.allows(OLD)
    assert f"{origins.gateway.config_file}:" in origins.gateway.stderr()
    assert "no origin" not in origins.gateway.stderr(), "what stands in a file is a secret"
    replace(origins.path, NEW)
    wait_until(lambda: origins.allows(NEW), "the new origin")
    assert origins.count(STAYS) == 1


def test_a_file_that_is_gone_goes_on_as_it_was(origins):
    origins.path.unlink()
    wait_until(lambda: origins.count("what it held stays in force"), "the complaint")
    assert origins.allows(OLD)
    replace(origins.path, NEW)
    wait_until(lambda: origins.allows(NEW), "the new origin")
    assert origins.count("what it held stays in force") == 1


def test_the_same_again_is_no_change(origins):
    for _ in range(3):
        replace(origins.path, OLD + "\n")
        os.utime(origins.path)
    replace(origins.path, NEW)
    wait_until(lambda: origins.allows(NEW), "the new origin")
    wait_until(lambda: origins.count(SERVING), "the line")
    assert origins.count(SERVING) == 1


def test_many_changes_are_few_reloads(origins):
    for number in range(200):
        replace(origins.path, f"https://{number}.test")
    wait_until(lambda: origins.allows("https://199.test"), "the last origin")
    assert origins.count(SERVING) <= 3


def test_a_configuration_that_is_being_edited_is_left_alone(origins):
    """Only who writes it knows when it is done, and says so with a signal."""
    edited = {**origins.gateway.config, "defaults": {**origins.gateway.config["defaults"], "methods": ["GET"]}}
    origins.gateway.config_file.write_text(yaml.dump(edited))
    replace(origins.path, NEW)
    wait_until(lambda: origins.allows(NEW), "the new origin")
    with origins.gateway.client() as client:
        assert client.ask(get(method="DELETE")).status == 200
    origins.gateway.config_file.write_text("sites: [")
    replace(origins.path, OLD)
    wait_until(lambda: origins.allows(OLD), "the old origin again")
    origins.gateway.config_file.write_text(yaml.dump(edited))
    origins.gateway.reload(edited)
    with origins.gateway.client() as client:
        assert client.ask(get(method="DELETE")).status == 405


def test_a_signal_at_the_same_time_loses_nothing(origins):
    for origin in (NEW, OLD, NEW, OLD, NEW):
        replace(origins.path, origin)
        origins.gateway.reload(origins.gateway.config)
        assert origins.allows(origin)


def test_after_a_worker_has_died_the_new_value_counts(origins):
    origins.gateway.deaths += 1
    os.kill(origins.gateway.worker(), 9)
    replace(origins.path, NEW)
    wait_until(lambda: origins.gateway.stderr().count("starting another worker"), "another worker")
    wait_until(lambda: origins.allows(NEW), "the new origin")


def test_users_and_pages(portico, upstream, tmp_path):
    users, page = tmp_path / "users", tmp_path / "page"
    users.write_text(f"anna:{sha512('a')}\n")
    page.write_text("back at noon\n")
    gateway = portico({"app": upstream(named("app"))},
                      routes=[route_to("app", "/staff", basic_auth={"users": str(users)}),
                              route_to("app", maintenance={"file": str(page)})])
    with gateway.client() as client:
        assert client.get("/staff", authorization=basic("anna", "a")).status == 200
        replace(users, f"berta:{sha512('a')}\n")
        wait_until(lambda: client.get("/staff", authorization=basic("anna", "a")).status == 401, "anna is known no longer")
        assert client.get("/").body == b"back at noon\n"
        replace(page, "back at one\n")
        wait_until(lambda: client.get("/").body == b"back at one\n", "the new page")


def test_tunnels_live_on(portico, upstream, tmp_path):
    path = tmp_path / "origins"
    path.write_text(OLD)
    service = upstream(websocket(lambda connection: [connection.send(connection.some()) for _ in range(2)]))
    gateway = portico({"app": service}, defaults={"cors": {"origins": f"${{file:{path}}}"}})
    with gateway.client() as client:
        assert client.ask(upgrade()).status == 101
        client.send(b"before")
        assert client.exactly(6) == b"before"
        replace(path, NEW)
        wait_until(lambda: SERVING in gateway.stderr(), "the new value")
        client.send(b"after!")
        assert client.exactly(6) == b"after!"
