"""An emergency plan at work: one aggregate from its declaration to the end of its review.

It keeps what it started with: who is called, what is done, and the texts of its runbooks by their digests.
Times in seconds since the epoch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from agent.model.plan import Level, PlanPhase, PlanRole


class Stage(StrEnum):
    """Where an activation is in its life."""

    ACTIVE = "active"
    STANDING_DOWN = "standing down"
    """All is well and has been for long enough: everything in scope is asked once more."""
    REVIEW = "in review"
    """It is over, ordinary treatment goes on; people write the review."""
    CLOSED = "closed"

    @property
    def is_active(self) -> bool:
        """Whether the plan is in charge of its hosts."""
        return self in (Stage.ACTIVE, Stage.STANDING_DOWN)


class CallState(StrEnum):
    WAITING = "waiting"
    """Its turn has not come: another is to acknowledge first, or the level is not grave enough."""
    CALLED = "called"
    ACKNOWLEDGED = "acknowledged"
    TOLD = "told"
    """Nothing is expected of it."""
    NOBODY = "nobody answered"


@dataclass(frozen=True, slots=True)
class CallRun:
    """One node of the notification tree. `parent`: index of the call it waits for.

    `whom`: people, and `team:NAME` for all of a team at once, in the order they are called; `turn` indexes it.
    `role`: empty for a person or a team.
    """

    tell: str
    whom: tuple[str, ...]
    level: Level
    within: float | None = None
    role: PlanRole | None = None
    parent: int | None = None
    state: CallState = CallState.WAITING
    turn: int = 0
    called_at: float | None = None
    due: float | None = None
    acknowledged_by: str | None = None
    acknowledged_at: float | None = None


class ActionState(StrEnum):
    WAITING = "waiting"
    APPROVAL = "awaiting approval"
    RUNNING = "running"
    TODO = "for a person"
    """A person is to do it, or to say what is to become of it after it failed; ticked when it is settled."""
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class ActionRun:
    """One action. `number` is what people tick: 1 for the first of the plan. `runbook` and `digest` empty: manual.

    `execution`: the one under way or the last. `result`: what came of it, as a sentence.
    """

    number: int
    phase: PlanPhase
    name: str
    by: PlanRole
    level: Level
    timeout: float
    runbook: str = ""
    digest: str = ""
    signed_by: str = ""
    variables: Mapping[str, object] = field(default_factory=dict)
    hosts: str = "affected"
    do: str = ""
    approve: PlanRole | None = None
    goes_on: bool = False
    state: ActionState = ActionState.WAITING
    execution: str | None = None
    began_at: float | None = None
    ended_at: float | None = None
    due: float | None = None
    result: str = ""
    actor: str = ""

    @property
    def said(self) -> str:
        """How people are told of it."""
        return f"{self.phase} {self.number}, {self.name}"

    @property
    def is_settled(self) -> bool:
        return self.state in (ActionState.DONE, ActionState.FAILED, ActionState.SKIPPED)


@dataclass(frozen=True, slots=True)
class Marks:
    """When what was reached, for the review; None: not, or not yet. `began`: of the fault, as far as is known."""

    began: float
    noticed: float | None = None
    declared: float | None = None
    acknowledged: float | None = None
    contained: float | None = None
    recovered: float | None = None
    stood_down: float | None = None


@dataclass(frozen=True, slots=True)
class Activation:
    """`incident`: the major incident, whose timeline tells everything; `linked`: the incidents in scope. `hosts`:
    those in scope when it began, of which this plan is in charge. `because`: the condition that held, or the reason
    a person gave. `well_since`: since when all that stand-down asks for has held. `lower_since`: since when the
    present level's conditions have not held. `asked_at`: when the full check of the scope was asked; `checked_at`:
    when all of it had answered well. `roles`: who holds them, then the deputies. `confirmed_by`: who confirmed the
    stand-down. `review`: its text as people completed it.
    """

    id: str
    plan: str
    title: str
    version: str
    digest: str
    level: Level
    stage: Stage
    incident: str
    activated_at: float
    actor: str
    because: str
    hosts: tuple[str, ...]
    services: tuple[str, ...]
    marks: Marks
    calls: tuple[CallRun, ...] = ()
    actions: tuple[ActionRun, ...] = ()
    linked: tuple[str, ...] = ()
    reports: int = 0
    report_every: float = 1800.0
    report_due: float | None = None
    confirmed_by: str | None = None
    well_since: float | None = None
    lower_since: float | None = None
    asked_at: float | None = None
    checked_at: float | None = None
    roles: Mapping[PlanRole, tuple[str, ...]] = field(default_factory=dict)
    fallback: str = ""
    review: str = ""
    reviewed_by: str | None = None
    closed_at: float | None = None
    due: float | None = None

    @property
    def number(self) -> int:
        return int(self.id.rpartition("-")[2])


@dataclass(frozen=True, slots=True)
class PlanWatch:
    """Since when each condition of a plan has held without a break; one that does not hold is left out.

    Named `II.any.1`, `stand_down.all.2`: where it stands in the plan. Durable: a hold time goes on across a restart.
    `digest`: of the plan's text; conditions of another text begin anew. `spent`: conditions in spite of which a person
    ended or lowered the emergency; they count again once they have ceased to hold. `counts_from`: no hold time began
    before, because what was known then came from a backup.
    """

    plan: str
    since: Mapping[str, float] = field(default_factory=dict)
    due: float | None = None
    digest: str = ""
    spent: tuple[str, ...] = ()
    counts_from: float | None = None
