"""The processes of one run: the upstream, and the proxies before it for one kind of work."""
import contextlib

import machine
from certificates import certificate
from loads import Target, get
from proxies import DIRECT, PROXIES, RELAYS, Job


def start_upstream(held, core):
    port = machine.free_port()
    process = machine.Process("upstream", core, [machine.compile_c("upstream"), port])
    held.callback(process.stop)
    process.wait_for(port)
    return Target(DIRECT, process.pid, port, None, port)


def start_proxy(name, core, upstream, work, connections):
    """(process, target), not awaited. `work` is (routes, limited); raises Failure when that is not its work."""
    proxy, port, tls_port = (PROXIES | RELAYS)[name], machine.free_port(), machine.free_port()
    arguments = proxy.configure(Job(port, tls_port, upstream.port, connections, *work, certificate()))
    process = machine.Process(name, core, ["env", *proxy.environment, proxy.path(), *arguments])
    return process, Target(name, process.pid, port, tls_port, upstream.port)


class Fleet:
    """The named proxies, running for each setting that is asked for; idle ones cost nothing while one has its turn."""

    def __init__(self, names, core, upstream, connections):
        self.names, self.core, self.upstream, self.connections = names, core, upstream, connections
        self.running = []   # (setting, processes, targets)

    def ready(self, scenario):
        """Targets for this scenario; what does not serve it is reported and left out."""
        setting = scenario.setting()
        targets = next((found for known, _, found in self.running if known == setting), None)
        return [target for target in targets or self.start(setting) if self.probe(target, scenario)]

    def start(self, setting):
        started, targets = [], []
        for name in self.names:
            if name == DIRECT:
                targets.append(self.upstream)
                continue
            try:
                started.append(start_proxy(name, self.core, self.upstream, setting, self.connections))
            except machine.Failure as failure:
                say_once(f"{failure}; left out")
        self.running.append((setting, [process for process, _ in started], targets))
        for process, target in started:
            try:
                process.wait_for(target.port)
                targets.append(target)
            except machine.Failure as failure:
                say_once(f"{failure}; left out")
        return targets

    @staticmethod
    def probe(target, scenario):
        if target.name == DIRECT:
            return scenario.direct
        status = None
        with contextlib.suppress(OSError):
            status = get(target.tls_port if scenario.tls else target.port, scenario.probe, scenario.tls)[0]
        if status != [b"200"]:
            say_once(f"{scenario.name}: {target.name} does not answer {scenario.probe} with 200; left out")
        target.at_rest = machine.memory_kib(target.pid)
        return status == [b"200"]

    def stop(self):
        processes = [process for _, some, _ in self.running for process in some]
        for process in processes:
            process.end()
        for process in processes:
            process.stop()
        self.running = []


def say_once(text):
    if text not in say_once.said:
        say_once.said.add(text)
        print(text, flush=True)


say_once.said = set()
