"""What checks answer in a drill: in a simulated one what was written, in a live one only about its hosts."""

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from agent.drill.fence import Fence, NoShell
from agent.model.check import CheckRules
from agent.model.drill import Answer
from agent.model.observation import Observation, Pass, Verdict
from agent.plugin.api import Secrets, Shell
from agent.plugin.probe import Probe
from agent.runtime.interview import Interviewer, Put
from agent.runtime.neighbours import Neighbours
from agent.runtime.placing import HostNames, unasked_host, unasked_subject
from agent.runtime.redaction import Redactor


@dataclass(slots=True)
class _Given:
    answer: Answer
    since: float
    cleared: bool = False

    def holds(self, at: float) -> bool:
        lasts = self.answer.lasts
        return not self.cleared and at >= self.since and (lasts is None or at < self.since + lasts)


class Simulation:
    """The answers that were injected. Thread-safe."""

    def __init__(self) -> None:
        self._given: list[_Given] = []
        self._lock = threading.Lock()

    def inject(self, answer: Answer, at: float) -> None:
        """The check says so from `at` on, seconds since the epoch."""
        with self._lock:
            self._given.append(_Given(answer, at))

    def carried_out(self, runbook: str, host: str) -> None:
        """The steps of a runbook were recorded for a host."""
        with self._lock:
            for given in self._given:
                if given.answer.cleared_by == runbook and given.answer.host in (None, host):
                    given.cleared = True

    def clear(self) -> None:
        """All is well from now on."""
        with self._lock:
            for given in self._given:
                given.cleared = True

    def answers(self, probe: Probe, at: float, probed: Collection[str]) -> list[tuple[Answer, bool]]:
        """What was said for this probe so far, and whether it holds. `probed`: hosts where the check has probes."""
        with self._lock:
            given = [each for each in self._given if each.answer.check == probe.check]
        # An answer about a host that the check does not ask by itself comes from each of its probes.
        return [
            (each.answer, each.holds(at))
            for each in given
            if each.answer.host == probe.host.name or each.answer.host not in probed
        ]

    def interviewer(self, probes: Sequence[Probe]) -> "_Made":
        """Takes the place of `Interviewer`."""
        probed: dict[str, set[str]] = {}
        for probe in probes:
            probed.setdefault(probe.check, set()).add(probe.host.name)
        return _Made(self, probed)


@dataclass(frozen=True)
class _Made:
    simulation: Simulation
    probed: Mapping[str, Collection[str]]

    def __call__(self, shell: Shell, secrets: Secrets, redactor: Redactor, neighbours: Neighbours) -> Interviewer:
        return _Simulated(self.simulation, self.probed, secrets, redactor, neighbours)


class _Simulated(Interviewer):
    """Asks nobody: OK, but for what was injected."""

    def __init__(
        self,
        simulation: Simulation,
        probed: Mapping[str, Collection[str]],
        secrets: Secrets,
        redactor: Redactor,
        neighbours: Neighbours,
    ) -> None:
        super().__init__(NoShell(), secrets, redactor, neighbours)
        self._simulation = simulation
        self._probed = probed

    def ask(self, probe: Probe, rules: CheckRules, put: Put, names: HostNames) -> Pass:
        observations: dict[str, Observation] = {}
        if not probe.check_type.own_subjects:
            usual = Observation(
                probe.check, unasked_subject(probe), unasked_host(probe), Verdict.OK, put.at, "simulated"
            )
            observations[usual.subject] = usual
        for answer, holds in self._simulation.answers(probe, put.at, self._probed.get(probe.check, ())):
            said = _said(probe, answer, put.at)
            if holds or said.subject not in observations:
                observations[said.subject] = said if holds else _well(said)
        return Pass(probe.check, probe.scope, put.at, tuple(observations.values()))


def _said(probe: Probe, answer: Answer, at: float) -> Observation:
    verdict = Verdict[answer.verdict.upper()]
    host = answer.host or unasked_host(probe)
    subject = answer.subject or host or unasked_subject(probe)
    cleared = verdict is Verdict.OK
    return Observation(probe.check, subject, host, verdict, at, answer.message, answer.value, cleared)


def _well(said: Observation) -> Observation:
    return replace(said, verdict=Verdict.OK, message="simulated", value=None, cleared=True)


@dataclass(frozen=True)
class OnlyItsHosts:
    """Takes the place of `Interviewer` in a live drill: what is said of other hosts is none of its business."""

    fence: Fence

    def __call__(self, shell: Shell, secrets: Secrets, redactor: Redactor, neighbours: Neighbours) -> Interviewer:
        return _Scoped(self.fence, shell, secrets, redactor, neighbours)


class _Scoped(Interviewer):
    def __init__(
        self, fence: Fence, shell: Shell, secrets: Secrets, redactor: Redactor, neighbours: Neighbours
    ) -> None:
        super().__init__(shell, secrets, redactor, neighbours)
        self._fence = fence

    def ask(self, probe: Probe, rules: CheckRules, put: Put, names: HostNames) -> Pass:
        asked = super().ask(probe, rules, put, names)
        ours = tuple(
            each
            for each in asked.observations
            if each.host in (None, probe.host.name) or each.host in self._fence.allowed
        )
        return replace(asked, observations=ours)
