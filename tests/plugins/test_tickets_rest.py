"""What a REST ticket system makes of answers, good, bad and hostile."""

from pathlib import Path
from typing import Any

import pytest

from agent.errors import Effect, TicketError, TicketSystemNotAsked, TicketSystemUnavailable
from agent.model.commands import Milestone
from agent.model.incident import TicketRef
from agent.tickets.rest import RestTickets
from tests.neighbours.http_site import Answer, HttpSite
from tests.neighbours.ports import free_port
from tests.plugins.ticket_updates import Given, update

SECRETS = Given(key="s3cr3t-key", pw="pässwort")
MIB = 2**20

DESCRIPTION: dict[str, Any] = {
    "secret_headers": {"X-Key": "key"},
    "timeout": "2s",
    "map": {"priority": {"P1": 1, "default": 5}, "status": {"closed": "done", "default": "open"}},
    "link": "{{ url }}/t/{{ ticket.id }}",
    "find": {"path": "/search", "query": {"q": "{{ id }}"}, "none": [404], "among": "found.tickets", "id": "id",
             "containing": {"subject": "({{ id }})"}},
    "create": {
        "path": "/tickets",
        "body": {"subject": "{{ title }} ({{ id }})", "level": "{{ map.priority }}", "on": "{{ hosts }}", "fixed": 7,
                 "about": "{{ hosts }} of {{ service }}{{ assignee }}", "exercise": "{{ exercise }}"},
        "id": "ticket.0.number",
    },
    "requests": {
        "comment": {
            "path": "/tickets/{{ ticket.id }}/comments",
            "body": {"text": "{{ text }} {{ marker }}", "state": "{{ map.status }}"},
            "seen": {"path": "/tickets/{{ ticket.id }}/comments", "among": "all", "id": "n",
                     "containing": {"text": "{{ marker }}"}},
        },
    },
    "milestones": {"opened": ["comment"], "closed": ["comment"]},
}  # fmt: skip


def described(url: str, **more: Any) -> RestTickets:
    return RestTickets.model_validate({**DESCRIPTION, "url": url, **more})


@pytest.fixture
def tickets(http_site: HttpSite) -> RestTickets:
    return described(http_site.url)


def test_a_body_is_what_the_author_wrote_with_values_of_their_own_kind(
    http_site: HttpSite, tickets: RestTickets
) -> None:
    http_site.answer("/tickets", Answer(201, '{"ticket": [{"number": 42}]}'), method="POST")
    assert tickets.create(update("INC-1"), SECRETS) == TicketRef("42", f"{http_site.url}/t/42")
    (sent,) = http_site.requests
    assert sent.headers["X-Key"] == "s3cr3t-key"
    assert sent.headers["Content-Type"] == "application/json"
    assert sent.json() == {
        "subject": "web on web1: 连接被拒绝 (INC-1)",
        "level": 1,
        "on": ["web1", "web2"],
        "fixed": 7,
        "about": "web1, web2 of shop",
        "exercise": False,
    }


def test_the_candidate_that_fits_is_found_not_the_first(http_site: HttpSite, tickets: RestTickets) -> None:
    found = '{"found": {"tickets": [{"id": 1, "subject": "x (INC-12)"}, {"id": 2}, {"id": 3, "subject": "x (INC-1)"}]}}'
    http_site.answer("/search", Answer(body=found))
    assert tickets.find("INC-1", SECRETS) == TicketRef("3", f"{http_site.url}/t/3")
    assert tickets.find("INC-123", SECRETS) is None
    assert http_site.requests[0].path == "/search?q=INC-1"


def test_a_text_that_is_there_is_not_added_again(http_site: HttpSite, tickets: RestTickets) -> None:
    there = '{"all": [{"n": 1, "text": "a [INC-1/11]"}, {"n": 2, "text": "b [INC-1/1]"}]}'
    http_site.answer("/tickets/9/comments", Answer(body=there))
    http_site.answer("/tickets/9/comments", Answer(201, "{}"), method="POST")
    tickets.update(TicketRef("9"), update("INC-1", 1), SECRETS)
    assert [each.method for each in http_site.requests] == ["GET"]
    tickets.update(TicketRef("9"), update("INC-1", 2, Milestone.CLOSED, text="over"), SECRETS)
    assert http_site.requests[-1].json() == {"text": "over [INC-1/2]", "state": "done"}


