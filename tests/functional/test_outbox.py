"""The outbox over the real store: against a real Roundup, and against one in memory for what cannot be timed there."""

import itertools
import logging
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from agent.errors import StoreBusy, TicketError, TicketSystemUnavailable, UnknownSecret
from agent.model.commands import Milestone
from agent.model.decision import Decision
from agent.model.events import TicketFiled
from agent.model.incident import TicketRef
from agent.plugin.api import TicketSystem
from agent.runtime.outbox import Outbox, OutboxState, Queued, TicketsState
from agent.runtime.store.store import Store
from agent.tickets.rest import RestTickets
from tests.functional.records import INCIDENT
from tests.functional.remembered_tickets import Ledger, RememberedTickets
from tests.neighbours.faulty_proxy import FaultyProxy
from tests.neighbours.roundup import Roundup
from tests.neighbours.waiting import until
from tests.plugins.ticket_updates import Given, update

SECRETS = Given(tracker=Roundup.password, wrong="not the password")
LIFE = (
    Milestone.OPENED,
    Milestone.UPDATED,
    Milestone.RESOLVED,
    Milestone.REOPENED,
    Milestone.RESOLVED,
    Milestone.CLOSED,
)
_numbers = itertools.count(1)


class Clock:
    """Seconds since the epoch, as the test says."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.readings = 0

    def __call__(self) -> float:
        self.readings += 1
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


class Desk:
    """What stands around an outbox in the daemon: the record, the loop that takes its events, the clock."""

    def __init__(self, path: Path) -> None:
        self.store = Store.open(path)
        self.clock = Clock()
        self.events: list[TicketFiled] = []
        self._outboxes: list[Outbox] = []
        self._counts: Counter[str] = Counter()

    def tell(self, incident: str, *milestones: Milestone) -> None:
        """Commit updates as the engine orders them."""
        for milestone in milestones:
            self._counts[incident] += 1
            ordered = update(incident, self._counts[incident], milestone, f"it is {milestone}")
            ticket = next((each.ticket for each in self.events if each.incident == incident), None)
            known = replace(INCIDENT, id=incident, ticket=ticket)
            self.store.commit([Decision(incidents={incident: known}, commands=(ordered,))], self.clock())
        for outbox in self._outboxes:
            outbox.wake()

    def outbox(self, tickets: TicketSystem, queue: Any = None) -> Outbox:
        outbox = Outbox(queue or self.store.tickets, tickets, SECRETS, self.events.append, clock=self.clock)
        self._outboxes.append(outbox)
        outbox.start()
        return outbox

    def delivered(self) -> bool:
        return self.store.tickets.waiting().waiting == 0

    def delivered_in_time(self) -> bool:
        """Ask again and again, and let a second pass each time."""
        self.clock.pass_by(1)
        return self.delivered()

    def close(self) -> None:
        for outbox in self._outboxes:
            outbox.stop(20)
        self.store.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "record.sqlite")
    yield desk
    desk.close()


@pytest.fixture
def incident() -> str:
    """An id of this test alone: the tracker is shared."""
    return f"OUTBOX-{next(_numbers)}"


@pytest.fixture
def proxy(roundup: Roundup) -> Iterator[FaultyProxy]:
    with FaultyProxy(roundup.url) as proxy:
        yield proxy


def described(url: str, password: str = "tracker") -> RestTickets:
    login = {"user": Roundup.user, "password": password}
    return RestTickets.model_validate({"preset": "roundup", "url": url, "basic": login})


def texts(roundup: Roundup, incident: str) -> list[str]:
    """Of the incident's only ticket, each as its first line."""
    (issue,) = [issue for issue in roundup.issues() if issue["external_id"] == incident]
    return [text.splitlines()[0] for text in issue["messages"]]


# Against a real Roundup


def test_a_life_is_told_in_order_and_the_incident_gets_its_ticket(desk: Desk, roundup: Roundup, incident: str) -> None:
    desk.outbox(described(roundup.url))
    desk.tell(incident, *LIFE)
    until(desk.delivered, within=60, what="all is told")
    assert texts(roundup, incident) == [f"it is {milestone}" for milestone in LIFE]
    (filed,) = desk.events
    assert filed.incident == incident
    assert filed.ticket.url.startswith(f"{roundup.url}issue")


