"""When an emergency is declared, and at which level: by conditions that hold, or by a person."""

from collections.abc import Iterable
from dataclasses import replace

from agent.core import classification, incidents, response
from agent.core.area import area_in_charge, area_of, incidents_in
from agent.core.draft import Draft
from agent.core.emergency import actions, calls, conditions, situation
from agent.core.emergency.conditions import Judgement
from agent.core.selection import REPORTED
from agent.core.ticketing import tell
from agent.model.activation import Activation, Marks, Stage
from agent.model.commands import Milestone
from agent.model.health import Key
from agent.model.incident import Incident, Phase, Symptom
from agent.model.observation import Verdict
from agent.model.plan import Level, Plan
from agent.model.priority import Classification, Priority
from agent.model.quantities import say_duration
from agent.model.text import some
from agent.model.timeline import AGENT, EntryKind

EMERGENCY = "emergency"
"""Category of major incidents."""

_AT_LEAST = {Level.I: Priority.P1, Level.II: Priority.P2, Level.III: Priority.P3, Level.IV: Priority.P4}
"""The priority of a major incident is no lower than this."""


def active(draft: Draft, plan: str) -> Activation | None:
    """The activation of this plan that is at work."""
    return next((a for a in draft.activations() if a.plan == plan and a.stage.is_active), None)


def judged(draft: Draft, plan: Plan) -> Judgement:
    """Judge the plan's conditions, and declare or change the level accordingly."""
    judgement = conditions.judge(draft, plan)
    level, activation = judgement.level, active(draft, plan.name)
    if activation is None:
        if level is not None:
            declare(draft, plan, level, judgement.because(level))
    elif level is not None and level > activation.level:
        change_level(draft, activation, level, judgement.because(level))
    else:
        _lower_by_rule(draft, plan, activation, judgement)
    return judgement


def _lower_by_rule(draft: Draft, plan: Plan, activation: Activation, judgement: Judgement) -> None:
    """When nothing of the present level's conditions, or of a graver one's, has been met for `lower_after`: to the
    level whose conditions hold, else to the lightest. A level that only a person can declare only a person lowers.
    """
    rules = plan.levels.get(activation.level)
    graver = [level for level in plan.levels if level >= activation.level]
    if plan.lower_after is None or rules is None or not rules.each or any(judgement.stirs(level) for level in graver):
        if activation.lower_since is not None:
            draft.put_activation(replace(activation, lower_since=None))
        return
    since = draft.at if activation.lower_since is None else activation.lower_since
    lower = judgement.level or min(plan.levels)
    if draft.at >= since + plan.lower_after and lower < activation.level:
        because = f"the conditions of level {activation.level} have not held for {say_duration(draft.at - since)}"
        change_level(draft, replace(activation, lower_since=None), lower, because)
    elif activation.lower_since is None:
        draft.put_activation(replace(activation, lower_since=since))


def declare(draft: Draft, plan: Plan, level: Level, because: str, *, actor: str = AGENT) -> Activation:
    """The emergency begins: what the plan says now is what will be done, and there is a major incident."""
    linked = incidents_in(draft, area_of(plan, draft.settings))
    id = f"PLAN-{draft.count('activation')}"
    incident = _major_incident(draft, plan, id, level, because, linked, actor)
    began = min((_began(each) for each in linked), default=draft.at)
    noticed = min((max(each.opened_at, _began(each)) for each in linked), default=draft.at)
    activation = Activation(
        id=id,
        plan=plan.name,
        title=plan.title,
        version=plan.version,
        digest=plan.digest,
        level=level,
        stage=Stage.ACTIVE,
        incident=incident.id,
        activated_at=draft.at,
        actor=actor,
        because=because,
        hosts=plan.hosts,
        services=plan.scope.services,
        marks=Marks(began=began, noticed=noticed, declared=draft.at),
        calls=calls.flattened(plan),
        actions=actions.numbered(plan, draft.settings),
        report_every=plan.report_every,
        report_due=draft.at + plan.report_every,
        roles=plan.roles,
        fallback=plan.fallback,
    )
    draft.record(
        incident.id,
        EntryKind.PLAN,
        f"{id}: plan {plan.name} (version {plan.version}) starts at level {level}: {because}; "
        f"in charge of {some(plan.hosts) or 'no host'}; treatment by others waits there",
        actor=actor,
        plan=id,
        name=plan.name,
        level=str(level),
        digest=plan.digest,
        hosts=list(plan.hosts),
    )
    return link(draft, draft.put_activation(activation))


