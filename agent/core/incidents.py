"""How symptoms become incidents: joined to one that is open or opened anew, classified, assigned."""

from dataclasses import replace

from agent.core import classification, grouping, response, selection
from agent.core.lifecycle import Move
from agent.core.state import Draft
from agent.core.ticketing import tell
from agent.model.commands import Milestone
from agent.model.health import Health, Key
from agent.model.incident import Incident, Origin, Phase, Rung, Symptom
from agent.model.observation import Verdict
from agent.model.timeline import AGENT, EntryKind

MONITORING = "monitoring"
"""Category of incidents about checks that cannot be asked."""


# symptoms


def fell_ill(draft: Draft, changed: Health, *, blind: bool = False) -> None:
    """A subject's illness (or blindness) is confirmed: it joins an incident or opens one."""
    rules = draft.settings.checks[changed.key.check]
    symptom = Symptom(
        key=changed.key,
        host=changed.host,
        service=rules.service,
        status=Verdict.UNKNOWN if blind else changed.status or Verdict.UNKNOWN,
        since=changed.blind_since if blind and changed.blind_since else changed.since,
        message=changed.message,
        blind=blind,
    )
    incident = _known_home(draft, symptom)
    if incident is None:
        match = grouping.find_home(symptom, draft.incidents(), draft.settings.services)
        incident = draft.incident(match.incident) if match else None
        if match and incident:
            draft.record(
                incident.id,
                EntryKind.JOINED,
                f"{_saying(symptom)}; part of this incident because {match.because}",
                check=symptom.key.check,
                subject=symptom.key.subject,
            )
    elif symptom.blind and not _symptom(incident, symptom.key).blind:
        draft.record(incident.id, EntryKind.NOTICED, _saying(symptom))  # still ill for all we know
        return
    if incident is None:
        _open(draft, symptom)
        return
    before = next((s for s in incident.symptoms if s.key == symptom.key), None)
    others = tuple(s for s in incident.symptoms if s.key != symptom.key)
    incident = replace(incident, symptoms=(*others, symptom), ladders=_with_ladder(draft, incident, symptom))
    if incident.phase is Phase.RESOLVED:
        incident = response.move(draft, incident, Move.RELAPSE)
        incident = replace(incident, resolved_at=None, reopened=incident.reopened + 1, due=None)
        draft.record(incident.id, EntryKind.REOPENED, f"{_saying(symptom)}: the fault is back")
        incident = tell(draft, _reclassified(draft, incident), Milestone.REOPENED, f"{_saying(symptom)}: it is back")
    elif before and before.is_ill:
        draft.record(incident.id, EntryKind.NOTICED, _saying(symptom))
        incident = _reclassified(draft, incident)
    else:
        if before:
            draft.record(incident.id, EntryKind.NOTICED, f"{_saying(symptom)}: ill again")
        incident = tell(draft, _reclassified(draft, incident), Milestone.UPDATED, f"Also: {_saying(symptom)}")
    response.consider(draft, incident)


def got_well(draft: Draft, changed: Health, *, blind: bool = False) -> None:
    """A subject's recovery is confirmed; `blind`: what is over is that its check could not be asked."""
    incident = draft.home_of(changed.key)
    if incident is None or not incident.phase.is_open:
        return
    symptom = _symptom(incident, changed.key)
    if not symptom.is_ill or symptom.blind != blind:
        return
    cured = replace(symptom, cleared_at=draft.at)
    incident = replace(incident, symptoms=tuple(cured if s.key == cured.key else s for s in incident.symptoms))
    said = "can be asked again" if blind else "is well again"
    draft.record(incident.id, EntryKind.RECOVERED, f"{symptom.key} {said}" + _with(changed.message))
    draft.put_incident(incident)
    if incident.execution is None:
        response.consider(draft, incident)


