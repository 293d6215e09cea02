"""The outbox of tickets: what was decided to be told is delivered, in order, however long it takes.

Deliveries (`agent.runtime.deliveries`), at most WORKERS at a time and one for an incident. After a crash between
delivering and writing it down the ticket system's plugin finds by our id and by the update's key what is already there.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from agent.errors import (
    Effect,
    StoreError,
    TicketError,
    TicketSystemNotAsked,
    TicketSystemUnavailable,
    UnknownSecret,
)
from agent.model.commands import UpdateTicket
from agent.model.events import TicketFiled
from agent.model.incident import TicketRef
from agent.model.quantities import say_duration
from agent.model.text import one_line
from agent.plugin.api import Secrets, TicketSystem
from agent.runtime.circuit import Circuit, backoff
from agent.runtime.crash_points import CrashPoint, reached
from agent.runtime.deliveries import IDLE, POLL, Deliveries
from agent.runtime.redaction import Redactor

logger = logging.getLogger("paramedic.tickets")

WORKERS = 4
MANY = 6
"""Updates that wait for one of their incident: they are told as one. In a storm hundreds come within a second, and
after an outage of the ticket system nobody wants to read each."""

LONGEST_WAIT = 3600.0
"""Seconds to wait at the most because a ticket system's plugin says so."""

ERROR_LIMIT = 1000
SECRET_PAUSE = 60.0
"""Seconds until a secret that was not there is asked for again."""


@dataclass(frozen=True, slots=True)
class Queued:
    """`attempts`: failed ones so far; `queued_at`: seconds since the epoch; `behind`: how many wait for it."""

    update: UpdateTicket
    attempts: int
    queued_at: float
    last_error: str | None = None
    behind: int = 0


@dataclass(frozen=True, slots=True)
class OutboxState:
    """`oldest`: since when the longest waiting update waits; `last_error`: of those that wait."""

    waiting: int
    oldest: float | None
    last_error: str | None
    set_aside: int


class TicketQueue(Protocol):
    """Updates to deliver, kept in the store. Times in seconds since the epoch. All raise StoreError."""

    def due(self, now: float, limit: int) -> Sequence[Queued]:
        """The first undelivered update of each incident, oldest first, if its `not_before` has come.

        What was set aside is no longer undelivered.
        """

    def delivered(self, key: str, at: float) -> None: ...

    def join_behind(self, update: UpdateTicket) -> None:
        """Let the updates that wait behind this one, which is about to be delivered, be told as one."""

    def let_settle(self, key: str, now: float, within: float) -> None:
        """It is not due before so many seconds have passed, unless `postponed` says otherwise; from any thread."""

    def settle_from(self, now: float) -> None:
        """What was let settle when a clock was ahead of `now` settles from now."""

    def postponed(self, key: str, not_before: float, error: str) -> None:
        """Counts an attempt."""

    def set_aside(self, key: str, at: float, error: str) -> None:
        """It can never be delivered; the incident's later updates go on without it."""

    def not_later(self, at: float) -> None:
        """What was postponed beyond then (seconds since the epoch) is due then."""

    def ticket_of(self, incident: str) -> TicketRef | None: ...

    def waiting(self) -> OutboxState: ...


@dataclass(frozen=True, slots=True)
class TicketsState:
    """For `paramedic status`. `available`: None before the first answer; `asked`: False if nothing can be sent for want
    of something on our side; times in seconds since the epoch.
    """

    available: bool | None
    asked: bool
    down_since: float | None
    last_error: str | None
    next_attempt: float | None
    queue: OutboxState
    files: bool = True


@dataclass(frozen=True, slots=True)
class _Ended:
    """A delivery to `tickets` that came to an end. `filed`: the ticket, if it was found or created on the way."""

    queued: Queued
    tickets: TicketSystem
    at: float
    filed: TicketRef | None
    error: TicketError | None

    @property
    def doubt(self) -> float:
        """Seconds until an update that may have been taken unseen is tried again: looked up at once, what a slow ticket
        system is about to file would be missing, and be filed again.
        """
        return self.tickets.settles_within if self.error and self.error.effect is Effect.UNKNOWN else 0.0


