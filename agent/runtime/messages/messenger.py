"""Messages to people: what was decided to be said is delivered, in order for each target, or given up and told.

One thread owns the queue and starts deliveries; each delivery has a thread of its own, one for a target, so that one
which is slow or fails holds up no other. Delivery is at least once: a crash between delivering a message and writing
that down delivers it again.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from queue import Empty, SimpleQueue

from agent.errors import MessageError, StoreError
from agent.model.events import MessageEnded
from agent.model.quantities import say_duration
from agent.runtime.circuit import LONGEST, backoff
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

POLL = 0.2
"""Seconds between two looks at the clock while something waits for its time."""
IDLE = 30.0
"""Seconds between two looks at an empty queue that nobody announced anything for."""
STORE_PAUSE = 5.0


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


class Messenger:
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
        self._queue = queue
        self._courier = courier
        self._post = post
        self._redactor = redactor
        self._clock = clock
        self._inbox: SimpleQueue[_Ended | None] = SimpleQueue()
        self._under_way: set[str] = set()
        self._unwritten: deque[Callable[[], None]] = deque()
        self._silent: dict[str, Silent] = {}
        self._begun: dict[str, deque[float]] = {}
        self._unusable = False
        self._stopping = threading.Event()
        self._abandoned = threading.Event()
        self._thread = threading.Thread(target=self._run, name="messages", daemon=True)

    def start(self) -> None:
        self._unwritten.append(self._forget_far_times)
        self._thread.start()

    def wake(self) -> None:
        """There may be something new in the queue."""
        self._inbox.put(None)

    def clock_set(self) -> None:
        """Waiting times that were counted by the clock as it was are begun afresh; from any thread."""
        self._unwritten.append(self._forget_far_times)
        self.wake()

    def targets_changed(self) -> None:
        """Whatever waits is tried at once; from any thread."""
        self._unwritten.append(lambda: self._queue.not_later(self._clock()))
        self.wake()

    def stop(self, within: float) -> bool:
        """Start nothing more, wait for what is under way. Whether it ended within so many seconds.

        What did not end is delivered again by the next start.
        """
        self._stopping.set()
        self.wake()
        if self._thread.is_alive():
            self._thread.join(within)
        self._abandoned.set()
        self.wake()
        return not self._thread.is_alive()

    def state(self) -> MessengerState:
        """Raises StoreError."""
        return MessengerState(self._queue.state(), tuple(self._silent.copy().values()))

    def _run(self) -> None:
        while not self._abandoned.is_set():
            pause = self._round()
            if self._stopping.is_set() and not self._under_way and not self._unwritten:
                return
            self._listen(pause)

    def _round(self) -> float:
        """Write down what ended, start what is due. Returns the seconds until the next look."""
        try:
            while self._unwritten:
                self._unwritten[0]()
                self._unwritten.popleft()
            pause = IDLE if self._stopping.is_set() else self._start_due()
        except StoreError as error:
            if not self._unusable:
                log.error("the queue of messages cannot be read or written; trying until it can: %s", error)
            self._unusable = True
            return STORE_PAUSE
        except Exception:  # without this thread nobody would be told anything any more
            log.exception("the queue of messages fails; trying again")
            return STORE_PAUSE
        if self._unusable:
            self._unusable = False
            log.info("the queue of messages can be used again")
        return pause

    def _listen(self, pause: float) -> None:
        try:
            news = self._inbox.get(timeout=pause)
            while True:
                if news is not None:
                    self._take_in(news)
                news = self._inbox.get_nowait()
        except Empty:
            return

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

    def _forget_far_times(self) -> None:
        """Nothing waits for a time that only a clock which was wrong called near."""
        self._queue.not_later(self._clock() + LONGEST)
