"""Emergency plans: what happens when thresholds are breached, as people wrote it.

The ideas (four levels, I the gravest; roles with deputies; prepare, watch, respond, review) are those of GB/T 20986
and GB/T 28827.3; no conformance is claimed. Durations in seconds.
"""

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from agent.model.authored import Authored, Name
from agent.model.priority import Priority
from agent.model.quantities import Duration, parse_share
from agent.model.runbook import Runbook


class Level(StrEnum):
    """Of an emergency. I is the gravest and compares as the greatest: `Level.I > Level.II`."""

    I = "I"  # noqa: E741 - the field's own name
    II = "II"
    III = "III"
    IV = "IV"

    @property
    def rank(self) -> int:
        """1 for the gravest."""
        return tuple(Level).index(self) + 1

    # all four: a str has its own idea of each, and functools.total_ordering leaves those in place
    def __lt__(self, other: object) -> bool:
        return self.rank > other.rank if isinstance(other, Level) else NotImplemented

    def __le__(self, other: object) -> bool:
        return self.rank >= other.rank if isinstance(other, Level) else NotImplemented

    def __gt__(self, other: object) -> bool:
        return self.rank < other.rank if isinstance(other, Level) else NotImplemented

    def __ge__(self, other: object) -> bool:
        return self.rank <= other.rank if isinstance(other, Level) else NotImplemented


class PlanRole(StrEnum):
    """Who does what while a plan is active."""

    COMMANDER = "commander"
    TECHNICAL_LEAD = "technical_lead"
    LIAISON = "liaison"
    SCRIBE = "scribe"

    @property
    def said(self) -> str:
        return self.value.replace("_", " ")


class PlanPhase(StrEnum):
    """In the order in which they come."""

    CONTAIN = "contain"
    RECOVER = "recover"
    CONFIRM = "confirm"
    COMMUNICATE = "communicate"


@dataclass(frozen=True, slots=True)
class HealthyShare:
    """`below 60%` or `at least 90%` of some hosts are healthy; `share` from 0 to 1."""

    share: float
    below: bool

    def holds(self, healthy: int, of: int) -> bool:
        """With no hosts at all nothing is below, and nothing reached."""
        if of == 0:
            return False
        return healthy / of < self.share if self.below else healthy / of >= self.share

    def __str__(self) -> str:
        return f"{'below' if self.below else 'at least'} {self.share * 100:g}%"


def parse_healthy_share(value: object) -> HealthyShare:
    """Raises ValueError."""
    if isinstance(value, HealthyShare):
        return value
    match = re.fullmatch(r"\s*(below|at least)\s+(.{1,20})", str(value))
    if not match:
        raise ValueError(f"{value!r} says no share: write below 60% or at least 90%")
    return HealthyShare(parse_share(match[2]), match[1] == "below")


class Condition(Authored):
    """Something that holds or does not. Exactly one of the first five keys says what is looked at."""

    unresolved: Priority | None = Field(
        None, description="An incident of this priority, or graver, is unresolved (with for)."
    )
    incidents: int | None = Field(
        None, ge=1, description="So many incidents (of `priority` or graver) were opened within a time."
    )
    hosts_healthy: Annotated[
        HealthyShare | None,
        BeforeValidator(lambda value: value if value is None else parse_healthy_share(value)),
        PlainSerializer(lambda value: value if value is None else str(value)),
        WithJsonSchema({"type": "string", "examples": ["below 60%", "at least 90%"]}),
    ] = Field(None, description="below 60% or at least 90% of the hosts of `of` are healthy (with for).")
    treatments_failed: int | None = Field(
        None, ge=1, description="So many treatments failed or did not help within a time."
    )
    check_critical: Name | None = Field(None, description="This check is critical on any subject (with for).")
    priority: Priority = Field(Priority.P3, description="With incidents: this priority or graver.")
    of: str | None = Field(None, description="With hosts_healthy: service:NAME, group:NAME; default: the plan's scope.")
    within: Duration = Field(3600.0, description="With incidents and treatments_failed: how far to look back.")
    hold: Duration = Field(0.0, alias="for", description="How long it must hold without a break.")

    @model_validator(mode="after")
    def _is_one(self) -> "Condition":
        if len(self._kinds) != 1:
            raise ValueError(
                "write exactly one of unresolved, incidents, hosts_healthy, treatments_failed, check_critical"
            )
        return self

    @property
    def _kinds(self) -> list[str]:
        kinds = ("unresolved", "incidents", "hosts_healthy", "treatments_failed", "check_critical")
        return [kind for kind in kinds if getattr(self, kind) is not None]

    @property
    def kind(self) -> str:
        """Which of the five it is."""
        return self._kinds[0]


class Conditions(Authored):
    """Some of which must hold, or all."""

    any: tuple[Condition, ...] = ()
    all: tuple[Condition, ...] = ()

    @property
    def each(self) -> tuple[Condition, ...]:
        return self.any + self.all


