"""What the engine is told. Time arrives with the event: `at` is seconds since the epoch."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.model.execution import StepOutcome
from agent.model.incident import Incident, TicketRef
from agent.model.observation import Pass
from agent.model.plan import Level, PlanRole
from agent.model.priority import Urgency


@dataclass(frozen=True, slots=True)
class Observed:
    """Checks answered."""

    at: float
    passes: tuple[Pass, ...]


@dataclass(frozen=True, slots=True)
class StepEnded:
    """A performer reports what came of the command `step_id`."""

    at: float
    step_id: str
    outcome: StepOutcome


@dataclass(frozen=True, slots=True)
class TimePassed:
    """The incident, execution, activation, plan (`plan:NAME`) or exercise of this id is due.

    One at a time: what cannot be decided spoils no other.
    """

    at: float
    about: str


@dataclass(frozen=True, slots=True)
class Started:
    """The agent started with the state it left. `agent` says which version on which machine.

    `never_begun`: ids of the steps that had been ordered, and that nobody had begun when the agent ended.
    """

    at: float
    agent: str
    never_begun: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Restored:
    """The record was put back from a backup: it ends with number `last`, made `until`; what came after is unknown.

    `actor`: who did it; `backup`: the file's name.
    """

    at: float
    actor: str
    backup: str
    last: int
    until: float


@dataclass(frozen=True, slots=True)
class ClockSet:
    """The wall clock was set by so many seconds, forward if positive; `at` is by the clock as it is now."""

    at: float
    by: float


@dataclass(frozen=True, slots=True)
class StoodStill:
    """Nothing was decided for so many seconds: suspended, stopped, or waiting for the record (`because`)."""

    at: float
    seconds: float
    because: str = ""


@dataclass(frozen=True, slots=True)
class Reloaded:
    """The state has been given a new configuration; `text` says which."""

    at: float
    actor: str
    text: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A person wanted what was not granted or not possible: a role that does not suffice, a sick configuration."""

    at: float
    actor: str
    text: str


@dataclass(frozen=True, slots=True)
class TicketFiled:
    """The incident has its copy in the ticket system."""

    at: float
    incident: str
    ticket: TicketRef


@dataclass(frozen=True, slots=True)
class MessageEnded:
    """The message `id` was delivered, or never will be because of `error`."""

    at: float
    id: str
    about: str
    target: str
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Acknowledge:
    incident: str


@dataclass(frozen=True, slots=True)
class AddNote:
    incident: str
    text: str


@dataclass(frozen=True, slots=True)
class Assign:
    incident: str
    to: str


@dataclass(frozen=True, slots=True)
class Escalate:
    """A person takes the incident from the agent: no further treatment starts."""

    incident: str
    reason: str


@dataclass(frozen=True, slots=True)
class Resolve:
    incident: str
    reason: str


@dataclass(frozen=True, slots=True)
class Close:
    incident: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reopen:
    incident: str
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """A person reports a fault."""

    title: str
    description: str = ""
    service: str | None = None
    hosts: tuple[str, ...] = ()
    category: str = "general"
    urgency: Urgency = Urgency.MEDIUM
    reporter: str | None = None


@dataclass(frozen=True, slots=True)
class RunByHand:
    """A person runs a runbook; `override` is the reason given for overruling the guards, if any."""

    runbook: str
    hosts: tuple[str, ...]
    variables: Mapping[str, object] = field(default_factory=dict)
    incident: str | None = None
    override: str | None = None


@dataclass(frozen=True, slots=True)
class Approve:
    """A person answers what waits for approval. `about`: an incident, an execution or an activation."""

    about: str
    yes: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Freeze:
    reason: str


@dataclass(frozen=True, slots=True)
class Unfreeze:
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ActivatePlan:
    """A person declares an emergency, or another level of one that is declared."""

    plan: str
    level: Level
    reason: str


@dataclass(frozen=True, slots=True)
class AcknowledgeCall:
    """Somebody who was called is there. `role`: which of his calls, None for every one; `whom`: on whose behalf."""

    activation: str
    role: PlanRole | None = None
    whom: str | None = None


@dataclass(frozen=True, slots=True)
class TickAction:
    """A person settles an action of a plan: it is done, or `skip`ped."""

    activation: str
    number: int
    skip: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class EndEmergency:
    """A person confirms the stand-down; with `force` it is over whatever the checks say."""

    activation: str
    reason: str = ""
    force: bool = False


@dataclass(frozen=True, slots=True)
class CloseReview:
    """The review of an emergency as people completed it, in Markdown."""

    activation: str
    text: str


@dataclass(frozen=True, slots=True)
class BeginExercise:
    """A drill asks for leave, or for more time: it has it for `lease` seconds."""

    exercise: str
    title: str
    hosts: tuple[str, ...]
    checks: tuple[str, ...]
    services: tuple[str, ...]
    lease: float


@dataclass(frozen=True, slots=True)
class EndExercise:
    exercise: str
    reason: str = ""


Act = (
    Acknowledge
    | AddNote
    | Assign
    | Escalate
    | Resolve
    | Close
    | Reopen
    | Report
    | RunByHand
    | Approve
    | Freeze
    | Unfreeze
    | ActivatePlan
    | AcknowledgeCall
    | TickAction
    | EndEmergency
    | CloseReview
    | BeginExercise
    | EndExercise
)


@dataclass(frozen=True, slots=True)
class PersonActed:
    """A person did something; `actor` is the UNIX user the control socket saw.

    `closed`: the incident meant, read from the store when it is closed and so not in the state.
    """

    at: float
    actor: str
    act: Act
    closed: Incident | None = None


Event = (
    Observed
    | StepEnded
    | TimePassed
    | Started
    | Restored
    | ClockSet
    | StoodStill
    | Reloaded
    | Refused
    | TicketFiled
    | MessageEnded
    | PersonActed
)
