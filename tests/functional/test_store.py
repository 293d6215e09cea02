"""What is committed is there again after a restart, whole or not at all."""

import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event
from types import MappingProxyType

import pytest

from agent.errors import StoreError, StoreInUse, StoreNotWritable
from agent.model.commands import Ask
from agent.model.decision import Decision, GlobalFreeze
from agent.model.execution import Outcome, Treatment
from agent.model.health import Health, Key
from agent.model.incident import Phase
from agent.model.observation import Verdict
from agent.model.priority import Classification, Impact, Priority, Urgency
from agent.model.timeline import EntryKind
from agent.runtime.store import Store, UnfinishedStep
from tests.functional.records import (
    DIGEST,
    EXECUTION,
    HEALTH,
    INCIDENT,
    NOON,
    STEP,
    TREATMENT,
    WEB,
    entry,
    incident,
    notes,
    opened,
    update,
)

FREEZE = GlobalFreeze("change window", "ada", NOON)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "paramedic.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.open(path) as opened_store:
        yield opened_store


def everything() -> Decision:
    return Decision(
        entries=(entry("restarting", attempt=1),),
        commands=(STEP, update("INC-12", 1), Ask((WEB,))),
        health={WEB: HEALTH},
        incidents={"INC-12": INCIDENT},
        executions={"RUN-7": EXECUTION},
        treatments=(TREATMENT,),
        freeze_changed=True,
        freeze=FREEZE,
        counters={"incident": 12, "execution": 7},
        runbooks={DIGEST: "runbook: restart-web\n"},
    )


def test_all_of_a_decision_is_there_after_a_restart(path: Path) -> None:
    with Store.open(path) as before:
        before.commit([everything()], NOON)
        identity = before.load(NOON).agent_id
    with Store.open(path) as after:
        saved = after.load(NOON)
        assert saved.incidents == {"INC-12": INCIDENT}
        assert saved.executions == {"RUN-7": EXECUTION}
        assert saved.health == {WEB: HEALTH}
        assert saved.treatments == (TREATMENT,)
        assert saved.freeze == FREEZE
        assert saved.counters == {"incident": 12, "execution": 7}
        assert saved.runbooks == {DIGEST: "runbook: restart-web\n"}
        assert saved.agent_id == identity
        assert len(identity) == 32
        assert after.unfinished_steps() == [UnfinishedStep(STEP)]
        assert [replace(queued.update, record="") for queued in after.tickets.due(NOON, 10)] == [update("INC-12", 1)]
        assert [record.entry for record in after.timeline()] == [entry("restarting", attempt=1)]


def test_two_records_have_two_identities(tmp_path: Path) -> None:
    with Store.open(tmp_path / "a.db") as one, Store.open(tmp_path / "b.db") as other:
        assert one.load(NOON).agent_id != other.load(NOON).agent_id


def test_of_several_decisions_in_one_commit_the_last_state_is_kept_and_every_entry(store: Store) -> None:
    resolved = replace(INCIDENT, phase=Phase.RESOLVED, resolved_at=NOON + 9)
    store.commit([everything(), Decision(entries=(entry("well"),), incidents={"INC-12": resolved})], NOON)
    assert store.incident("INC-12") == resolved
    assert [record.entry.text for record in store.timeline()] == ["restarting", "well"]


def test_a_decision_that_cannot_be_serialised_undoes_the_whole_commit(store: Store) -> None:
    poison = Decision(entries=(entry("poison", thing=object()),))
    with pytest.raises(ValueError, match="no JSON value"):
        store.commit([everything(), poison], NOON)
    assert store.load(NOON).incidents == {}
    assert store.head() == (0, "0" * 64)


def test_a_decision_that_the_database_refuses_undoes_the_whole_commit(store: Store) -> None:
    store.commit([opened(), Decision(commands=(STEP,))], NOON)
    step_again = Decision(commands=(STEP,), entries=(entry("again"),))
    with pytest.raises(StoreError, match="UNIQUE"):
        store.commit([Decision(health={WEB: HEALTH}, entries=(entry("first"),)), step_again], NOON)
    assert store.load(NOON).health == {}
    assert store.timeline() == []
    store.commit([notes("and it goes on")], NOON)
    assert store.verify().ok


