"""Ticket updates wait in the record until the ticket system has them: in order, and none for another's sake."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from agent.errors import StoreError
from agent.model.commands import Milestone
from agent.model.decision import Decision
from agent.model.incident import TicketRef
from agent.runtime.store import Store
from tests.functional.records import INCIDENT, NOON, incident, update


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "paramedic.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.open(path) as opened:
        opened.commit([Decision(incidents={one.id: one for one in (incident(1), incident(2))})], NOON)
        opened.commit([Decision(commands=(update("INC-1", 1), update("INC-1", 2)))], NOON)
        opened.commit([Decision(commands=(update("INC-2", 1),))], NOON + 5)
        yield opened


def due(store: Store, now: float = NOON, limit: int = 10) -> list[str]:
    return [queued.update.key for queued in store.tickets.due(now, limit)]


def test_the_first_update_of_each_incident_is_due_longest_queued_first(store: Store) -> None:
    assert due(store) == ["INC-1/1", "INC-2/1"]
    assert due(store, limit=1) == ["INC-1/1"]
    queued = store.tickets.due(NOON, 1)[0]
    expected = replace(update("INC-1", 1), record=" ".join(map(str, store.head())))
    assert (queued.update, queued.attempts, queued.queued_at) == (expected, 0, NOON)


def test_the_next_comes_when_the_one_before_is_delivered(store: Store) -> None:
    store.tickets.delivered("INC-1/1", NOON + 6)
    assert due(store) == ["INC-1/2", "INC-2/1"]
    store.tickets.delivered("INC-1/2", NOON + 7)
    assert due(store) == ["INC-2/1"]


def test_updates_go_out_by_number_not_by_name(store: Store) -> None:
    later = tuple(update("INC-2", number) for number in range(2, 12))
    store.commit([Decision(commands=later)], NOON)
    for number in range(1, 12):
        assert due(store)[-1] == f"INC-2/{number}"
        store.tickets.delivered(f"INC-2/{number}", NOON)


def test_a_postponed_update_holds_up_its_own_incident_only(store: Store) -> None:
    store.tickets.postponed("INC-1/1", NOON + 30, "502 Bad Gateway \udcff")
    assert due(store, NOON + 29.9) == ["INC-2/1"]
    assert due(store, NOON + 30) == ["INC-1/1", "INC-2/1"]
    queued = store.tickets.due(NOON + 30, 1)[0]
    assert (queued.attempts, queued.last_error) == (1, "502 Bad Gateway \\udcff")


def test_an_update_set_aside_lets_the_next_one_through(store: Store) -> None:
    store.tickets.set_aside("INC-1/1", NOON, "400: no such priority")
    assert due(store) == ["INC-1/2", "INC-2/1"]
    assert store.tickets.waiting().set_aside == 1


def test_an_update_that_cannot_be_read_keeps_no_other_from_delivery(store: Store, path: Path) -> None:
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("UPDATE ticket_updates SET payload = '{' WHERE key = 'INC-1/1'")
    assert due(store) == ["INC-2/1"]
    assert due(store) == ["INC-1/2", "INC-2/1"]
    assert store.tickets.waiting().set_aside == 1


def test_what_was_delivered_stays_delivered(store: Store) -> None:
    store.tickets.delivered("INC-1/1", NOON)
    store.tickets.postponed("INC-1/1", NOON + 30, "a late answer")
    store.tickets.set_aside("INC-1/1", NOON, "a late answer")
    assert due(store) == ["INC-1/2", "INC-2/1"]
    assert store.tickets.waiting().set_aside == 0


def test_the_state_of_the_queue_is_seen(store: Store) -> None:
    store.tickets.postponed("INC-2/1", NOON + 30, "timed out")
    store.tickets.set_aside("INC-1/1", NOON, "400")
    state = store.tickets.waiting()
    assert (state.waiting, state.set_aside, state.oldest, state.last_error) == (2, 1, NOON, "timed out")
    store.tickets.delivered("INC-1/2", NOON)
    store.tickets.delivered("INC-2/1", NOON)
    state = store.tickets.waiting()
    assert (state.waiting, state.oldest, state.last_error) == (0, None, None)


def test_the_queue_outlives_the_agent(path: Path, store: Store) -> None:
    store.tickets.delivered("INC-1/1", NOON)
    store.tickets.postponed("INC-2/1", NOON + 30, "timed out")
    store.close()
    with Store.open(path) as again:
        assert due(again, NOON + 29) == ["INC-1/2"]
        assert again.tickets.due(NOON + 30, 10)[1].attempts == 1


def test_the_ticket_is_the_one_the_incident_has(store: Store) -> None:
    store.commit([Decision(incidents={"INC-2": replace(INCIDENT, id="INC-2", ticket=None)})], NOON)
    assert store.tickets.ticket_of("INC-1") == TicketRef("77", "http://tracker/77")
    assert store.tickets.ticket_of("INC-2") is None
    assert store.tickets.ticket_of("INC-3") is None


def test_one_number_is_queued_once(store: Store) -> None:
    with pytest.raises(StoreError, match="UNIQUE"):
        store.commit([Decision(commands=(update("INC-1", 2),))], NOON)


def test_updates_that_wait_behind_one_are_told_as_one(store: Store) -> None:
    later = [update("INC-1", number, f"{number} happened\nin detail") for number in range(3, 103)]
    closed = replace(update("INC-1", 103), milestone=Milestone.CLOSED)
    store.commit([Decision(commands=(*later, closed))], NOON)
    first = store.tickets.due(NOON, 1)[0]
    assert (first.update.number, first.behind) == (1, 102)
    store.tickets.join_behind(first.update)
    assert due(store) == ["INC-1/1", "INC-2/1"]
    store.tickets.delivered("INC-1/1", NOON)
    joint = store.tickets.due(NOON, 1)[0]
    assert (joint.update.key, joint.update.first, joint.behind) == ("INC-1/102", 2, 1)
    lines = joint.update.text.splitlines()
    assert lines[:6] == ["102 happened", "in detail", "", "Before that:", "- restarting web1", "- 3 happened"]
    assert lines[-1] == "- 101 happened"
    assert "- … and 80 more" in lines
    assert len(lines) == 25
    store.tickets.delivered("INC-1/102", NOON)
    assert due(store) == ["INC-1/103", "INC-2/1"]


def test_what_is_told_as_one_is_joined_no_further_and_hides_no_other_milestone(store: Store) -> None:
    reopened = replace(update("INC-1", 5), milestone=Milestone.REOPENED)
    store.commit([Decision(commands=(update("INC-1", 3), update("INC-1", 4), reopened, update("INC-1", 6)))], NOON)
    first = store.tickets.due(NOON, 1)[0].update
    store.tickets.join_behind(first)
    store.commit([Decision(commands=(update("INC-1", 7),))], NOON)
    store.tickets.join_behind(first)
    told = []
    while (queued := store.tickets.due(NOON, 10)[0]).update.incident == "INC-1":
        told.append((queued.update.number, queued.update.first))
        store.tickets.delivered(queued.update.key, NOON)
    assert told == [(1, 0), (4, 2), (5, 0), (6, 0), (7, 0)]


def test_the_joined_are_neither_waiting_nor_set_aside(store: Store) -> None:
    store.commit([Decision(commands=tuple(update("INC-1", number) for number in range(3, 10)))], NOON)
    store.tickets.join_behind(store.tickets.due(NOON, 1)[0].update)
    state = store.tickets.waiting()
    assert (state.waiting, state.set_aside) == (3, 0)
