"""One asking of a check: the question put, the answers judged and placed, every failure an UNKNOWN."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from agent.core.judgement import judge
from agent.errors import ParamedicError
from agent.model.check import CheckRules
from agent.model.observation import Answer, Observation, Pass, Verdict
from agent.model.text import one_line
from agent.model.threshold import Threshold, parse_threshold
from agent.plugin.api import Secrets, Shell
from agent.plugin.probe import Probe
from agent.runtime.check_shell import CheckShell
from agent.runtime.neighbours import Neighbours
from agent.runtime.placing import HostNames, host_of, subject_of, unasked_host, unasked_subject
from agent.runtime.ports import AskingPorts
from agent.runtime.processes import ProcessSnapshot
from agent.runtime.redaction import Redactor

log = logging.getLogger("paramedic.checks")


_MESSAGE, _SUBJECT = 2000, 300
"""Characters at the most, whatever a plugin answers."""


@dataclass(frozen=True, slots=True)
class Put:
    """When a question was put: `at` in seconds since the epoch, and the same in monotonic seconds.

    `urgent`: somebody waits for the answer. `elapsed`: the same in seconds since the machine was started.
    """

    at: float
    monotonic: float
    urgent: bool = False
    elapsed: float = 0.0


class Interviewer:
    """Thread-safe."""

    def __init__(
        self, shell: Shell, secrets: Secrets, redactor: Redactor, neighbours: Neighbours | None = None
    ) -> None:
        self._neighbours = neighbours or Neighbours()
        self._shell = shell
        self._secrets = secrets
        self._redactor = redactor
        self._snapshot = ProcessSnapshot()

    def ask(self, probe: Probe, rules: CheckRules, put: Put, names: HostNames) -> Pass:
        """Nothing that a plugin does gets past here: what it raises is the reason of an UNKNOWN."""
        shell = CheckShell(self._shell, self._neighbours, probe.scope, put.urgent)
        ports = AskingPorts(shell, self._secrets, self._snapshot, rules.timeout, put.monotonic)
        try:
            answers = probe.check_type.ask(probe.host, ports)
            judged = _apart([self._judged(probe, rules, answer, put.at, names) for answer in answers])
        except ParamedicError as error:
            return self.unasked(probe, put.at, one_line(str(error), 1000))
        except (Exception, SystemExit) as error:  # also for what ends a program: it would end this thread unheard
            kind = type(probe.check_type).kind
            log.exception("check kind %s failed in %s", kind, probe.scope)
            said = one_line(f"{type(error).__name__}: {error}")
            return self.unasked(probe, put.at, f"the check kind {kind!r} failed: {said}")
        return Pass(probe.check, probe.scope, put.at, judged)

    def unasked(self, probe: Probe, at: float, why: str) -> Pass:
        """The pass that says that the question could not be asked."""
        observation = Observation(
            check=probe.check,
            subject=unasked_subject(probe),
            host=unasked_host(probe),
            verdict=Verdict.UNKNOWN,
            at=at,
            message=one_line(self._redactor.redact(why), _MESSAGE),
            cleared=False,
        )
        return Pass(probe.check, probe.scope, at, (observation,), complete=False)

    def _judged(self, probe: Probe, rules: CheckRules, answer: Answer, at: float, names: HostNames) -> Observation:
        kind = type(probe.check_type)
        observation = judge(
            rules,
            answer,
            default_critical=_default_critical(kind.default_critical),
            subject=one_line(self._redactor.redact(subject_of(probe, answer)), _SUBJECT),
            host=host_of(probe, answer, names),
            at=at,
            readings=kind.readings,
        )
        message = one_line(self._redactor.redact(observation.message), _MESSAGE)
        return observation if message == observation.message else replace(observation, message=message)


def _apart(judged: Sequence[Observation]) -> tuple[Observation, ...]:
    """One for each subject. Of what has the name of another, cut or without its secret, nothing is known: what is well
    would hide what is not.
    """
    by_name: dict[str, list[Observation]] = {}
    for each in judged:
        by_name.setdefault(each.subject, []).append(each)
    alone = [each for each in judged if len(by_name[each.subject]) == 1]
    return (*alone, *(_doubtful(alike) for alike in by_name.values() if len(alike) > 1))


def _doubtful(alike: Sequence[Observation]) -> Observation:
    why = f"{len(alike)} answers have this name, once it is cut and secrets are hidden: name them by other labels"
    return replace(alike[0], verdict=Verdict.UNKNOWN, message=why, value=None, cleared=False)


@cache
def _default_critical(text: str | None) -> Threshold | None:
    return None if text is None else parse_threshold(text)
