"""A ticket system behind a REST interface, described wholly in YAML.

The order of requests follows from what happens when answers get lost: look up by our id, then create; a
text is looked for before it is added a second time; what somebody else changed is fetched anew.
"""

from collections.abc import Collection, Mapping
from typing import Annotated, Any, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator

from agent.errors import TicketError
from agent.model.authored import SecretName
from agent.model.commands import Milestone, UpdateTicket
from agent.model.incident import TicketRef
from agent.model.quantities import Duration
from agent.plugin.api import Secrets, TicketSystem
from agent.plugin.http import HttpAccess, http_url
from agent.tickets.line import Line
from agent.tickets.look_up import Ask, look_up, require_login
from agent.tickets.preset import with_preset
from agent.tickets.refusal import FOR_A_PERSON, refused
from agent.tickets.reply import Reply
from agent.tickets.request import COMMON, Create, Fetch, Find, Request, Step
from agent.tickets.template import Template, Text, Values
from agent.tickets.translation import check_complete, translated

STALE = 412
"""Precondition Failed: the If-Match is not the ticket's present ETag (RFC 9110, 15.5.13)."""

STALE_TRIES = 4
"""How often a request is made whose precondition (If-Match) somebody else's change keeps spoiling."""

MARKER = "[{}]"
"""What a text is found again by: the update's key, fenced so that `INC-1/1` is not found in `INC-1/12`."""


