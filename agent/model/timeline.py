"""Entries of the append-only timeline."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

AGENT = "paramedic"
"""The actor when the agent itself acts."""


class EntryKind(StrEnum):
    """What sort of thing happened; programs filter by it."""

    NOTICED = "noticed"
    OPENED = "opened"
    CLASSIFIED = "classified"
    ASSIGNED = "assigned"
    JOINED = "joined"
    CAUSE = "cause"
    ACKNOWLEDGED = "acknowledged"
    NOTE = "note"
    TREATMENT = "treatment"
    REFUSED = "refused"
    STEP = "step"
    APPROVAL = "approval"
    VERIFICATION = "verification"
    ROLLBACK = "rollback"
    ESCALATED = "escalated"
    RECOVERED = "recovered"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    CLOSED = "closed"
    FLAPPING = "flapping"
    TICKET = "ticket"
    FREEZE = "freeze"
    PLAN = "plan"
    MESSAGE = "message"
    EXERCISE = "exercise"
    AGENT = "agent"


@dataclass(frozen=True, slots=True)
class Entry:
    """One fact. `about`: `INC-12`, `RUN-7` for a runbook run by hand, or `agent`. `at` in seconds since the epoch.

    `text` is a sentence for people; `data` holds JSON values for programs; `actor` is who did it.
    """

    at: float
    about: str
    kind: EntryKind
    text: str
    actor: str = AGENT
    data: Mapping[str, object] = field(default_factory=dict)
