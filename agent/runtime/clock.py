"""The time of events."""

import time

_ELAPSED = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""CLOCK_BOOTTIME also counts while the machine is suspended; see clock_gettime(2)."""


class Clock:
    """Seconds since the epoch that never go back: the wall clock as the agent started, plus time elapsed since.

    Deadlines, rate limits and the order of the timeline hang on it, and a wall clock may be set back by
    hand or by NTP. The price: a wall clock that is corrected while the agent runs is followed at its
    next start only.
    """

    def __init__(self, floor: float = 0.0) -> None:
        """`floor`: the latest time on record. A wall clock behind it is not believed."""
        self._offset = max(time.time(), floor) - time.clock_gettime(_ELAPSED)

    def now(self) -> float:
        return self._offset + time.clock_gettime(_ELAPSED)