def test_a_milestone_that_nothing_is_written_for_tells_nothing(http_site: HttpSite, tickets: RestTickets) -> None:
    tickets.update(TicketRef("9"), update("INC-1", 2, Milestone.UPDATED), SECRETS)
    assert http_site.requests == []


def test_a_question_that_is_refused_spoils_no_update(http_site: HttpSite, tickets: RestTickets) -> None:
    """It is not the update that is wrong: Roundup answers 400 to whatever goes wrong inside it."""
    http_site.answer("/search", Answer(400, "An error occurred"))
    with pytest.raises(TicketError) as failed:
        tickets.find("INC-1", SECRETS)
    assert failed.value.retryable


@pytest.mark.parametrize(
    ("answer", "error", "retryable", "effect", "wait"),
    [
        (Answer(400, "no such field"), TicketError, False, Effect.NONE, None),
        (Answer(400, "<p>An error occurred"), TicketError, True, Effect.UNKNOWN, None),
        (Answer(413, "<h1>Too large"), TicketError, False, Effect.NONE, None),
        (Answer(422, "subject: too long"), TicketError, False, Effect.NONE, None),
        (Answer(401), TicketSystemUnavailable, True, Effect.NONE, 60),
        (Answer(302, headers={"Location": "/login"}), TicketSystemUnavailable, True, Effect.NONE, 60),
        (Answer(403), TicketError, True, Effect.NONE, 60),
        (Answer(404), TicketError, True, Effect.NONE, 60),
        (Answer(409), TicketError, True, Effect.NONE, None),
        (Answer(429, headers={"Retry-After": "17"}), TicketSystemUnavailable, True, Effect.NONE, 17),
        (Answer(429, headers={"Retry-After": "9" * 30}), TicketSystemUnavailable, True, Effect.NONE, 3600),
        (Answer(429, headers={"Retry-After": "soon"}), TicketSystemUnavailable, True, Effect.NONE, None),
        (Answer(500), TicketError, True, Effect.UNKNOWN, None),
        (Answer(503, headers={"Retry-After": "5"}), TicketSystemUnavailable, True, Effect.UNKNOWN, 5),
        (Answer(201, "{}", cut=True), TicketSystemUnavailable, True, Effect.UNKNOWN, None),
        (Answer(201, "{}", delay=60), TicketSystemUnavailable, True, Effect.UNKNOWN, None),
        (Answer(201, "<html>"), TicketError, True, Effect.UNKNOWN, None),
        (Answer(201, "[" * 100_000), TicketError, True, Effect.UNKNOWN, None),
        (Answer(201, '{"ticket": []}'), TicketError, True, Effect.UNKNOWN, None),
        (Answer(201, '{"ticket": [{"number": {"$": 1}}]}'), TicketError, True, Effect.UNKNOWN, None),
        (Answer(201, '{"ticket": [{"number": ""}]}'), TicketError, True, Effect.UNKNOWN, None),
        (Answer(201, b'{"ticket": [{"number": 1}]' + b" " * MIB + b"}"), TicketError, True, Effect.UNKNOWN, None),
    ],
    ids=lambda value: f"{value.status} {value.content[:12]!r}" if isinstance(value, Answer) else "",
)
def test_what_a_failed_create_means(
    http_site: HttpSite,
    tickets: RestTickets,
    answer: Answer,
    error: type[TicketError],
    retryable: bool,
    effect: Effect,
    wait: float | None,
) -> None:
    http_site.answer("/tickets", answer, method="POST")
    with pytest.raises(TicketError) as failed:
        tickets.create(update("INC-1"), SECRETS)
    assert type(failed.value) is error
    assert (failed.value.retryable, failed.value.effect, failed.value.retry_after) == (retryable, effect, wait)
    assert "\n" not in str(failed.value)
    assert len(str(failed.value)) < 500


