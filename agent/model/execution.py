"""One run of a runbook: per host a small state machine, hosts in batches."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from agent.model.health import Key


class StepStatus(StrEnum):
    """How a step ended. UNKNOWN: it was started and nobody can say what it did."""

    OK = "ok"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    UNREACHABLE = "unreachable"
    SKIPPED = "skipped"
    REFUSED = "refused"
    UNKNOWN = "outcome unknown"


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """What came of one attempt of one step. `exit` is None when no command ended. Output is bounded and redacted."""

    status: StepStatus
    exit: int | None = None
    stdout: str = ""
    stderr: str = ""
    message: str = ""
    seconds: float = 0.0


class Section(StrEnum):
    STEPS = "steps"
    ROLLBACK = "rollback"


class RunPhase(StrEnum):
    """Where the run on one host is."""

    WAITING = "waiting"
    RUNNING = "running"
    PAUSED = "paused"
    ASKING = "asking a check"
    APPROVAL = "awaiting approval"
    VERIFYING = "verifying"
    ENDED = "ended"


class Outcome(StrEnum):
    """What a treatment came to. Only RECOVERED resolves; UNDECIDABLE and UNKNOWN are for a person.

    UNREACHABLE: nothing was done, because the host could not be reached or would not let us in.
    """

    RECOVERED = "recovered"
    NOT_RECOVERED = "not recovered"
    UNDECIDABLE = "undecidable"
    FAILED = "failed"
    UNREACHABLE = "unreachable"
    OUTCOME_UNKNOWN = "outcome unknown"
    REFUSED = "refused"
    STOPPED = "stopped"
    DECLINED = "declined"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class HostRun:
    """The run on one host. `verify`: what must be confirmed well for this host to count as recovered.

    `step` indexes the current section; `attempt` counts from 1; `pending`: id of the command under way;
    `registered`: results that later steps may use; `rolling_back_because`: what the treatment came to,
    kept while the rollback is under way; `due`: when to look again; `asks`: how often a check was asked;
    `touched`: a step other than evidence has been carried out. `stable_since`: since when all that is
    verified has been well. Times in seconds since the epoch.
    """

    host: str
    verify: tuple[Key, ...] = ()
    phase: RunPhase = RunPhase.WAITING
    section: Section = Section.STEPS
    step: int = 0
    attempt: int = 1
    pending: str | None = None
    registered: Mapping[str, StepOutcome] = field(default_factory=dict)
    rolling_back_because: Outcome | None = None
    outcome: Outcome | None = None
    reason: str = ""
    started_at: float | None = None
    phase_since: float = 0.0
    deadline: float | None = None
    due: float | None = None
    asks: int = 0
    stable_since: float | None = None
    touched: bool = False


@dataclass(frozen=True, slots=True)
class Execution:
    """One run of a runbook. `incident` None: run by hand. Batches are treated one after the other.

    `held_because`: why the next host waits. `stopped_because`: a person took over; nothing further
    starts. `override`: the reason a person gave for overruling the guards. `digest`, `signed_by`: of the
    runbook's text. `plan`: the activation of an emergency plan that ordered it.
    """

    id: str
    runbook: str
    digest: str
    incident: str | None
    started_at: float
    actor: str
    runs: tuple[HostRun, ...]
    batch: int
    serial: int
    variables: Mapping[str, object] = field(default_factory=dict)
    outcome: Outcome | None = None
    ended_at: float | None = None
    held_because: str | None = None
    stopped_because: str | None = None
    override: str | None = None
    due: float | None = None
    signed_by: str = ""
    plan: str | None = None

    @property
    def is_running(self) -> bool:
        return self.outcome is None


@dataclass(frozen=True, slots=True)
class Treatment:
    """A host treated by a runbook, kept for limits. `effective` None while it runs, and when nobody could tell.

    `counts`: toward limits; not when nothing was done: the host could not be reached, or a person said no.
    """

    execution: str
    runbook: str
    host: str
    at: float
    effective: bool | None = None
    counts: bool = True
