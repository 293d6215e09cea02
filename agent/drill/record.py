"""The drill's own record: every entry and message marked, and the evidence that expectations are judged by."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from agent.core.state import State
from agent.errors import StoreError
from agent.model.activation import Activation
from agent.model.commands import Command, SendMessage, UpdateTicket
from agent.model.decision import Decision
from agent.model.drill import MARK
from agent.model.drill_result import Evidence
from agent.model.execution import Execution, Outcome, RunPhase
from agent.model.incident import Incident
from agent.model.settings import Settings
from agent.model.text import with_socket
from agent.model.timeline import Entry, EntryKind
from agent.runtime.store import Store

log = logging.getLogger("paramedic.drill")

_DONE = (RunPhase.VERIFYING, RunPhase.ENDED)
_NOTHING_DONE = (Outcome.FAILED, Outcome.UNREACHABLE, Outcome.REFUSED, Outcome.STOPPED, Outcome.DECLINED)


def marked(text: str) -> str:
    """Once, however often."""
    return text if text.startswith(MARK) else f"{MARK} {text}"


class DrillRecord:
    """Takes the place of the store where decisions are committed. Thread-safe.

    `now` gives seconds since the epoch; `carried_out` is told of each runbook whose steps were carried out on a host;
    `socket`: where the drill's agent answers, which commands in messages and tickets name: the agent may have a
    PLAN-1, too.
    """

    def __init__(
        self, settings: Settings, now: Callable[[], float], carried_out: Callable[[str, str], None], socket: Path
    ) -> None:
        self._now = now
        self._socket = str(socket)
        self._carried_out = carried_out
        self._lock = threading.RLock()
        self._store: Store | None = None
        self._entries: list[Entry] = []
        self._waiting: list[Entry] = []
        self._questions: list[str] = []
        self._incidents: dict[str, Incident] = {}
        self._executions: dict[str, Execution] = {}
        self._activations: dict[str, Activation] = {}
        self._state = State(settings)

    def over(self, store: Store) -> "DrillRecord":
        """On that store from now on."""
        with self._lock:
            self._store = store
            waiting, self._waiting = self._waiting, []
        if waiting:
            store.commit([Decision(entries=tuple(waiting))], self._now())
        return self

    def closed(self) -> None:
        """The store is: what is noted from now on is in the result alone."""
        with self._lock:
            self._store = None

    def commit(self, decisions: Sequence[Decision], at: float) -> None:
        """As `Store.commit`."""
        assert self._store is not None, "the loop begins after the store is opened"
        decisions = [self._marked(decision) for decision in decisions]
        self._store.commit(decisions, at)
        with self._lock:
            for decision in decisions:
                self._state.apply(decision)
                self._entries += decision.entries
                self._incidents |= decision.incidents
                self._executions |= decision.executions
                self._activations |= decision.activations
                self._questions += map(self._with_answers, filter(_asks, decision.entries))
        for decision in decisions:
            for execution in decision.executions.values():
                self._tell(execution)

    def note(self, text: str, **data: object) -> None:
        """An entry of the drill itself. Never fails: a record that cannot be written must not keep a fault alive."""
        entry = Entry(self._now(), "agent", EntryKind.EXERCISE, marked(text), data=data)
        with self._lock:
            self._entries.append(entry)
            store = self._store
            if store is None:
                self._waiting.append(entry)
                return
        try:
            store.commit([Decision(entries=(entry,))], self._now())
        except StoreError as error:
            log.error("the drill's record cannot be written: %s: %s", error, entry.text)

    def evidence(self, injected_at: float | None, *, has_queue: bool) -> Evidence:
        """`has_queue`: whether tickets of drills are really filed."""
        with self._lock:
            tickets = {id: each.ticket.id for id, each in self._incidents.items() if each.ticket and has_queue}
            return Evidence(
                at=self._now(),
                injected_at=injected_at,
                entries=tuple(self._entries),
                incidents=tuple(self._incidents.values()),
                executions=tuple(self._executions.values()),
                activations=tuple(self._activations.values()),
                tickets=tickets,
            )

    @contextmanager
    def looking(self) -> Iterator[State]:
        """What the drill's agent has decided so far, while nothing changes in it."""
        with self._lock:
            yield self._state

    def questions(self) -> list[str]:
        """What people have been asked by steps since this was last called, and what they type."""
        with self._lock:
            asked, self._questions = self._questions, []
            return asked

    @property
    def entries(self) -> tuple[Entry, ...]:
        with self._lock:
            return tuple(self._entries)

    def _with_answers(self, question: Entry) -> str:
        execution = self._executions[str(question.data["execution"])]
        about = execution.id if execution.plan else question.about
        how = with_socket(f"paramedic approve {about}, or paramedic deny {about}", self._socket)
        return f"{question.text.removeprefix(MARK).strip()} To answer: {how}"

    def _tell(self, execution: Execution) -> None:
        for run in execution.runs:
            if run.touched and run.phase in _DONE and run.outcome not in _NOTHING_DONE:
                self._carried_out(execution.runbook, run.host)

    def _marked(self, decision: Decision) -> Decision:
        entries = tuple(replace(entry, text=marked(entry.text)) for entry in decision.entries)
        return replace(decision, entries=entries, commands=tuple(map(self._marked_command, decision.commands)))

    def _marked_command(self, command: Command) -> Command:
        match command:
            case SendMessage(subject=subject, body=body):
                return replace(command, subject=marked(subject), body=marked(with_socket(body, self._socket)))
            case UpdateTicket(text=text):  # marked by the drill's ticket system
                return replace(command, text=with_socket(text, self._socket))
            case _:
                return command


def _asks(entry: Entry) -> bool:
    """Whether a step waits for a person by it."""
    return entry.kind is EntryKind.APPROVAL and "question" in entry.data