class _Gone(Exception):
    """The ticket system knows no such ticket, it says."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"{reply.what} answered {reply.status}: {reply.quoted()}")


def _address(url: str) -> str:
    if "{{" in url or "?" in url or "#" in url:
        raise ValueError(f"{url!r}: write the address that all paths begin with, such as https://host/tracker")
    return http_url(url).rstrip("/")


class RestTickets(HttpAccess, TicketSystem):
    """The keys under `tickets:` with `kind: rest`."""

    kind: ClassVar[str] = "rest"
    preset: str | None = Field(default=None, description="A ready description, over which the other keys are laid.")
    url: Annotated[str, AfterValidator(_address)] = Field(description="What all paths begin with.")
    prefix: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{0,32}$")] = Field(
        default="", description="Put before our ids there: several agents on one ticket system need one each."
    )
    secret_headers: dict[str, SecretName] = Field(default={}, description="Header → name of the secret it carries.")
    headers: dict[str, Text] = Field(default={}, description="Headers of every request.")
    timeout: Duration = Field(default=15.0, description="For each request, all in all.")
    map: dict[str, dict[str, str | int | float | bool | None]] = Field(
        default={}, description="Our words in the ticket system's: `map.status` by milestone, others by field."
    )
    link: Text | None = Field(default=None, description="Where a person sees the ticket.")
    finding: Find = Field(alias="find", description="How to look a ticket up by our id.")
    creating: Create = Field(alias="create", description="How to file a ticket.")
    requests: dict[str, Step] = Field(default={}, description="What can be done to a ticket, by name.")
    milestones: dict[Milestone, tuple[str, ...]] = Field(
        default={}, description="Which of `requests`, in which order, tell the ticket of a milestone."
    )

    @property
    def system(self) -> str:
        return self.url

    @model_validator(mode="before")
    @classmethod
    def _lay_over_preset(cls, written: Any) -> Any:
        return with_preset(written) if isinstance(written, Mapping) else written

    @field_validator("headers")
    @classmethod
    def _headers_known(cls, headers: dict[str, Template]) -> dict[str, Template]:
        for template in headers.values():
            template.require(COMMON)
        return headers

    @field_validator("link")
    @classmethod
    def _link_known(cls, link: Template | None) -> Template | None:
        if link:
            link.require(COMMON | {"ticket", "answer"})
        return link

    @field_validator("map")
    @classmethod
    def _maps_complete(cls, maps: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        check_complete(maps)
        return maps

    @model_validator(mode="after")
    def _parts_exist(self) -> Self:
        for place, request in {"create": self.creating, **self.requests}.items():
            for name in sorted(request.parts("map") - set(self.map)):
                raise ValueError(f"{place}: map.{name} is used, but there is no such map")
            for name in sorted(request.parts("ticket") - {"id", "url"}):
                raise ValueError(f"{place}: there is no ticket.{name}; there is ticket.id and ticket.url")
        for milestone, names in self.milestones.items():
            given: set[str] = set()
            for name in names:
                if name not in self.requests:
                    known = ", ".join(self.requests) or "none"
                    raise ValueError(f"milestones.{milestone}: there is no request {name!r}; there is {known}")
                for part in sorted(self.requests[name].parts("ids") - given):
                    raise ValueError(
                        f"milestones.{milestone}: {name} uses ids.{part}, which no request before it gives"
                    )
                given |= {name} if self.requests[name].id else set()
        return self

    def find(self, external_id: str, secrets: Secrets) -> TicketRef | None:
        """None only if an answer that shows we are logged in, where the author asks for that, says so."""
        line = self._line(secrets)
        values = {**self._common, "id": self.prefix + external_id}
        found = look_up(line.ask, self.finding, values)
        if found.id is not None:
            return self._ref(found.id, found.item)
        if self.finding.authenticated:
            require_login(line.ask, self.finding.authenticated, found.reply, values)
        return None

    def create(self, update: UpdateTicket, secrets: Secrets) -> TicketRef:
        """Files the ticket; takes the one that is there if the ticket system says so."""
        reply = self._line(secrets).ask(self.creating, self._values(update), self.creating.exists)
        if reply.status not in self.creating.exists:
            return self._ref(reply.value(self.creating.id), reply.json())
        found = self.find(update.incident, secrets)
        if found is None:
            text = f"{reply.what} answered {reply.status} ({reply.quoted()}), yet no ticket {update.incident} is found"
            raise TicketError(text, retryable=False)
        return found

    def update(self, ticket: TicketRef, update: UpdateTicket, secrets: Secrets) -> None:
        """Carries out the milestone's requests, leaving out what `seen` finds done."""
        line = self._line(secrets)
        ids: dict[str, str] = {}
        values = {**self._values(update), "ticket": {"id": ticket.id, "url": ticket.url}, "ids": ids}
        try:
            for name in self.milestones.get(update.milestone, ()):
                ids[name] = _carry_out(line, self.requests[name], values)
        except _Gone as error:
            raise self._really_gone(ticket, update, error, secrets) from error

    def _really_gone(self, ticket: TicketRef, update: UpdateTicket, error: _Gone, secrets: Secrets) -> TicketError:
        """A 404 may also come from a wrong `url` or a server in front: ask whether there is a ticket at all."""
        found = self.find(update.incident, secrets)
        if found is None:
            return TicketError(f"the ticket {ticket.id} is gone: {error}", retryable=False)
        return TicketError(f"{error}, yet ticket {found.id} is there", retryable=True, retry_after=FOR_A_PERSON)

    def _line(self, secrets: Secrets) -> Line:
        return Line(self, self.url, self.headers, self.secret_headers, self.timeout, secrets)

    def _ref(self, ticket: str, answer: object) -> TicketRef:
        if self.link is None:
            return TicketRef(ticket)
        try:
            return TicketRef(ticket, self.link.render({**self._common, "ticket": {"id": ticket}, "answer": answer}))
        except TicketError:
            return TicketRef(ticket)  # the ticket is filed: that it lacks a link is no reason to say it is not

    @property
    def _common(self) -> dict[str, object]:
        parts = urlsplit(self.url)
        user = self.basic.user if self.basic else ""
        return {"url": self.url, "site": f"{parts.scheme}://{parts.netloc}", "user": user}

    def _values(self, update: UpdateTicket) -> dict[str, object]:
        return {
            **update.fields,
            **self._common,
            "id": self.prefix + update.incident,
            "number": update.number,
            "key": self.prefix + update.key,
            "marker": MARKER.format(self.prefix + update.key),
            "milestone": str(update.milestone),
            "text": update.text,
            "record": update.record,
            "map": translated(self.map, update),
        }


def _carry_out(line: Line, step: Step, values: Values) -> str:
    """What the step's `id` names in the answer, or in what `seen` found; nothing if it names nothing."""

    def ask(request: Request, values: Values, also: Collection[int]) -> Reply:
        reply = line.ask(request, values, (*also, *step.gone))
        if reply.status in step.gone and reply.status not in (*request.expect, *also):
            raise _Gone(reply)
        return reply

    if step.seen:
        found = look_up(ask, step.seen, values)
        if found.id is not None:
            return found.id
    for _ in range(STALE_TRIES if step.fetch else 1):
        fetched = _fetched(ask, step.fetch, values) if step.fetch else {}
        reply = ask(step, {**values, "fetched": fetched}, (STALE,))
        if reply.status != STALE:
            return reply.value(step.id) if step.id else ""
    raise refused(reply)


def _fetched(ask: Ask, fetch: Fetch, values: Values) -> dict[str, str]:
    reply = ask(fetch, values, ())
    fetched = {name: reply.value(path) for name, path in fetch.values.items()}
    for name, header in fetch.from_headers.items():
        if header not in reply.headers:
            raise reply.unreadable(f"has no header {header}")
        fetched[name] = reply.headers[header]
    return fetched
