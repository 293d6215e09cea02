"""What an author writes of each request to a ticket system."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from agent.model.authored import Authored
from agent.tickets.reply import Dotted
from agent.tickets.template import Path, Structure, Text, templates_of

Status = Annotated[int, Field(ge=200, le=599)]
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

COMMON = frozenset({"url", "site", "user"})
"""`site` is `url` without its path, as the header Origin has it; `user` the one that logs in."""

LOOK_UP = COMMON | {"id"}
FIELDS = frozenset(
    {"id", "title", "description", "priority", "impact", "urgency", "phase", "category", "team", "assignee"}
    | {"service", "hosts", "origin", "exercise"}
)
"""`UpdateTicket.fields`."""

UPDATE = COMMON | FIELDS | {"number", "key", "marker", "milestone", "text", "record", "map"}
"""`key`: `INC-12/3`; `marker`: `[INC-12/3]`, to find a text again by; `record`: number and hash of the latest
entry of the agent's timeline; `map`: the author's translations."""

STEP = UPDATE | {"ticket", "ids", "fetched"}
"""`ticket.id`, `ticket.url`; `ids.NAME`: what the request NAME gave; `fetched`: what this one's `fetch` found."""


class Request(Authored):
    """One HTTP request. Its strings are templates."""

    names: ClassVar[frozenset[str]] = UPDATE
    """What the templates may speak of."""

    method: Method = "GET"
    path: Path = Field(description="What follows `url`; every value filled in is quoted as one segment.")
    query: dict[str, Text] = Field(default={}, description="What follows the `?`, by name.")
    headers: dict[str, Text] = Field(default={}, description="Beside those of all requests.")
    body: Structure | None = Field(default=None, description="Sent as JSON.")
    expect: tuple[Status, ...] = Field(default=(200,), description="Statuses that mean it was done.")

    @field_validator("*")
    @classmethod
    def _names_known(cls, value: object) -> object:
        for template in templates_of(value):
            template.require(cls.names)
        return value

    def parts(self, name: str) -> set[str]:
        """Attributes that the templates ask of `name`."""
        templates = [each for field in type(self).model_fields for each in templates_of(getattr(self, field))]
        return {part for template in templates for (of, part) in template.parts if of == name}


class LookUp(Request):
    """Asks for something, and says how to tell whether it is there."""

    none: tuple[Status, ...] = Field(default=(), description="Statuses that surely mean there is none, such as 404.")
    among: Dotted | None = Field(default=None, description="Where in the answer the list of candidates is.")
    matching: dict[Dotted, Text] = Field(default={}, description="What a candidate must be equal to, by place.")
    containing: dict[Dotted, Text] = Field(default={}, description="What a candidate must contain, by place.")
    id: Dotted = Field(description="Where in the answer, or in the candidate, the id is.")


class Ask(LookUp):
    names = COMMON


class Proof(Authored):
    """Shows that we are logged in: many systems answer strangers with an empty list, not with a refusal."""

    header: str | None = Field(default=None, description="A header that only who is logged in gets.")
    value: Dotted | None = Field(default=None, description="A JSON value that only who is logged in gets.")
    ask: Ask | None = Field(default=None, description="A look-up of its own that only finds when logged in.")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not (self.header or self.value or self.ask):
            raise ValueError("write `header`, `value` or `ask`")
        return self


class Find(LookUp):
    """The ticket that carries our id, closed ones included."""

    names = LOOK_UP
    authenticated: Proof | None = Field(default=None, description="Believe 'there is none' only with this proof.")


class Create(Request):
    """Files the ticket."""

    method: Method = "POST"
    expect: tuple[Status, ...] = (200, 201)
    exists: tuple[Status, ...] = Field(default=(), description="Statuses that mean our id is taken: look up again.")
    id: Dotted = Field(description="Where in the answer the ticket's id is.")


class Fetch(Request):
    """Asks for what the request needs, such as the ETag for If-Match."""

    names = STEP - {"fetched"}
    values: dict[str, Dotted] = Field(default={}, description="Name → place in the JSON answer.")
    from_headers: dict[str, str] = Field(default={}, description="Name → header of the answer.")


class Seen(LookUp):
    """Finds whether the request was already carried out, perhaps by an attempt whose answer was lost."""

    names = STEP - {"fetched"}


class Step(Request):
    """One request of a milestone."""

    names = STEP
    method: Method = "POST"
    expect: tuple[Status, ...] = (200, 201, 204)
    seen: Seen | None = Field(default=None, description="If this finds something, the request is not sent again.")
    fetch: Fetch | None = Field(default=None, description="Asked first; again when the answer is 412.")
    gone: tuple[Status, ...] = Field(default=(404, 410), description="Statuses that mean there is no such ticket.")
    id: Dotted | None = Field(default=None, description="Where in the answer `ids.NAME` for later requests is.")

    @model_validator(mode="after")
    def _fetched_known(self) -> Self:
        offered = {*self.fetch.values, *self.fetch.from_headers} if self.fetch else set()
        for name in sorted(self.parts("fetched") - offered):
            raise ValueError(f"fetched.{name} is used, but `fetch` does not give it")
        return self

    def parts(self, name: str) -> set[str]:
        before = [request.parts(name) for request in (self.seen, self.fetch) if request]
        return super().parts(name).union(*before)
