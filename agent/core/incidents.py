"""How symptoms become incidents: joined to one that is open or opened anew, classified, assigned."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from agent.core import classification, grouping, response, selection
from agent.core.draft import Draft
from agent.core.lifecycle import Move
from agent.core.ticketing import tell
from agent.core.variables import given_values
from agent.core.wording import after_colon, few, say_all, saying, title
from agent.model.commands import Milestone
from agent.model.health import Health, Key
from agent.model.incident import Incident, Phase, Rung, Symptom
from agent.model.observation import Verdict
from agent.model.quantities import say_duration
from agent.model.timeline import AGENT, EntryKind

MONITORING = "monitoring"
"""Category of incidents about checks that cannot be asked."""

_SAID_EACH = 10
"""Symptoms that get an entry each; of more at once there is one entry for all."""

_SYMPTOMS_KEPT = 1000
"""Of an incident; beyond that, those that were well again first are left out. Pods may come and go for days."""

Change = tuple[Health | None, Health]
"""A subject's health before and after; None: it was not known."""

_Index = dict[str, dict[Key, Symptom]]
"""Incident to subject to symptom."""


def follow(draft: Draft, changes: Iterable[Change]) -> list[str]:
    """What changed health means for incidents; the ids of those concerned, to be considered."""
    changes = tuple(changes)
    concerned = _clear(draft, changes)
    symptoms = _not_of_an_exercise(draft, [symptom for change in changes for symptom in _symptoms(draft, *change)])
    symptoms.sort(key=lambda symptom: (symptom.key.check, symptom.blind))
    for _, alike in groupby(symptoms, key=lambda symptom: (symptom.key.check, symptom.blind)):
        concerned += _admit(draft, list(alike))
    return list(dict.fromkeys(concerned + _flapping(draft, changes)))


def consider(draft: Draft, ids: Iterable[str]) -> None:
    """Decide what happens next to each of these incidents."""
    for id in ids:
        incident = draft.incident(id)
        if incident:
            response.consider(draft, incident)


# recovery


def _clear(draft: Draft, changes: Sequence[Change]) -> list[str]:
    """Subjects that are well, or can be asked, again; ids of the incidents in which they were not."""
    cured: dict[str, dict[Key, str]] = {}
    index: _Index = {}
    for before, after in changes:
        if before is None:
            continue
        incident = draft.home_of(after.key)
        symptom = _symptom(index, incident, after.key) if incident and incident.phase.is_open else None
        if incident is None or symptom is None or not symptom.is_ill:
            continue
        sees_again = before.blind_since is not None and after.blind_since is None
        is_well_now = after.status is not before.status and after.status is Verdict.OK
        if sees_again if symptom.blind else is_well_now:
            said = "can be asked again" if symptom.blind else "is well again"
            cured.setdefault(incident.id, {})[after.key] = f"{symptom.key} {said}" + after_colon(after.message)
    for id, sayings in cured.items():
        incident = draft.incident(id)
        if incident:
            _record_each(draft, id, EntryKind.RECOVERED, sayings)
            well = tuple(replace(s, cleared_at=draft.at) if s.key in sayings else s for s in incident.symptoms)
            draft.put_incident(replace(incident, symptoms=well))
    return list(cured)


def _record_each(draft: Draft, id: str, kind: EntryKind, sayings: Mapping[Key, str], because: str = "") -> None:
    """An entry for each; of very many at once one for all, with their names kept whole."""
    if len(sayings) <= _SAID_EACH:
        for key, said in sayings.items():
            draft.record(id, kind, said + because, check=key.check, subject=key.subject)
        return
    text = f"{len(sayings)} at once: {few(list(sayings.values()))}{because}"
    draft.record(id, kind, text, subjects=[str(key) for key in sayings])


# illness


def _symptoms(draft: Draft, before: Health | None, after: Health) -> Iterable[Symptom]:
    """What is newly wrong with a subject, or wrong in another degree."""
    rules = draft.settings.checks[after.key.check]
    status = after.status
    if status is not None and status.is_bad and (before is None or status is not before.status):
        yield Symptom(after.key, after.host, rules.service, status, after.since, after.message)
    if after.blind_since is not None and (before is None or before.blind_since is None):
        yield Symptom(
            after.key, after.host, rules.service, Verdict.UNKNOWN, after.blind_since, after.message, blind=True
        )


