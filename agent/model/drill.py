"""Drills: an emergency or a fault rehearsed on the production path, as people wrote it. Durations in seconds."""

from typing import Literal

from pydantic import Field, model_validator

from agent.model.authored import Authored, Name
from agent.model.plan import Condition, Level, PlanRole
from agent.model.priority import Impact, Priority, Urgency
from agent.model.quantities import Duration

MARK = "【演练】EXERCISE"
"""Stands before everything a drill says to anybody."""

Form = Literal["tabletop", "simulate", "live"]


class Answer(Authored):
    """What a simulated check says from `at` on. `cleared_by`: it says OK once this runbook was carried out there."""

    check: Name
    host: Name | None = Field(None, description="Inventory name; default: the subject stands for no host.")
    subject: str = Field("", description="Default: the host.")
    verdict: Literal["ok", "warning", "critical", "unknown"] = "critical"
    value: float | None = None
    message: str = "simulated"
    lasts: Duration | None = Field(None, description="How long it says so; default: until cleared, or the end.")
    cleared_by: Name | None = None


class Injection(Authored):
    """One fault. `run` on `host` (form live) with `undo`, which must be harmless when there is nothing to undo; or
    `answer` (form simulate).
    """

    name: str
    at: Duration = Field(0.0, description="After the steady state was established.")
    host: Name | None = None
    run: str | None = None
    undo: str | None = Field(None, description="Undoes it; played always, also by the host itself if the agent dies.")
    sudo: bool = False
    timeout: Duration = 30.0
    answer: Answer | None = None

    @model_validator(mode="after")
    def _is_one(self) -> "Injection":
        if (self.run is None) is (self.answer is None):
            raise ValueError("write either run (with host and undo) or answer")
        if self.run is not None and (self.host is None or self.undo is None):
            raise ValueError("a fault on a host needs host and undo")
        return self


class Expectation(Authored):
    """Something that is to happen. Exactly one of the keys up to `ticket` says what; `within` counts from the first
    injection; without it the drill's deadline holds.
    """

    detected: Name | None = Field(None, description="An incident is opened by this check.")
    classified: Priority | None = None
    impact: Impact | None = None
    urgency: Urgency | None = None
    category: str | None = None
    assigned: Name | None = Field(None, description="The team that gets the incident.")
    treated_with: Name | None = Field(
        None, description="This runbook is chosen; another one that comes first fails it."
    )
    refused: str | None = Field(None, description="Treatment is refused with this reason, such as 'frozen'.")
    plan: Name | None = Field(None, description="This emergency plan starts, at `level` if that is given.")
    level: Level | None = None
    acknowledged: PlanRole | None = None
    recovered: bool | None = Field(None, description="Every incident of the drill is resolved, verified.")
    stood_down: Name | None = Field(None, description="This emergency plan is over and its review is open.")
    ticket: bool | None = Field(None, description="A ticket is filed in the drill queue.")
    within: Duration | None = None
    objective: Name | None = None

    @model_validator(mode="after")
    def _is_one(self) -> "Expectation":
        if len(self._kinds) != 1:
            raise ValueError(f"write exactly one of {', '.join(_EXPECTED)}")
        return self

    @property
    def _kinds(self) -> list[str]:
        return [kind for kind in _EXPECTED if getattr(self, kind) is not None]

    @property
    def kind(self) -> str:
        return self._kinds[0]


_EXPECTED = (
    "detected",
    "classified",
    "impact",
    "urgency",
    "category",
    "assigned",
    "treated_with",
    "refused",
    "plan",
    "acknowledged",
    "recovered",
    "stood_down",
    "ticket",
)


class AllowedHosts(Authored):
    """Hosts that may be touched, whatever a runbook or plan says, and how many of them at most."""

    allow: tuple[str, ...] = Field((), description="host:NAME, group:NAME or local.")
    most: int = Field(1, ge=0)
    names: tuple[str, ...] = Field((), exclude=True, description="Filled in from `allow`.")


class SteadyState(Authored):
    """What must be well before and after: these checks, on the allowed hosts and wherever else they look."""

    checks: tuple[Name, ...] = ()
    within: Duration = Field(60.0, description="How long to wait for it.")


class Undo(Authored):
    """A command of the rollback, beside the injections' own undo."""

    name: str = ""
    host: Name
    run: str
    sudo: bool = False
    timeout: Duration = 60.0


class Question(Authored):
    """Of a tabletop: what is asked, of whom, and what a good answer has in it."""

    ask: str
    by: PlanRole | None = None
    good: str = Field("", description="Shown after the answer, to judge it by.")
    objective: Name | None = None


class Drill(Authored):
    """An exercise of a plan or a runbook. `digest`: SHA-256 of what people wrote; filled in by the loader."""

    name: str
    title: str
    scenario: str = ""
    objectives: dict[Name, str] = {}
    form: Form
    plan: Name | None = Field(None, description="The emergency plan under exercise.")
    runbook: Name | None = Field(None, description="The runbook under exercise.")
    hosts: AllowedHosts = AllowedHosts(most=0)
    steady_state: SteadyState = SteadyState()
    inject: tuple[Injection, ...] = ()
    expect: tuple[Expectation, ...] = ()
    ask: tuple[Question, ...] = ()
    stop_if: tuple[Condition, ...] = Field((), description="Any of these ends the drill at once, by the rollback.")
    rollback: tuple[Undo, ...] = ()
    deadline: Duration = 600.0
    alone: Duration = Field(
        20.0, ge=5, description="A host undoes the fault by itself when it has not heard of the drill for so long."
    )
    every: Duration | None = Field(None, description="Overdue when it was not run for so long.")
    owner: Name | None = None
    digest: str = Field("", exclude=True)
