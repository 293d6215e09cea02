"""The preset for Roundup against a real Roundup, whose answers get lost on the way where a test wants that."""

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from agent.errors import Effect, TicketError, TicketSystemUnavailable
from agent.model.commands import Milestone
from agent.model.incident import TicketRef
from agent.tickets.rest import RestTickets
from tests.neighbours.faulty_proxy import FaultyProxy
from tests.neighbours.roundup import Roundup
from tests.plugins.ticket_updates import Given, update

SECRETS = Given(tracker=Roundup.password, wrong="not the password")
_numbers = itertools.count(1)


@pytest.fixture
def incident() -> str:
    """An id that no other test uses: the tracker is shared."""
    return f"ROUNDUP-{next(_numbers)}"


@pytest.fixture
def proxy(roundup: Roundup) -> Iterator[FaultyProxy]:
    with FaultyProxy(roundup.url) as proxy:
        yield proxy


def described(url: str, **more: Any) -> RestTickets:
    written = {"preset": "roundup", "url": url, "basic": {"user": Roundup.user, "password": "tracker"}}
    return RestTickets.model_validate({**written, **more})


@pytest.fixture
def tickets(proxy: FaultyProxy) -> RestTickets:
    return described(proxy.url)


def filed(roundup: Roundup, incident: str) -> dict[str, Any]:
    """The one issue of that incident."""
    (issue,) = [issue for issue in roundup.issues() if issue["external_id"] == incident]
    return issue


def by_a_person(roundup: Roundup, issue: str, **change: str) -> None:
    """Somebody changes the issue in the tracker."""
    headers = {"X-Requested-With": "rest", "Origin": roundup.origin, "Referer": roundup.url}
    login = (Roundup.user, Roundup.password)
    etag = requests.get(f"{roundup.rest_url}/issue/{issue}", auth=login, timeout=10).headers["ETag"]
    headers["If-Match"] = etag
    done = requests.patch(f"{roundup.rest_url}/issue/{issue}", json=change, headers=headers, auth=login, timeout=10)
    done.raise_for_status()


def test_a_life_of_an_incident(roundup: Roundup, incident: str) -> None:
    tickets = described(roundup.url)
    assert tickets.find(incident, SECRETS) is None
    opened = update(incident)
    ticket = tickets.create(opened, SECRETS)
    assert ticket.url == f"{roundup.url}issue{ticket.id}"
    assert requests.get(ticket.url, timeout=10).ok
    assert tickets.find(incident, SECRETS) == ticket

    tickets.update(ticket, opened, SECRETS)
    issue = filed(roundup, incident)
    assert (issue["id"], issue["title"]) == (ticket.id, "web on web1: 连接被拒绝")
    assert (issue["priority"], issue["status"]) == ("critical", "in-progress")
    assert issue["messages"] == [f"it broke\n\n[{incident}/1]"]

    told = []
    for number, milestone in enumerate(
        (Milestone.UPDATED, Milestone.RESOLVED, Milestone.CLOSED, Milestone.REOPENED, Milestone.RESOLVED), 2
    ):
        tickets.update(ticket, update(incident, number, milestone, f"it is {milestone}", priority="P2"), SECRETS)
        issue = filed(roundup, incident)
        told.append((issue["messages"][-1], issue["priority"], issue["status"]))
    assert told == [
        (f"it is updated\n\n[{incident}/2]", "urgent", "in-progress"),
        (f"it is resolved\n\n[{incident}/3]", "urgent", "resolved"),
        (f"it is closed\n\n[{incident}/4]", "urgent", "resolved"),
        (f"it is reopened\n\n[{incident}/5]", "urgent", "in-progress"),
        (f"it is resolved\n\n[{incident}/6]", "urgent", "resolved"),
    ]
    assert tickets.find(incident, SECRETS) == ticket, "closed ones are found as well"


def test_an_id_that_begins_like_another_is_not_the_other(roundup: Roundup, incident: str) -> None:
    tickets = described(roundup.url)
    tickets.create(update(f"{incident}9"), SECRETS)
    assert tickets.find(incident, SECRETS) is None


def test_who_creates_a_second_time_gets_the_first_ticket(roundup: Roundup, incident: str) -> None:
    tickets = described(roundup.url)
    with ThreadPoolExecutor(4) as pool:
        made = set(pool.map(lambda _: tickets.create(update(incident), SECRETS), range(6)))
    assert made == {TicketRef(filed(roundup, incident)["id"], f"{roundup.url}issue{filed(roundup, incident)['id']}")}


def test_a_create_whose_answer_is_lost_says_so_and_is_found(
    roundup: Roundup, proxy: FaultyProxy, tickets: RestTickets, incident: str
) -> None:
    proxy.lose_answer("POST", "/issue")
    with pytest.raises(TicketSystemUnavailable) as lost:
        tickets.create(update(incident), SECRETS)
    assert (lost.value.retryable, lost.value.effect) == (True, Effect.UNKNOWN)
    found = tickets.find(incident, SECRETS)
    assert found is not None
    assert found.id == filed(roundup, incident)["id"]


