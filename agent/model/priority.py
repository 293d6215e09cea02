"""Impact, urgency and priority (ITIL): how wide and how vital; how soon it gets worse; the matrix of the two."""

from dataclasses import dataclass
from enum import StrEnum


class Impact(StrEnum):
    """How wide and how vital, gravest first."""

    EXTENSIVE = "extensive"
    SIGNIFICANT = "significant"
    MODERATE = "moderate"
    MINOR = "minor"


class Urgency(StrEnum):
    """How soon it gets worse."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Priority(StrEnum):
    """P1 is gravest. Compare by `rank`: a smaller rank is graver."""

    P1 = "P1"
    P2 = "P2"
    P3 = "P3"
    P4 = "P4"
    P5 = "P5"

    @property
    def rank(self) -> int:
        return int(self.value[1])


@dataclass(frozen=True, slots=True)
class Classification:
    """Impact, urgency and priority with the inputs and the rules that gave them, as sentences."""

    impact: Impact
    urgency: Urgency
    priority: Priority
    impact_because: str
    urgency_because: str
    priority_because: str

    @property
    def because(self) -> str:
        return f"{self.impact_because}; {self.urgency_because}; {self.priority_because}"