def test_an_outage_of_the_whole_incident_delays_and_loses_nothing(
    desk: Desk, roundup: Roundup, incident: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "paramedic.tickets")
    roundup.stop()
    outbox = desk.outbox(described(roundup.url))
    others = [f"{incident}-{each}" for each in (1, 2, 3)]
    for each in (incident, *others):
        desk.tell(each, *LIFE)

    def state_in_time() -> TicketsState:
        desk.clock.pass_by(1)
        return outbox.state()

    until(lambda: state_in_time().available is False, within=30, what="the outage is noticed")
    desk.clock.pass_by(3600)
    state = outbox.state()
    assert state.queue.waiting == 4 * len(LIFE)
    assert state.queue.set_aside == 0
    assert "refused" in str(state.last_error)
    assert state.queue.oldest == 1_000_000.0

    roundup.start()
    desk.clock.pass_by(300)
    until(desk.delivered, within=60, what="all is told at once, without more time passing")
    for each in (incident, *others):
        assert texts(roundup, each) == [f"it is {milestone}" for milestone in LIFE]
    assert sorted(each.incident for each in desk.events) == sorted([incident, *others])
    assert outbox.state().available is True
    lines = [record.getMessage() for record in caplog.records]
    assert [line.split(",")[0].split(" after")[0] for line in lines] == [
        "no ticket gets through",
        "tickets get through again",
    ]


@pytest.mark.parametrize(("method", "part"), [("POST", "/issue"), ("POST", "/msg"), ("PATCH", "/issue")])
def test_a_lost_answer_makes_no_second_ticket_and_no_second_text(
    desk: Desk, roundup: Roundup, proxy: FaultyProxy, incident: str, method: str, part: str
) -> None:
    proxy.lose_answer(method, part, times=2)
    desk.outbox(described(proxy.url))
    desk.tell(incident, Milestone.OPENED, Milestone.RESOLVED)
    until(desk.delivered_in_time, within=60, what="all is told")
    assert texts(roundup, incident) == ["it is opened", "it is resolved"]


def test_a_busy_tracker_is_left_alone_as_long_as_it_asks(
    desk: Desk, roundup: Roundup, proxy: FaultyProxy, incident: str
) -> None:
    proxy.answer("GET", "/issue", 429, headers={"Retry-After": "600"})
    outbox = desk.outbox(described(proxy.url))
    desk.tell(incident, Milestone.OPENED)
    until(lambda: outbox.state().next_attempt == desk.clock.now + 600, within=20, what="the wish is noted")
    desk.tell(f"{incident}-1", Milestone.OPENED)
    desk.clock.pass_by(599)
    seen = desk.clock.readings
    until(lambda: desk.clock.readings > seen + 3, within=20, what="the outbox looked at the clock")
    assert len(proxy.passed) == 1
    desk.clock.pass_by(1)
    until(desk.delivered, within=60, what="all is told")
    assert texts(roundup, incident) == ["it is opened"]


def test_a_wrong_password_files_nothing_and_is_seen(desk: Desk, roundup: Roundup, incident: str) -> None:
    outbox = desk.outbox(described(roundup.url, password="wrong"))
    desk.tell(incident, Milestone.OPENED)
    until(lambda: outbox.state().queue.last_error, within=20, what="the refusal is seen and kept")
    state = outbox.state()
    assert "login refused" in str(state.last_error)
    assert (state.queue.waiting, state.queue.set_aside) == (1, 0)
    assert "login refused" in str(state.queue.last_error)
    assert outbox.stop(20)

    desk.outbox(described(roundup.url))
    until(desk.delivered_in_time, within=60, what="with the right one all is told")
    assert texts(roundup, incident) == ["it is opened"]


