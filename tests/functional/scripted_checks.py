"""Checks that do what a test says, asked by a real prober."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from agent.model.check import CheckRules
from agent.model.events import Observed
from agent.model.inventory import Host
from agent.model.observation import Answer, Observation, Pass
from agent.model.settings import Settings
from agent.plugin.api import CheckPorts, CheckType
from agent.plugin.probe import Probe
from agent.runtime.clock import Clock
from agent.runtime.interview import Interviewer
from agent.runtime.neighbours import Neighbours
from agent.runtime.prober import Prober
from agent.runtime.redaction import Redactor
from agent.runtime.secrets import Secrets
from agent.runtime.shell import LocalShell
from agent.runtime.shells import Shells
from agent.runtime.ssh import SshPool
from tests.neighbours.waiting import until

HERE = Host(name="localhost", connection="local")
WEB1 = Host(name="web1", address="10.0.0.1")
WEB2 = Host(name="web2", address="10.0.0.2")
HOSTS = {host.name: host for host in (HERE, WEB1, WEB2)}


class Script(CheckType):
    """A check type that does what the test says."""

    kind = "script"
    readings = None
    do: Callable[[Host, CheckPorts], Sequence[Answer]]

    def ask(self, target: Host, ports: CheckPorts) -> Sequence[Answer]:
        return self.do(target, ports)


class Elsewhere(Script):
    """As prometheus: it alone knows its subjects."""

    kind = "elsewhere"
    own_subjects = True


@dataclass
class Watch:
    """A prober, and what it posted."""

    prober: Prober
    passes: list[Pass] = field(default_factory=list)

    def use(self, *probes: Probe, **rules: object) -> None:
        checks = {
            probe.check: CheckRules.model_validate({"name": probe.check, "kind": "script", **rules}) for probe in probes
        }
        self.prober.use(Settings(checks=checks, hosts=HOSTS), probes)

    def of(self, check: str) -> list[Pass]:
        return [each for each in self.passes if each.check == check]

    def wait(self, count: int, check: str = "c") -> list[Pass]:
        return until(
            lambda: found if len(found := self.of(check)) >= count else [],
            within=30,
            what=f"{count} answers of {check}",
        )

    def only(self, check: str = "c") -> Observation:
        (observation,) = self.wait(1, check)[0].observations
        return observation


def make(workers: int = 8) -> tuple[Watch, SshPool]:
    pool = SshPool()
    shells = Shells({}, pool, LocalShell())
    secrets = Secrets({}, {})
    passes: list[Pass] = []

    def post(event: Observed) -> None:
        passes.extend(event.passes)

    neighbours = Neighbours()
    interviewer = Interviewer(shells, secrets, Redactor(secrets.seen), neighbours)
    prober = Prober(interviewer, post, Clock().now, workers=workers, turned_away=neighbours.to_ask_again)
    prober.start()
    return Watch(prober, passes), pool


def probe(check: str, do: Callable[[Host, CheckPorts], Sequence[Answer]], host: Host = HERE) -> Probe:
    return Probe(check, host, Script(do=do))


def fine(host: Host, ports: CheckPorts) -> Sequence[Answer]:
    return [Answer({"n": 1.0}, message="fine")]


class Gate:
    """A question that is answered when the test says so."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.asked = 0
        self.at_once = 0
        self.most_at_once = 0
        self._lock = threading.Lock()

    def __call__(self, host: Host, ports: CheckPorts) -> Sequence[Answer]:
        with self._lock:
            self.asked += 1
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        self.open.wait(60)
        with self._lock:
            self.at_once -= 1
        return [Answer(message=f"answer {self.asked}")]


# what is observed