def _known_home(draft: Draft, symptom: Symptom) -> Incident | None:
    """The incident that already has this subject, unless it ended over the other sort of trouble."""
    incident = draft.home_of(symptom.key)
    if incident and incident.phase is Phase.RESOLVED and _symptom(incident, symptom.key).blind != symptom.blind:
        return None
    return incident


def _symptom(incident: Incident, key: Key) -> Symptom:
    return next(symptom for symptom in incident.symptoms if symptom.key == key)


def _saying(symptom: Symptom) -> str:
    state = "cannot be asked" if symptom.blind else f"is {symptom.status.name}"
    return f"{symptom.key} {state}{_with(symptom.message)}"


def _with(message: str) -> str:
    return f": {message}" if message else ""


def _with_ladder(draft: Draft, incident: Incident, symptom: Symptom) -> tuple[tuple[str, tuple[Rung, ...]], ...]:
    """The rungs of the symptom's check as they are now, unless the incident already has them."""
    check = symptom.key.check
    if any(name == check for name, _ in incident.ladders):
        return incident.ladders
    runbooks = draft.settings.runbooks
    rungs = tuple(Rung(name, runbooks[name].digest) for name in draft.settings.checks[check].ladder if name in runbooks)
    return (*incident.ladders, (check, rungs))


# opening


def _open(draft: Draft, symptom: Symptom) -> None:
    rules = draft.settings.checks[symptom.key.check]
    category = MONITORING if symptom.blind else rules.category
    judged = classification.classify((symptom,), draft.settings)
    team = selection.team_for(category, symptom.service, draft.settings)
    incident = Incident(
        id=f"INC-{draft.count('incident')}",
        origin=Origin.MONITORING,
        phase=Phase.NEW,
        title=_title(symptom),
        category=category,
        opened_at=draft.at,
        classification=judged,
        team=team.name,
        service=symptom.service,
        symptoms=(symptom,),
    )
    incident = replace(incident, ladders=_with_ladder(draft, incident, symptom))
    draft.record(
        incident.id,
        EntryKind.NOTICED,
        f"{_saying(symptom)} (confirmed: {rules.confirm})",
        check=symptom.key.check,
        subject=symptom.key.subject,
        since=symptom.since,
    )
    announce(draft, incident, f"assigned to {team.name}: {team.because}")


def announce(draft: Draft, incident: Incident, assigned: str) -> None:
    """Put a new incident on the record and consider its treatment."""
    judged = incident.classification
    draft.record(
        incident.id, EntryKind.OPENED, f"{incident.title} ({incident.category})", actor=incident.reporter or AGENT
    )
    draft.record(
        incident.id,
        EntryKind.CLASSIFIED,
        judged.because,
        impact=str(judged.impact),
        urgency=str(judged.urgency),
        priority=str(judged.priority),
    )
    draft.record(incident.id, EntryKind.ASSIGNED, assigned, team=incident.team)
    incident = tell(draft, draft.put_incident(incident), Milestone.OPENED, f"{judged.priority}: {incident.title}")
    response.consider(draft, incident)


def _title(symptom: Symptom) -> str:
    where = f" on {symptom.key.subject}" if symptom.key.subject else ""
    what = f"{symptom.key.check}{where}"
    title = f"{what} cannot be asked" if symptom.blind else f"{what} is {symptom.status.name}{_with(symptom.message)}"
    return title if len(title) <= 120 else title[:117] + "..."


def _reclassified(draft: Draft, incident: Incident) -> Incident:
    judged = classification.classify(incident.ill or incident.symptoms, draft.settings)
    if judged != incident.classification:
        if judged.priority is not incident.classification.priority:
            draft.record(
                incident.id,
                EntryKind.CLASSIFIED,
                f"{incident.classification.priority} → {judged.because}",
                impact=str(judged.impact),
                urgency=str(judged.urgency),
                priority=str(judged.priority),
            )
        incident = replace(incident, classification=judged)
    return draft.put_incident(incident)
