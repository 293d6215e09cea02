"""An incident: an unplanned interruption or degradation, one aggregate with a life cycle."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from agent.model.health import Key
from agent.model.observation import Verdict
from agent.model.priority import Classification


class Phase(StrEnum):
    """Where an incident is in its life. The moves are in `agent.core.lifecycle`."""

    NEW = "new"
    TREATING = "treating"
    HELD = "held"
    ESCALATED = "escalated"
    RESOLVED = "resolved"
    CLOSED = "closed"

    @property
    def is_open(self) -> bool:
        return self not in (Phase.RESOLVED, Phase.CLOSED)


class Origin(StrEnum):
    """Where the fault came in. An exercise takes the same path and is kept out of the figures."""

    MONITORING = "monitoring"
    PERSON = "person"
    EXERCISE = "exercise"


@dataclass(frozen=True, slots=True)
class Symptom:
    """One subject that is ill in this incident. `cleared_at`: when its recovery was confirmed.

    `blind`: the symptom is that the question cannot be asked (category `monitoring`).
    """

    key: Key
    host: str | None
    service: str | None
    status: Verdict
    since: float
    message: str = ""
    cleared_at: float | None = None
    blind: bool = False

    @property
    def is_ill(self) -> bool:
        return self.cleared_at is None


@dataclass(frozen=True, slots=True)
class Rung:
    """One treatment of the ladder: the runbook's name, the hash of the text the incident started with and who
    signed it, and the values for its variables that the ladder gives.
    """

    runbook: str
    digest: str
    variables: Mapping[str, object] = field(default_factory=dict)
    signed_by: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A treatment that ended on this incident, and whether it helped."""

    execution: str
    runbook: str
    outcome: str
    at: float
    variables: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TicketRef:
    """The incident's copy in someone else's system. `system`: which one; empty where an older version did not say."""

    id: str
    url: str = ""
    system: str = ""


@dataclass(frozen=True, slots=True)
class Incident:
    """`cause`: the check whose ladder is climbed; symptoms of other checks wait for it.

    `updates`: how many ticket updates were queued so far. `ladders`: per check, the rungs as they were
    when the symptom joined. `due`: when the engine must look again even if nothing happens.
    `held_because`: the named reason of the last refusal, so that it is on the record once and not at
    every look. `plan`: the activation of which this is the major incident; `linked`: the incidents it stands for.
    Times in seconds since the epoch.
    """

    id: str
    origin: Origin
    phase: Phase
    title: str
    category: str
    opened_at: float
    classification: Classification
    team: str
    cause: str | None = None
    service: str | None = None
    symptoms: tuple[Symptom, ...] = ()
    ladders: tuple[tuple[str, tuple[Rung, ...]], ...] = ()
    attempts: tuple[Attempt, ...] = ()
    execution: str | None = None
    assignee: str | None = None
    acknowledged_by: str | None = None
    acknowledged_at: float | None = None
    reporter: str | None = None
    resolved_at: float | None = None
    closed_at: float | None = None
    reopened: int = 0
    updates: int = 0
    held_because: str | None = None
    due: float | None = None
    ticket: TicketRef | None = None
    plan: str | None = None
    linked: tuple[str, ...] = ()

    @property
    def ill(self) -> tuple[Symptom, ...]:
        """Symptoms whose recovery is not confirmed."""
        return tuple(symptom for symptom in self.symptoms if symptom.is_ill)

    @property
    def hosts(self) -> tuple[str, ...]:
        """Hosts with a symptom, each once, in order of appearance."""
        return tuple(dict.fromkeys(symptom.host for symptom in self.symptoms if symptom.host))
