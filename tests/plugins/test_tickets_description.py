"""A wrong description of a ticket system is refused when it is read, and says where and what."""

from typing import Any

import pytest
from pydantic import ValidationError

from agent.model.commands import Milestone
from agent.plugin import registry
from agent.plugin.api import TicketSystem
from agent.tickets.preset import presets
from agent.tickets.rest import RestTickets

GOOD: dict[str, Any] = {
    "preset": "roundup",
    "url": "https://tickets.example.org/tracker/",
    "basic": {"user": "agent", "password": "tracker-password"},
}


def test_it_is_found_by_its_kind() -> None:
    assert registry.load(registry.TICKETS, "rest", TicketSystem) is RestTickets


def test_a_preset_and_what_is_laid_over_it() -> None:
    tickets = RestTickets.model_validate(
        GOOD | {"map": {"priority": {"P3": "urgent"}}, "milestones": {"updated": ["message", "attach"]}}
    )
    assert tickets.url == "https://tickets.example.org/tracker"
    assert tickets.map["priority"] == {"P1": "critical", "P2": "urgent", "P3": "urgent", "P4": "bug", "P5": "bug"}
    assert tickets.milestones[Milestone.UPDATED] == ("message", "attach")
    assert tickets.milestones[Milestone.OPENED] == ("message", "attach")
    assert tickets.basic is not None
    assert tickets.basic.user == "agent"


@pytest.mark.parametrize("name", presets())
def test_every_preset_is_whole(name: str) -> None:
    tickets = RestTickets.model_validate(GOOD | {"preset": name})
    assert set(tickets.milestones) == set(Milestone)


def test_it_has_a_schema_for_editors() -> None:
    schema = RestTickets.model_json_schema()
    assert {"preset", "url", "find", "create", "requests", "milestones"} <= set(schema["properties"])


def test_one_written_out_is_read_again() -> None:
    tickets = RestTickets.model_validate(GOOD)
    assert RestTickets.model_validate(tickets.model_dump(by_alias=True)) == tickets


@pytest.mark.parametrize(
    ("change", "place", "says"),
    [
        ({"preset": "jira2"}, "", "there is no preset 'jira2'; there is roundup"),
        ({"url": "tickets.example.org"}, "url", "is not a web address"),
        ({"url": "https://agent:pw@host/tracker"}, "url", "a password in an address"),
        ({"url": "https://host/?a=b"}, "url", "write the address that all paths begin with"),
        ({"bearer": "token"}, "", "not both"),
        ({"timeout": 5}, "timeout", "has no unit"),
        ({"serch": {}}, "serch", "Extra inputs"),
        ({"find": {"path": "rest"}}, "find.path", "is not a path"),
        ({"find": {"path": "/rest?a=b"}}, "find.path", "under `query:`"),
        ({"find": {"path": "/{{ titel }}"}}, "find.path", "there is no 'titel' here; there is id, site, url, user"),
        ({"find": {"none": [99]}}, "find.none.0", "greater than or equal to 200"),
        ({"find": {"id": "a..b"}}, "find.id", "pattern"),
        ({"find": {"authenticated": {"ask": None}}}, "find.authenticated", "write `header`, `value` or `ask`"),
        ({"headers": {"X": "{{ title }}"}}, "headers", "there is no 'title' here"),
        ({"link": "{{ id }}"}, "link", "there is no 'id' here; there is answer, site, ticket, url, user"),
        ({"create": {"body": {"a": ["{{ b"]}}}, "create.body", "is not a template"),
        ({"create": {"body": {"a": "{{ x|upperr }}"}}}, "create.body", "No filter named 'upperr'"),
        ({"create": {"body": {"a": "{{ pririty }}"}}}, "create.body", "there is no 'pririty' here"),
        ({"create": {"body": {"a": "{{ ticket.id }}"}}}, "create.body", "there is no 'ticket' here"),
        ({"create": {"body": {"a": "{{ map.level }}"}}}, "", "create: map.level is used, but there is no such map"),
        ({"map": {"priority": {"P9": "x"}}}, "map", "map.priority: there is no P9; there is P1, P2, P3, P4, P5"),
        ({"map": {"phase": {"new": "x"}}}, "map", "map.phase: says nothing of treating, held"),
        ({"map": {"team": {"web": "x"}}}, "map", "map.team: say what the others become"),
        ({"map": {"colour": {"red": "x"}}}, "map", "map.colour: there is no such field"),
        ({"milestones": {"reslved": ["state"]}}, "milestones.reslved.[key]", "'opened', 'updated'"),
        ({"milestones": {"closed": ["comment"]}}, "", "milestones.closed: there is no request 'comment'; there is me"),
        ({"milestones": {"closed": ["attach"]}}, "", "milestones.closed: attach uses ids.message, which no request b"),
        ({"requests": {"state": {"fetch": None}}}, "requests.state", "fetched.etag is used, but `fetch` does not"),
        ({"requests": {"state": {"path": "/{{ ticket.nr }}"}}}, "", "there is no ticket.nr"),
    ],
)  # fmt: skip
def test_a_wrong_description_is_refused(change: dict[str, Any], place: str, says: str) -> None:
    with pytest.raises(ValidationError) as refused:
        RestTickets.model_validate(GOOD | change)
    problems = [(".".join(map(str, each["loc"])), each["msg"]) for each in refused.value.errors()]
    assert any(where == place and says in what for where, what in problems), problems