def test_a_date_to_retry_after_is_counted_from_the_answers_own_date(http_site: HttpSite, tickets: RestTickets) -> None:
    dates = {"Retry-After": "Fri, 31 Dec 2999 23:59:59 GMT"}
    http_site.answer("/tickets", Answer(503, headers=dates), method="POST")
    with pytest.raises(TicketSystemUnavailable) as failed:
        tickets.create(update("INC-1"), SECRETS)
    assert failed.value.retry_after == 3600


@pytest.mark.parametrize("far", ["99999999999999999999 00:00:00 GMT", "2024 00:00:00 +99999999999999999999"])
def test_a_date_beyond_all_calendars_spoils_no_update(http_site: HttpSite, tickets: RestTickets, far: str) -> None:
    dates = {"Retry-After": f"Mon, 01 Jan {far}"}
    http_site.answer("/tickets", Answer(503, headers=dates), method="POST")
    with pytest.raises(TicketSystemUnavailable) as failed:
        tickets.create(update("INC-1"), SECRETS)
    assert failed.value.retry_after is None


def test_nobody_listens() -> None:
    with pytest.raises(TicketSystemUnavailable, match="refused") as failed:
        described(f"http://127.0.0.1:{free_port()}").create(update("INC-1"), SECRETS)
    assert failed.value.effect is Effect.NONE


def test_a_name_that_does_not_resolve() -> None:
    with pytest.raises(TicketSystemUnavailable) as failed:
        described("http://tickets.invalid").find("INC-1", SECRETS)
    assert failed.value.effect is Effect.NONE


@pytest.mark.parametrize(
    "body", ["[]", "{}", '{"found": {"tickets": null}}', '{"found": {"tickets": [{"subject": "(INC-1)"}]}}']
)
def test_an_answer_that_is_not_as_described_is_not_none(http_site: HttpSite, tickets: RestTickets, body: str) -> None:
    http_site.answer("/search", Answer(body=body))
    with pytest.raises(TicketError, match="GET /search"):
        tickets.find("INC-1", SECRETS)


def test_only_a_status_that_surely_means_none_is_none(http_site: HttpSite, tickets: RestTickets) -> None:
    http_site.answer("/search", Answer(404))
    assert tickets.find("INC-1", SECRETS) is None
    http_site.answer("/search", Answer(410))
    with pytest.raises(TicketError):
        tickets.find("INC-1", SECRETS)


NOTHING = Answer(body='{"found": {"tickets": []}}')
KNOWN = Answer(body='{"found": {"tickets": []}, "me": {"name": "agent"}}', headers={"X-Me": "agent"})


@pytest.mark.parametrize("proof", [{"header": "X-Me"}, {"value": "me.name"}])
def test_an_empty_answer_is_believed_only_from_who_knows_us(http_site: HttpSite, proof: dict[str, str]) -> None:
    """Redmine without login_required answers a bad key with 200 and an empty list."""
    tickets = described(http_site.url, find=DESCRIPTION["find"] | {"authenticated": proof})
    http_site.answer("/search", NOTHING)
    with pytest.raises(TicketSystemUnavailable, match="may not be logged in"):
        tickets.find("INC-1", SECRETS)
    http_site.answer("/search", KNOWN)
    assert tickets.find("INC-1", SECRETS) is None


def test_an_empty_answer_is_believed_after_asking_who_we_are(http_site: HttpSite) -> None:
    me = {"path": "/me", "none": [404], "id": "login"}
    tickets = described(http_site.url, find=DESCRIPTION["find"] | {"authenticated": {"ask": me}})
    http_site.answer("/search", NOTHING)
    with pytest.raises(TicketSystemUnavailable, match="GET /me does not know us"):
        tickets.find("INC-1", SECRETS)
    http_site.answer("/me", Answer(body='{"login": "agent"}'))
    assert tickets.find("INC-1", SECRETS) is None


