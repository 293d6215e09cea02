"""The outbox against tickets in memory, for what cannot be timed with a real system."""

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from agent.drill.tickets import UnfiledTickets
from agent.errors import StoreBusy, TicketError, TicketSystemUnavailable
from agent.model.commands import Milestone
from agent.model.events import TicketFiled
from agent.model.incident import TicketRef
from agent.runtime.control.surroundings import tickets_view
from agent.runtime.outbox import OutboxState, Queued
from tests.functional.outbox_desk import LIFE, Desk
from tests.functional.remembered_tickets import Ledger, RememberedTickets
from tests.neighbours.waiting import until


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "record.sqlite")
    yield desk
    desk.close()


def test_incidents_side_by_side_one_writer_each_in_order(desk: Desk) -> None:
    ledger = Ledger()
    ledger.meet = threading.Barrier(4)
    for number in range(8):
        desk.tell(f"INC-{number}", *LIFE)
    desk.outbox(RememberedTickets(ledger=ledger))
    until(desk.delivered, within=60, what="all is told, four at a time")
    assert ledger.texts == {
        f"INC-{number}": [f"INC-{number}/{each}" for each in range(1, len(LIFE) + 1)] for number in range(8)
    }


def test_what_is_never_taken_is_set_aside_and_the_rest_goes_on(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    ledger = Ledger()
    ledger.failing = lambda call: TicketError("no such field", retryable=False) if call == "create INC-1/1" else None
    outbox = desk.outbox(RememberedTickets(ledger=ledger))
    desk.tell("INC-1", Milestone.OPENED, Milestone.UPDATED)
    until(desk.delivered, within=20, what="the rest is told")
    assert ledger.texts == {"INC-1": ["INC-1/2"]}
    assert outbox.state().queue.set_aside == 1
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "INC-1/1 is set aside" in caplog.text


def test_where_nothing_is_filed_the_state_says_so(desk: Desk) -> None:
    noted: list[str] = []
    outbox = desk.outbox(UnfiledTickets(noted=noted.append))
    desk.tell("INC-1", Milestone.OPENED)
    until(desk.delivered, within=20, what="it is set aside")
    view = tickets_view(outbox.state(), configured=True)
    assert (view.files, view.set_aside, len(noted)) == (False, 1, 1)
    assert tickets_view(desk.outbox(RememberedTickets(ledger=Ledger())).state(), configured=True).files


def test_a_plugins_fault_is_set_aside_with_its_traceback(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    ledger = Ledger()
    ledger.failing = lambda call: ZeroDivisionError("oh\nno") if call == "update INC-1/1" else None
    outbox = desk.outbox(RememberedTickets(ledger=ledger))
    desk.tell("INC-1", Milestone.OPENED, Milestone.UPDATED)
    until(desk.delivered, within=20, what="the rest is told")
    assert outbox.state().queue.set_aside == 1
    assert any(record.exc_info for record in caplog.records)


def test_a_plugin_that_would_end_the_program_holds_up_nothing(desk: Desk) -> None:
    """SystemExit ends a thread without a word: the incident would be under way for ever."""
    ledger = Ledger()

    def failing(call: str) -> Exception | None:
        if call == "update INC-1/1":
            raise SystemExit(2)
        return None

    ledger.failing = failing
    outbox = desk.outbox(RememberedTickets(ledger=ledger))
    desk.tell("INC-1", Milestone.OPENED, Milestone.UPDATED)
    until(desk.delivered, within=20, what="the rest is delivered")
    assert outbox.state().queue.set_aside == 1
    assert ledger.texts == {"INC-1": ["INC-1/2"]}


def test_one_tickets_trouble_is_not_the_others(desk: Desk) -> None:
    ledger = Ledger()
    ledger.failing = lambda call: TicketError("conflict", retryable=True) if call == "update INC-1/1" else None
    outbox = desk.outbox(RememberedTickets(ledger=ledger))
    desk.tell("INC-1", Milestone.OPENED, Milestone.CLOSED)
    desk.tell("INC-2", Milestone.OPENED, Milestone.CLOSED)
    until(lambda: len(ledger.texts.get("INC-2", ())) == 2, within=20, what="the other is told")
    until(partial(_only, desk, "INC-1"), within=20, what="and that is written down")
    waits: list[float] = []
    for failed in range(1, 5):
        until(partial(desk.tried, failed), within=20, what="it was tried once more")
        # found out before any time passes: the outbox looks at the clock, too
        waits.append(next(0.5 * n for n in range(1, 100) if desk.store.tickets.due(desk.clock.now + 0.5 * n, 1)))
        desk.clock.pass_by(waits[-1])
        outbox.wake()
    assert waits == [1, 2, 4, 8]
    assert outbox.state().available is True
    ledger.failing = lambda call: None
    until(desk.delivered_in_time, within=20, what="all is told")
    assert ledger.texts["INC-1"] == ["INC-1/1", "INC-1/2"]


def _only(desk: Desk, incident: str) -> bool:
    return [queued.update.incident for queued in desk.store.tickets.due(float("inf"), 9)] == [incident]


def test_an_outage_is_probed_with_one_ticket_at_a_time(desk: Desk) -> None:
    ledger = Ledger()
    ledger.failing = lambda call: TicketSystemUnavailable("gone")
    outbox = desk.outbox(RememberedTickets(ledger=ledger))
    for number in range(20):
        desk.tell(f"INC-{number}", Milestone.OPENED)

    def is_down() -> bool:
        desk.clock.pass_by(1)
        return outbox.state().available is False

    until(is_down, within=20, what="the outage is noticed")
    until(lambda: outbox._under_way == set(), within=20, what="who was under way is back")
    for _ in range(5):
        before = len(ledger.calls)
        desk.clock.pass_by(300)
        outbox.wake()
        until(lambda: outbox.state().next_attempt, within=20, what="the probe failed")
        assert len(ledger.calls) == before + 1
    ledger.failing = lambda call: None
    desk.clock.pass_by(300)
    until(desk.delivered, within=20, what="all are told at once")


def test_an_incident_with_a_ticket_is_not_looked_up(desk: Desk) -> None:
    ledger = Ledger()
    ledger.texts["INC-1"] = []
    desk.events.append(TicketFiled(0.0, "INC-1", TicketRef("INC-1")))
    desk.outbox(RememberedTickets(ledger=ledger))
    desk.tell("INC-1", Milestone.UPDATED, Milestone.CLOSED)
    until(desk.delivered, within=20, what="all is told")
    assert ledger.calls == ["update INC-1/1", "update INC-1/2"]
    assert len(desk.events) == 1


def test_a_ticket_that_is_there_is_found_and_not_filed_again(desk: Desk) -> None:
    ledger = Ledger()
    ledger.texts["INC-1"] = []
    desk.outbox(RememberedTickets(ledger=ledger))
    desk.tell("INC-1", Milestone.OPENED)
    until(desk.delivered, within=20, what="all is told")
    assert ledger.calls == ["find INC-1", "update INC-1/1"]
    assert [event.ticket for event in desk.events] == [TicketRef("INC-1", system="remembered")]


def test_in_another_ticket_system_the_ticket_of_that_number_is_a_strangers(desk: Desk) -> None:
    before, after = Ledger(), Ledger()
    outbox = desk.outbox(RememberedTickets(ledger=before, name="old"))
    desk.tell("INC-1", Milestone.OPENED)
    until(desk.delivered, within=20, what="the old one is told")
    outbox.use(RememberedTickets(ledger=after, name="new"))
    desk.tell("INC-1", Milestone.UPDATED, Milestone.RESOLVED)
    until(desk.delivered, within=20, what="the new one is told")
    assert after.calls == ["find INC-1", "create INC-1/2", "update INC-1/2", "update INC-1/3"]
    assert before.calls == ["find INC-1", "create INC-1/1", "update INC-1/1"]
    assert [event.ticket.system for event in desk.events] == ["old", "new"]


def test_a_ticket_is_looked_up_once_even_if_the_incident_learns_of_it_late(desk: Desk) -> None:
    ledger = Ledger()
    desk.tell("INC-1", *LIFE)  # committed before any ticket: the store's incident never learns of it here
    desk.outbox(RememberedTickets(ledger=ledger))
    until(desk.delivered, within=20, what="all is told")
    assert [call for call in ledger.calls if not call.startswith("update")] == ["find INC-1", "create INC-1/1"]
    assert len(desk.events) == 1


class Forgetful:
    """The store's queue, where the first change of every sort fails as when the disk is busy."""

    def __init__(self, queue: Any) -> None:
        self._queue = queue
        self._failed: set[str] = set()

    def due(self, now: float, limit: int) -> list[Queued]:
        return list(self._queue.due(now, limit))

    def ticket_of(self, incident: str) -> TicketRef | None:
        found: TicketRef | None = self._queue.ticket_of(incident)
        return found

    def waiting(self) -> OutboxState:
        state: OutboxState = self._queue.waiting()
        return state

    def not_later(self, at: float) -> None:
        self._may_fail("not later")
        self._queue.not_later(at)

    def let_settle(self, key: str, now: float, within: float) -> None:
        self._may_fail("let settle")
        self._queue.let_settle(key, now, within)

    def settle_from(self, now: float) -> None:
        self._queue.settle_from(now)

    def postponed(self, key: str, not_before: float, error: str) -> None:
        self._may_fail("postponed")
        self._queue.postponed(key, not_before, error)

    def delivered(self, key: str, at: float) -> None:
        self._may_fail("delivered")
        self._queue.delivered(key, at)

    def _may_fail(self, change: str) -> None:
        if change not in self._failed:
            self._failed.add(change)
            raise StoreBusy("someone has the file")


def test_what_the_store_could_not_write_down_is_written_down_later(desk: Desk) -> None:
    ledger = Ledger()
    outbox = desk.outbox(RememberedTickets(ledger=ledger), Forgetful(desk.store.tickets))
    desk.tell("INC-1", Milestone.OPENED)

    def all_is_told() -> bool:
        outbox.wake()
        return desk.delivered_in_time()

    until(all_is_told, within=30, what="it is written down")
    assert ledger.texts == {"INC-1": ["INC-1/1"]}
    assert ledger.calls == ["find INC-1", "find INC-1", "create INC-1/1", "update INC-1/1"], (
        "nothing is filed while the next agent would not wait for it"
    )


def test_a_stop_waits_for_what_is_under_way_and_starts_nothing_more(desk: Desk) -> None:
    ledger = Ledger()
    ledger.hold = threading.Event()
    outbox = desk.outbox(RememberedTickets(ledger=ledger))
    desk.tell("INC-1", Milestone.OPENED, Milestone.CLOSED)
    until(lambda: ledger.busy["INC-1"], within=20, what="it is under way")
    threading.Timer(0.2, ledger.hold.set).start()
    assert outbox.stop(20)
    assert ledger.texts == {"INC-1": ["INC-1/1"]}
    assert desk.store.tickets.waiting().waiting == 1


def test_a_stop_does_not_wait_for_ever(desk: Desk) -> None:
    ledger = Ledger()
    ledger.hold = threading.Event()
    outbox = desk.outbox(RememberedTickets(ledger=ledger))
    desk.tell("INC-1", Milestone.OPENED)
    until(lambda: ledger.busy["INC-1"], within=20, what="it is under way")
    assert not outbox.stop(0.1)
    ledger.hold.set()
    until(lambda: not outbox._thread.is_alive(), within=20, what="its thread ends")
    assert desk.store.tickets.waiting().waiting == 1
