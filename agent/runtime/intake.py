"""What waits to be decided: in order, and of the answers to one question only the newest."""

import queue
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from agent.model.events import Event, Observed

Q = TypeVar("Q")
"""What waits beside events."""


@dataclass(slots=True)
class Waiting(Generic[Q]):
    """One place in the queue. `since`: when the newest of it came, in monotonic seconds."""

    items: list[Event | Q]
    since: float
    asking: tuple[str, ...] = ()


@dataclass(slots=True)
class Taken(Generic[Q]):
    """`since`: when the oldest of these came, in monotonic seconds; None when there is nothing."""

    items: list[Event | Q] = field(default_factory=list)
    since: float | None = None


class Intake(Generic[Q]):
    """Put from any thread, taken by one. Nothing is ever dropped but answers that are out of date.

    Checks go on answering while decisions do not keep up, or wait for a full disk for hours. A check's newer answer
    then takes the place of its older one, so that no more waits than there are askings, and everything is decided by
    what was seen last.
    """

    def __init__(self) -> None:
        self.superseded = 0
        """How many answers were out of date before they could be decided."""
        self._queue: queue.SimpleQueue[Waiting[Q] | None] = queue.SimpleQueue()
        self._answers: dict[tuple[str, ...], Waiting[Q]] = {}
        self._lock = threading.Lock()

    @property
    def waiting(self) -> int:
        return self._queue.qsize()

    def wake(self) -> None:
        """Whoever waits for something to take is not to wait any longer."""
        self._queue.put(None)

    def put(self, item: Event | Q) -> None:
        if not isinstance(item, Observed):
            self._queue.put(Waiting([item], time.monotonic()))
            return
        asking = tuple(answered.scope for answered in item.passes)
        with self._lock:
            there = self._answers.get(asking)
            if there is None:
                self._answers[asking] = there = Waiting([item], time.monotonic(), asking)
                self._queue.put(there)
                return
            kept = [one for one in there.items if not (isinstance(one, Observed) and _says_all_of(item, one))]
            self.superseded += len(there.items) - len(kept)
            there.items, there.since = [*kept, item], time.monotonic()

    def take(self, wait: float, limit: int) -> Taken[Q]:
        """What waits, at most about `limit`; if nothing does, what comes within `wait` seconds."""
        taken: Taken[Q] = Taken()
        with suppress(queue.Empty):
            first = self._queue.get(timeout=wait) if wait > 0 else self._queue.get_nowait()
            while True:
                if first is not None:
                    self._take_out(first)
                    taken.items += first.items
                    taken.since = first.since if taken.since is None else min(taken.since, first.since)
                if len(taken.items) >= limit:
                    break
                first = self._queue.get_nowait()
        return taken

    def _take_out(self, place: Waiting[Q]) -> None:
        if place.asking:
            with self._lock:
                del self._answers[place.asking]


def _says_all_of(newer: Observed, older: Observed) -> bool:
    """Whether there is nothing in the older answer that the newer does not tell anew: what could not be asked says
    nothing about the subjects that were reported before."""
    return all(
        later.complete
        or {each.subject for each in earlier.observations} <= {each.subject for each in later.observations}
        for later, earlier in zip(newer.passes, older.passes, strict=True)
    )


@dataclass(frozen=True, slots=True)
class Answers:
    """Several of them that came one after the other."""

    events: tuple[Observed, ...]

    def as_one(self) -> Observed:
        passes = tuple(answered for event in self.events for answered in event.passes)
        return Observed(max(event.at for event in self.events), passes)


def together(items: Sequence[Q], limit: int) -> list[Q | Answers]:
    """The items in order; answers that follow each other are put together, up to about `limit` observations.

    Seen together they are understood together, and cost one decision: in a storm one incident is joined once.
    """
    found: list[Q | Answers] = []
    size = 0
    for item in items:
        if not isinstance(item, Observed):
            found.append(item)
            continue
        count = sum(len(answered.observations) for answered in item.passes)
        last = found[-1] if found else None
        if isinstance(last, Answers) and size + count <= limit:
            found[-1], size = Answers((*last.events, item)), size + count
        else:
            found.append(Answers((item,)))
            size = count
    return found
