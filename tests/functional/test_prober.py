"""How checks are asked: none overlapping itself, none holding up another, what cannot be asked UNKNOWN."""

import time
from collections.abc import Callable, Iterator, Sequence

import pytest

from agent.errors import CannotAsk
from agent.model.health import Key
from agent.model.inventory import Host
from agent.model.observation import Answer, Verdict
from agent.plugin.api import CheckPorts
from agent.plugin.probe import Probe
from agent.runtime.clock import Clock
from agent.runtime.placing import HostNames
from tests.functional.scripted_checks import WEB1, WEB2, Elsewhere, Gate, Script, Watch, fine, make, probe
from tests.neighbours.waiting import until


@pytest.fixture
def watch() -> Iterator[Watch]:
    watch, pool = make()
    yield watch
    watch.prober.stop()
    pool.close()


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


def test_answers_that_are_named_alike_once_secrets_are_hidden_are_unknown(watch: Watch) -> None:
    """Certificates in Kubernetes, say: what is well would hide what is not, and take turns with it."""
    answers = [
        Answer(verdict=Verdict.CRITICAL, subject="secret_name=tls-shop"),
        Answer(subject="secret_name=tls-blog"),
        Answer(subject="file=/etc/tls.pem"),
    ]
    watch.use(Probe("c", WEB1, Elsewhere(do=lambda _host, _ports: answers)))
    watch.prober.ask_due(["c@web1"])
    (answered,) = watch.wait(1)
    assert [(seen.subject, seen.verdict) for seen in answered.observations] == [
        ("file=/etc/tls.pem", Verdict.OK),
        ("secret_name=[redacted]", Verdict.UNKNOWN),
    ]
    assert "2 answers have this name" in answered.observations[1].message


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


def test_checks_of_one_pass_look_at_the_processes_once(watch: Watch) -> None:
    """Five passes: between the two checks of one a busy machine may let the reading grow old."""
    read: dict[str, list[object]] = {"c": [], "d": []}

    def look(check: str) -> Callable[[Host, CheckPorts], Sequence[Answer]]:
        def ask(_host: Host, ports: CheckPorts) -> Sequence[Answer]:
            read[check].append(ports.processes())
            return [Answer()]

        return ask

    watch.use(probe("c", look("c")), probe("d", look("d")))
    for count in range(1, 6):
        watch.prober.ask_due(["c@localhost", "d@localhost"])
        watch.wait(count, "c")
        watch.wait(count, "d")
    assert any(one is other for one, other in zip(read["c"], read["d"], strict=True))


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


def test_a_check_type_that_would_end_the_program_only_says_so_and_is_asked_again(watch: Watch) -> None:
    """As what wraps a command line does (argparse)."""

    def leave(_host: Host, _ports: CheckPorts) -> Sequence[Answer]:
        raise SystemExit(2)

    watch.use(probe("c", leave, WEB1))
    for count in (1, 2):
        watch.prober.ask_due(["c@web1"])
        watch.wait(count)
    for answered in watch.passes:
        (seen,) = answered.observations
        assert (seen.verdict, seen.message) == (Verdict.UNKNOWN, "the check kind 'script' failed: SystemExit: 2")
