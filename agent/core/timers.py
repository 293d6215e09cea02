"""Which incidents and executions are due, and when the next one is."""

import heapq
from dataclasses import dataclass, field


@dataclass(slots=True)
class Timers:
    """One for each id, at most. Times in seconds since the epoch."""

    _of: dict[str, float] = field(default_factory=dict)
    _heap: list[tuple[float, str]] = field(default_factory=list)

    def set(self, about: str, due: float | None) -> None:
        """In place of the one it had; None: it waits for no time any more."""
        if due is None:
            self._of.pop(about, None)
        elif self._of.get(about) != due:
            self._of[about] = due
            heapq.heappush(self._heap, (due, about))

    def next(self) -> float | None:
        """None when nothing waits for time. What is out of date is dropped here."""
        while self._heap and self._of.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def due(self, at: float) -> tuple[str, ...]:
        """Ids that are due, earliest first."""
        found = [about for about, due in self._of.items() if due <= at]
        return tuple(sorted(found, key=lambda about: (self._of[about], about)))