def _not_of_an_exercise(draft: Draft, symptoms: list[Symptom]) -> list[Symptom]:
    """What is left to a drill under way is set aside: it is admitted when the drill is over, if it is ill then."""
    for exercise in draft.exercises():
        aside = [symptom for symptom in symptoms if exercise.speaks_of(symptom.key.check, symptom.host)]
        if aside:
            text = f"left to {exercise.id}: {say_all(aside)}"
            draft.record("agent", EntryKind.EXERCISE, text, exercise=exercise.id, subjects=[str(s.key) for s in aside])
            symptoms = [symptom for symptom in symptoms if symptom not in aside]
    return symptoms


def _admit(draft: Draft, symptoms: Sequence[Symptom]) -> list[str]:
    """Find or open the incidents of symptoms of one check and one sort; their ids."""
    known: dict[str, list[Symptom]] = {}
    strangers: list[Symptom] = []
    index: _Index = {}
    for symptom in symptoms:
        home = _known_home(draft, index, symptom)
        if home:
            known.setdefault(home.id, []).append(symptom)
        else:
            strangers.append(symptom)
    for id, returning in known.items():
        _join(draft, id, returning)
    return [*known, *_admit_strangers(draft, strangers)]


def _admit_strangers(draft: Draft, strangers: list[Symptom]) -> list[str]:
    admitted: list[str] = []
    while strangers:
        # what one symptom of a check and service belongs to, all the others do
        match = grouping.find_home(strangers[0], draft.incidents(), draft.settings.services) or (
            grouping.storm_home(strangers, draft.incidents(), draft.settings.policy.storm, draft.at)
        )
        if match:
            _join(draft, match.incident, strangers, f"; part of this incident because {match.because}")
            return [*admitted, match.incident]
        admitted.append(_open(draft, strangers).id)
        strangers = strangers[1:]
    return admitted


def _known_home(draft: Draft, index: _Index, symptom: Symptom) -> Incident | None:
    """The incident that has this subject, unless what it had there is over and was trouble of the other sort, or the
    whole incident is over and the subject belongs to one that is open.
    """
    incident = draft.home_of(symptom.key)
    there = _symptom(index, incident, symptom.key) if incident else None
    if incident is None or there is None:
        return None
    is_over = not there.is_ill or not incident.phase.is_open
    if is_over and there.blind != symptom.blind:
        return None
    if not incident.phase.is_open and grouping.find_home(symptom, draft.incidents(), draft.settings.services):
        return None
    return incident


def _join(draft: Draft, id: str, joining: Sequence[Symptom], because: str = "") -> None:
    incident = draft.incident(id)
    assert incident is not None, "only incidents that are there are joined"
    symptoms = {symptom.key: symptom for symptom in incident.symptoms}
    news: list[Symptom] = []
    noticed: dict[Key, str] = {}
    joined: dict[Key, str] = {}
    for symptom in joining:
        there = symptoms.pop(symptom.key, None)
        (noticed if there else joined)[symptom.key] = saying(symptom)
        if there and symptom.blind and not there.blind:
            symptoms[symptom.key] = there  # still ill for all we know
            continue
        if there and there.is_ill:
            symptom = replace(symptom, since=there.since)
        else:
            news.append(symptom)
        symptoms[symptom.key] = symptom
    _record_each(draft, id, EntryKind.NOTICED, noticed)
    _record_each(draft, id, EntryKind.JOINED, joined, because)
    ladders = _with_ladder(draft, incident, joining[0])
    incident = replace(incident, symptoms=_bounded(symptoms.values()), ladders=ladders)
    _spread(draft, incident, news, joining)


def _bounded(symptoms: Collection[Symptom]) -> tuple[Symptom, ...]:
    """In their order."""
    well = sorted((s for s in symptoms if s.cleared_at is not None), key=lambda s: s.cleared_at or 0.0)
    left_out = {symptom.key for symptom in well[: max(0, len(symptoms) - _SYMPTOMS_KEPT)]}
    return tuple(symptom for symptom in symptoms if symptom.key not in left_out)