def test_after_a_crash_everything_is_told_again_and_nothing_is_there_twice(
    tmp_path: Path, roundup: Roundup, incident: str
) -> None:
    """As if each writing down had been lost with the process: the store is put back to before."""
    for turn in range(2):
        desk = Desk(tmp_path / f"{turn}.sqlite")
        try:
            desk.outbox(described(roundup.url))
            desk.tell(incident, *LIFE)
            until(desk.delivered, within=60, what="all is told")
        finally:
            desk.close()
    assert texts(roundup, incident) == [f"it is {milestone}" for milestone in LIFE]


# Against one in memory


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


def test_a_plugins_fault_is_set_aside_with_its_traceback(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    ledger = Ledger()
    ledger.failing = lambda call: ZeroDivisionError("oh\nno") if call == "update INC-1/1" else None
    outbox = desk.outbox(RememberedTickets(ledger=ledger))
    desk.tell("INC-1", Milestone.OPENED, Milestone.UPDATED)
    until(desk.delivered, within=20, what="the rest is told")
    assert outbox.state().queue.set_aside == 1
    assert any(record.exc_info for record in caplog.records)


def test_one_tickets_trouble_is_not_the_others(desk: Desk) -> None:
    ledger = Ledger()
    ledger.failing = lambda call: TicketError("conflict", retryable=True) if call == "update INC-1/1" else None
    outbox = desk.outbox(RememberedTickets(ledger=ledger))
    desk.tell("INC-1", Milestone.OPENED, Milestone.CLOSED)
    desk.tell("INC-2", Milestone.OPENED, Milestone.CLOSED)
    until(lambda: len(ledger.texts.get("INC-2", ())) == 2, within=20, what="the other is told")
    waits: list[float] = []
    for failed in range(1, 5):
        until(partial(_attempts, desk, failed), within=20, what="it was tried once more")
        before = desk.clock.now
        while not desk.store.tickets.due(desk.clock.now, 1):
            desk.clock.pass_by(0.5)
        waits.append(desk.clock.now - before)
        outbox.wake()
    assert waits == [1, 2, 4, 8]
    assert outbox.state().available is True
    ledger.failing = lambda call: None
    until(desk.delivered_in_time, within=20, what="all is told")
    assert ledger.texts["INC-1"] == ["INC-1/1", "INC-1/2"]


def _attempts(desk: Desk, number: int) -> bool:
    (waiting,) = desk.store.tickets.due(float("inf"), 1)
    return waiting.attempts == number


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


def test_a_missing_secret_waits(desk: Desk) -> None:
    ledger = Ledger()
    ledger.failing = lambda call: UnknownSecret("there is no secret x")
    outbox = desk.outbox(RememberedTickets(ledger=ledger))
    desk.tell("INC-1", Milestone.OPENED)
    until(lambda: outbox.state().last_error == "there is no secret x", within=20, what="it is seen")
    assert outbox.state().queue.set_aside == 0
    assert outbox.state().next_attempt == desk.clock.now + 60


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
    assert [event.ticket for event in desk.events] == [TicketRef("INC-1")]


def test_a_ticket_is_looked_up_once_even_if_the_incident_learns_of_it_late(desk: Desk) -> None:
    ledger = Ledger()
    desk.tell("INC-1", *LIFE)  # committed before any ticket: the store's incident never learns of it here
    desk.outbox(RememberedTickets(ledger=ledger))
    until(desk.delivered, within=20, what="all is told")
    assert [call for call in ledger.calls if not call.startswith("update")] == ["find INC-1", "create INC-1/1"]
    assert len(desk.events) == 1


class Forgetful:
    """The store's queue, whose every first change fails as when the disk is busy."""

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

    def delivered(self, key: str, at: float) -> None:
        if key not in self._failed:
            self._failed.add(key)
            raise StoreBusy("someone has the file")
        self._queue.delivered(key, at)


def test_what_the_store_could_not_write_down_is_written_down_later(desk: Desk) -> None:
    ledger = Ledger()
    desk.outbox(RememberedTickets(ledger=ledger), Forgetful(desk.store.tickets))
    desk.tell("INC-1", Milestone.OPENED)
    until(desk.delivered, within=30, what="it is written down")
    assert ledger.texts == {"INC-1": ["INC-1/1"]}


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
