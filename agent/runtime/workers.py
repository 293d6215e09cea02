"""Threads that carry out what would block: started as they are needed, given up when they hang."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable

log = logging.getLogger("paramedic.workers")

Task = Callable[[], None]


class Workers:
    """A pool of at most `limit` daemon threads. Urgent tasks come first. Thread-safe; tasks must not raise.

    One idle thread is woken at a time, and wakes the next if there is more to do: a hundred short tasks
    are done by the first thread before the others could have started, a hundred long ones by all.
    Daemon threads, unlike those of `concurrent.futures`, do not keep a process alive that must end.
    """

    def __init__(self, name: str, limit: int) -> None:
        self._name = name
        self._limit = limit
        self._changed = threading.Condition(threading.Lock())
        self._urgent: deque[Task] = deque()
        self._usual: deque[Task] = deque()
        self._threads: set[threading.Thread] = set()
        self._given_up: set[threading.Thread] = set()
        self._idle = 0
        self._waking = False
        self._closed = False
        self._started = 0

    @property
    def waiting(self) -> int:
        """Tasks nobody has begun."""
        return len(self._urgent) + len(self._usual)

    @property
    def busy(self) -> int:
        """Threads at work, those given up not counted."""
        return len(self._threads) - self._idle

    def submit(self, tasks: Iterable[Task], *, urgent: bool = False) -> None:
        """In this order, after those submitted before. Dropped once the pool is closed."""
        with self._changed:
            if self._closed:
                return
            (self._urgent if urgent else self._usual).extend(tasks)
            self._wake_one()

    def give_up(self, thread: threading.Thread) -> None:
        """Another thread may take the place of one that hangs; it ends itself when its task returns after all."""
        with self._changed:
            if thread in self._threads:
                self._threads.discard(thread)
                self._given_up.add(thread)
                self._wake_one()

    def close(self) -> None:
        """Take no more tasks and forget those not begun; threads end after the task they are at."""
        with self._changed:
            self._closed = True
            self._urgent.clear()
            self._usual.clear()
            self._changed.notify_all()

    def _wake_one(self) -> None:
        if self._waking or not self.waiting:
            return
        if self._idle:
            self._waking = True
            self._changed.notify()
        elif len(self._threads) < self._limit:
            self._start_one()

    def _start_one(self) -> None:
        """A machine that has no thread left costs time, not tasks: those at work do them, or the next submit tries."""
        thread = threading.Thread(target=self._work, name=f"{self._name} {self._started + 1}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            log.error("%d tasks wait for a thread, %d are at work: %s", self.waiting, len(self._threads), error)
            return
        self._waking = True
        self._started += 1
        self._threads.add(thread)

    def _work(self) -> None:
        this = threading.current_thread()
        with self._changed:
            self._waking = False
        try:
            while task := self._take(this):
                task()
        finally:
            with self._changed:
                self._threads.discard(this)
                self._given_up.discard(this)
                self._wake_one()

    def _take(self, this: threading.Thread) -> Task | None:
        """The next task; None when this thread is not needed any more."""
        with self._changed:
            while not (self._closed or this in self._given_up):
                if self.waiting:
                    task = (self._urgent or self._usual).popleft()
                    self._wake_one()
                    return task
                self._idle += 1
                self._changed.wait()
                self._idle -= 1
                self._waking = False
            return None
