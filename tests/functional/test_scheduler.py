"""When checks are asked: spread, soon, none dropped; and the clock they go by."""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from agent.model.inventory import Host
from agent.model.observation import Answer
from agent.plugin.api import CheckPorts
from agent.runtime.scheduler import Phase, Scheduler, Turn, Turns, phases
from tests.functional.scripted_checks import make, probe
from tests.neighbours.waiting import until


@pytest.mark.parametrize(
    ("checks", "every", "count"), [(1, 10.0, 1), (3, 10.0, 3), (100, 10.0, 25), (10_000, 10.0, 100), (1000, 1.0, 20)]
)
def test_checks_are_spread_evenly_over_phases(checks: int, every: float, count: int) -> None:
    laid = list(phases(Turn(f"c{number}@h", every) for number in range(checks)))
    assert len(laid) == count
    sizes = [len(phase.scopes) for phase in laid]
    assert max(sizes) - min(sizes) <= 1
    assert sum(sizes) == checks
    assert [phase.offset for phase in laid] == pytest.approx([every * number / count for number in range(count)])
    assert all(0 <= phase.first < min(every, 2.0) for phase in laid)


def test_a_place_does_not_depend_on_the_order_of_the_configuration() -> None:
    turns = [Turn(f"c{number}@h", 10.0) for number in range(500)]
    assert list(phases(turns)) == list(phases(reversed(turns)))


def test_checks_that_share_a_reading_are_due_together_and_the_rest_is_spread() -> None:
    sharing = [Turn(f"p{number}@h", 10.0, "processes") for number in range(10)]
    others = [Turn(f"c{number}@h", 10.0) for number in range(10)]
    laid = [phase.scopes for phase in phases(sharing + others)]
    assert [len(scopes) for scopes in laid if any(scope.startswith("p") for scope in scopes)] == [10]
    assert len(laid) == 11


@pytest.mark.parametrize(
    ("offset", "first", "seconds"), [(0.0, 0.0, [0, 10, 20]), (2.0, 0.4, [0.4, 12, 22]), (8.0, 1.6, [1.6, 8, 18])]
)
def test_the_first_asking_is_soon_and_not_followed_at_once_by_the_next(
    offset: float, first: float, seconds: list[float]
) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    turns = Turns(Phase(10.0, offset, first, ("c@h",)), start)
    due: list[datetime] = []
    for _ in seconds:
        due.append(turns.get_next_fire_time(due[-1] if due else None, due[-1] if due else start))
    assert [(each - start).total_seconds() for each in due] == pytest.approx(seconds)


def test_a_clock_that_jumps_by_decades_is_caught_up_with_in_one_turn() -> None:
    long_ago, now = datetime(1970, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 0, 0, 3, tzinfo=UTC)
    turns = Turns(Phase(10.0, 5.0, 1.0, ("c@h",)), long_ago)
    missed = turns.get_next_fire_time(long_ago + timedelta(seconds=5), now)
    assert timedelta(0) <= now - missed <= timedelta(seconds=10)
    assert now <= turns.get_next_fire_time(missed, now) <= now + timedelta(seconds=10)


def test_every_check_is_due_soon_and_then_at_its_interval() -> None:
    seen: list[tuple[float, str]] = []

    def ask(scopes: Sequence[str], lateness: float) -> None:
        now = time.monotonic()
        seen.extend((now - lateness, scope) for scope in scopes)

    scheduler = Scheduler(ask)
    scheduler.start()
    scopes = [f"c{number}@h" for number in range(200)]
    scheduler.use(Turn(scope, 0.5) for scope in scopes)
    until(lambda: min(Counter(scope for _, scope in seen)[scope] for scope in scopes) >= 5, within=60, what="5 turns")
    scheduler.stop()
    assert len({due for due, _ in seen}) >= 10, "not all in the same instant"
    for scope in scopes:
        dues = [due for due, one in seen if one == scope]
        gaps = [after - before for before, after in pairwise(dues)]
        assert sorted(gaps)[len(gaps) // 2] == pytest.approx(0.5, abs=0.2)


def test_none_is_dropped_when_the_workers_are_busy() -> None:
    """NEIGHBOURS of this design: APScheduler by itself loses two thirds of these."""
    watch, pool = make(workers=4)
    pause = threading.Event()

    def slow(_host: Host, _ports: CheckPorts) -> Sequence[Answer]:
        pause.wait(0.02)
        return [Answer()]

    probes = [probe(f"c{number}", slow) for number in range(100)]
    watch.use(*probes)
    scheduler = Scheduler(watch.prober.ask_due)
    scheduler.start()
    scheduler.use(Turn(each.scope, 0.25) for each in probes)
    until(
        lambda: min(Counter(each.check for each in list(watch.passes)).get(one.check, 0) for one in probes) >= 4,
        within=60,
        what="4 answers of every check",
    )
    scheduler.stop()
    watch.prober.stop()
    pool.close()
    lags = watch.prober.lags().values()
    assert sum(lag.late for lag in lags) > 0, "the workers were not busy enough to show anything"


def test_a_new_configuration_replaces_the_old_one() -> None:
    seen: list[str] = []
    scheduler = Scheduler(lambda scopes, _: seen.extend(scopes))
    scheduler.start()
    scheduler.use([Turn("old@h", 0.25)])
    until(lambda: "old@h" in seen, within=30, what="the old check")
    scheduler.use([Turn("new@h", 0.25)])
    seen.clear()
    until(lambda: seen.count("new@h") >= 2, within=30, what="the new check")
    assert "old@h" not in seen[1:]
    scheduler.stop()


def test_a_wall_clock_that_is_set_back_does_not_stop_the_checks() -> None:
    scheduler = Scheduler(lambda _scopes, _lateness: None)
    scheduler.start()
    scheduler.use([Turn(f"c{number}@h", 30.0) for number in range(10)])
    earlier = datetime.now(UTC) - timedelta(hours=5)
    scheduler.realign(earlier)
    due = scheduler.next_due()
    assert due is not None
    assert due - earlier <= timedelta(seconds=30)
    scheduler.stop()


def test_a_clock_set_back_during_a_reload_is_put_right_all_the_same() -> None:
    """What is to be put right has just been taken away: the reload comes while the time left is reckoned."""
    scheduler = Scheduler(lambda scopes, lateness: None)
    scheduler.start()
    scheduler.use([Turn("c@h", 30.0)])

    class Reloading(datetime):
        def __rsub__(self, due: datetime) -> timedelta:
            scheduler.use([Turn("c@h", 30.0)])
            return timedelta(seconds=due.timestamp() - self.timestamp())

    earlier = datetime.now(UTC) - timedelta(hours=5)
    try:
        scheduler.realign(Reloading.fromtimestamp(earlier.timestamp(), UTC))
        scheduler.realign(earlier)
        due = scheduler.next_due()
        assert due is not None
        assert due - earlier <= timedelta(seconds=30)
    finally:
        scheduler.stop()