def test_an_id_from_outside_leads_to_no_other_resource(http_site: HttpSite, tickets: RestTickets) -> None:
    http_site.answer("/tickets/..%2F..%2Fusers%3Fa%3D1/comments", Answer(body='{"all": []}'))
    http_site.answer("/tickets/..%2F..%2Fusers%3Fa%3D1/comments", Answer(201, "{}"), method="POST")
    tickets.update(TicketRef("../../users?a=1"), update("INC-1"), SECRETS)
    for bad in ("", ".", ".."):
        with pytest.raises(TicketError, match="cannot be a part of a path"):
            tickets.update(TicketRef(bad), update("INC-1"), SECRETS)


def test_what_others_wrote_is_never_a_template(http_site: HttpSite, tickets: RestTickets) -> None:
    http_site.answer("/tickets", Answer(201, '{"ticket": [{"number": "{{ url }}"}]}'), method="POST")
    created = tickets.create(update("INC-1", title="{{ 7 * 7 }}"), SECRETS)
    assert http_site.requests[0].json()["subject"] == "{{ 7 * 7 }} (INC-1)"
    assert created.id == "{{ url }}"


def test_a_redirect_is_not_followed_with_our_key(http_site: HttpSite, tickets: RestTickets) -> None:
    with HttpSite() as stranger:
        http_site.answer("/search", Answer(301, headers={"Location": f"{stranger.url}/search"}))
        with pytest.raises(TicketSystemUnavailable, match="points to"):
            tickets.find("INC-1", SECRETS)
        assert stranger.requests == []


@pytest.mark.parametrize("nowhere", ["http://[bad", "http://a:b:c/", "http://\xff/"])
def test_a_redirect_to_what_is_no_address_is_a_redirect(
    http_site: HttpSite, tickets: RestTickets, nowhere: str
) -> None:
    """Some server in front sends it; an update that waits is not lost for that."""
    http_site.answer("/search", Answer(302, headers={"Location": nowhere}))
    with pytest.raises(TicketSystemUnavailable, match="points to"):
        tickets.find("INC-1", SECRETS)


def test_our_credentials_are_not_quoted_from_an_error_page(http_site: HttpSite) -> None:
    tickets = described(http_site.url, basic={"user": "agent", "password": "pw"})
    echoed = "X-Key: s3cr3t-key, Authorization: Basic YWdlbnQ6cMOkc3N3b3J0, password pässwort"
    http_site.answer("/search", Answer(500, echoed))
    with pytest.raises(TicketError) as failed:
        tickets.find("INC-1", SECRETS)
    assert http_site.requests[0].headers["Authorization"] == "Basic YWdlbnQ6cMOkc3N3b3J0"
    assert "X-Key: (secret), Authorization: Basic (secret), password (secret)" in str(failed.value)


@pytest.mark.parametrize("value", ["two\nlines", "ключ", " blank"])
def test_a_secret_that_no_header_can_carry_is_not_shown(http_site: HttpSite, tickets: RestTickets, value: str) -> None:
    http_site.answer("/search", NOTHING)
    with pytest.raises(TicketSystemUnavailable, match="header X-Key") as failed:
        tickets.find("INC-1", Given(key=value))
    assert value not in str(failed.value)
    assert repr(value)[1:-1] not in str(failed.value)
    assert http_site.requests == []


def test_a_secret_that_is_missing_waits_for_a_person(tickets: RestTickets) -> None:
    with pytest.raises(TicketSystemNotAsked, match="no secret key") as failed:
        tickets.find("INC-1", Given())
    assert failed.value.retry_after == 60


def test_certificates_that_are_missing_wait(tmp_path: Path) -> None:
    tickets = described("https://127.0.0.1:9", ca_file=str(tmp_path / "none.pem"))
    with pytest.raises(TicketSystemUnavailable, match=r"none\.pem"):
        tickets.find("INC-1", SECRETS)


def test_a_template_that_does_not_fit_its_values_is_not_tried_again(http_site: HttpSite) -> None:
    tickets = described(http_site.url, create=DESCRIPTION["create"] | {"body": {"n": "{{ title + 1 }}"}})
    with pytest.raises(TicketError, match="cannot be filled in") as failed:
        tickets.create(update("INC-1"), SECRETS)
    assert not failed.value.retryable
    assert http_site.requests == []
