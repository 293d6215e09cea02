"""Plans at work, drills under way and messages are on record, and found again by the agent that starts next."""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from agent.config.load import load
from agent.model.activation import ActionRun, Activation, CallRun, CallState, Marks, PlanWatch, Stage
from agent.model.commands import SendMessage
from agent.model.decision import Decision
from agent.model.exercise import Exercise
from agent.model.plan import Level, PlanPhase, PlanRole
from agent.runtime.recollection import state_of
from agent.runtime.store import Store
from agent.runtime.store.restore import restore
from tests.functional.records import INCIDENT, NOON

TEXT = "runbook: drain-shop\nsteps:\n  - run: systemctl stop shop\n"
DIGEST = hashlib.sha256(TEXT.encode()).hexdigest()

ACTIVATION = Activation(
    id="EMG-3",
    plan="shop-down",
    title="店铺不可用",
    version="1",
    digest="a0" * 32,
    level=Level.II,
    stage=Stage.ACTIVE,
    incident="INC-12",
    activated_at=NOON,
    actor="paramedic",
    because="below 60% of the hosts are healthy",
    hosts=("web1", "web2"),
    services=("shop",),
    marks=Marks(NOON - 20, NOON, NOON),
    calls=(CallRun("commander", ("ada", "bob"), Level.IV, 60.0, PlanRole.COMMANDER, state=CallState.CALLED, turn=1),),
    actions=(
        ActionRun(
            1,
            PlanPhase.CONTAIN,
            "drain",
            PlanRole.TECHNICAL_LEAD,
            Level.IV,
            60.0,
            "drain-shop",
            DIGEST,
            "alice@example.com",
            {"grace": "30s"},
        ),
        ActionRun(2, PlanPhase.COMMUNICATE, "tell", PlanRole.LIAISON, Level.IV, 60.0, do="tell the customers"),
    ),
    due=NOON + 60,
)
WATCH = PlanWatch("shop-down", {"II.any.1": NOON - 5}, NOON + 30)
EXERCISE = Exercise("DRILL-1", "one host down", "ada", ("web3",), ("web",), NOON, NOON + 60)


def message(number: int, target: str) -> SendMessage:
    return SendMessage(f"MSG-{number}", "INC-12", target, "shop is down", f"body {number}\n第二行", NOON)


def opened(*more: SendMessage) -> Decision:
    return Decision(
        incidents={"INC-12": INCIDENT},
        activations={"EMG-3": ACTIVATION},
        watches={"shop-down": WATCH},
        exercises={"DRILL-1": EXERCISE},
        runbooks={DIGEST: TEXT},
        commands=more,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "paramedic.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.open(path) as opened_store:
        messages = (message(9, "mail"), message(10, "mail"), message(11, "chat"))
        opened_store.commit([opened(*messages)], NOON)
        yield opened_store


def due(store: Store, now: float = NOON, besides: tuple[str, ...] = ()) -> list[str]:
    return [queued.message.id for queued in store.messages.due(now, besides)]


def test_what_is_at_work_is_found_again(store: Store) -> None:
    saved = store.load(NOON)
    assert saved.activations == {"EMG-3": ACTIVATION}
    assert saved.watches == {"shop-down": WATCH}
    assert saved.exercises == {"DRILL-1": EXERCISE}
    assert saved.runbooks == {DIGEST: TEXT}


def test_the_state_has_the_texts_that_a_plan_started_with(store: Store, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "all.yaml").write_text("teams: {operations: {}}\n", encoding="utf-8")
    state = state_of(store.load(NOON), load(tmp_path / "config", environ={}))
    assert state.library[DIGEST].signed_by == "alice@example.com"
    assert state.activations == {"EMG-3": ACTIVATION}
    assert state.exercises == {"DRILL-1": EXERCISE}
    assert state.watches == {}, "of a plan that is no longer in the configuration"
    assert state.next_due() is not None


def test_what_is_over_is_not_taken_up_again(store: Store) -> None:
    closed = replace(ACTIVATION, stage=Stage.CLOSED, closed_at=NOON + 60)
    store.commit([Decision(activations={"EMG-3": closed}, exercises={"DRILL-1": None})], NOON)
    saved = store.load(NOON)
    assert (saved.activations, saved.exercises) == ({}, {})
    assert store.activation("EMG-3") == closed
    assert store.activations(open_only=True) == []
    assert store.activations() == [closed]


def test_activations_are_listed_newest_first(store: Store) -> None:
    store.commit([Decision(activations={"EMG-10": replace(ACTIVATION, id="EMG-10", stage=Stage.REVIEW)})], NOON)
    assert [one.id for one in store.activations(open_only=True)] == ["EMG-10", "EMG-3"]
    assert [one.id for one in store.activations(limit=1)] == ["EMG-10"]
    assert store.activation("EMG-4") is None


def test_the_first_message_of_each_target_is_due(store: Store) -> None:
    assert due(store) == ["MSG-9", "MSG-11"]
    assert due(store, besides=("mail",)) == ["MSG-11"]
    assert store.messages.due(NOON)[0].message == message(9, "mail")
    store.messages.delivered("MSG-9", NOON)
    assert due(store) == ["MSG-10", "MSG-11"]


def test_a_postponed_message_holds_up_its_own_target_only(store: Store) -> None:
    store.messages.postponed("MSG-9", NOON + 30, "refused \udcff")
    assert due(store, NOON + 29) == ["MSG-11"]
    assert due(store, NOON + 30) == ["MSG-9", "MSG-11"]
    queued = store.messages.due(NOON + 30)[0]
    assert (queued.attempts, queued.last_error, queued.queued_at) == (1, "refused \\udcff", NOON)
    store.messages.not_later(NOON + 10)
    assert due(store, NOON + 10) == ["MSG-9", "MSG-11"]


def test_a_message_given_up_lets_the_next_one_through(store: Store) -> None:
    store.messages.given_up("MSG-9", "too late")
    assert due(store) == ["MSG-10", "MSG-11"]
    store.messages.postponed("MSG-9", NOON + 30, "a late answer")
    state = store.messages.state()
    assert (state.waiting, state.given_up, state.oldest, state.last_error) == (2, 1, NOON, None)


def test_a_message_that_cannot_be_read_keeps_no_other_from_delivery(store: Store, path: Path) -> None:
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("UPDATE messages SET payload = '{' WHERE id = 'MSG-9'")
    assert due(store) == ["MSG-11"]
    assert due(store) == ["MSG-10", "MSG-11"]


def test_a_message_is_queued_in_the_transaction_that_orders_it_or_not_at_all(store: Store) -> None:
    with pytest.raises(Exception, match="contradicts"):
        store.commit(
            [Decision(activations={"EMG-3": replace(ACTIVATION, incident="INC-404")}, commands=(message(12, "mail"),))],
            NOON,
        )
    assert store.messages.state().waiting == 3


def test_a_restored_record_has_the_plans_and_the_messages(store: Store, tmp_path: Path) -> None:
    store.messages.delivered("MSG-10", NOON)
    store.backup(tmp_path / "backup.db")
    restore(tmp_path / "backup.db", tmp_path / "new" / "paramedic.db", at=NOON + 60, actor="ada")
    with Store.open(tmp_path / "new" / "paramedic.db") as restored:
        assert restored.load(NOON).activations == {"EMG-3": ACTIVATION}
        assert due(restored) == ["MSG-9", "MSG-11"]
        body = restored.messages.due(NOON)[0].message.body
    assert body.startswith("(This may have come before: it waited in a record that was restored")
    assert body.endswith("\n\nbody 9\n第二行")
