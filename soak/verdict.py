"""Whether the figures grew: what they were early on against what they were at the end."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from soak.daemon import Sample

SPARE = 3
"""Threads or descriptors more than before that are no leak: a worker that has not gone home yet."""


@dataclass(frozen=True)
class Growth:
    """Of one figure. `before`, `after`: of the first and the last third after the warm-up."""

    figure: str
    before: float
    after: float
    allowed: float

    @property
    def is_leak(self) -> bool:
        return self.after > self.allowed


def judge(samples: Sequence[Sample], quiet: Sequence[Sample], warm_up: float, percent: float) -> list[Growth]:
    """Memory: medians over all samples. Threads and descriptors: the least of those taken in quiet moments, for on a
    busy machine workers go home late, and a leak raises even the least.

    `warm_up` in seconds: what is younger does not count. Raises ValueError when too few samples are left.
    """
    before, after = (median(each.own for each in third) for third in _thirds(samples, warm_up))
    memory = Growth("own memory", before, after, before * (1 + percent / 100))
    before, after = (min(each.threads for each in third) for third in _thirds(quiet, warm_up))
    threads = Growth("threads", before, after, before + 2 * SPARE)
    before, after = (min(each.descriptors for each in third) for third in _thirds(quiet, warm_up))
    return [memory, threads, Growth("descriptors", before, after, before + SPARE)]


def _thirds(samples: Sequence[Sample], warm_up: float) -> tuple[Sequence[Sample], Sequence[Sample]]:
    """The first and the last."""
    counted = [sample for sample in samples if sample.at >= warm_up]
    third = len(counted) // 3
    if third < 1:
        raise ValueError(f"too short a soak: only {len(counted)} looks after the warm-up")
    return counted[:third], counted[-third:]
