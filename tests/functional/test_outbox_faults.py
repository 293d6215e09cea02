"""A ticket system that fails in every way at the first attempt: one ticket, all told once and in order, by itself."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.model.commands import Milestone
from agent.tickets.rest import RestTickets
from tests.functional.outbox_desk import NUMBERS, Desk
from tests.neighbours.faulty_proxy import FaultyProxy
from tests.neighbours.roundup import Roundup
from tests.neighbours.waiting import until

LOOK_UP, CREATE, WHO_WE_ARE = ("GET", "/issue"), ("POST", "/issue"), ("GET", "/user")
NOW = "Fri, 20 Nov 2026 12:00:00 GMT"
LATER = {"Date": NOW, "Retry-After": "Fri, 20 Nov 2026 12:01:30 GMT"}
EMPTY = b'{"data": {"collection": []}}'

TOLD = ["it is opened", "it is updated", "it is resolved"]


@dataclass(frozen=True)
class Fault:
    """`words`: what status says of it; `wait`: seconds until the next attempt may be made, at the least.

    `filed`: how many requests to file a ticket are made in all; `told`: what arrives in the end.
    """

    at: tuple[str, str]
    words: str
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"not now"
    wait: float = 0.0
    filed: int = 1
    told: tuple[str, ...] = tuple(TOLD)

    def begin(self, proxy: FaultyProxy) -> None:
        if self.status is not None:
            proxy.answer(*self.at, self.status, headers=self.headers, body=self.body)
        elif self.words == "no answer within 4s":
            proxy.hold_answer(*self.at)
        else:
            proxy.lose_answer(*self.at)


FAULTS = {
    "400": Fault(CREATE, "answered 400: not now", 400, filed=2, told=tuple(TOLD[1:])),
    "401": Fault(CREATE, "login refused", 401, wait=60, filed=2),
    "401 at the look-up": Fault(LOOK_UP, "login refused", 401, wait=60),
    "403": Fault(CREATE, "answered 403", 403, wait=60, filed=2),
    "404": Fault(CREATE, "answered 404", 404, wait=60, filed=2),
    "404 at the look-up": Fault(LOOK_UP, "answered 404", 404, wait=60),
    "409 and nothing is there": Fault(CREATE, "yet no ticket", 409, filed=2, told=tuple(TOLD[1:])),
    "423": Fault(CREATE, "answered 423", 423, wait=1, filed=2),
    "429 for so many seconds": Fault(CREATE, "answered 429", 429, {"Retry-After": "17"}, wait=17, filed=2),
    "429 until a date": Fault(LOOK_UP, "answered 429", 429, LATER, wait=90),
    "429 for a year": Fault(LOOK_UP, "answered 429", 429, {"Retry-After": "31536000"}, wait=3600),
    "500": Fault(CREATE, "answered 500", 500, wait=30, filed=2),
    "502 at the look-up": Fault(LOOK_UP, "answered 502", 502, wait=1),
    "503": Fault(CREATE, "answered 503", 503, {"Retry-After": "5"}, wait=30, filed=2),
    "filed, and its answer is lost": Fault(CREATE, "connection closed without an answer", wait=30),
    "filed, and its answer does not come": Fault(CREATE, "no answer within 4s", wait=30),
    "empty for a stranger": Fault(WHO_WE_ARE, "we may not be logged in", 200, body=EMPTY, wait=60),
    "a page for people": Fault(LOOK_UP, "not JSON", 200, body=b"<html>log in</html>", wait=1),
}
"""At the very first request of that sort; all others reach a real Roundup."""


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "record.sqlite")
    yield desk
    desk.close()


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_the_ticket_system_costs_time_and_no_ticket_twice(desk: Desk, roundup: Roundup, name: str) -> None:
    fault, incident = FAULTS[name], f"FAULT-{next(NUMBERS)}"
    with FaultyProxy(roundup.url) as proxy:
        login = {"user": roundup.user, "password": "tracker"}
        described = {"preset": "roundup", "url": proxy.url, "basic": login, "timeout": "4s"}
        fault.begin(proxy)
        outbox = desk.outbox(RestTickets.model_validate(described))
        desk.tell(incident, Milestone.OPENED)
        if len(fault.told) == len(TOLD):
            said = until(lambda: outbox.state().queue.last_error, within=30, what="the fault is seen")
            assert fault.words in said
            left_alone(desk, proxy, fault.wait)
        else:
            until(lambda: outbox.state().queue.set_aside == 1, within=30, what="it is set aside")
            assert fault.words in str(outbox.state().last_error)
        desk.tell(incident, Milestone.UPDATED, Milestone.RESOLVED)
        until(desk.delivered_in_time, within=60, what="all is told")
        assert proxy.count(*CREATE) == fault.filed
    (issue,) = [issue for issue in roundup.issues() if issue["external_id"] == incident]
    assert [text.splitlines()[0] for text in issue["messages"]] == list(fault.told)
    assert outbox.state().available is True


def left_alone(desk: Desk, proxy: FaultyProxy, seconds: float) -> None:
    """Nothing is sent until so many seconds have passed."""
    if not seconds:
        return
    before = len(proxy.passed)
    desk.clock.pass_by(seconds - 0.5)
    seen = desk.clock.readings
    until(lambda: desk.clock.readings > seen + 3, within=20, what="the outbox looked at the clock")
    assert len(proxy.passed) == before
