"""The deciding loop: one thread that owns the state. Event in, decide, commit, perform."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, replace

from agent.core.clock_set import shifted
from agent.core.engine import decide
from agent.core.state import State
from agent.errors import StoreError
from agent.model.commands import Command
from agent.model.decision import Decision, Reply
from agent.model.events import ClockSet, Event, StoodStill, TimePassed
from agent.model.quantities import say_duration
from agent.model.text import one_line
from agent.model.timeline import Entry, EntryKind
from agent.model.views import BacklogView
from agent.runtime.committing import Committing, Record
from agent.runtime.crash_points import CrashPoint, reached
from agent.runtime.intake import Answers, Intake, together
from agent.runtime.lag import Lag

log = logging.getLogger("paramedic.loop")
record = logging.getLogger("paramedic.record")
"""Every timeline entry, as it is committed: the journal tells the story live."""

_BATCH = 256
"""Events decided in one transaction at the most: one commit for many is free speed."""
_TOGETHER = 2048
"""Observations decided as one event at the most: it must not hold up the rest for long."""
_IDLE_BEAT = 5.0
_STANDS_STILL = 10.0
"""Seconds more than it meant to wait, after which the loop has stood still."""

_REST = 30.0
"""Seconds until an incident or execution is looked at again that is due and cannot be decided, twice as long each
time: a defect must fill neither a processor nor the record, and must not hold up the others."""
_LONGEST_REST = 3600.0

_NOBODY_DECIDES = Reply(False, "the agent is ending, its journal says why; what was asked may still be on its record")


@dataclass(frozen=True, slots=True)
class _Question:
    """An event whose sender waits for the reply; a function makes it of what is on record."""

    event: Event | Callable[[], Event]
    answer: Future[Reply | None]


@dataclass(frozen=True, slots=True)
class _Change:
    """Work to be done in the deciding thread, whose sender waits until it is done."""

    make: Callable[[State], None]
    answer: Future[Reply | None]


_Item = Event | _Question | _Change


class Loop:
    """Owns `state`: nobody else changes it. Other threads may read single values of it for display."""

    def __init__(
        self,
        state: State,
        store: Record,
        now: Callable[[], float],
        perform: Callable[[Sequence[Command]], None],
        *,
        alive: Callable[[], None] = lambda: None,
        beat: float = _IDLE_BEAT,
        failed: Callable[[], None] = lambda: None,
        committing: Callable[[str | None], None] = lambda error: None,
        follow: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """`perform` is called after the commit, in the deciding thread, and must not block. `beat` in seconds:
        `alive` is called at least so often while the loop is well. `failed`: a defect has ended the loop; only
        a new start, from what is committed, is sound then. `committing` is told why nothing can be committed, and
        None when it can be again. `follow` lets `now` go by the wall clock again and returns by how many seconds
        that has set it.
        """
        self.state = state
        self._now = now
        self._perform = perform
        self._alive = alive
        self._beat = beat
        self._failed = failed
        self._resting: dict[str, float] = {}
        self._follow = follow
        self._taken_at = now()
        self._intake: Intake[_Question | _Change] = Intake()
        self._lag = Lag()
        self._deciding_since: float | None = None
        self._costliest = 0.0
        self._stopping = threading.Event()
        self._record = Committing(store, now, self._stopping, alive, committing)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="decide", daemon=True)

    @property
    def commit_error(self) -> str | None:
        """Why nothing can be committed at present."""
        return self._record.error

    @property
    def waiting(self) -> int:
        """Events not decided yet."""
        return self._intake.waiting

    def backlog(self) -> BacklogView:
        """From any thread."""
        since = self._deciding_since
        behind = time.monotonic() - since if since is not None else 0.0
        return BacklogView(self.waiting, behind, max(self._lag.worst, behind), self._costliest, self._intake.superseded)

    def start(self) -> None:
        self._thread.start()

    def stop(self, within: float) -> bool:
        """Decide what is queued, then end. False if it did not end `within` seconds."""
        self._stopping.set()
        self._intake.wake()
        if self._thread.is_alive():
            self._thread.join(within)
        return not self._thread.is_alive()

    def post(self, event: Event) -> None:
        """Hand in an event; from any thread."""
        self._intake.put(event)

    def ask(self, event: Event | Callable[[], Event]) -> "Future[Reply | None]":
        """Hand in an event and get the reply once the decision is committed. A loop that has ended says no.

        Until the decision begins the question can be cancelled: then nothing is decided.
        A function is called in the deciding thread when all that was decided before is committed: what it reads of
        the record is the latest. The StoreError that it raises is the answer.
        """
        return self._put(_Question(event, Future()))

    def call(self, change: Callable[[State], None]) -> "Future[Reply | None]":
        """Run a change of the state that is not a decision (new settings) in the deciding thread.

        Answered as soon as it is made, by None. Until it begins it can be cancelled.
        """
        return self._put(_Change(change, Future()))

    def _put(self, question: _Question | _Change) -> "Future[Reply | None]":
        self._intake.put(question)
        if self._over.is_set():
            self._turn_away()
        return question.answer

    def _run(self) -> None:
        batch: list[_Item] = []
        try:
            while not (self._stopping.is_set() and not self.waiting):
                batch = self._take()
                began = time.thread_time()
                self._decide(batch)
                self._costliest = max(self._costliest, time.thread_time() - began)
                self._decided()
                self._alive()
        except StoreError as error:
            log.critical("the latest decisions could not be committed and are lost: %s", error)
            if not self._stopping.is_set():
                self._failed()
        except Exception:  # what is in memory and what is on record may differ from here on
            log.critical("a defect has ended the deciding loop", exc_info=True)
            self._failed()
        finally:
            self._over.set()
            for item in batch:
                self._turn_away_one(item)
            self._turn_away()

    def _turn_away(self) -> None:
        """Whoever waits for an answer gets one."""
        while items := self._intake.take(0.0, _BATCH).items:
            for item in items:
                self._turn_away_one(item)

    @staticmethod
    def _turn_away_one(item: _Item) -> None:
        if isinstance(item, _Question | _Change):
            with suppress(InvalidStateError):  # answered, or cancelled
                item.answer.set_result(_NOBODY_DECIDES)

    def _take(self) -> list[_Item]:
        due = self.state.next_due()
        wait = self._beat if due is None else min(self._beat, max(0.0, due - self._now()))
        taken = self._intake.take(wait, _BATCH)
        self._deciding_since = taken.since
        items = [*self._stood_still(wait), *taken.items]
        by = self._follow()
        self._taken_at = now = self._now()
        if by:  # what is due, and what is not, is known once that is decided
            return self._by_the_new_clock(items, by)
        due = self.state.next_due()
        if due is not None and due <= now:
            items += [TimePassed(now, about) for about in self.state.due(now)[:_BATCH]]
        return items

    def _stood_still(self, wait: float) -> list[_Item]:
        """What is to be decided first if far more time has passed since the last round than `wait`."""
        seconds = self._now() - self._taken_at - wait
        because, self._record.stalled_by = self._record.stalled_by, ""
        return [StoodStill(self._now(), seconds, because)] if seconds > _STANDS_STILL else []

    def _by_the_new_clock(self, items: Sequence[_Item], by: float) -> list[_Item]:
        """What came before the clock was set, told by the clock as it is now; behind what says that it was set."""
        waiting = list(items)
        while more := self._intake.take(0.0, _BATCH).items:
            waiting += more
        return [ClockSet(self._now(), by), *(_told_by_the_new_clock(item, by) for item in waiting)]

    def _decided(self) -> None:
        since, self._deciding_since = self._deciding_since, None
        if since is not None:
            self._lag = self._lag.began(time.monotonic() - since)

    def _decide(self, batch: Sequence[_Item]) -> None:
        for part in _parts(batch):
            self._decide_part(part)

    def _decide_part(self, batch: Sequence[_Item]) -> None:
        decisions: list[Decision] = []
        answers: list[tuple[Future[Reply | None], Reply | None]] = []
        items: list[_Item | Answers] = together(batch, _TOGETHER)
        for item in items:
            if isinstance(item, _Change):
                if item.answer.set_running_or_notify_cancel():
                    item.make(self.state)
                    item.answer.set_result(None)
            elif isinstance(item, _Question):
                if not item.answer.set_running_or_notify_cancel():
                    continue
                try:
                    decision = self._one(item.event() if callable(item.event) else item.event)
                except StoreError as error:
                    item.answer.set_exception(error)
                    continue
                decisions.append(decision)
                answers.append((item.answer, decision.reply))
            elif isinstance(item, Answers):
                decisions += self._together(item)
            else:
                decisions.append(self._one(item))
        if any(decision.is_durable for decision in decisions):
            reached(CrashPoint.DECIDED)
            self._record.commit(decisions)
            reached(CrashPoint.COMMITTED)
        for decision in decisions:
            for entry in decision.entries:
                record.info("%s %s: %s", entry.about, entry.kind, one_line(entry.text, 500))
        commands = [command for decision in decisions for command in decision.commands]
        if commands:
            self._perform(commands)
            reached(CrashPoint.HANDED_OVER)
        for answer, reply in answers:
            answer.set_result(reply)

    def _together(self, answers: Answers) -> list[Decision]:
        """What cannot be decided together is decided one by one, so that a defect in one spoils no other."""
        try:
            decision = decide(self.state, answers.as_one())
        except Exception:  # noqa: BLE001 - the one to blame says so in its turn
            return [self._one(event) for event in answers.events]
        self.state.apply(decision)
        return [decision]

    def _one(self, event: Event) -> Decision:
        try:
            decision = decide(self.state, event)
        except Exception as error:
            about = event.about if isinstance(event, TimePassed) else "agent"
            log.exception("an event could not be decided and is set aside: %s, %s", type(event).__name__, about)
            text = f"defect: {type(event).__name__} could not be decided and is set aside: {one_line(repr(error), 500)}"
            if isinstance(event, TimePassed):
                text += f"; tried again in {say_duration(self._let_rest(event))}"
            decision = Decision(
                entries=(Entry(event.at, about, EntryKind.AGENT, text),),
                reply=Reply(False, "the agent could not decide this; its journal says why"),
            )
        self.state.apply(decision)
        return decision

    def _let_rest(self, event: TimePassed) -> float:
        """What is due and cannot be decided is still due at once: seconds until it is looked at again."""
        rest = min(self._resting.get(event.about, _REST / 2) * 2, _LONGEST_REST)
        self._resting[event.about] = rest
        self.state.postpone(event.about, event.at + rest)
        return rest


def _parts(batch: Sequence[_Item]) -> Iterator[list[_Item]]:
    """In order. What is made of the record begins a part of its own: all before it is committed then."""
    part: list[_Item] = []
    for item in batch:
        if part and isinstance(item, _Question) and callable(item.event):
            yield part
            part = []
        part.append(item)
    if part:
        yield part


def _told_by_the_new_clock(item: _Item, by: float) -> _Item:
    if isinstance(item, _Change):
        return item
    if isinstance(item, _Question):
        return item if callable(item.event) else replace(item, event=shifted(item.event, by))
    return shifted(item, by)
