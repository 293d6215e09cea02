"""How long a ticket update waits: for a slow system that may have taken it, and whatever the clock is set to."""

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from agent.errors import Effect, TicketError, TicketSystemUnavailable
from agent.model.commands import Milestone
from tests.functional.outbox_desk import Desk
from tests.functional.remembered_tickets import Ledger, RememberedTickets
from tests.neighbours.waiting import until


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "record.sqlite")
    yield desk
    desk.close()


def test_what_may_have_been_filed_is_looked_for_when_it_must_be_there(desk: Desk) -> None:
    """The ticket system takes longer than we wait, and files the ticket all the same."""
    ledger = Ledger()

    def too_slow(call: str) -> Exception | None:
        if call.startswith("create") and not ledger.texts:
            return TicketSystemUnavailable("no answer within 15s", effect=Effect.UNKNOWN)
        return None

    ledger.failing = too_slow
    outbox = desk.outbox(RememberedTickets(ledger=ledger))
    desk.tell("INC-1", Milestone.OPENED)
    until(partial(desk.tried, 1), within=20, what="it was tried")
    assert not desk.store.tickets.due(desk.clock.now + 29, 1)
    ledger.texts["INC-1"] = []
    desk.clock.pass_by(30)
    outbox.wake()
    until(desk.delivered, within=20, what="all is told")
    assert [call for call in ledger.calls if call.startswith("create")] == ["create INC-1/1"]


@pytest.mark.parametrize(
    "error",
    [
        TicketError("no answer", retryable=True, effect=Effect.UNKNOWN),
        TicketSystemUnavailable("no answer", effect=Effect.UNKNOWN),
    ],
)
def test_how_long_it_may_still_come_is_said_by_the_system_that_was_asked(desk: Desk, error: TicketError) -> None:
    slow, replaced = Ledger(), threading.Event()

    def no_answer(call: str) -> Exception | None:
        return error if call.startswith("create") and replaced.wait(20) else None

    slow.failing = no_answer
    outbox = desk.outbox(RememberedTickets(ledger=slow, settles_within=60.0))
    desk.tell("INC-1", Milestone.OPENED)
    until(lambda: "create INC-1/1" in slow.calls, within=20, what="it is being filed")
    outbox.use(RememberedTickets(ledger=Ledger(), settles_within=1.0))
    replaced.set()
    until(partial(desk.tried, 1), within=20, what="it was tried")
    assert not desk.store.tickets.due(desk.clock.now + 59, 1)


@pytest.mark.parametrize("settles", [30.0, 300.0])
@pytest.mark.parametrize("looked_up", [0.0, 31.0])
def test_an_agent_killed_while_a_slow_system_files_leaves_no_second_ticket(
    desk: Desk, settles: float, looked_up: float
) -> None:
    """It settles within that long of the filing, and takes so long to look it up before."""
    slow, quick, answered = Ledger(), Ledger(), threading.Event()

    def slowly(call: str) -> None:
        if call.startswith("find"):
            desk.clock.pass_by(looked_up)
        if call.startswith("create"):
            answered.wait(60)

    slow.failing = slowly
    killed = desk.outbox(RememberedTickets(ledger=slow, settles_within=settles))
    desk.tell("INC-1", Milestone.OPENED)
    until(lambda: "create INC-1/1" in slow.calls, within=20, what="it is being filed")
    killed.stop(0)
    desk.outbox(RememberedTickets(ledger=quick))
    desk.clock.pass_by(settles - 1)
    started = desk.clock.readings
    until(lambda: desk.clock.readings > started + 5, within=20, what="the next agent has looked at its queue")
    assert quick.calls == [], "what is about to be filed is not there yet"
    quick.texts["INC-1"] = []
    desk.clock.pass_by(1)
    until(desk.delivered, within=20, what="all is told")
    assert quick.calls == ["find INC-1", "update INC-1/1"]
    answered.set()


def test_an_agent_killed_while_a_slow_system_is_told_does_not_tell_it_again_at_once(desk: Desk) -> None:
    """`seen` finds only what the system has taken."""
    slow, quick, gate = Ledger(), Ledger(), threading.Event()
    killed = desk.outbox(RememberedTickets(ledger=slow, settles_within=30.0))
    desk.tell("INC-1", Milestone.OPENED)
    until(desk.delivered, within=20, what="it is filed")
    slow.hold = gate
    desk.tell("INC-1", Milestone.UPDATED)
    until(lambda: slow.busy["INC-1"] == 1, within=20, what="it is being told")
    killed.stop(0)
    quick.texts["INC-1"] = []
    desk.outbox(RememberedTickets(ledger=quick))
    desk.clock.pass_by(29)
    started = desk.clock.readings
    until(lambda: desk.clock.readings > started + 5, within=20, what="the next agent has looked at its queue")
    assert quick.calls == [], "what is about to be told is not there yet"
    desk.clock.pass_by(1)
    until(desk.delivered, within=20, what="all is told")
    assert quick.calls == ["update INC-1/2"]
    gate.set()


def test_what_settles_by_a_clock_that_was_ahead_settles_from_the_start(desk: Desk) -> None:
    desk.tell("INC-1", Milestone.OPENED)
    desk.store.tickets.let_settle("INC-1/1", desk.clock.now, 30.0)
    desk.clock.pass_by(-86400)
    desk.outbox(RememberedTickets(ledger=Ledger()))
    until(lambda: desk.store.tickets.due(desk.clock.now + 30, 1), within=20, what="it is near")
    assert not desk.store.tickets.due(desk.clock.now + 29, 1)


def test_a_clock_set_back_by_a_day_makes_no_ticket_wait_for_a_day(desk: Desk) -> None:
    ledger = Ledger()
    ledger.failing = lambda call: TicketSystemUnavailable("away") if call.startswith("find") else None
    outbox = desk.outbox(RememberedTickets(ledger=ledger))
    desk.tell("INC-1", Milestone.OPENED)
    until(lambda: desk.store.tickets.waiting().last_error, within=30, what="it is postponed")
    desk.clock.pass_by(-86400)
    outbox.clock_set()
    ledger.failing = lambda call: None
    for _ in range(2):  # the longest pause passes, whatever was postponed meanwhile
        until(lambda: desk.store.tickets.due(desk.clock() + 600, 9) or desk.delivered(), within=30, what="it is near")
        desk.clock.pass_by(301)
    until(desk.delivered, within=30, what="it is delivered")
    assert ledger.texts == {"INC-1": ["INC-1/1"]}


def test_a_start_behind_what_was_postponed_does_not_wait_for_it(desk: Desk) -> None:
    desk.tell("INC-1", Milestone.OPENED)
    desk.store.tickets.postponed("INC-1/1", desk.clock() + 86400, "away, by a clock of tomorrow")
    ledger = Ledger()
    desk.outbox(RememberedTickets(ledger=ledger))
    until(lambda: desk.store.tickets.due(desk.clock() + 600, 9), within=30, what="it is near")
    desk.clock.pass_by(601)
    until(desk.delivered, within=60, what="it is delivered")
    assert ledger.texts == {"INC-1": ["INC-1/1"]}
