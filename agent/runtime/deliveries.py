"""Telling the world what was decided: a queue in the record, and one thread that owns it.

That thread starts deliveries, each in a thread of its own; what came of them comes back to it and is written down, in
order. What cannot be written stays first until it can: delivery is at least once.
"""

import logging
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Generic, Protocol, TypeVar

from agent.errors import StoreError
from agent.runtime.circuit import LONGEST

Ended = TypeVar("Ended")
"""How a delivery that came to an end is told to the owner."""

POLL = 0.2
"""Seconds between two looks at the clock while something waits for its time."""

IDLE = 30.0
"""Seconds between two looks at an empty queue that nobody announced anything for."""

STORE_PAUSE = 5.0


class Postponable(Protocol):
    """What every queue of deliveries can do."""

    def not_later(self, at: float) -> None:
        """What was postponed beyond then (seconds since the epoch) is due then. Raises StoreError."""


class Deliveries(ABC, Generic[Ended]):
    """Delivers from `start` to `stop`. `what` is in the queue, for the journal; `clock`: seconds since the epoch."""

    def __init__(self, what: str, waiting: Postponable, clock: Callable[[], float], log: logging.Logger) -> None:
        self._what = what
        self._waiting = waiting
        self._clock = clock
        self._log = log
        self._inbox: SimpleQueue[Ended | None] = SimpleQueue()
        self._under_way: set[str] = set()
        self._unwritten: deque[Callable[[], None]] = deque()
        self._unusable = False
        self._stopping = threading.Event()
        self._abandoned = threading.Event()
        self._thread = threading.Thread(target=self._run, name=what, daemon=True)

    @abstractmethod
    def _start_due(self) -> float:
        """Start what may start. Returns the seconds until the next look. Raises StoreError."""

    @abstractmethod
    def _take_in(self, ended: Ended) -> None:
        """What an ending means: what is to be written goes behind `_unwritten`."""

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

    def _forget_far_times(self) -> None:
        """Nothing waits for a time that only a clock which was wrong called near."""
        self._waiting.not_later(self._clock() + LONGEST)

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
                self._write_first()
            pause = IDLE if self._stopping.is_set() else self._start_due()
        except StoreError as error:
            if not self._unusable:
                self._log.error("the queue of %s cannot be read or written; trying until it can: %s", self._what, error)
            self._unusable = True
            return STORE_PAUSE
        except Exception:  # noqa: BLE001 - without this thread nothing would be told any more
            self._log.exception("the queue of %s fails; trying again", self._what)
            return STORE_PAUSE
        if self._unusable:
            self._unusable = False
            self._log.info("the queue of %s can be used again", self._what)
        return pause

    def _write_first(self) -> None:
        """What fails stays first. Raises StoreError."""
        self._unwritten[0]()
        self._unwritten.popleft()

    def _listen(self, pause: float) -> None:
        """Wait for news, and take in all there is."""
        try:
            news = self._inbox.get(timeout=pause)
            while True:
                if news is not None:
                    self._take_in(news)
                news = self._inbox.get_nowait()
        except Empty:
            return
