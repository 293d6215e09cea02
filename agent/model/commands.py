"""What a decision asks the outside world to do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from agent.model.health import Key


@dataclass(frozen=True, slots=True)
class RunStep:
    """Carry out one attempt of one step; once; where that cannot be known, again only if `repeatable`.

    `id` is unique for ever (`RUN-7.web1.steps.2.1`); `kind` and `params` rebuild the action, templates
    already rendered, secrets still as references. `timeout` in seconds. `at`: when it was ordered, seconds since
    the epoch; 0 where an older version did not say.
    """

    id: str
    execution: str
    incident: str | None
    host: str
    local: bool
    name: str
    kind: str
    params: Mapping[str, object]
    sudo: bool
    timeout: float
    repeatable: bool
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask these checks now, outside their schedule. Not durable: the engine asks again when due."""

    keys: tuple[Key, ...]


class Milestone(StrEnum):
    """What a ticket is told about."""

    OPENED = "opened"
    UPDATED = "updated"
    RESOLVED = "resolved"
    CLOSED = "closed"
    REOPENED = "reopened"


@dataclass(frozen=True, slots=True)
class UpdateTicket:
    """Tell the ticket system; delivered at least once, in order, one writer per incident.

    `number` counts an incident's updates from 1: `INC-12/3` is the idempotency key. `fields` are the
    values for templates: id, title, description, priority, impact, urgency, phase, category, team,
    assignee, service, hosts, origin. `record`: number and hash of the latest entry of the timeline at
    delivery: kept in someone else's system, it anchors the chain. `first`: of several updates told as this one the
    number of the first, 0 when it tells of itself alone.
    """

    incident: str
    number: int
    milestone: Milestone
    text: str
    fields: Mapping[str, object] = field(default_factory=dict)
    record: str = ""
    first: int = 0

    @property
    def key(self) -> str:
        return f"{self.incident}/{self.number}"


@dataclass(frozen=True, slots=True)
class SendMessage:
    """Tell somebody by one message target; delivered at least once, those of one target in order.

    `id`: `MSG-12`; `about`: the incident whose timeline says what became of it. `at`: when it was ordered, seconds
    since the epoch.
    """

    id: str
    about: str
    target: str
    subject: str
    body: str
    at: float


Command = RunStep | UpdateTicket | SendMessage | Ask
