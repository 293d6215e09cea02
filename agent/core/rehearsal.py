"""A runbook tested without any host: the same decisions as always, with the answers given beforehand.

Time is virtual: it jumps to whatever is due next. The rehearsal ends when the incident is resolved or
with a person and nothing is under way, or when nothing can happen any more.
"""

import heapq
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from agent.core.engine import decide
from agent.core.scene import Answer, Course, Reaction, Recovery, Scene, earlier_treatments, runbook_of, settings_of
from agent.core.state import State
from agent.model.commands import Ask, RunStep
from agent.model.decision import Decision
from agent.model.events import Approve, Event, Observed, PersonActed, StepEnded, TimePassed
from agent.model.execution import Execution, Outcome, Section, StepOutcome, StepStatus
from agent.model.health import Key
from agent.model.incident import Incident, Phase
from agent.model.observation import Observation, Pass, Verdict
from agent.model.runbook import AskPerson, Step
from agent.model.timeline import Entry, EntryKind

T = TypeVar("T")
_BEGINS_AT = 1_000_000.0
_DECISIONS_AT_MOST = 20_000
_INCIDENT = "INC-1"


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What came of it. `outcome`: the execution's, or `refused: REASON`; `with_a_person`: the incident was handed over.

    `steps` in the order in which they ended, `commands` in the order in which they began. `unused`: answers
    that no step and no command asked for; `not_asked`: questions people answer that there are not. `seconds` of
    virtual time.
    """

    outcome: str
    because: str
    with_a_person: bool
    steps: tuple[str, ...]
    commands: tuple[str, ...]
    unused: tuple[str, ...]
    not_asked: tuple[str, ...]
    seconds: float
    entries: tuple[Entry, ...]


def rehearse(scene: Scene) -> Rehearsed:
    """Play it to the end. Raises ValueError for a variable that the runbook does not take."""
    return _Stage(scene).play()


class _Stage:
    """Where one scene is played."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._runbook = runbook_of(scene)
        self._at = _BEGINS_AT
        self._state = State(
            settings=settings_of(scene, self._runbook), treatments=tuple(earlier_treatments(scene, _BEGINS_AT))
        )
        self._number = itertools.count()
        self._coming: list[tuple[float, int, Event]] = []
        self._entries: list[Entry] = []
        self._commands: list[str] = []
        self._ended: Execution | None = None
        self._treated: set[str] = set()
        self._went_well: set[tuple[str, str]] = set()
        self._used: set[str] = set()
        self._decided = 0

    def play(self) -> Rehearsed:
        others = self._state.settings.checks.keys() - {self._scene.check}
        if others:
            self._decide(Observed(self._at, tuple(self._pass(check, Verdict.OK) for check in sorted(others))))
        self._decide(Observed(self._at, (self._pass(self._scene.check, Verdict.CRITICAL),)))
        while not self._is_over and (event := self._next()):
            self._decide(event)
        return self._found()

    @property
    def _incident(self) -> Incident | None:
        return self._state.incidents.get(_INCIDENT)

    @property
    def _is_over(self) -> bool:
        incident = self._incident
        settled = incident is None or incident.phase in (Phase.RESOLVED, Phase.ESCALATED)
        return self._decided > _DECISIONS_AT_MOST or (settled and (incident is None or incident.execution is None))

    def _next(self) -> Event | None:
        due = self._state.next_due()
        if self._coming and (due is None or self._coming[0][0] <= due):
            self._at, _, event = heapq.heappop(self._coming)
            return event
        if due is None:
            return None
        self._at = max(self._at, due)
        return TimePassed(self._at, self._state.due(self._at)[0])

    def _decide(self, event: Event) -> None:
        decision = decide(self._state, event)
        self._state.apply(decision)
        self._decided += 1
        self._take_note(decision)
        for command in decision.commands:
            match command:
                case RunStep():
                    self._perform(command)
                case Ask(keys):
                    self._comes(0.0, Observed(self._at, tuple(self._answered(keys))))

    def _take_note(self, decision: Decision) -> None:
        self._entries += decision.entries
        for execution in decision.executions.values():
            self._treated |= {run.host for run in execution.runs}
            self._ended = self._ended if execution.is_running else execution
        for entry in decision.entries:
            if entry.kind is EntryKind.STEP and entry.data["status"] == StepStatus.OK:
                self._went_well.add((str(entry.data["host"]), str(entry.data["step"])))
            if entry.kind is EntryKind.APPROVAL and "question" in entry.data:
                self._ask_person(entry)

    def _comes(self, after: float, event: Event) -> None:
        heapq.heappush(self._coming, (self._at + after, next(self._number), event))

    # what answers

    def _perform(self, command: RunStep) -> None:
        section, number, attempt = command.id.rsplit(".", 3)[1:]
        steps = self._runbook.rollback if section == Section.ROLLBACK else self._runbook.treatment
        step = steps[int(number) - 1]
        text = str(command.params.get(step.action.primary, command.kind))
        self._commands.append(text)
        answers = self._first_of(self._scene.answers, f"{step.name} on {command.host}", step.name, text) or (Answer(),)
        answer = answers[min(int(attempt), len(answers)) - 1]
        outcome = _outcome(step, answer)
        self._comes(outcome.seconds, StepEnded(self._at + outcome.seconds, command.id, outcome))

    def _ask_person(self, entry: Entry) -> None:
        question, step = str(entry.data["question"]), str(entry.data["step"])
        reaction = self._first_of(self._scene.approvals, question, step) or Reaction.YES
        if reaction is not Reaction.NOBODY:
            act = Approve(str(entry.data["execution"]), reaction is Reaction.YES)
            self._comes(0.0, PersonActed(self._at, "rehearsal", act))

    def _first_of(self, given: Mapping[str, T], *names: str) -> T | None:
        for name in names:
            if name in given:
                self._used.add(name)
                return given[name]
        return None

    def _answered(self, keys: tuple[Key, ...]) -> Iterator[Pass]:
        for key in keys:
            yield _pass(key.check, self._at, {key.subject: self._verdict(key)})

    def _pass(self, check: str, verdict: Verdict) -> Pass:
        return _pass(check, self._at, dict.fromkeys(self._scene.hosts, verdict))

    def _verdict(self, key: Key) -> Verdict:
        scene = self._scene
        recovery = scene.recovers if key.check == scene.check else scene.checks.get(key.check, Recovery())
        match recovery.course:
            case Course.UNKNOWN:
                return Verdict.UNKNOWN
            case Course.NEVER:
                return Verdict.CRITICAL
            case Course.AT_ONCE:
                return Verdict.OK
            case Course.AFTER:
                where = {key.subject} if key.subject in self._treated else self._treated
                return (
                    Verdict.OK if any((host, recovery.step) in self._went_well for host in where) else Verdict.CRITICAL
                )

    # what came of it

    def _found(self) -> Rehearsed:
        incident, execution = self._incident, self._ended
        refusals = [entry for entry in self._entries if entry.kind is EntryKind.REFUSED and entry.about == _INCIDENT]
        if execution is not None and execution.outcome is not Outcome.REFUSED:
            outcome = str(execution.outcome)
            reasons = dict.fromkeys(run.reason for run in execution.runs if run.outcome is execution.outcome)
            because = "; ".join(reason for reason in reasons if reason)
        elif refusals:
            outcome, because = f"refused: {refusals[-1].data['reason']}", refusals[-1].text
        else:
            outcome, because = "no end", "nothing more would ever happen"
        return Rehearsed(
            outcome=outcome,
            because=because,
            with_a_person=incident is not None and incident.phase is Phase.ESCALATED,
            steps=tuple(self._steps()),
            commands=tuple(self._commands),
            unused=tuple(self._unused()),
            not_asked=tuple(self._not_asked()),
            seconds=self._at - _BEGINS_AT,
            entries=tuple(self._entries),
        )

    def _steps(self) -> Iterator[str]:
        several = len(self._treated) > 1
        for entry in self._entries:
            if entry.kind is EntryKind.STEP and entry.data["status"] != StepStatus.SKIPPED:
                rollback = "rollback: " if entry.data["section"] == Section.ROLLBACK else ""
                yield f"{rollback}{entry.data['step']}" + (f" on {entry.data['host']}" if several else "")

    def _unused(self) -> Iterator[str]:
        """Answers to a known step that was not reached are fine; others are probably misspelt."""
        steps = [step.name for step in (*self._runbook.treatment, *self._runbook.rollback)]
        known = {*steps, *(f"{step} on {host}" for step in steps for host in self._state.settings.hosts)}
        for name in self._scene.answers:
            if name not in self._used and name not in known:
                yield name

    def _not_asked(self) -> Iterator[str]:
        steps = (*self._runbook.treatment, *self._runbook.rollback)
        asking = [(step.name, demand) for step in steps if isinstance(demand := step.action.demand(), AskPerson)]
        known = {text for name, demand in asking for text in (name, demand.question)}
        for name in self._scene.approvals:
            if name not in self._used and name not in known:
                yield name


def _outcome(step: Step, answer: Answer) -> StepOutcome:
    """As the step's kind would judge it: exit 0, or what the author named, is well; too long is timed out."""
    if answer.takes > step.timeout:
        return StepOutcome(StepStatus.TIMED_OUT, None, answer.stdout, answer.stderr, seconds=step.timeout)
    well = getattr(step.action, "ok_exit", (0,))
    status = answer.status or (StepStatus.OK if answer.exit in well else StepStatus.FAILED)
    ended = status in (StepStatus.OK, StepStatus.FAILED)
    return StepOutcome(status, answer.exit if ended else None, answer.stdout, answer.stderr, seconds=answer.takes)


def _pass(check: str, at: float, verdicts: Mapping[str, Verdict]) -> Pass:
    observations = tuple(
        Observation(check, host, host, verdict, at, message="" if verdict is Verdict.OK else f"{check} is not well")
        for host, verdict in verdicts.items()
    )
    return Pass(check, check, at, observations, complete=False)
