"""When checks are asked: spread, soon, none dropped, none overlapping itself, none holding up another."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from agent.errors import CannotAsk
from agent.model.check import CheckRules
from agent.model.events import Observed
from agent.model.health import Key
from agent.model.inventory import Host
from agent.model.observation import Answer, Observation, Pass, Verdict
from agent.model.settings import Settings
from agent.plugin.api import CheckPorts, CheckType
from agent.plugin.probe import Probe
from agent.runtime.clock import Clock
from agent.runtime.interview import Interviewer
from agent.runtime.placing import HostNames
from agent.runtime.prober import Prober
from agent.runtime.redaction import Redactor
from agent.runtime.scheduler import Phase, Scheduler, Turn, Turns, phases
from agent.runtime.secrets import Secrets
from agent.runtime.shell import LocalShell
from agent.runtime.shells import Shells
from agent.runtime.ssh import SshPool
from tests.neighbours.waiting import until

HERE = Host(name="localhost", connection="local")
WEB1 = Host(name="web1", address="10.0.0.1")
WEB2 = Host(name="web2", address="10.0.0.2")
HOSTS = {host.name: host for host in (HERE, WEB1, WEB2)}


class Script(CheckType):
    """A check type that does what the test says."""

    kind = "script"
    readings = None
    do: Callable[[Host, CheckPorts], Sequence[Answer]]

    def ask(self, target: Host, ports: CheckPorts) -> Sequence[Answer]:
        return self.do(target, ports)


class Elsewhere(Script):
    """As prometheus: it alone knows its subjects."""

    kind = "elsewhere"
    own_subjects = True


@dataclass
class Watch:
    """A prober, and what it posted."""

    prober: Prober
    passes: list[Pass] = field(default_factory=list)

    def use(self, *probes: Probe, **rules: object) -> None:
        checks = {
            probe.check: CheckRules.model_validate({"name": probe.check, "kind": "script", **rules}) for probe in probes
        }
        self.prober.use(Settings(checks=checks, hosts=HOSTS), probes)

    def of(self, check: str) -> list[Pass]:
        return [each for each in self.passes if each.check == check]

    def wait(self, count: int, check: str = "c") -> list[Pass]:
        return until(
            lambda: found if len(found := self.of(check)) >= count else [],
            within=30,
            what=f"{count} answers of {check}",
        )

    def only(self, check: str = "c") -> Observation:
        (observation,) = self.wait(1, check)[0].observations
        return observation


def make(workers: int = 8) -> tuple[Watch, SshPool]:
    pool = SshPool()
    shells = Shells({}, pool, LocalShell())
    secrets = Secrets({}, {})
    passes: list[Pass] = []

    def post(event: Observed) -> None:
        passes.extend(event.passes)

    prober = Prober(Interviewer(shells, secrets, Redactor(secrets.seen)), post, Clock().now, workers=workers)
    prober.start()
    return Watch(prober, passes), pool


@pytest.fixture
def watch() -> Iterator[Watch]:
    watch, pool = make()
    yield watch
    watch.prober.stop()
    pool.close()


def probe(check: str, do: Callable[[Host, CheckPorts], Sequence[Answer]], host: Host = HERE) -> Probe:
    return Probe(check, host, Script(do=do))


def fine(host: Host, ports: CheckPorts) -> Sequence[Answer]:
    return [Answer({"n": 1.0}, message="fine")]


class Gate:
    """A question that is answered when the test says so."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.asked = 0
        self.at_once = 0
        self.most_at_once = 0
        self._lock = threading.Lock()

    def __call__(self, host: Host, ports: CheckPorts) -> Sequence[Answer]:
        with self._lock:
            self.asked += 1
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        self.open.wait(60)
        with self._lock:
            self.at_once -= 1
        return [Answer(message=f"answer {self.asked}")]


# what is observed


def test_an_answer_becomes_an_observation(watch: Watch) -> None:
    before = time.time()
    watch.use(probe("c", fine, WEB1), critical="n > 0")
    watch.prober.ask_due(["c@web1"])
    (answered,) = watch.wait(1)
    assert (answered.scope, answered.complete) == ("c@web1", True)
    (seen,) = answered.observations
    assert (seen.check, seen.subject, seen.host, seen.verdict) == ("c", "web1", "web1", Verdict.CRITICAL)
    assert seen.message == "fine; n 1 breaches n > 0"
    assert before - 1 <= seen.at <= time.time() + 1


