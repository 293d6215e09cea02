"""The steady state: asked before anything is broken, and again when all is put back."""

import time
from collections.abc import Callable, Sequence

from agent.model.drill_result import Asked
from agent.model.observation import Verdict
from agent.model.settings import Settings
from agent.plugin.probe import Probe
from agent.runtime.clock import elapsed
from agent.runtime.interview import Interviewer, Put
from agent.runtime.placing import HostNames

_PAUSE = 1.0


class SteadyState:
    """Of these checks, by their probes. `now` gives seconds since the epoch. Asks by itself, apart from the drill's
    agent: what that one believes is under exercise.
    """

    def __init__(
        self,
        checks: Sequence[str],
        settings: Settings,
        probes: Sequence[Probe],
        interviewer: Interviewer,
        now: Callable[[], float],
    ) -> None:
        asked = {probe.check for probe in probes}
        self._unasked = [check for check in checks if check not in asked]
        self._settings = settings
        self._probes = probes
        self._interviewer = interviewer
        self._names = HostNames(settings.hosts.values())
        self._now = now

    def wait(self, within: float, enough: Callable[[], bool] = lambda: False) -> tuple[Asked, ...]:
        """Until all is well, `within` seconds have passed or it is `enough`: what was said last."""
        end = time.monotonic() + within
        while True:
            asked = self._ask()
            left = end - time.monotonic()
            if is_steady(asked) or left <= 0 or enough():
                return asked
            time.sleep(min(_PAUSE, left))

    def _ask(self) -> tuple[Asked, ...]:
        why = "it asks none of the hosts that the drill may touch"
        found = [Asked(check, "", Verdict.UNKNOWN.name, why) for check in self._unasked]
        for probe in self._probes:
            put = Put(self._now(), time.monotonic(), urgent=True, elapsed=elapsed())
            answered = self._interviewer.ask(probe, self._settings.checks[probe.check], put, self._names)
            found += [
                Asked(each.check, each.subject, each.verdict.name, each.message) for each in answered.observations
            ]
            if not answered.observations:
                found.append(Asked(probe.check, probe.host.name, Verdict.UNKNOWN.name, "it said nothing"))
        return tuple(found)


def is_steady(asked: Sequence[Asked]) -> bool:
    """Where nothing was to be asked, nothing is unsteady."""
    return all(each.verdict == Verdict.OK.name for each in asked)


def unsteady(asked: Sequence[Asked]) -> str:
    """Which are not well, as a sentence."""
    wrong = [each for each in asked if each.verdict != Verdict.OK.name]
    said = "; ".join(
        f"{each.check} on {each.subject or 'nothing'} is {each.verdict}: {each.message}" for each in wrong[:3]
    )
    return f"{said}; and {len(wrong) - 3} more" if len(wrong) > 3 else said
