"""The processes of one run: the upstream, and the proxies before it for one kind of work."""
import contextlib

import machine
from certificates import certificate
from loads import Target, get
from proxies import DIRECT, PROXIES, Job


def start_upstream(held, core):
    port = machine.free_port()
    process = machine.Process("upstream", core, [machine.compile_c("upstream"), port])
    held.callback(process.stop)
    process.wait_for(port)
    return Target(DIRECT, process.pid, port, None, port)


def start_proxy(name, core, upstream, work, connections):
    """(process, target); raises Failure when it does not come up. `work` is (routes, limited)."""
    proxy, port, tls_port = PROXIES[name], machine.free_port(), machine.free_port()
    arguments = proxy.configure(Job(port, tls_port, upstream.port, connections, *work, certificate()))
    process = machine.Process(name, core, ["env", *proxy.environment, proxy.path(), *arguments])
    process.wait_for(port)
    return process, Target(name, process.pid, port, tls_port, upstream.port)


class Fleet:
    """The named proxies, all running for one kind of work; idle ones cost nothing while one has its turn."""

    def __init__(self, names, core, upstream, connections):
        self.names, self.core, self.upstream, self.connections = names, core, upstream, connections
        self.work, self.running, self.targets = None, [], []

    def ready(self, scenario):
        """Targets for this scenario; what does not serve it is reported and left out."""
        work = scenario.routes(), scenario.limited
        if self.work != work or scenario.fresh:
            self.stop()
            self.start(work)
        return [target for target in self.targets if self.probe(target, scenario)]

    def start(self, work):
        self.work = work
        for name in self.names:
            if name == DIRECT:
                self.targets.append(self.upstream)
                continue
            try:
                process, target = start_proxy(name, self.core, self.upstream, work, self.connections)
            except machine.Failure as failure:
                print(f"{failure}; left out", flush=True)
                continue
            self.running.append(process)
            self.targets.append(target)

    @staticmethod
    def probe(target, scenario):
        if target.name == DIRECT:
            return scenario.direct
        status = None
        with contextlib.suppress(OSError):
            status = get(target.tls_port if scenario.tls else target.port, scenario.probe, scenario.tls)[0]
        if status != [b"200"]:
            print(f"{scenario.name}: {target.name} does not answer {scenario.probe} with 200; left out")
        return status == [b"200"]

    def stop(self):
        for process in self.running:
            process.stop()
        self.work, self.running, self.targets = None, [], []
