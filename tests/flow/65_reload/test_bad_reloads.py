"""A reload that cannot be: the old configuration serves on, and one message says what is wrong and where."""
import re
import socket

import pytest

from lib import yaml
from lib.gateway import route_to
from lib.tls import tls_listener
from lib.upstream import named


def broken_syntax(config, folder, busy_port):
    return yaml.dump(config).replace("sites:", "sites: [}", 1), r"error config: .*portico\.yaml:\d+:\d+: "


def missing_certificate(config, folder, busy_port):
    config["listen"].append(tls_listener(busy_port))
    config["tls"] = {"certificates": [{"chain": str(folder / "none.pem"), "key": str(folder / "none.key")}]}
    return yaml.dump(config), r"error config: .*portico\.yaml:\d+:\d+: .*none\.pem cannot be read: No such file or directory"


def taken_port(config, folder, busy_port):
    config["listen"].append({"address": f"127.0.0.1:{busy_port}"})
    return yaml.dump(config), r"error server: .*portico\.yaml:\d+:\d+: cannot listen on .*: Address already in use"


def name_that_does_not_resolve(config, folder, busy_port):
    config["upstreams"] = {**config["upstreams"], "late": {"servers": [f"late.test:{busy_port}"]}}
    config["sites"] = [{"hosts": ["*"], "routes": [route_to("late", "/late"), *config["sites"][0]["routes"]]}]
    return yaml.dump(config), r"error config: .*portico\.yaml:\d+:\d+: upstream late: server late\.test:\d+ does not resolve: NXDOMAIN"


def no_file(config, folder, busy_port):
    return None, r"error config: \S*portico\.yaml: cannot be read: No such file or directory"


@pytest.mark.parametrize("make", [broken_syntax, missing_certificate, taken_port, name_that_does_not_resolve, no_file])
def test_the_old_configuration_serves_on(portico, upstream, names, tmp_path, make):
    gateway = portico({"old": upstream(named("old")), "new": upstream(named("new"))}, names.environment,
                      routes=[route_to("old")])
    worker, good = gateway.worker(), {**gateway.config, "sites": [{"hosts": ["*"], "routes": [route_to("new")]}]}
    with gateway.client() as client, socket.create_server(("127.0.0.1", 0)) as busy:
        assert client.get("/").body == b"old"
        text, said = make({**good, "listen": [*good["listen"]]}, tmp_path, busy.getsockname()[1])
        gateway.config_file.unlink() if text is None else gateway.config_file.write_text(text)
        gateway.refuse_reload()
        wrong = [line for line in gateway.stderr().splitlines() if " error " in line and "the old configuration" not in line]
        assert len(wrong) == 1 and re.search(said, wrong[0]), gateway.stderr()
        assert client.get("/").body == b"old"
        gateway.reload(good)
        assert client.get("/").body == b"new"
    assert gateway.worker() == worker
