"""The outbox against a real Roundup: in order, once, through outages and lost answers."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.model.commands import Milestone
from agent.runtime.outbox import TicketsState
from agent.tickets.rest import RestTickets
from tests.functional.outbox_desk import LIFE, NUMBERS, Desk
from tests.neighbours.faulty_proxy import FaultyProxy
from tests.neighbours.roundup import Roundup
from tests.neighbours.waiting import until


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "record.sqlite")
    yield desk
    desk.close()


@pytest.fixture
def incident() -> str:
    """An id of this test alone: the tracker is shared."""
    return f"OUTBOX-{next(NUMBERS)}"


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
