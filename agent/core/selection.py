"""Who an incident belongs to, and which runbook is tried next on which hosts."""

from collections.abc import Mapping
from dataclasses import dataclass

from agent.core import grouping, guard, turns
from agent.core.case import subjects
from agent.core.draft import Draft
from agent.core.guard import Reason, Refused
from agent.core.variables import variables_for
from agent.model.execution import Outcome
from agent.model.health import Key
from agent.model.incident import Attempt, Incident, Rung, Symptom
from agent.model.runbook import Runbook
from agent.model.settings import LOCALHOST, Settings

REPORTED = "reported"
"""Stands in a symptom for the check's name when a person reported the fault: no check can be asked about it."""

_HELPED_SOMEBODY = (Outcome.RECOVERED, Outcome.DONE, Outcome.REFUSED)
"""Outcomes of an execution that say nothing against treating a host it did not treat."""


@dataclass(frozen=True, slots=True)
class Ownership:
    """The team an incident is assigned to, and why."""

    name: str
    because: str


@dataclass(frozen=True, slots=True)
class Choice:
    """The next treatment. `verify`: per host, what must be well afterwards."""

    check: str
    runbook: Runbook
    variables: Mapping[str, object]
    hosts: tuple[str, ...]
    verify: Mapping[str, tuple[Key, ...]]


def team_for(category: str, service: str | None, settings: Settings) -> Ownership:
    """The team that owns the fault type; else the service's owner; else the default team."""
    for team in settings.teams.values():
        if category in team.categories:
            return Ownership(team.name, f"it owns category {category}")
    known = settings.services.get(service) if service else None
    if known and known.owner:
        return Ownership(known.owner, f"it owns service {known.name}")
    return Ownership(settings.policy.default_team, f"nobody owns category {category}, it is the default")


@dataclass(frozen=True, slots=True)
class Selection:
    """What was decided, and the rungs that were passed over on the way with the reason of each."""

    result: Choice | Refused
    passed_over: tuple[tuple[str, Refused], ...] = ()


def choose(draft: Draft, incident: Incident) -> Selection:
    """The next rung of the ladder, or why there is none.

    A rung that waiting would allow is waited for; one that was ineffective or is out of bounds is
    passed over for the next.
    """
    passed_over: list[tuple[str, Refused]] = []
    for check in grouping.treatable(incident, draft.settings.services):
        for rung in dict(incident.ladders).get(check, ()):
            found = _weigh(draft, incident, check, rung)
            if isinstance(found, Choice) or found.reason.passes:
                return Selection(found, tuple(passed_over))
            passed_over.append((rung.runbook, found))
    if passed_over:
        said = "; ".join(f"{runbook}: {refused}" for runbook, refused in passed_over)
        return Selection(Refused(Reason.USED_UP, said), tuple(passed_over))
    blind = all(symptom.blind for symptom in incident.ill)
    said = "no runbook is run for what cannot be asked" if blind else "no runbook is written for this"
    return Selection(Refused(Reason.NO_RUNBOOK, said))


def _weigh(draft: Draft, incident: Incident, check: str, rung: Rung) -> Choice | Refused:
    runbook = draft.runbook(rung.digest)
    if runbook is None:
        return Refused(Reason.NO_RUNBOOK, "its text is no longer known")
    ill = tuple(symptom for symptom in incident.ill if symptom.key.check == check)
    variables, missing = variables_for(runbook, rung.variables)
    same = (rung.runbook, variables)
    before = [attempt for attempt in incident.attempts if (attempt.runbook, attempt.variables) == same]
    failed = [attempt for attempt in before if _did_not_help(draft, attempt, runbook, ill)]
    if failed:
        return Refused(Reason.INEFFECTIVE, f"{failed[-1].outcome} in {failed[-1].execution}")
    if missing:
        return Refused(Reason.MISSING_VARIABLE, f"{', '.join(missing)} without a default")
    hosts = hosts_for(runbook, ill, draft.settings)
    if not hosts:
        return Refused(Reason.NO_HOST, f"{check} does not say which host is affected")
    return _guarded(draft, check, runbook, variables, hosts, ill)


def _did_not_help(draft: Draft, attempt: Attempt, runbook: Runbook, ill: tuple[Symptom, ...]) -> bool:
    """Whether this attempt speaks against another with the same runbook.

    One that a person stopped does not. One that went well does if what is ill was ill before and was
    treated by it: its own verification looked at something else.
    """
    if attempt.outcome == Outcome.STOPPED:
        return False
    if attempt.outcome == Outcome.UNREACHABLE:
        return any(symptom.since <= attempt.at for symptom in ill)  # worth another try after a relapse
    if attempt.outcome not in _HELPED_SOMEBODY:
        return True
    treated = {treatment.host for treatment in draft.treatments() if treatment.execution == attempt.execution}
    return bool(treated) and any(
        symptom.since <= attempt.at and (runbook.hosts != "affected" or symptom.host in treated) for symptom in ill
    )


def _guarded(
    draft: Draft,
    check: str,
    runbook: Runbook,
    variables: Mapping[str, object],
    hosts: tuple[str, ...],
    ill: tuple[Symptom, ...],
) -> Choice | Refused:
    around = turns.circumstances(draft)
    refused = guard.refuse_start(runbook, around) or guard.refuse_fault(ill, around)
    if refused:
        return refused
    refusals = [guard.refuse_host(host, runbook, around) for host in hosts]
    if all(refusals):
        passing = [found for found in refusals if found and found.reason.passes]
        return (passing or [found for found in refusals if found])[0]
    return Choice(check, runbook, variables, hosts, verification(draft, runbook, hosts, ill))


def hosts_for(runbook: Runbook, ill: tuple[Symptom, ...], settings: Settings) -> tuple[str, ...]:
    """Where a runbook runs: on the hosts that are ill, or where it says."""
    if runbook.hosts == "affected":
        named = (symptom.host for symptom in ill if symptom.host)
        return tuple(dict.fromkeys(host for host in named if host in settings.hosts or host == LOCALHOST))
    return settings.hosts_of(runbook.hosts)


def verification(
    draft: Draft, runbook: Runbook, hosts: tuple[str, ...], ill: tuple[Symptom, ...]
) -> dict[str, tuple[Key, ...]]:
    """Per host, the subjects that must be well after treatment: those of the host where it has any, else all."""
    asked = [symptom for symptom in ill if symptom.key.check != REPORTED]
    found: dict[str, tuple[Key, ...]] = {}
    for host in hosts:
        keys = [key for check in runbook.verify.checks for key in subjects(draft, check, host)]
        keys = keys or [s.key for s in asked if s.host == host] or [s.key for s in asked]
        found[host] = tuple(dict.fromkeys(keys))
    return found


def dependency_subjects(draft: Draft, incident: Incident) -> tuple[Key, ...]:
    """Subjects that tell whether what the incident's services depend on is well."""
    services, checks = draft.settings.services, draft.settings.checks
    needed = {name for service in grouping.services_of(incident) for name in grouping.dependencies(service, services)}
    if not needed:
        return ()
    deciding = {name for name, rules in checks.items() if rules.service in needed}
    already = {symptom.key for symptom in incident.symptoms}
    return tuple(sorted(h.key for h in draft.healths() if h.key.check in deciding and h.key not in already))
