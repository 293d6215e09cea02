"""When each check is due: checks of one interval spread over phases of it, so that they do not all fire at once.

APScheduler runs one job per phase, not one per check, and each job only hands its checks on: a job per
check would cost fifteen times as much at ten thousand checks, and APScheduler's own workers would drop
runs when they are busy.
"""

import logging
import math
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from apscheduler.executors.base import BaseExecutor
from apscheduler.job import Job
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

PHASES = 100
"""The most phases that one interval is divided into."""

_SMALLEST_PHASE = 0.05
"""Seconds between two phases at the least."""

_ALONE = 25
"""So many checks of one interval have a phase each before they begin to share, four to a phase."""

_FIRST = 2.0
"""Seconds over which the first askings are spread."""

_CLOCK_LOOK = 1.0
"""Seconds between two looks whether the wall clock was set back: for so long the checks may be held up by it."""


@dataclass(frozen=True, slots=True)
class Phase:
    """Checks that are due together, `offset` seconds into each interval `every`."""

    every: float
    offset: float
    first: float
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Turn:
    """A check that is due each `every` seconds. Those of one `company` share a reading and are due together."""

    scope: str
    every: float
    company: str | None = None


def phases(checks: Iterable[Turn]) -> Iterator[Phase]:
    """Spread the checks evenly. A scope's place depends on its name, not on the order of the configuration.

    `first`: seconds from the start until the first asking.
    """
    by_interval: dict[float, dict[str, list[str]]] = {}
    for check in checks:
        together = by_interval.setdefault(check.every, {})
        together.setdefault(check.company or check.scope, []).append(check.scope)
    for every, groups in sorted(by_interval.items()):
        names = sorted(groups, key=lambda name: (zlib.crc32(name.encode()), name))
        count = max(1, min(PHASES, int(every / _SMALLEST_PHASE), len(names), max(_ALONE, len(names) // 4)))
        soon = min(every, _FIRST)
        for number in range(count):
            share = number / count
            scopes = tuple(scope for name in names[number::count] for scope in sorted(groups[name]))
            yield Phase(every, share * every, share * soon, scopes)


@dataclass(frozen=True, slots=True)
class _Due:
    """What a job does."""

    ask: Callable[[Sequence[str], float], None]
    scopes: tuple[str, ...]
    every: float

    def __call__(self, lateness: float = 0.0) -> None:
        # What was missed while the machine slept, or jumped over by a clock set forward, is nobody's lateness.
        self.ask(self.scopes, min(lateness, self.every))


class Scheduler:
    """`ask` is given the scopes that are due and since how many seconds; it is called in the scheduler's thread
    and must not block.
    """

    def __init__(self, ask: Callable[[Sequence[str], float], None]) -> None:
        self._ask = ask
        # The executor calls in the scheduler's thread; "never drop a run" is said to APScheduler all the same.
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": _InPlace()},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        self._stopping = threading.Event()
        self._clock_watch = threading.Thread(target=self._watch_clock, name="clock watch", daemon=True)
        # Its lines about single jobs would be a hundred a second.
        logging.getLogger("apscheduler").setLevel(logging.WARNING)

    def start(self) -> None:
        self._scheduler.start()
        self._clock_watch.start()

    def stop(self) -> None:
        """Nothing is due any more."""
        self._stopping.set()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def use(self, checks: Iterable[Turn]) -> None:
        """These from now on; each is due for the first time within 2 s."""
        self._scheduler.remove_all_jobs()
        now = datetime.now(UTC)
        for phase in phases(checks):
            self._scheduler.add_job(_Due(self._ask, phase.scopes, phase.every), Turns(phase, now))

    def next_due(self) -> datetime | None:
        """When the next check is due; None when there is none."""
        jobs = self._scheduler.get_jobs() if self._scheduler.running else []
        return min((job.next_run_time for job in jobs), default=None)

    def realign(self, now: datetime) -> None:
        """Put right what a wall clock set back to `now` has left in the future: nothing would be asked till then."""
        for job in self._scheduler.get_jobs():
            every = timedelta(seconds=job.trigger.every)
            if job.next_run_time - now > 2 * every:
                with suppress(JobLookupError):  # a reload has just taken it away
                    job.modify(next_run_time=now + (job.next_run_time - now) % every)

    def _watch_clock(self) -> None:
        while not self._stopping.wait(_CLOCK_LOOK):
            self.realign(datetime.now(UTC))


class Turns(BaseTrigger):  # type: ignore[misc]  # APScheduler has no types
    """First soon, then at the phase's place in each interval.

    APScheduler asks for one turn after the other until it has caught up with the clock. Its own interval
    trigger counts them all, for hours when a clock without battery jumps from 1970 to today; here those
    missed are one.
    """

    def __init__(self, phase: Phase, start: datetime) -> None:
        self.every = phase.every
        self._first = start + timedelta(seconds=phase.first)
        self._origin = start.timestamp() + phase.offset

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        if previous_fire_time is None:
            return self._first
        # Half an interval: the first asking is not followed at once by the first regular one.
        earliest = max(previous_fire_time.timestamp() + self.every / 2, now.timestamp() - self.every)
        turn = math.ceil((earliest - self._origin) / self.every)
        return datetime.fromtimestamp(self._origin + turn * self.every, UTC)


class _InPlace(BaseExecutor):  # type: ignore[misc]
    """Runs a job in the scheduler's own thread and tells it how late it is: handing on takes microseconds."""

    def _do_submit_job(self, job: Job, run_times: list[datetime]) -> None:
        lateness = (datetime.now(UTC) - run_times[-1]).total_seconds()
        job.func(max(0.0, lateness))
        self._run_job_success(job.id, [])
