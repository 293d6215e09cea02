"""What may forbid a treatment, always with a named reason and a sentence.

Two questions: may this runbook start at all (`refuse_start`), and may this host be treated now
(`refuse_host`); both are asked again for every host when its turn comes. Some refusals pass by themselves and
are worth waiting for; the others mean that this runbook is not the answer: try the next rung or a person.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from agent.model.decision import GlobalFreeze
from agent.model.execution import Treatment
from agent.model.incident import Symptom
from agent.model.inventory import Group
from agent.model.policy import TreatmentRules
from agent.model.quantities import Rate, say_duration
from agent.model.runbook import Runbook
from agent.model.text import some


class Reason(StrEnum):
    """Why a treatment is refused. The value is what the record and the command line show."""

    FROZEN = "frozen"
    EMERGENCY = "emergency plan in charge"
    EXERCISE = "exercise under way"
    FLAPPING = "flapping"
    DEPENDENCY = "dependency suspected"
    SETTLING = "settling"
    HOST_BUSY = "host busy"
    GROUP_BUDGET = "group budget spent"
    COOLING_DOWN = "cooling down"
    RATE_LIMIT = "rate limit"
    INEFFECTIVE = "ineffective before"
    NO_RUNBOOK = "no runbook"
    NO_HOST = "no host known"
    MISSING_VARIABLE = "missing variable"
    USED_UP = "ladder used up"

    @property
    def passes(self) -> bool:
        """Whether waiting can help."""
        return self in _PASSING


_LOOK_SELDOM = 60.0
"""Seconds until what waits for the end of an emergency or an exercise is looked at again, should nobody wake it."""

_PASSING = frozenset(
    {
        Reason.FROZEN,
        Reason.EMERGENCY,
        Reason.EXERCISE,
        Reason.DEPENDENCY,
        Reason.SETTLING,
        Reason.HOST_BUSY,
        Reason.GROUP_BUDGET,
        Reason.COOLING_DOWN,
    }
)


@dataclass(frozen=True, slots=True)
class Refused:
    """`until`: when to ask again, if a time is known (seconds since the epoch)."""

    reason: Reason
    text: str
    until: float | None = None

    def __str__(self) -> str:
        return f"{self.reason}: {self.text}"


@dataclass
class Circumstances:
    """All a guard looks at. `under_treatment`: host to the execution that is treating it now; `groups`: host to
    the groups it belongs to; `in_charge`, `services_in_charge`: host and service to the activation of the emergency
    plan that is in charge of it; `exercised`: host to the exercise under way there.

    In a storm a thousand hosts are asked about in one decision: everything is looked up by host.
    """

    at: float
    rules: TreatmentRules
    freeze: GlobalFreeze | None = None
    treatments: tuple[Treatment, ...] = ()
    under_treatment: dict[str, str] = field(default_factory=dict)
    groups: Mapping[str, tuple[Group, ...]] = field(default_factory=dict)
    in_charge: Mapping[str, str] = field(default_factory=dict)
    services_in_charge: Mapping[str, str] = field(default_factory=dict)
    exercised: Mapping[str, str] = field(default_factory=dict)

    def begin(self, treatment: Treatment) -> None:
        """This host is under treatment from now on."""
        self.under_treatment[treatment.host] = treatment.execution
        self._treated.setdefault(treatment.host, []).append(treatment)
        self._ran.setdefault(treatment.runbook, {})[treatment.execution] = treatment.at
        for group in self.groups.get(treatment.host, ()):
            self._busy.setdefault(group.name, []).append(treatment.host)

    def treated(self, host: str) -> list[Treatment]:
        return self._treated.get(host, [])

    def ran(self, runbook: str) -> dict[str, float]:
        """The runbook's executions that have begun on a host, and when."""
        return self._ran.get(runbook, {})

    def busy(self, group: Group) -> list[str]:
        """Hosts of the group that are under treatment."""
        return self._busy.get(group.name, [])

    def full_group(self, host: str) -> Group | None:
        """A group of the host's in which no further host may be under treatment now."""
        for group in self.groups.get(host, ()):
            if len(self.busy(group)) >= group.treat_at_once.of(len(group.hosts)):
                return group
        return None

    @cached_property
    def _treated(self) -> dict[str, list[Treatment]]:
        found: dict[str, list[Treatment]] = {}
        for treatment in self.treatments:
            found.setdefault(treatment.host, []).append(treatment)
        return found

    @cached_property
    def _ran(self) -> dict[str, dict[str, float]]:
        found: dict[str, dict[str, float]] = {}
        for treatment in self.treatments:
            found.setdefault(treatment.runbook, {})[treatment.execution] = treatment.at
        return found

    @cached_property
    def _busy(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for host in self.under_treatment:
            for group in self.groups.get(host, ()):
                found.setdefault(group.name, []).append(host)
        return found


def refuse_start(runbook: Runbook, circumstances: Circumstances, execution: str = "") -> Refused | None:
    """Whether something forbids this runbook whatever the host. `execution`: the one that waits for its turn; once it
    has begun on a host it is no further run of the runbook.
    """
    if circumstances.freeze:
        freeze = circumstances.freeze
        return Refused(Reason.FROZEN, f"all treatment is frozen by {freeze.actor}: {freeze.reason}")
    ran = circumstances.ran(runbook.name)
    if execution in ran:
        return None
    return _over_limit(runbook.limits.per_runbook, ran.values(), circumstances.at, f"{runbook.name} ran")


def refuse_host(host: str, runbook: Runbook, circumstances: Circumstances, plan: str | None = None) -> Refused | None:
    """Whether something forbids treating this host with this runbook now. `plan`: the activation that orders it."""
    if circumstances.freeze:
        return refuse_start(runbook, circumstances)
    reserved = _reserved(host, circumstances, plan)
    if reserved:
        return reserved
    here = circumstances.treated(host)
    by_this_runbook = [treatment.at for treatment in here if treatment.runbook == runbook.name]
    return (
        _over_limit(runbook.limits.per_host, by_this_runbook, circumstances.at, f"{runbook.name} ran on {host}")
        or _over_limit(circumstances.rules.per_host, [t.at for t in here], circumstances.at, f"{host} was treated")
        or refuse_busy(host, circumstances)
        or _cooling_down(host, here, circumstances)
        or _budget_spent(host, circumstances)
    )


def refuse_fault(symptoms: Iterable[Symptom], circumstances: Circumstances) -> Refused | None:
    """Whether all of this is left to an emergency plan, wherever it would be treated."""
    charged = ""
    for symptom in symptoms:
        charged = _charged(symptom, circumstances)
        if not charged:
            return None
    text = f"{charged} is in charge of what is ill"
    return Refused(Reason.EMERGENCY, text, circumstances.at + _LOOK_SELDOM) if charged else None


def _charged(symptom: Symptom, circumstances: Circumstances) -> str:
    by_host = circumstances.in_charge.get(symptom.host or "")
    return by_host or circumstances.services_in_charge.get(symptom.service or "", "")


def _reserved(host: str, circumstances: Circumstances, plan: str | None) -> Refused | None:
    """Whether somebody else has the say on this host for the time being. Whoever waits is woken at the end of it."""
    until = circumstances.at + _LOOK_SELDOM
    in_charge = circumstances.in_charge.get(host, plan)
    if in_charge != plan:
        return Refused(Reason.EMERGENCY, f"{in_charge} is in charge of {host}", until)
    exercise = circumstances.exercised.get(host)
    return Refused(Reason.EXERCISE, f"{exercise} is under way on {host}", until) if exercise else None


def _over_limit(limit: Rate | None, times: Iterable[float], at: float, subject: str) -> Refused | None:
    if limit is None:
        return None
    lately = sorted(time for time in times if time > at - limit.seconds)
    if len(lately) < limit.count:
        return None
    until = lately[-limit.count] + limit.seconds if limit.count else None
    return Refused(Reason.RATE_LIMIT, f"{subject} {len(lately)} times, the limit is {limit}", until)


def refuse_busy(host: str, circumstances: Circumstances) -> Refused | None:
    """Whether the host is under treatment already."""
    execution = circumstances.under_treatment.get(host)
    return Refused(Reason.HOST_BUSY, f"{host} is being treated by {execution}") if execution else None


def _cooling_down(host: str, here: Iterable[Treatment], circumstances: Circumstances) -> Refused | None:
    latest = max((treatment.at for treatment in here), default=None)
    if latest is None or circumstances.at >= latest + circumstances.rules.cooldown:
        return None
    until = latest + circumstances.rules.cooldown
    wait = say_duration(until - circumstances.at)
    return Refused(Reason.COOLING_DOWN, f"{host} was treated a moment ago, {wait} to go", until)


def _budget_spent(host: str, circumstances: Circumstances) -> Refused | None:
    group = circumstances.full_group(host)
    if group is None:
        return None
    allowed = group.treat_at_once.of(len(group.hosts))
    busy = some(circumstances.busy(group))
    return Refused(Reason.GROUP_BUDGET, f"{busy} of group {group.name} under treatment, at most {allowed} at once")