def _spread(draft: Draft, incident: Incident, news: Sequence[Symptom], joining: Sequence[Symptom]) -> None:
    """The incident has changed its reach: judge it again and say so."""
    if incident.phase is Phase.RESOLVED and news:
        incident = response.move(draft, incident, Move.RELAPSE)
        incident = replace(incident, resolved_at=None, reopened=incident.reopened + 1)
        draft.record(incident.id, EntryKind.REOPENED, f"the fault is back: {say_all(news)}")
        tell(draft, _reclassified(draft, incident), Milestone.REOPENED, f"The fault is back: {say_all(news)}")
        return
    priority = incident.classification.priority
    incident = _reclassified(draft, incident)
    if news:
        tell(draft, incident, Milestone.UPDATED, f"Also: {say_all(news)}")
    elif incident.classification.priority is not priority:
        tell(draft, incident, Milestone.UPDATED, f"Now {incident.classification.priority}: {say_all(joining)}")


def _flapping(draft: Draft, changes: Sequence[Change]) -> list[str]:
    """Subjects that began or ceased to come and go; ids of the incidents that have them."""
    found: list[str] = []
    for before, after in changes:
        flapped = before is not None and before.flapping
        incident = draft.home_of(after.key) if flapped != after.flapping else None
        if incident is None:
            continue
        rules = draft.settings.checks[after.key.check].flapping
        lately = sum(1 for change in after.changes if change > draft.at - rules.within)
        said = f"{after.key} " + (
            f"comes and goes: {lately} changes within {say_duration(rules.within)}"
            if after.flapping
            else f"no longer comes and goes, quiet for {say_duration(rules.settle)}"
        )
        draft.record(incident.id, EntryKind.FLAPPING, said, check=after.key.check, subject=after.key.subject)
        found.append(incident.id)
    return found


def _symptom(index: _Index, incident: Incident, key: Key) -> Symptom | None:
    """The incident's symptom of this subject; looked up ten thousand times in an incident of ten thousand subjects."""
    if incident.id not in index:
        index[incident.id] = {symptom.key: symptom for symptom in incident.symptoms}
    return index[incident.id].get(key)


def _with_ladder(draft: Draft, incident: Incident, symptom: Symptom) -> tuple[tuple[str, tuple[Rung, ...]], ...]:
    """The rungs of the symptom's check as they are now, unless the incident already has them."""
    check = symptom.key.check
    if any(name == check for name, _ in incident.ladders):
        return incident.ladders
    runbooks = draft.settings.runbooks
    written = [
        (runbooks[rung.runbook], rung.vars) for rung in draft.settings.checks[check].ladder if rung.runbook in runbooks
    ]
    rungs = tuple(
        Rung(runbook.name, runbook.digest, given_values(runbook, values), runbook.signed_by)
        for runbook, values in written
    )
    return (*incident.ladders, (check, rungs))


# opening


def _open(draft: Draft, alike: Sequence[Symptom]) -> Incident:
    """For the first of these, which the others may join."""
    symptom = alike[0]
    rules = draft.settings.checks[symptom.key.check]
    category = MONITORING if symptom.blind else rules.category
    judged = classification.classify((symptom,), draft.settings)
    team = selection.team_for(category, symptom.service, draft.settings)
    incident = Incident(
        id=f"INC-{draft.count('incident')}",
        origin=draft.settings.origin,
        phase=Phase.NEW,
        title=title(symptom, len(alike) if len(alike) >= draft.settings.policy.storm.subjects else 1),
        category=category,
        opened_at=draft.at,
        classification=judged,
        team=team.name,
        service=symptom.service,
        symptoms=(symptom,),
    )
    incident = replace(incident, ladders=_with_ladder(draft, incident, symptom))
    confirmed = "" if symptom.blind else f" (confirmed: {rules.confirm})"
    draft.record(
        incident.id,
        EntryKind.NOTICED,
        saying(symptom) + confirmed,
        check=symptom.key.check,
        subject=symptom.key.subject,
        since=symptom.since,
    )
    return announce(draft, incident, f"assigned to {team.name}: {team.because}")


def announce(draft: Draft, incident: Incident, assigned: str) -> Incident:
    """Put a new incident on the record and tell the ticket system."""
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
    return tell(
        draft, draft.put_incident(incident), Milestone.OPENED, f"{judged.priority}: {incident.title}", whole=True
    )


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
