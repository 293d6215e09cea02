"""The time of events."""

import time

_ELAPSED = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""CLOCK_BOOTTIME also counts while the machine is suspended; see clock_gettime(2)."""

SET = 1.0
"""Seconds by which a wall clock must be off before it counts as having been set; slewing never gets there."""


def elapsed() -> float:
    """Seconds since the machine was started, whatever happens to its wall clock."""
    return time.clock_gettime(_ELAPSED)


class Clock:
    """Seconds since the epoch: the wall clock, but it does not jump by itself.

    It measures by the time elapsed. When the wall clock has been set, by hand or by NTP, it stays as it is until
    `follow` takes it along, at a moment when everything that was measured from is set by as much: see ADR 9.
    """

    def __init__(self) -> None:
        self._offset = time.time() - elapsed()

    def now(self) -> float:
        return self._offset + elapsed()

    def follow(self) -> float:
        """Go by the wall clock again. Returns by how many seconds that sets this one; 0 when it was right."""
        by = time.time() - self.now()
        if abs(by) < SET:
            return 0.0
        self._offset += by
        return by