class Outbox(Deliveries[_Ended]):
    """Delivers the queue's updates to one ticket system, from `start` to `stop`.

    `post` takes the event that an incident has its ticket; `clock` gives seconds since the epoch.
    """

    def __init__(
        self,
        queue: TicketQueue,
        tickets: TicketSystem,
        secrets: Secrets,
        post: Callable[[TicketFiled], None],
        redactor: Redactor,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__("tickets", queue, clock, logger)
        self._queue = queue
        self._tickets = tickets
        self._secrets = secrets
        self._post = post
        self._redactor = redactor
        self._circuit = Circuit()
        self._refs: dict[str, TicketRef] = {}
        self._answered, self._asked = False, True
        self._last_error: str | None = None

    def _forget_far_times(self) -> None:
        super()._forget_far_times()
        self._queue.settle_from(self._clock())

    def clock_set(self) -> None:
        self._circuit = Circuit()
        super().clock_set()

    def use(self, tickets: TicketSystem) -> None:
        """From now on; deliveries under way end as they began, and no other starts for their incidents meanwhile."""
        self._tickets, self._circuit = tickets, Circuit()
        self._answered, self._asked, self._last_error = False, True, None
        self.wake()

    def state(self) -> TicketsState:
        """Raises StoreError."""
        circuit = self._circuit
        silent = circuit.is_open or not self._asked
        return TicketsState(
            available=False if silent else self._answered or None,
            asked=self._asked,
            down_since=circuit.down_since,
            last_error=self._last_error,
            next_attempt=circuit.not_before if circuit.not_before > self._clock() else None,
            queue=self._queue.waiting(),
            files=self._tickets.files,
        )

    def _start_due(self) -> float:
        """Start what may start. Returns the seconds until the next look."""
        now = self._clock()
        room = self._circuit.room(now, len(self._under_way), WORKERS)
        if room:
            for queued in self._queue.due(now, room + len(self._under_way)):
                if queued.update.incident not in self._under_way and room:
                    self._start(queued)
                    room -= 1
            if not self._queue.due(float("inf"), 1):
                return IDLE
        return POLL

    def _start(self, queued: Queued) -> None:
        incident = queued.update.incident
        if queued.behind >= MANY:
            self._queue.join_behind(queued.update)
        known, fresh = self._queue.ticket_of(incident), self._refs.get(incident)
        if known == fresh:
            self._refs.pop(incident, None)
        # The event with a fresh ticket may still be on its way into the incident.
        ticket = self._in_this_system(fresh) or self._in_this_system(known)
        arguments = (self._tickets, queued, ticket)
        threading.Thread(target=self._deliver, args=arguments, name=f"ticket of {incident}", daemon=True).start()
        self._under_way.add(incident)

    def _in_this_system(self, ticket: TicketRef | None) -> TicketRef | None:
        """Elsewhere a ticket of that number is a stranger's: there it is looked up by our id, and filed."""
        there = ticket is not None and ticket.system in ("", self._redacted(self._tickets.system))
        return ticket if there else None

    def _deliver(self, tickets: TicketSystem, queued: Queued, known: TicketRef | None) -> None:
        """In a thread of its own; ends by telling the owner."""
        update = queued.update
        ticket, filed, error = known, None, None
        try:
            if ticket is None:
                reached(CrashPoint.TICKET_UNSOUGHT)
                found = tickets.find(update.incident, self._secrets)
                if found is None:
                    reached(CrashPoint.TICKET_NOT_FOUND)
                    self._let_it_settle(update, tickets)
                    found = tickets.create(update, self._secrets)
                    reached(CrashPoint.TICKET_CREATED)
                ticket = filed = self._fit_to_keep(found, tickets)
            self._let_it_settle(update, tickets)
            tickets.update(ticket, update, self._secrets)
            reached(CrashPoint.TICKET_UPDATED)
        except TicketError as failure:
            error = failure
        except UnknownSecret as failure:
            error = TicketSystemNotAsked(str(failure), retry_after=SECRET_PAUSE)
        except StoreError as failure:  # what was about to be sent was not
            error = TicketError(str(failure), retryable=True)
        except (Exception, SystemExit) as failure:  # a plugin's fault must not stop the others' tickets
            logger.exception("ticket system %s failed at %s", tickets.kind, update.key)
            error = TicketError(one_line(f"{type(failure).__name__}: {failure}"), retryable=False)
        if error is not None:  # it quotes what was answered
            error.args = (self._redactor.redact(one_line(str(error), ERROR_LIMIT)),)
            if error.retry_after is not None and not 0 <= error.retry_after <= LONGEST_WAIT:
                error.retry_after = LONGEST_WAIT
        self._inbox.put(_Ended(queued, tickets, self._clock(), filed, error))

    def _let_it_settle(self, update: UpdateTicket, tickets: TicketSystem) -> None:
        """Killed while it tells, the next agent is in the same doubt as one that heard nothing. Raises StoreError."""
        self._queue.let_settle(update.key, self._clock(), tickets.settles_within)

    def _fit_to_keep(self, ticket: TicketRef, tickets: TicketSystem) -> TicketRef:
        """Raises TicketError for an id that gives away a secret: without it the ticket cannot be spoken of."""
        if self._redactor.knows(ticket.id):
            raise TicketError("the ticket system answered with a secret as the ticket's id", retryable=False)
        return replace(ticket, url=self._redacted(ticket.url), system=self._redacted(tickets.system))

    def _redacted(self, text: str) -> str:
        return self._redactor.redact(one_line(text, ERROR_LIMIT))

    def _write_first(self) -> None:
        reached(CrashPoint.TICKET_UNWRITTEN)
        super()._write_first()
        reached(CrashPoint.TICKET_WRITTEN)

    def _take_in(self, ended: _Ended) -> None:
        """What an ending means; what is to be written is kept until the store has taken it."""
        update = ended.queued.update
        if ended.filed is not None:
            self._refs[update.incident] = ended.filed
            self._unwritten.append(partial(self._post, TicketFiled(ended.at, update.incident, ended.filed)))
        self._unwritten.append(self._outcome(ended))
        self._unwritten.append(partial(self._under_way.discard, update.incident))

    def _outcome(self, ended: _Ended) -> Callable[[], None]:
        key, error = ended.queued.update.key, ended.error
        self._asked = not isinstance(error, TicketSystemNotAsked)
        if isinstance(error, TicketSystemUnavailable):
            return partial(self._queue.postponed, key, self._unavailable(ended, error), str(error))
        down_since = self._circuit.down_since or ended.at
        if self._circuit.answered():
            logger.info("tickets get through again after %s", say_duration(ended.at - down_since))
        self._answered = True
        if error is None:
            self._last_error = None
            return partial(self._queue.delivered, key, ended.at)
        self._last_error = str(error)
        if not error.retryable:
            logger.error("ticket update %s is set aside, it will never be taken: %s", key, error)
            return partial(self._queue.set_aside, key, ended.at, str(error))
        if ended.queued.attempts == 0:
            logger.warning("ticket update %s waits: %s", key, error)
        wait = max(backoff(ended.queued.attempts + 1), error.retry_after or 0.0, ended.doubt)
        return partial(self._queue.postponed, key, ended.at + wait, str(error))

    def _unavailable(self, ended: _Ended, error: TicketSystemUnavailable) -> float:
        """Count a failure that is not this ticket's own. Returns when the update may be tried again.

        The circuit, not the update, waits out an outage: so all of them are due as soon as it is over.
        """
        self._last_error = str(error)
        if self._circuit.failed(ended.at, error.retry_after):
            logger.warning("no ticket gets through, updates are kept and tried again: %s", error)
        elif self._circuit.failures == 1 and error.retry_after:  # it will be long until the circuit opens
            logger.warning("ticket update %s waits: %s", ended.queued.update.key, error)
        wait = 0.0 if self._circuit.is_open else backoff(self._circuit.failures)
        return ended.at + max(wait, ended.doubt)
