"""How hard to try while no ticket gets through: the pace of a circuit breaker, without threads or clock."""

from dataclasses import dataclass

PATIENCE = 3
"""Failures in a row after which the ticket system counts as unavailable."""

LONGEST = 300.0
"""Seconds."""


def backoff(attempts: int) -> float:
    """Seconds to wait after that many failed attempts: 1, 2, 4 … 300."""
    return min(LONGEST, 2.0 ** min(max(attempts, 1) - 1, 20))


@dataclass(slots=True)
class Circuit:
    """Closed: all may try. Open: one probe at a time, after a pause that grows with every failure.

    `down_since`: when the first failure of the row was; `not_before`: when the next attempt may start.
    """

    failures: int = 0
    down_since: float | None = None
    not_before: float = 0.0

    @property
    def is_open(self) -> bool:
        return self.failures >= PATIENCE

    def room(self, now: float, under_way: int, most: int) -> int:
        """How many attempts may start now beside those under way."""
        if now < self.not_before:
            return 0
        return max(0, (1 if self.is_open else most) - under_way)

    def failed(self, at: float, retry_after: float | None) -> bool:
        """Nothing got through. Whether this opened the circuit."""
        was_open = self.is_open
        self.failures += 1
        if self.down_since is None:
            self.down_since = at
        pause = backoff(self.failures - PATIENCE + 1) if self.is_open else 0.0
        self.not_before = max(self.not_before, at + max(pause, retry_after or 0.0))
        return self.is_open and not was_open

    def answered(self) -> bool:
        """The ticket system answered. Whether this closed the circuit."""
        was_open = self.is_open
        self.failures, self.down_since = 0, None
        return was_open
