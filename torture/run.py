"""The torture itself: one life after the other, each with its fault, until enough have been killed."""

import random
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from agent.runtime.crash_points import CrashPoint
from torture.diary import Diary
from torture.eyes import Eyes
from torture.faults import Faults
from torture.nursery import Life, Nursery
from torture.people import People
from torture.plan import Plan, plans
from torture.site import Site

_LOOK = 0.05
_SICK_AT_MOST = 4
_STIR = 1.0
"""Seconds between two things that people do."""
_PATIENCE = 4.0
"""Seconds after it is ready that an agent has for reaching the point where it is to die."""
_USUAL_START = 0.4
"""Seconds from birth to ready where nothing else is going on; all other times are stretched where it takes longer."""
_SLOWEST = 4.0
"""Times are not stretched more than that."""
_STARTS_WITHIN = 60.0
_STOPS_WITHIN = 40.0


class Torture:
    """`say` gets a word of progress now and then."""

    def __init__(self, site: Site, diary: Diary, nursery: Nursery, say: Callable[[str], None]) -> None:
        self._site, self._diary, self._nursery, self._say = site, diary, nursery, say
        self._chance = random.Random(diary.seed)
        self._eyes = Eyes(site.record, diary)
        self._people = People(site, self._eyes, diary, random.Random(diary.seed + 1))
        self._faults = Faults(site, diary, random.Random(diary.seed + 2))
        self._spoken = self._stirred = 0.0
        self._pace = 1.0

    def kill(self, times: int) -> None:
        """So many lives."""
        for plan in plans(self._chance):
            if self._diary.kills.total() >= times:
                break
            self._faults.next_life(plan)
            self._live(plan)
        self._faults.end_all()

    def come_to_rest(self, within: float) -> bool:
        """Let an agent live in peace until nothing is left to do, then stop it. False if it is not done by then."""
        life = self._nursery.birth("run", "--config", self._site.config)
        deadline = time.monotonic() + within
        calm = False
        while not calm and not life.over.wait(_LOOK) and time.monotonic() < deadline:
            self._look()
            self._people.settle()
            calm = self._is_calm()
        self._people.close()
        status = life.end(signal.SIGTERM, within=_STOPS_WITHIN)
        if status != 0:
            self._diary.wrong.append(f"told to stop at the end, the agent ended with {status}")
        self._look()
        return calm

    def _live(self, plan: Plan) -> None:
        self._people.break_something(_SICK_AT_MOST)
        said = self._site.journal.stat().st_size if self._site.journal.exists() else 0
        crash = plan.crash if plan.crash and not plan.of_backup else None
        life = self._nursery.birth("run", "--config", self._site.config, crash=crash)
        began = time.monotonic()
        ready: float | None = None
        told_to_stop = False
        while not life.over.wait(_LOOK):
            self._look()
            now = time.monotonic()
            if ready is None and self._says_ready(said):
                ready = now
                self._pace = min(_SLOWEST, max(1.0, (self._pace + (now - began) / _USUAL_START) / 2))
            self._faults.in_this_life(now - began)
            if plan.of_stop and ready and now > ready + plan.after / 3 * self._pace and not told_to_stop:
                self._nursery.order(kill=life.pid, signal=signal.SIGTERM)
                told_to_stop = True
            if plan.of_backup and ready:
                self._back_up(plan)
                break
            if self._has_lived(plan, now - began, None if ready is None else now - ready):
                break
        self._died(life, plan)

    def _has_lived(self, plan: Plan, age: float, ready_for: float | None) -> bool:
        if plan.crash is None or self._faults.disk_is_full:
            return age > plan.after * self._pace  # with a full disk nothing gets on
        if ready_for is not None and plan.crash[0] is CrashPoint.RESUMING:
            return True  # there was nothing to resume
        if ready_for is None:
            return age > _STARTS_WITHIN
        return ready_for > (_STOPS_WITHIN if plan.of_stop else _PATIENCE * self._pace)

    def _died(self, life: Life, plan: Plan) -> None:
        by_itself = life.over.is_set()
        status = life.end()
        if by_itself and plan.crash and status == -signal.SIGKILL:
            self._diary.kills[plan.crash[0].name] += 1
        elif status == -signal.SIGKILL:
            self._diary.kills["a random moment"] += 1
        elif not (status == 0 and plan.of_stop) and not (status == 1 and self._faults.disk_is_full):
            self._diary.wrong.append(f"an agent ended by itself with {status}")

    def _back_up(self, plan: Plan) -> None:
        assert plan.crash is not None
        self._site.backups.mkdir(exist_ok=True)
        copy = self._site.backups / f"{len(self._diary.backups)}.db"
        self._diary.backups.append(copy.name)
        life = self._nursery.birth("--socket", self._site.socket, "records", "backup", copy, crash=plan.crash)
        if not life.over.wait(_STOPS_WITHIN):
            self._diary.wrong.append("a backup did not end")
        if life.end() == -signal.SIGKILL:
            self._diary.kills[plan.crash[0].name] += 1
        else:
            self._diary.wrong.append(f"a backup ended with {life.status}")

    def _look(self) -> None:
        with suppress(sqlite3.Error):  # no record yet, or it is just being recovered
            self._eyes.look()
        self._people.mend()
        if time.monotonic() > self._stirred + _STIR * self._pace:
            self._stirred = time.monotonic()
            self._people.talk()
            self._people.break_something(_SICK_AT_MOST)
        if time.monotonic() > self._spoken + 10:
            self._spoken = time.monotonic()
            self._say(f"{self._diary.kills.total()} killed, {len(self._diary.breaks)} patients fallen ill")

    def _says_ready(self, since: int) -> bool:
        with self._site.journal.open("rb") as journal:
            journal.seek(since)
            return b" ready: " in journal.read()

    def _is_calm(self) -> bool:
        if self._eyes.open or self._eyes.episodes or self._people.are_talking:
            return False
        with suppress(sqlite3.Error), closing(_reading(self._site.record)) as record:
            left = "SELECT (SELECT count(*) FROM steps WHERE state != 'ended') + "
            left += "(SELECT count(*) FROM ticket_updates WHERE state = 'waiting')"
            return bool(record.execute(left).fetchone() == (0,))
        return False


def _reading(record: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{record.as_uri()}?mode=ro", uri=True, timeout=1)


def torture(
    site: Site, diary: Diary, kills: int, *, plant: str | None, rest: float, say: Callable[[str], None]
) -> None:
    """All of it on a site that stands; the diary is kept in it."""
    with Nursery(site.journal, site.environment, plant=plant) as nursery:
        run = Torture(site, diary, nursery, say)
        run.kill(kills)
        say("all faults over; waiting until nothing is left to do")
        if not run.come_to_rest(rest):
            diary.wrong.append(f"{rest:g} s after the last fault there was still something to do")