@pytest.mark.parametrize(
    ("kind", "answer", "subject", "host"),
    [
        (Script, Answer(), "web1", "web1"),
        (Script, Answer(subject="/var"), "web1 /var", "web1"),
        (Script, Answer(subject="web1 /var"), "web1 /var", "web1"),
        (Script, Answer(host="web2"), "web1", "web2"),
        (Elsewhere, Answer(subject="job=a"), "job=a", None),
        (Elsewhere, Answer(subject="web2:9100", host="web2"), "web2:9100", "web2"),
        (Elsewhere, Answer(subject="x", host="10.0.0.2"), "x", "web2"),
        (Elsewhere, Answer(subject="x", host="10.0.0.2:9100"), "x", "web2"),
        (Elsewhere, Answer(subject="x", host="10.0.0.9:9100"), "x", None),
    ],
)
def test_subject_and_host(watch: Watch, kind: type[Script], answer: Answer, subject: str, host: str | None) -> None:
    watch.use(Probe("c", WEB1, kind(do=lambda _host, _ports: [answer])))
    watch.prober.ask_due(["c@web1"])
    seen = watch.only()
    assert (seen.subject, seen.host) == (subject, host)


@pytest.mark.parametrize(
    ("said", "name"),
    [("a", "a"), ("10.0.0.1", None), ("10.0.0.3", "c"), ("[::1]:80", "d"), ("::1", "d"), ("x:80", None), ("a:80", "a")],
)
def test_an_address_of_two_hosts_names_neither(said: str, name: str | None) -> None:
    addresses = {"a": "10.0.0.1", "b": "10.0.0.1", "c": "10.0.0.3", "d": "::1"}
    names = HostNames([Host(name=host, address=address) for host, address in addresses.items()])
    assert names.find(said) == name


@pytest.mark.parametrize(
    ("kind", "subject", "host"), [(Script, "web1", "web1"), (Elsewhere, "", None)], ids=["per host", "own subjects"]
)
@pytest.mark.parametrize(
    ("error", "says"),
    [(CannotAsk("no route, password=x"), "no route, password=[redacted]"), (ZeroDivisionError("oh"), "the check kind")],
)
def test_what_cannot_be_asked_is_unknown(
    watch: Watch, kind: type[Script], subject: str, host: str | None, error: Exception, says: str
) -> None:
    def fail(_host: Host, _ports: CheckPorts) -> Sequence[Answer]:
        raise error

    watch.use(Probe("c", WEB1, kind(do=fail)))
    watch.prober.ask_due(["c@web1"])
    seen = watch.only()
    assert not watch.passes[0].complete
    assert (seen.subject, seen.host, seen.verdict, seen.cleared) == (subject, host, Verdict.UNKNOWN, False)
    assert seen.message.startswith(says)


def test_the_process_snapshot_is_not_older_than_the_question(watch: Watch) -> None:
    def youngest(_host: Host, ports: CheckPorts) -> Sequence[Answer]:
        return [Answer({"seen": max(process.seen for process in ports.processes())})]

    watch.use(probe("c", youngest))
    asked = []
    for count in range(1, 4):
        asked.append(time.time())
        watch.prober.ask_now([Key("c", "localhost")])
        watch.wait(count)
    read = [observation.value or 0.0 for each in watch.passes for observation in each.observations]
    assert all(seen >= put - 0.01 for seen, put in zip(read, asked, strict=True))


# in which order, and how many at once


def test_a_check_never_overlaps_itself_and_what_was_due_meanwhile_is_asked_at_once(watch: Watch) -> None:
    gate = Gate()
    watch.use(probe("c", gate))
    for _ in range(5):
        watch.prober.ask_due(["c@localhost"])
        until(lambda: gate.asked == 1, within=30, what="the first asking")
    gate.open.set()
    watch.wait(2)
    assert gate.most_at_once == 1
    assert gate.asked == 2
    lag = watch.prober.lags()["c"]
    assert (lag.asked, lag.late) == (2, 4)
    assert 0 < lag.last <= lag.worst


def test_a_slow_check_delays_no_other() -> None:
    watch, pool = make(workers=4)
    gates = [Gate() for _ in range(40)]
    slow = [probe(f"slow{number}", gate) for number, gate in enumerate(gates)]
    watch.use(*slow, probe("quick", fine), timeout="60s")
    watch.prober.ask_due([each.scope for each in slow])
    watch.prober.ask_due(["quick@localhost"])
    watch.wait(1, "quick")
    assert len(watch.passes) == 1
    assert sum(gate.asked for gate in gates) == 40
    for gate in gates:
        gate.open.set()
    until(lambda: len(watch.passes) == 41, within=30, what="the slow answers")
    watch.prober.stop()
    pool.close()