def _major_incident(
    draft: Draft, plan: Plan, id: str, level: Level, because: str, linked: Iterable[Incident], actor: str
) -> Incident:
    """It has no check that could end it: like what a person reports, it is over when somebody says so."""
    symptom = Symptom(Key(REPORTED, id), None, None, Verdict.CRITICAL, draft.at, because)
    services = plan.scope.services
    incident = Incident(
        id=f"INC-{draft.count('incident')}",
        origin=draft.settings.origin,
        phase=Phase.NEW,
        title=f"Emergency, level {level}: {plan.title}",
        category=EMERGENCY,
        opened_at=draft.at,
        classification=_classified(draft, linked, level),
        team=plan.owner,
        service=services[0] if len(services) == 1 else None,
        symptoms=(symptom,),
        plan=id,
    )
    draft.record(incident.id, EntryKind.NOTICED, f"an emergency is declared: {because}", actor=actor)
    incident = incidents.announce(draft, incident, f"assigned to {plan.owner}: it owns the plan {plan.name}")
    response.escalate(draft, incident, f"emergency plan {plan.name} is at work as {id}")
    return draft.incident(incident.id) or incident


def _began(incident: Incident) -> float:
    """Of the fault as it is now: an incident that came back was noticed, and over, before."""
    return min((symptom.since for symptom in incident.ill or incident.symptoms), default=incident.opened_at)


def _classified(draft: Draft, linked: Iterable[Incident], level: Level) -> Classification:
    """As grave as the gravest incident it stands for, and as its level demands."""
    every = list(linked)
    judged = classification.classify((s for each in every for s in each.ill), draft.settings)
    gravest = min((each.classification for each in every), key=lambda found: found.priority.rank, default=judged)
    priority, because = gravest.priority, f"priority {gravest.priority}: that of the gravest incident in scope"
    if not every:
        because = f"{judged.priority_because}, no incident in scope"
    if _AT_LEAST[level].rank < priority.rank:
        priority = _AT_LEAST[level]
        because = f"priority {priority}: an emergency of level {level} is no less ({because})"
    return replace(judged, priority=priority, priority_because=because)


def link(draft: Draft, activation: Activation) -> Activation:
    """Incidents in scope that the major incident does not stand for yet."""
    area = area_in_charge(activation, draft.settings)
    fresh = [incident for incident in incidents_in(draft, area) if incident.id not in activation.linked]
    major = draft.incident(activation.incident)
    if not fresh or major is None:
        return activation
    for incident in fresh:
        text = f"part of the major incident {major.id}: plan {activation.plan} is at work ({activation.id})"
        draft.record(incident.id, EntryKind.PLAN, text, plan=activation.id, major=major.id)
        tell(draft, incident, Milestone.UPDATED, f"P{text[1:]}{_ticket(major)}")
    linked = (*activation.linked, *(incident.id for incident in fresh))
    said = some([f"{each.id}{_ticket(each)}, {each.classification.priority}: {each.title}" for each in fresh])
    draft.record(major.id, EntryKind.PLAN, f"stands for {said}", plan=activation.id, linked=list(linked))
    major = draft.put_incident(replace(draft.incident(major.id) or major, linked=linked))
    major = _reclassified(draft, major, activation.level, linked)
    tell(draft, major, Milestone.UPDATED, f"Stands for {said}")
    return draft.put_activation(replace(activation, linked=linked))


def _ticket(incident: Incident) -> str:
    return f" (ticket {incident.ticket.id} {incident.ticket.url}".rstrip() + ")" if incident.ticket else ""


def _reclassified(draft: Draft, major: Incident, level: Level, linked: Iterable[str]) -> Incident:
    """It only becomes graver while the emergency lasts: what gets well is no reason to hurry less."""
    found = _classified(draft, [known for id in linked if (known := draft.incident(id))], level)
    if found.priority.rank >= major.classification.priority.rank:
        return major
    draft.record(
        major.id,
        EntryKind.CLASSIFIED,
        f"{major.classification.priority} → {found.because}",
        impact=str(found.impact),
        urgency=str(found.urgency),
        priority=str(found.priority),
    )
    return draft.put_incident(replace(major, classification=found))


def change_level(draft: Draft, activation: Activation, level: Level, because: str, *, actor: str = AGENT) -> Activation:
    """Raise or lower it: what the graver level calls and does becomes due, and everybody is told how it stands."""
    word = "raised" if level > activation.level else "lowered"
    text = f"{activation.id}: {word} from level {activation.level} to {level}: {because}"
    draft.record(activation.incident, EntryKind.PLAN, text, actor=actor, plan=activation.id, level=str(level))
    major = draft.incident(activation.incident)
    if major:
        title = major.title.replace(f"level {activation.level}:", f"level {level}:", 1)
        _reclassified(draft, draft.put_incident(replace(major, title=title)), level, activation.linked)
    activation = replace(activation, level=level, because=because)
    return draft.put_activation(situation.report(draft, activation))
