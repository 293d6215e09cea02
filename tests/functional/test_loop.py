"""The deciding loop when things go wrong: nobody waits for ever, nothing spins, nothing undecided is done."""

import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from agent.core.state import State
from agent.errors import StoreBusy, StoreFull
from agent.model.check import CheckRules
from agent.model.decision import Decision
from agent.model.events import Freeze, Observed, PersonActed, Unfreeze
from agent.model.health import Health, Key
from agent.model.incident import Phase
from agent.model.inventory import Host
from agent.model.observation import Observation, Pass, Verdict
from agent.model.service import Service
from agent.model.settings import Settings
from agent.runtime.clock import Clock
from agent.runtime.committing import Record
from agent.runtime.loop import Loop
from agent.runtime.store.store import Store
from tests.functional.records import DIGEST, EXECUTION, INCIDENT, STEP
from tests.neighbours.waiting import until

SOON = 30.0
FREEZE = PersonActed(1.0, "ada", Freeze("the storm"))
THAW = PersonActed(1.0, "ada", Unfreeze("it is over"))


class Full:
    """A record without space."""

    def __init__(self) -> None:
        self.tries = 0

    def commit(self, decisions: Sequence[Decision], at: float) -> None:
        self.tries += 1
        raise StoreFull("no space left")


@contextmanager
def running(record: Record, state: State | None = None) -> Iterator[tuple[Loop, threading.Event]]:
    """A loop, and what is set when it says that a defect has ended it."""
    failed = threading.Event()
    loop = Loop(state or State(), record, Clock().now, lambda commands: None, failed=failed.set)
    loop.start()
    yield loop, failed
    assert loop.stop(SOON)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "record.sqlite") as opened:
        yield opened


