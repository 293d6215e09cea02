"""Messages to people: what was decided to be said is delivered, in order for each target, or given up and told.

Deliveries (`agent.runtime.deliveries`) of one target follow each other, so that one which is slow or fails holds up no
other.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from agent.errors import MessageError
from agent.model.events import MessageEnded
from agent.model.quantities import say_duration
from agent.runtime.circuit import backoff
from agent.runtime.deliveries import IDLE, POLL, Deliveries
from agent.runtime.messages.courier import Courier
from agent.runtime.messages.queue import MessageQueue, QueuedMessage, QueueState
from agent.runtime.redaction import Redactor

log = logging.getLogger("paramedic.messages")

GIVEN_UP_AFTER = 24 * 3600.0
"""Seconds since it was ordered, after which a message that cannot be delivered has lost its sense."""

LATE = 300.0
"""Seconds since it was ordered, from which on a message says that it comes late."""

AT_ONCE = 16
"""Deliveries under way at the most, one for a target: each is a process."""

BURST, BURST_WITHIN = 18, 60.0
"""Messages to one target within so many seconds: the chat services block a sender for minutes after twenty."""


@dataclass(frozen=True, slots=True)
class Silent:
    """A target that nothing gets through to: since when, why, and when it is tried again. Seconds since the epoch."""

    target: str
    since: float
    why: str
    next_try: float


@dataclass(frozen=True, slots=True)
class MessengerState:
    """For `paramedic status`."""

    queue: QueueState
    silent: tuple[Silent, ...]


@dataclass(frozen=True, slots=True)
class _Ended:
    queued: QueuedMessage
    at: float
    error: str | None


class Messenger(Deliveries[_Ended]):
    """Delivers the queue's messages from `start` to `stop`.

    `post` takes the event of what came of a message; `clock` gives seconds since the epoch.
    """

    def __init__(
        self,
        queue: MessageQueue,
        courier: Courier,
        post: Callable[[MessageEnded], None],
        redactor: Redactor,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__("messages", queue, clock, log)
        self._queue = queue
        self._courier = courier
        self._post = post
        self._redactor = redactor
        self._silent: dict[str, Silent] = {}
        self._begun: dict[str, deque[float]] = {}

    def targets_changed(self) -> None:
        """Whatever waits is tried at once; from any thread."""
        self._unwritten.append(lambda: self._queue.not_later(self._clock()))
        self.wake()

    def state(self) -> MessengerState:
        """Raises StoreError."""
        return MessengerState(self._queue.state(), tuple(self._silent.copy().values()))

    def _start_due(self) -> float:
        """Start what may start. Returns the seconds until the next look."""
        now = self._clock()
        for queued in self._queue.due(now, self._under_way):
            if len(self._under_way) < AT_ONCE and self._has_room(queued.message.target):
                self._start(queued, now)
        return POLL if self._queue.due(float("inf"), self._under_way) else IDLE

    def _has_room(self, target: str) -> bool:
        """Fewer than BURST have gone there lately."""
        now, begun = time.monotonic(), self._begun.setdefault(target, deque(maxlen=BURST))
        return len(begun) < BURST or begun[0] < now - BURST_WITHIN

    def _start(self, queued: QueuedMessage, now: float) -> None:
        message = queued.message
        subject, body = self._redactor.redact(message.subject), self._redactor.redact(message.body)
        if now - queued.queued_at > LATE:
            body = f"({say_duration(now - queued.queued_at)} late: it could not be delivered before)\n\n{body}"
        fit = replace(queued, message=replace(message, subject=subject, body=body))
        self._under_way.add(message.target)
        self._begun[message.target].append(time.monotonic())
        threading.Thread(target=self._deliver, args=(fit,), name=f"message {message.id}", daemon=True).start()

    def _deliver(self, queued: QueuedMessage) -> None:
        """In a thread of its own; ends by telling the owner."""
        error: str | None = None
        try:
            self._courier.deliver(queued.message)
        except MessageError as failure:
            error = self._redactor.redact(str(failure))
        except Exception as failure:  # noqa: BLE001 - another courier's fault must not end delivery; it may quote the URL
            log.error("sending %s failed: %s", queued.message.id, type(failure).__name__)
            error = f"defect: {type(failure).__name__}"
        self._inbox.put(_Ended(queued, self._clock(), error))

    def _take_in(self, ended: _Ended) -> None:
        """What an ending means; what is to be written is kept until the store has taken it."""
        self._unwritten.append(partial(self._write_down, ended))
        self._unwritten.append(partial(self._under_way.discard, ended.queued.message.target))

    def _write_down(self, ended: _Ended) -> None:
        """Raises StoreError; then nothing of it is written."""
        message, error = ended.queued.message, ended.error
        told = MessageEnded(ended.at, message.id, message.about, message.target, error)
        if error is None:
            self._queue.delivered(message.id, ended.at)
            silent = self._silent.pop(message.target, None)
            if silent:
                log.info("messages get through to %s again", message.target)
        elif ended.at - ended.queued.queued_at >= GIVEN_UP_AFTER:
            self._queue.given_up(message.id, error)
            log.error("message %s to %s is given up: %s", message.id, message.target, error)
            told = replace(told, error=f"given up after {say_duration(ended.at - ended.queued.queued_at)}: {error}")
        else:
            self._wait(ended, error)
            return
        self._post(told)

    def _wait(self, ended: _Ended, error: str) -> None:
        message = ended.queued.message
        until = ended.at + backoff(ended.queued.attempts + 1)
        self._queue.postponed(message.id, until, error)
        known = self._silent.get(message.target)
        if known is None:
            log.warning("message %s to %s waits and is tried again: %s", message.id, message.target, error)
        self._silent[message.target] = Silent(message.target, known.since if known else ended.at, error, until)
