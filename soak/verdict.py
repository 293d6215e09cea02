"""Whether the figures grew: what was usual early on against what was usual at the end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from soak.daemon import Sample

SPARE = 3
"""Threads or descriptors more than before that are no leak: a worker that has not gone home yet."""


@dataclass(frozen=True)
class Growth:
    """Of one figure. `before`, `after`: medians of the first and the last third after the warm-up."""

    figure: str
    before: float
    after: float
    allowed: float

    @property
    def is_leak(self) -> bool:
        return self.after > self.allowed


def judge(samples: Sequence[Sample], quiet: Sequence[Sample], warm_up: float, percent: float) -> list[Growth]:
    """Memory over all samples, threads and descriptors over those taken in quiet moments.

    `warm_up` in seconds: what is younger does not count. Raises ValueError when too few samples are left.
    """
    before, after = _usual(samples, lambda each: each.own, warm_up)
    memory = Growth("own memory", before, after, before * (1 + percent / 100))
    before, after = _usual(quiet, lambda each: each.threads, warm_up)
    threads = Growth("threads", before, after, before + 2 * SPARE)
    before, after = _usual(quiet, lambda each: each.descriptors, warm_up)
    return [memory, threads, Growth("descriptors", before, after, before + SPARE)]


def _usual(samples: Sequence[Sample], of: Callable[[Sample], int], warm_up: float) -> tuple[float, float]:
    counted = [sample for sample in samples if sample.at >= warm_up]
    third = len(counted) // 3
    if third < 1:
        raise ValueError(f"too short a soak: only {len(counted)} looks after the warm-up")
    before, after = (median(map(of, part)) for part in (counted[:third], counted[-third:]))
    return before, after
