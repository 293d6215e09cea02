"""What befalls which life: drawn from the seed alone, so that a run can be had again."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from agent.runtime.crash_points import CrashPoint

_P = CrashPoint
BACKUPS = (_P.COPIED, _P.COPY_UNNAMED, _P.COPY_NAMED)
"""Reached by `paramedic records backup`, a process of its own beside the agent."""
STOPS = (_P.STOPPING, _P.STEPS_STOPPED, _P.LOOP_STOPPED)
"""Reached only by an agent that is told to stop."""
_DECISIONS = (_P.DECIDED, _P.HALF_WRITTEN, _P.BEFORE_COMMIT, _P.COMMITTED, _P.HANDED_OVER)
_STEPS = (_P.STEP_UNCLAIMED, _P.STEP_CLAIMED, _P.STEP_DONE, _P.STEP_TOLD)
_RANDOM = 8
"""Lives in each turn that are killed at a random moment."""
FAULTS = ("cut", "tickets stopped", "answer lost", "disk full", "clock shifted", "reboot")


@dataclass(frozen=True)
class Plan:
    """One life. `crash`: at which point it dies, reached for the n-th time; else it is killed `after` so many seconds
    (both where the point is not reached). `fault`: what begins with it; it lasts for `lasting` lives.
    """

    crash: tuple[CrashPoint, int] | None
    after: float
    fault: str | None
    lasting: int

    @property
    def of_backup(self) -> bool:
        return self.crash is not None and self.crash[0] in BACKUPS

    @property
    def of_stop(self) -> bool:
        return self.crash is not None and self.crash[0] in STOPS


def plans(chance: random.Random) -> Iterator[Plan]:
    """Without end: turns in which each crash point has its life, in another order each time."""
    fault_next = 2
    number = 0
    while True:
        for point in _turn(chance):
            number += 1
            fault, lasting = None, 0
            if number >= fault_next:
                fault, lasting = chance.choice(FAULTS), chance.randint(1, 4)
                fault_next = number + chance.randint(2, 5)
            crash = (point, _times(point, chance)) if point else None
            yield Plan(crash, chance.uniform(0.2, 2.5), fault, lasting)


def _turn(chance: random.Random) -> list[CrashPoint | None]:
    points: list[CrashPoint | None] = [point for point in CrashPoint if point is not _P.RESUMING]
    points += _STEPS
    points += [None] * _RANDOM
    chance.shuffle(points)
    turn: list[CrashPoint | None] = []
    for point in points:
        turn.append(point)
        if point in _STEPS:
            turn.append(_P.RESUMING)  # there is something to resume only after such a death
    return turn


def _times(point: CrashPoint, chance: random.Random) -> int:
    """What happens often is let pass now and then, so that deaths come at every stage of an incident."""
    if point in _DECISIONS:
        return chance.randint(2, 8)
    if point in _STEPS:
        return chance.randint(1, 4)
    if point.name.startswith("TICKET_W") or point is _P.TICKET_UNWRITTEN:
        return chance.randint(1, 5)
    return 1
