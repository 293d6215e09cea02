"""How hard to try while a neighbour does not answer: the pace of a circuit breaker, without threads or clock."""

from dataclasses import dataclass

PATIENCE = 3
"""Failures in a row after which the neighbour counts as unavailable."""

LONGEST = 300.0
"""Seconds."""


def backoff(attempts: int, longest: float = LONGEST) -> float:
    """Seconds to wait after that many failed attempts: 1, 2, 4 … `longest`."""
    return min(longest, 2.0 ** min(max(attempts, 1) - 1, 20))


@dataclass(slots=True)
class Circuit:
    """Closed: all may try. Open: one probe at a time, after a pause that grows with every failure.

    `longest`: the longest pause; `down_since`: when the first failure of the row was; `failed_at`: when the latest
    was; `not_before`: when the next attempt may start. Seconds.
    """

    longest: float = LONGEST
    failures: int = 0
    down_since: float | None = None
    not_before: float = 0.0
    failed_at: float = float("-inf")

    @property
    def is_open(self) -> bool:
        return self.failures >= PATIENCE

    def room(self, now: float, under_way: int, most: int) -> int:
        """How many attempts may start now beside those under way."""
        if now < self.not_before:
            return 0
        return max(0, (1 if self.is_open else most) - under_way)

    def failed(self, at: float, retry_after: float | None = None, *, began: float = float("inf")) -> bool:
        """Nothing got through. Whether this opened the circuit.

        An attempt that `began` before the latest failure was known met with the same: twenty are one.
        """
        if began < self.failed_at:
            return False
        self.failed_at = at
        was_open = self.is_open
        self.failures += 1
        if self.down_since is None:
            self.down_since = at
        pause = backoff(self.failures - PATIENCE + 1, self.longest) if self.is_open else 0.0
        self.not_before = max(self.not_before, at + max(pause, retry_after or 0.0))
        return self.is_open and not was_open

    def answered(self) -> bool:
        """The neighbour answered. Whether this closed the circuit."""
        was_open = self.is_open
        self.failures, self.down_since = 0, None
        return was_open