def test_closed_incidents_old_executions_and_old_treatments_are_not_loaded(store: Store) -> None:
    hours, days = 3600.0, 86400.0
    ended = replace(EXECUTION, outcome=Outcome.RECOVERED)
    executions = {
        "RUN-1": replace(ended, id="RUN-1", started_at=NOON - 60 * hours, ended_at=NOON - 49 * hours),
        "RUN-2": replace(ended, id="RUN-2", started_at=NOON - 60 * hours, ended_at=NOON - 47 * hours),
        "RUN-3": replace(EXECUTION, id="RUN-3", started_at=NOON - 99 * hours),
    }
    store.commit(
        [
            Decision(
                incidents={
                    "INC-1": incident(1, phase=Phase.CLOSED, closed_at=NOON),
                    "INC-2": incident(2, phase=Phase.RESOLVED, resolved_at=NOON),
                    "INC-12": INCIDENT,
                },
                executions=executions,
                treatments=(
                    Treatment("RUN-1", "restart-web", "web1", NOON - 9 * days, True),
                    Treatment("RUN-2", "restart-web", "web1", NOON - 7 * days, False),
                ),
            )
        ],
        NOON,
    )
    saved = store.load(NOON)
    assert list(saved.incidents) == ["INC-2", "INC-12"]
    assert set(saved.executions) == {"RUN-2", "RUN-3"}
    assert saved.treatments == (Treatment("RUN-2", "restart-web", "web1", NOON - 7 * days, False),)
    assert [execution.id for execution in store.executions_of("INC-12")] == ["RUN-3", "RUN-1", "RUN-2"]
    assert store.execution("RUN-1") == executions["RUN-1"]
    assert store.execution("RUN-9") is None


def test_a_freeze_is_lifted(store: Store) -> None:
    store.commit([everything()], NOON)
    store.commit([Decision(counters={"incident": 13})], NOON)
    assert store.load(NOON).freeze == FREEZE
    store.commit([Decision(freeze_changed=True, freeze=None)], NOON)
    assert store.load(NOON).freeze is None


def test_a_treatment_gets_its_result_later(store: Store) -> None:
    store.commit([everything()], NOON)
    store.commit([Decision(treatments=(replace(TREATMENT, effective=True),))], NOON)
    assert store.load(NOON).treatments == (replace(TREATMENT, effective=True),)


def test_incidents_are_found_by_what_people_ask_for(store: Store) -> None:
    grave = Classification(Impact.EXTENSIVE, Urgency.HIGH, Priority.P1, "", "", "")
    kept = [
        incident(9, phase=Phase.CLOSED, closed_at=NOON, opened_at=NOON - 100),
        incident(10, service="mail", opened_at=NOON - 50),
        incident(11, phase=Phase.RESOLVED, classification=grave, opened_at=NOON),
    ]
    store.commit([Decision(incidents={one.id: one for one in kept})], NOON)

    def found(**question: object) -> list[str]:
        return [one.id for one in store.incidents(**question)]  # type: ignore[arg-type]

    assert found() == ["INC-11", "INC-10", "INC-9"]
    assert found(limit=1) == ["INC-11"]
    assert found(open_only=True) == ["INC-10"]
    assert found(service="shop") == ["INC-11", "INC-9"]
    assert found(priority=Priority.P1) == ["INC-11"]
    assert found(since=NOON - 50) == ["INC-11", "INC-10"]
    assert store.incident("INC-10") == kept[1]
    assert store.incident("INC-99") is None


def test_the_timeline_is_read_by_subject_place_and_kind(store: Store) -> None:
    noted = entry("on it")
    store.commit([Decision(entries=(noted, entry("other", about="INC-13"), replace(noted, kind=EntryKind.STEP)))], NOON)
    assert [record.seq for record in store.timeline("INC-12")] == [1, 3]
    assert [record.seq for record in store.timeline(after_seq=1)] == [2, 3]
    assert [record.seq for record in store.timeline(limit=2)] == [1, 2]
    assert [record.seq for record in store.timeline(kinds=[EntryKind.STEP])] == [3]


def test_hostile_text_is_stored_and_read_again(store: Store) -> None:
    undecodable = "disk \udcff\x00 full"
    harmless = "disk \\udcff\\x00 full"
    key = Key("disk", undecodable)
    store.commit(
        [
            Decision(
                entries=(entry(undecodable, mount=undecodable, ratio=float("nan")),),
                health={key: Health(key, None, Verdict.OK, NOON, undecodable, float("inf"))},
                incidents={"INC-12": replace(INCIDENT, title=undecodable, service=undecodable)},
                executions={"RUN-7": replace(EXECUTION, variables=MappingProxyType({"path": undecodable}))},
                commands=(replace(STEP, name=undecodable), update("INC-12", 1, undecodable)),
            )
        ],
        NOON,
    )
    record = store.timeline()[0].entry
    assert (record.text, record.data) == (harmless, {"mount": harmless, "ratio": None})
    read = store.load(NOON).health[Key("disk", harmless)]
    assert (read.message, read.value) == (harmless, None)
    assert store.incidents(service=harmless)[0].title == harmless
    assert store.load(NOON).executions["RUN-7"].variables == {"path": harmless}
    assert store.verify().ok


def test_a_step_is_claimed_once_whoever_asks(store: Store) -> None:
    store.commit([opened(), Decision(commands=(STEP,))], NOON)
    with ThreadPoolExecutor(8) as performers:
        claims = list(performers.map(lambda _: store.start_step(STEP.id, NOON + 1), range(16)))
    assert sorted(claims) == [False] * 15 + [True]
    assert store.unfinished_steps() == [UnfinishedStep(STEP, begun=True)]