class LevelRules(Conditions):
    """When this level is reached. Without conditions only a person can declare it."""

    title: str = ""


class StandDown(Conditions):
    """When the emergency is over: beside what is written here, no level's conditions hold and everything in scope is
    well. `confirmed_by`: this role's word is needed too.
    """

    hold: Duration = Field(300.0, alias="for", description="How long all of it must hold without a break.")
    confirmed_by: PlanRole | None = None


class Call(Authored):
    """Somebody is told. A role is called with its deputies one after the other until one acknowledges."""

    tell: str = Field(description="A role (commander, technical_lead, liaison, scribe), person:NAME or team:NAME.")
    within: Duration | None = Field(
        None, description="Who is called must acknowledge within; absent: told, and nothing expected."
    )
    level: Level = Field(Level.IV, description="Called at this level and graver ones.")
    then: tuple["Call", ...] = Field((), description="Called once this one has acknowledged, or nobody has.")


class PlanAction(Authored):
    """One thing to do. Exactly one of `runbook`, `steps` and `do`.

    `inline`: the runbook made of `steps`, `rollback` and `verify`; filled in by the loader.
    """

    name: str
    runbook: Name | None = None
    vars: dict[str, object] = {}
    do: str | None = Field(None, description="What a person does, and ticks: paramedic plan tick.")
    by: PlanRole = Field(PlanRole.TECHNICAL_LEAD, description="Who does, or answers for, it.")
    hosts: str | None = Field(
        None, description="affected, group:NAME, host:NAME or local; default: as the runbook says, else affected."
    )
    timeout: Duration = Field(1800.0, description="For all of it; then people take over.")
    approve: PlanRole | None = Field(None, description="Waits for this role's yes.")
    on_failure: Literal["people", "continue"] = Field(
        "people", description="people: the plan waits for one who ticks; or continue."
    )
    level: Level = Field(Level.IV, description="Done at this level and graver ones.")
    inline: Runbook | None = Field(None, exclude=True)


class Scope(Authored):
    """What the plan is about. Hosts of the services and groups belong to it."""

    services: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()


class Targets(Authored):
    """Times the response is measured against in the review, from the beginning of the fault. `recover` is the RTO."""

    notice: Duration | None = None
    declare: Duration | None = None
    acknowledge: Duration | None = None
    contain: Duration | None = None
    recover: Duration | None = Field(None, alias="rto", description="Recovery time objective.")
    data_loss: Duration | None = Field(None, alias="rpo", description="Recovery point objective.")


class Resource(Authored):
    """Something an emergency needs: a backup, a spare host, a supplier. Its check shows that it is usable."""

    name: str
    title: str = ""
    kind: Literal["backup", "spare", "supplier", "equipment", "document"] = "equipment"
    check: Name = Field(description="The check that shows it usable; asked all the time as every check is.")
    contact: str = Field("", description="Whom to call for it, and how.")
    note: str = ""


def _as_version(value: object) -> object:
    """1.10 without quotes is the number 1.1: only whole numbers are taken for the text they look like."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _as_date(value: object) -> object:
    if value is None or isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"{value!r} is no date: write one such as 2027-01-31") from None


class Plan(Authored):
    """An emergency plan. `digest`: SHA-256 of what people wrote; filled in by the loader."""

    name: str
    title: str
    version: Annotated[str, BeforeValidator(_as_version)] = "1"
    owner: Name = Field(description="Team that answers for the plan.")
    approved_by: str = ""
    review_due: Annotated[date | None, BeforeValidator(_as_date)] = Field(
        None, description="By when the plan is to be looked through again, such as 2027-01-31."
    )
    scope: Scope
    roles: dict[PlanRole, tuple[str, ...]] = Field(
        description="Whom: people and team:NAME, the holder first, then the deputies in the order they are called."
    )
    levels: dict[Level, LevelRules]
    lower_after: Duration | None = Field(
        None, description="A graver level's conditions gone for so long: it is lowered; absent: only by a person."
    )
    notification: tuple[Call, ...] = ()
    phases: dict[PlanPhase, tuple[PlanAction, ...]] = {}
    report_every: Duration = Field(1800.0, description="Between two situation reports.")
    stand_down: StandDown = StandDown()
    targets: Targets = Targets()
    resources: tuple[Name, ...] = ()
    fallback: str = Field("", description="What people do when the agent cannot: shown whenever it must give up.")
    hosts: tuple[str, ...] = Field((), exclude=True, description="Filled in from `scope`.")
    digest: str = Field("", exclude=True)

    @property
    def inline(self) -> tuple[Runbook, ...]:
        """The runbooks made of the steps that stand in the plan itself."""
        return tuple(action.inline for actions in self.phases.values() for action in actions if action.inline)