def test_a_check_that_hangs_is_unknown_at_every_interval_and_not_asked_again(watch: Watch) -> None:
    gate = Gate()
    watch.use(probe("c", gate), timeout="100ms")
    watch.prober.ask_due(["c@localhost"])
    seen = watch.only()
    assert (seen.verdict, seen.message) == (Verdict.UNKNOWN, "did not answer within 200ms and has not returned")
    assert watch.prober.hanging() == ("c@localhost",)
    watch.prober.ask_due(["c@localhost"])
    assert [observation.verdict for observation in watch.wait(2)[1].observations] == [Verdict.UNKNOWN]
    assert gate.asked == 1
    gate.open.set()
    until(lambda: not watch.prober.hanging(), within=30, what="its return")
    watch.prober.ask_due(["c@localhost"])
    (answer,) = watch.wait(3)[2].observations
    assert (answer.verdict, answer.message) == (Verdict.OK, "answer 2")


def test_checks_that_hang_cost_no_worker() -> None:
    watch, pool = make(workers=2)
    gates = [Gate() for _ in range(6)]
    hanging = [probe(f"h{number}", gate) for number, gate in enumerate(gates)]
    watch.use(*hanging, probe("quick", fine), timeout="50ms")
    watch.prober.ask_due([each.scope for each in hanging])
    until(lambda: len(watch.prober.hanging()) == 6, within=30, what="all to hang")
    for count in range(1, 6):
        watch.prober.ask_due(["quick@localhost"])
        watch.wait(count, "quick")
    for gate in gates:
        gate.open.set()
    until(lambda: not watch.prober.hanging(), within=30, what="their return")
    watch.prober.stop()
    pool.close()


def test_ask_now_goes_before_what_is_due() -> None:
    watch, pool = make(workers=1)
    order: list[str] = []

    def note(name: str) -> Callable[[Host, CheckPorts], Sequence[Answer]]:
        def ask(_host: Host, _ports: CheckPorts) -> Sequence[Answer]:
            order.append(name)
            return []

        return ask

    def ask_for_another(_host: Host, _ports: CheckPorts) -> Sequence[Answer]:
        watch.prober.ask_now([Key("c15", "localhost")])
        return []

    names = [f"c{number}" for number in range(20)]
    watch.use(probe("first", ask_for_another), *(probe(name, note(name)) for name in names))
    watch.prober.ask_due(["first@localhost", *(f"{name}@localhost" for name in names)])
    until(lambda: len(watch.passes) == 21, within=30, what="all answers")
    assert order == ["c15", *(name for name in names if name != "c15")]
    watch.prober.stop()
    pool.close()


def test_ask_now_during_an_asking_asks_again_right_after(watch: Watch) -> None:
    gate = Gate()
    watch.use(probe("c", gate), timeout="60s")
    watch.prober.ask_due(["c@localhost"])
    until(lambda: gate.asked == 1, within=30, what="the first asking")
    put = Clock().now()
    watch.prober.ask_now([Key("c", "localhost")])
    gate.open.set()
    before, after = watch.wait(2)
    assert before.at < put <= after.at + 0.01
    assert gate.most_at_once == 1


@pytest.mark.parametrize(
    ("subject", "asked"),
    [("web1", ["web1"]), ("web2 /var", ["web2"]), ("job=a", ["web1", "web2"]), ("", ["web1", "web2"])],
)
def test_ask_now_finds_who_can_speak_of_a_subject(watch: Watch, subject: str, asked: list[str]) -> None:
    watch.use(probe("c", fine, WEB1), probe("c", fine, WEB2), probe("other", fine))
    watch.prober.ask_now([Key("c", subject), Key("c", subject), Key("gone", "x")])
    watch.wait(len(asked))
    watch.prober.ask_now([Key("other", "localhost")])
    watch.wait(1, "other")
    assert sorted(each.scope.removeprefix("c@") for each in watch.of("c")) == asked


def test_a_reload_keeps_the_guard_and_drops_what_is_gone(watch: Watch) -> None:
    kept, gone = Gate(), Gate()
    watch.use(probe("c", kept), probe("gone", gone), timeout="60s")
    watch.prober.ask_due(["c@localhost", "gone@localhost"])
    until(lambda: kept.asked == gone.asked == 1, within=30, what="both to be asked")
    watch.use(probe("c", kept), timeout="60s")
    watch.prober.ask_due(["c@localhost", "gone@localhost"])
    kept.open.set()
    gone.open.set()
    watch.wait(2)
    assert kept.most_at_once == 1
    assert gone.asked == 1
    assert watch.of("gone") == []
    assert set(watch.prober.lags()) == {"c"}


# when


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


def test_the_clock_never_goes_back_and_believes_the_record() -> None:
    clock = Clock()
    assert abs(clock.now() - time.time()) < 5
    tomorrow = Clock(floor=time.time() + 86400)
    assert tomorrow.now() >= time.time() + 86390
    times = [clock.now() for _ in range(1000)]
    assert times == sorted(times)