def test_a_defect_ends_the_loop_aloud_and_nobody_waits_for_an_answer(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    with running(store) as (loop, failed):
        loop.call(lambda state: [][0])
        behind = loop.ask(FREEZE)
        assert failed.wait(SOON)
        for answer in (behind, loop.ask(FREEZE), loop.call(lambda state: None)):
            reply = answer.result(SOON)
            assert reply is not None
            assert not reply.ok
    assert "a defect has ended the deciding loop" in caplog.text
    assert "IndexError" in caplog.text


def test_what_contradicts_the_record_ends_the_loop_instead_of_being_tried_for_ever(store: Store) -> None:
    """Only a start from what is committed can help."""
    known = Decision(executions={EXECUTION.id: replace(EXECUTION, incident=None)}, runbooks={DIGEST: "text"})
    store.commit([known, Decision(commands=(STEP,))], 1.0)

    class Doubled:
        def commit(self, decisions: Sequence[Decision], at: float) -> None:
            store.commit([*decisions, Decision(commands=(STEP,))], at)

    with running(Doubled()) as (loop, failed):
        reply = loop.ask(FREEZE).result(SOON)
        assert reply is not None
        assert not reply.ok
        assert failed.wait(SOON)
    assert store.load(2.0).freeze is None


def test_what_is_asked_of_the_record_finds_all_that_was_decided_before_on_it(store: Store) -> None:
    loop = Loop(State(), store, Clock().now, lambda commands: None)
    heads: list[int] = []

    def made() -> PersonActed:
        heads.append(store.head()[0])
        return FREEZE

    answers = [loop.ask(event) for event in (FREEZE, made)]  # decided in one go, as it has not begun
    loop.start()
    replies = [answer.result(SOON) for answer in answers]
    assert loop.stop(SOON)
    assert all(reply is not None for reply in replies)
    assert heads == [1]


def test_a_record_that_cannot_be_asked_is_the_answer_and_ends_nothing(store: Store) -> None:
    def made() -> PersonActed:
        raise StoreBusy("locked")

    with running(store) as (loop, failed):
        with pytest.raises(StoreBusy):
            loop.ask(made).result(SOON)
        assert loop.ask(FREEZE).result(SOON)
        assert not failed.is_set()


def test_a_full_disk_is_waited_out_and_ends_with_the_stop() -> None:
    full = Full()
    with running(full) as (loop, failed):
        answer = loop.ask(FREEZE)
        until(lambda: full.tries >= 2, within=SOON, what="a second try")
        assert loop.commit_error == "no space left"
        assert not answer.done()
    reply = answer.result(0)
    assert reply is not None
    assert not reply.ok
    assert not failed.is_set()


def observed(subject: str, number: int, verdict: Verdict = Verdict.OK) -> Observed:
    observation = Observation("web", subject, subject, verdict, float(number), f"answer {number}")
    return Observed(float(number), (Pass("web", f"web@{subject}", float(number), (observation,)),))


def test_while_the_disk_is_full_the_latest_answer_of_each_check_is_kept_and_no_more(store: Store) -> None:
    """A night of it must not end with the memory full as well."""

    class Repaired(Full):
        repaired = threading.Event()

        def commit(self, decisions: Sequence[Decision], at: float) -> None:
            if not self.repaired.is_set():
                super().commit(decisions, at)
            store.commit(decisions, at)

    record = Repaired()
    rules = CheckRules(name="web", kind="http", every=10.0, timeout=5.0)
    with running(record, State(settings=Settings(checks={"web": rules}))) as (loop, _):
        answer = loop.ask(FREEZE)
        until(lambda: loop.commit_error, within=SOON, what="the disk is full")
        for number in range(1, 5001):
            for subject in ("web1", "web2"):
                loop.post(observed(subject, number))
        assert loop.waiting <= 2
        assert loop.backlog().superseded >= 9996
        record.repaired.set()
        reply = answer.result(SOON)
        assert reply is not None
        assert reply.ok
        until(lambda: not loop.waiting, within=SOON, what="all is decided")
        loop.call(lambda state: None).result(SOON)
        assert {window.message for window in loop.state.windows.values()} == {"answer 5000"}
        loop.post(observed("web1", 5001))
        until(lambda: loop.state.windows[Key("web", "web1")].message == "answer 5001", within=SOON, what="the next")


def test_answers_that_cannot_be_decided_together_are_decided_one_by_one(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """One of them is of a subject whose health makes no sense; the others are none the worse for it."""
    rules = CheckRules(name="web", kind="http", every=10.0, timeout=5.0)
    poisoned = replace(Health(Key("web", "web1"), "web1", Verdict.OK, 0.0), changes=None)  # type: ignore[arg-type]
    state = State(settings=Settings(checks={"web": rules}), health={poisoned.key: poisoned})
    loop = Loop(state, store, Clock().now, lambda commands: None)
    for number in (1, 2):
        for subject in ("web0", "web1", "web2"):
            loop.post(observed(subject, number, Verdict.CRITICAL))
        if number == 1:
            loop.start()
            until(lambda: len(state.windows) == 3, within=SOON, what="the first round")
    until(lambda: len(state.incidents) == 2, within=SOON, what="two incidents")
    until(lambda: store.timeline("agent"), within=SOON, what="the defect on record")
    assert loop.stop(SOON)
    assert {symptom.key.subject for i in state.incidents.values() for symptom in i.symptoms} == {"web0", "web2"}
    assert "an event could not be decided and is set aside: Observed" in caplog.text


def test_a_thousand_hosts_that_are_asked_one_by_one_are_one_incident_and_few_words(store: Store) -> None:
    """All fail within a second, each seen by an asking of its own."""
    hosts = [f"h{number}" for number in range(1000)]
    settings = Settings(
        checks={"web": CheckRules(name="web", kind="http", service="shop")},
        hosts={name: Host(name=name) for name in hosts},
        services={"shop": Service(name="shop", hosts=tuple(hosts), users=500)},
        has_tickets=True,
    )
    state = State(settings=settings)
    with running(store, state) as (loop, _):
        for number in (1, 2):
            for host in hosts:
                loop.post(observed(host, number, Verdict.CRITICAL))
            until(lambda: not loop.waiting, within=SOON, what="a round is decided")
        until(lambda: sum(len(i.ill) for i in state.incidents.values()) == 1000, within=SOON, what="all are known")
        assert loop.backlog().costliest < 0.5
    assert len(state.incidents) <= 2
    assert sum(incident.updates for incident in state.incidents.values()) < 60
    assert len(store.timeline(limit=10_000)) < 300


def test_how_far_decisions_are_behind_is_known(store: Store) -> None:
    began, go_on = threading.Event(), threading.Event()

    def be_busy(state: State) -> None:
        began.set()
        assert go_on.wait(SOON)

    with running(store) as (loop, _):
        busy = loop.call(be_busy)
        assert began.wait(SOON)
        until(lambda: loop.backlog().behind > 0.2, within=SOON, what="it is behind")
        go_on.set()
        busy.result(SOON)
        until(lambda: not loop.backlog().behind, within=SOON, what="it has caught up")
        assert loop.backlog().worst > 0.2


def test_a_change_that_nobody_came_to_can_be_taken_back() -> None:
    full = Full()
    made: list[State] = []
    with running(full) as (loop, _):
        loop.ask(FREEZE)
        until(lambda: full.tries, within=SOON, what="a loop that is busy")
        change = loop.call(made.append)
        assert change.cancel()
    assert made == []


def test_a_question_that_was_taken_back_is_not_decided(store: Store) -> None:
    """Whoever was told that nothing has been done may ask once more."""
    loop = Loop(State(), store, Clock().now, lambda commands: None)
    taken_back, made, other = loop.ask(FREEZE), loop.ask(lambda: FREEZE), loop.ask(THAW)
    assert taken_back.cancel()
    assert made.cancel()
    loop.start()
    reply = other.result(SOON)
    assert reply is not None
    assert not reply.ok, "nothing is frozen"
    assert loop.stop(SOON)
    assert store.load(2.0).freeze is None


def test_what_is_being_decided_cannot_be_taken_back() -> None:
    full = Full()
    with running(full) as (loop, _):
        answer = loop.ask(FREEZE)
        until(lambda: full.tries, within=SOON, what="a try to commit it")
        assert not answer.cancel()


def test_what_is_due_and_cannot_be_decided_is_not_tried_without_pause_and_holds_up_nothing_else(store: Store) -> None:
    """Its runbook's text is gone, so nothing can be decided about it, and it is still due afterwards."""
    lost = replace(EXECUTION, id="RUN-8", incident=None, due=1.0, runs=(replace(EXECUTION.runs[0], due=1.0),))
    closing = replace(INCIDENT, phase=Phase.RESOLVED, execution=None, resolved_at=1.0, due=2.0)
    state = State(executions={lost.id: lost}, incidents={closing.id: closing})
    with running(store, state) as (loop, _):
        until(lambda: store.timeline(lost.id), within=SOON, what="the defect on record")
        until(lambda: not state.incidents, within=SOON, what="the incident that is due later is closed")
        for _ in range(20):  # each answer is a round of the loop
            loop.call(lambda state: None).result(SOON)
        assert [each.entry.text for each in store.timeline(lost.id)] == [
            "defect: TimePassed could not be decided and is set aside: "
            "AssertionError('the text of restart-web is kept as long as RUN-8 runs'); tried again in 30s"
        ]


def test_signals_in_any_number_are_all_taken_in(tmp_path: Path) -> None:
    """In a process of its own: the handler interrupts the main thread wherever it is, also in the handler."""
    script = tmp_path / "listens.py"
    script.write_text(
        textwrap.dedent(
            """
            import signal
            from agent.runtime.signals import Signals
            signals = Signals()
            print("ready", flush=True)
            while (number := signals.get()) != signal.SIGTERM:
                pass
            """
        )
    )
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            assert process.stdout
            process.stdout.readline()
            for number in range(40_000):
                process.send_signal(1 + number % 2)  # SIGHUP, SIGINT
            process.terminate()
            assert process.wait(SOON) == 0
        finally:
            process.kill()


def test_a_signal_that_arrives_in_another_thread_is_heard_at_once(tmp_path: Path) -> None:
    """The kernel may hand it to any thread; the one that waits for it sleeps in the kernel, deaf to Python."""
    script = tmp_path / "listens.py"
    script.write_text(
        textwrap.dedent(
            """
            import signal, sys, threading
            from agent.runtime.signals import Signals
            signals = Signals()
            to_myself = lambda: sys.stdin.read() and signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
            threading.Thread(target=to_myself).start()
            print("ready", flush=True)
            assert signals.get() == signal.SIGTERM
            """
        )
    )
    with subprocess.Popen([sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout
            assert process.stdin
            process.stdout.readline()
            until(lambda: is_waiting(process.pid), within=SOON, what="its main thread waits")
            process.stdin.write(b"now")
            process.stdin.close()
            assert process.wait(SOON) == 0
        finally:
            process.kill()


def is_waiting(pid: int) -> bool:
    """Whether the main thread of the process sleeps in the kernel."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"