def test_a_step_that_ended_is_not_claimed(store: Store) -> None:
    store.commit([opened(), Decision(commands=(STEP,))], NOON)
    store.commit([Decision(ended_steps=(STEP.id,))], NOON)
    assert store.unfinished_steps() == []
    assert not store.start_step(STEP.id, NOON)
    assert not store.start_step("RUN-9.web1.steps.0.1", NOON)


def test_threads_read_claim_and_deliver_while_decisions_are_committed(store: Store) -> None:
    steps = [replace(STEP, id=f"RUN-7.web1.steps.{number}.1") for number in range(40)]
    store.commit([opened(), Decision(commands=tuple(steps))], NOON)
    done = Event()

    def read() -> int:
        looks = 0
        while not done.is_set() or looks == 0:
            assert store.verify().ok
            assert store.incident("INC-12") is not None
            looks += 1
        return looks

    def deliver() -> int:
        delivered = 0
        while not done.is_set() or store.tickets.due(NOON, 5):
            for queued in store.tickets.due(NOON, 5):
                store.tickets.delivered(queued.update.key, NOON)
                delivered += 1
        return delivered

    with ThreadPoolExecutor(8) as threads:
        readers = [threads.submit(read) for _ in range(3)]
        outbox = threads.submit(deliver)
        claims = threads.map(lambda step: store.start_step(step.id, NOON), steps)
        try:
            for number in range(1, 101):
                store.commit([notes(f"note {number}"), Decision(commands=(update("INC-12", number),))], NOON)
        finally:
            done.set()
        assert all(claims)
        assert all(reader.result() for reader in readers)
        assert outbox.result() == 100
    assert store.verify().count == 100


def test_ten_thousand_health_rows_and_entries_fit_one_commit(store: Store) -> None:
    keys = [Key("up", f"host{number}") for number in range(10_000)]
    many = Decision(
        entries=tuple(entry(f"{key} is down", value=0) for key in keys),
        health={key: Health(key, key.subject, Verdict.CRITICAL, NOON) for key in keys},
    )
    store.commit([many], NOON)
    store.commit([many], NOON)
    assert len(store.load(NOON).health) == 10_000
    assert store.verify().count == 20_000


def test_only_we_may_read_what_is_written(path: Path, store: Store) -> None:
    store.commit([notes("secret")], NOON)

    def mode(of: Path) -> int:
        return stat.S_IMODE(of.stat().st_mode)

    assert mode(path.parent) == 0o700
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == [f"paramedic.db{end}" for end in ("", "-shm", "-wal", ".lock")]
    assert {mode(file) for file in files} == {0o600}


def test_a_record_left_readable_by_others_is_closed_to_them(path: Path) -> None:
    path.parent.mkdir()
    path.touch(0o644)
    path.chmod(0o644)
    with Store.open(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_second_agent_is_refused_but_a_reader_is_not(path: Path, store: Store) -> None:
    store.commit([opened()], NOON)
    with pytest.raises(StoreInUse, match="process"):
        Store.open(path)
    with Store.open(path, read_only=True) as reader:
        assert reader.incident("INC-12") == INCIDENT
        with pytest.raises(StoreNotWritable, match="reading only"):
            reader.commit([notes("no")], NOON)
        store.commit([notes("seen at once")], NOON)
        assert reader.head() == store.head()


def test_of_two_backups_to_one_place_one_is_whole_and_the_other_refused(path: Path, tmp_path: Path) -> None:
    """A timer that is slower than its interval: neither may spoil the other's copy."""
    with Store.open(path) as store, ThreadPoolExecutor(2) as workers:
        store.commit([notes(*["x" * 1000] * 2000)], NOON)
        for number in range(10):
            to = tmp_path / f"copy-{number}"
            failures = [done.exception() for done in [workers.submit(store.backup, to) for _ in range(2)]]
            refused = [failure for failure in failures if failure is not None]
            assert [str(failure) for failure in refused] == [f"{to} exists already: a backup never replaces a file"]
            with Store.open(to, read_only=True) as copy:
                assert copy.verify().count == 2000
            assert list(tmp_path.glob("*.partial")) == []


def test_the_lock_is_given_back(path: Path) -> None:
    Store.open(path).close()
    Store.open(path).close()


def test_reading_what_is_not_there(path: Path) -> None:
    with pytest.raises(StoreError, match="does not exist"):
        Store.open(path, read_only=True)
    assert not path.exists()


def test_a_subject_that_is_forgotten_is_forgotten_for_good(store: Store) -> None:
    """Also within one transaction the last word counts."""
    one, other = replace(HEALTH, key=Key("pods", "one")), replace(HEALTH, key=Key("pods", "other"))
    store.commit([Decision(health={one.key: one, other.key: other})], 1.0)
    store.commit([Decision(forgotten=(one.key,))], 2.0)
    assert set(store.load(3.0).health) == {other.key}
    back = Decision(health={other.key: other})
    store.commit([Decision(forgotten=(other.key,)), back], 4.0)
    assert set(store.load(5.0).health) == {other.key}
    store.commit([back, Decision(forgotten=(other.key,))], 6.0)
    assert not store.load(7.0).health