@pytest.mark.parametrize(
    ("method", "part"), [("POST", "/msg"), ("PATCH", "/issue"), ("GET", "/msg"), ("GET", "/issue/")]
)
def test_a_text_is_there_once_whichever_answer_was_lost(
    roundup: Roundup, proxy: FaultyProxy, tickets: RestTickets, incident: str, method: str, part: str
) -> None:
    ticket = tickets.create(update(incident), SECRETS)
    proxy.lose_answer(method, part)
    resolved = update(incident, 2, Milestone.RESOLVED, "it is well")
    with pytest.raises(TicketSystemUnavailable):
        tickets.update(ticket, resolved, SECRETS)
    tickets.update(ticket, resolved, SECRETS)
    tickets.update(ticket, resolved, SECRETS)
    issue = filed(roundup, incident)
    assert issue["messages"] == [f"it is well\n\n[{incident}/2]"]
    assert issue["status"] == "resolved"
    assert proxy.count("POST", "/msg") == 1


def test_what_a_person_changed_meanwhile_is_kept_and_ours_is_added(
    roundup: Roundup, proxy: FaultyProxy, tickets: RestTickets, incident: str
) -> None:
    ticket = tickets.create(update(incident), SECRETS)

    def change() -> None:
        by_a_person(roundup, ticket.id, superseder=ticket.id)

    proxy.meanwhile("PATCH", "/issue/", change)
    tickets.update(ticket, update(incident), SECRETS)
    issue = filed(roundup, incident)
    assert [each["id"] for each in issue["superseder"]] == [ticket.id]
    assert len(issue["messages"]) == 1


def test_an_etag_that_never_fits_is_given_up_for_now(proxy: FaultyProxy, tickets: RestTickets, incident: str) -> None:
    ticket = tickets.create(update(incident), SECRETS)
    proxy.answer("PATCH", "/issue/", 412, times=1000)
    with pytest.raises(TicketError, match="answered 412") as stale:
        tickets.update(ticket, update(incident), SECRETS)
    assert stale.value.retryable
    assert proxy.count("PATCH", "/issue/") == 4


@pytest.mark.parametrize("login", [{"user": "agent", "password": "wrong"}, {"user": "nobody", "password": "tracker"}])
def test_a_refused_login_is_not_no_such_ticket(roundup: Roundup, incident: str, login: dict[str, str]) -> None:
    tickets = described(roundup.url, basic=login)
    calls: list[Callable[[], object]] = [
        lambda: tickets.find(incident, SECRETS),
        lambda: tickets.create(update(incident), SECRETS),
        lambda: tickets.update(TicketRef("1"), update(incident), SECRETS),
    ]
    for call in calls:
        with pytest.raises(TicketSystemUnavailable, match=r"login refused.*401") as refused:
            call()
        assert refused.value.retry_after == 60
        assert "not the password" not in str(refused.value)


def test_a_deleted_ticket_is_given_up(roundup: Roundup, incident: str) -> None:
    tickets = described(roundup.url)
    with pytest.raises(TicketError, match=r"ticket 99999 is gone.*no such issue") as gone:
        tickets.update(TicketRef("99999"), update(incident), SECRETS)
    assert not gone.value.retryable


def test_a_404_is_not_believed_while_the_ticket_is_found(
    proxy: FaultyProxy, tickets: RestTickets, incident: str
) -> None:
    ticket = tickets.create(update(incident), SECRETS)
    proxy.answer("PATCH", "/issue/", 404)
    with pytest.raises(TicketError, match=r"yet ticket .* is there") as odd:
        tickets.update(ticket, update(incident), SECRETS)
    assert odd.value.retryable


def test_what_the_tracker_will_never_take_is_not_tried_again(roundup: Roundup, incident: str) -> None:
    tickets = described(roundup.url, map={"priority": {"P1": "no-such-priority"}})
    with pytest.raises(TicketError, match="no-such-priority") as refused:
        tickets.create(update(incident), SECRETS)
    assert not refused.value.retryable


def test_what_the_tracker_says_is_taken_but_cannot_be_found_is_not_tried_again(
    proxy: FaultyProxy, tickets: RestTickets, incident: str
) -> None:
    proxy.answer("POST", "/issue", 409)
    with pytest.raises(TicketError, match=f"yet no ticket {incident} is found") as lost:
        tickets.create(update(incident), SECRETS)
    assert not lost.value.retryable


def test_agents_with_a_prefix_of_their_own_do_not_take_each_others_tickets(roundup: Roundup, incident: str) -> None:
    berlin, oslo = described(roundup.url, prefix="berlin-"), described(roundup.url, prefix="oslo-")
    for tickets in (berlin, oslo):
        ticket = tickets.create(update(incident), SECRETS)
        tickets.update(ticket, update(incident), SECRETS)
    assert oslo.find(incident, SECRETS) != berlin.find(incident, SECRETS)
    assert filed(roundup, f"oslo-{incident}")["messages"] == [f"it broke\n\n[oslo-{incident}/1]"]
    assert filed(roundup, f"berlin-{incident}")["messages"] == [f"it broke\n\n[berlin-{incident}/1]"]
