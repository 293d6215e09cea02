"""What people may tell the agent to do, and what it answers. An act that is not possible changes nothing."""

from dataclasses import replace

from agent.core import classification, guard, incidents, response, selection, treatment
from agent.core.classification import Reach
from agent.core.guard import Reason
from agent.core.lifecycle import IllegalMove, Move, after
from agent.core.procedure import subjects
from agent.core.state import Draft
from agent.core.ticketing import tell
from agent.model import events
from agent.model.commands import Milestone
from agent.model.decision import GlobalFreeze, Reply
from agent.model.execution import Execution
from agent.model.health import Health, Key
from agent.model.incident import Incident, Origin, Phase, Symptom
from agent.model.observation import Verdict
from agent.model.timeline import EntryKind

REPORTED = "reported"
"""Stands in a symptom for the check's name when a person reported the fault."""


def act(draft: Draft, actor: str, what: events.Act, closed: Incident | None = None) -> Reply:
    """Do what a person asks, or say why not. `closed`: the incident meant, when it is no longer in the state."""
    try:
        match what:
            case events.Report():
                return _report(draft, actor, what)
            case events.RunByHand():
                return _run_by_hand(draft, actor, what)
            case events.Approve():
                return _approve(draft, actor, what)
            case events.Freeze(reason):
                return _freeze(draft, actor, reason)
            case events.Unfreeze(reason):
                return _unfreeze(draft, actor, reason)
            case _:
                incident = draft.incident(what.incident) or closed
                if incident is None:
                    return Reply(False, f"there is no incident {what.incident}")
                return _on_incident(draft, actor, incident, what)
    except IllegalMove as error:
        return Reply(False, str(error))


_OnIncident = (
    events.Acknowledge
    | events.AddNote
    | events.Assign
    | events.Escalate
    | events.Resolve
    | events.Close
    | events.Reopen
)


def _on_incident(draft: Draft, actor: str, incident: Incident, what: _OnIncident) -> Reply:
    match what:
        case events.Acknowledge():
            return _acknowledge(draft, actor, incident)
        case events.AddNote(_, text):
            draft.record(incident.id, EntryKind.NOTE, text, actor=actor)
            tell(draft, incident, Milestone.UPDATED, f"{actor}: {text}")
            return Reply(True, f"noted on {incident.id}", incident.id)
        case events.Assign(_, to):
            return _assign(draft, actor, incident, to)
        case events.Escalate(_, reason):
            response.escalate(draft, incident, reason or f"taken over by {actor}", actor=actor)
            return Reply(
                True, f"{incident.id} is with a person now; the agent starts no further treatment", incident.id
            )
        case events.Resolve(_, reason):
            _start_afresh(draft, incident)
            response.resolve(draft, incident, Move.RESOLVE, reason or f"resolved by {actor}", actor=actor)
            return Reply(True, f"{incident.id} is resolved; if a check still fails it opens again", incident.id)
        case events.Close(_, reason):
            response.close(draft, incident, reason or f"closed by {actor}", actor=actor)
            return Reply(True, f"{incident.id} is closed", incident.id)
        case events.Reopen(_, reason):
            response.reopen(draft, incident, reason or f"reopened by {actor}", actor=actor)
            return Reply(True, f"{incident.id} is open again and with a person", incident.id)


def _acknowledge(draft: Draft, actor: str, incident: Incident) -> Reply:
    if not incident.phase.is_open:
        return Reply(False, f"{incident.id} is {incident.phase}: nothing to acknowledge", incident.id)
    if incident.acknowledged_by:
        return Reply(True, f"{incident.id} was acknowledged by {incident.acknowledged_by} already", incident.id)
    incident = draft.put_incident(replace(incident, acknowledged_by=actor, acknowledged_at=draft.at))
    draft.record(incident.id, EntryKind.ACKNOWLEDGED, f"acknowledged by {actor}", actor=actor)
    tell(draft, incident, Milestone.UPDATED, f"Acknowledged by {actor}")
    return Reply(True, f"{incident.id} acknowledged", incident.id)


def _assign(draft: Draft, actor: str, incident: Incident, to: str) -> Reply:
    if not to.strip():
        return Reply(False, "say to whom: a team or a person", incident.id)
    if to in draft.settings.teams:
        incident = replace(incident, team=to, assignee=None)
    else:
        incident = replace(incident, assignee=to)
    draft.put_incident(incident)
    draft.record(incident.id, EntryKind.ASSIGNED, f"assigned to {to} by {actor}", actor=actor, to=to)
    tell(draft, incident, Milestone.UPDATED, f"Assigned to {to} by {actor}")
    return Reply(True, f"{incident.id} is assigned to {to}", incident.id)


def _start_afresh(draft: Draft, incident: Incident) -> None:
    """A person says it is well: should a check disagree, that must be confirmed, and noticed, anew."""
    after(incident.phase, Move.RESOLVE)
    for symptom in incident.ill:
        known = draft.health(symptom.key)
        if known:
            draft.put_health(_unconfirmed(known, draft.at))
            draft.put_window(symptom.key, replace(draft.window(symptom.key), recent=(), fresh_from=draft.at))
    cleared = tuple(s if s.cleared_at else replace(s, cleared_at=draft.at) for s in incident.symptoms)
    draft.put_incident(replace(incident, symptoms=cleared))


def _unconfirmed(known: Health, at: float) -> Health:
    return replace(known, status=None, since=at, blind_since=None)


def _report(draft: Draft, actor: str, report: events.Report) -> Reply:
    settings = draft.settings
    if report.service is not None and report.service not in settings.services:
        return Reply(False, f"there is no service {report.service!r}; known: {', '.join(sorted(settings.services))}")
    strangers = [host for host in report.hosts if host not in settings.hosts]
    if strangers:
        return Reply(False, f"there is no host {strangers[0]!r} in the inventory")
    text = report.title + (f": {report.description}" if report.description else "")
    by = report.reporter or actor
    known = [i for i in draft.incidents() if report.service and i.service == report.service and i.phase.is_open]
    if known:
        draft.record(known[0].id, EntryKind.NOTE, f"also reported by {by}: {text}", actor=actor)
        tell(draft, known[0], Milestone.UPDATED, f"Also reported by {by}: {text}")
        return Reply(
            True, f"{known[0].id} is open for {report.service} already; your report was added to it", known[0].id
        )
    return _open_report(draft, actor, by, report)


def _open_report(draft: Draft, actor: str, by: str, report: events.Report) -> Reply:
    settings = draft.settings
    subjects_named = report.hosts or (report.service or "",)
    symptoms = tuple(
        Symptom(
            key=Key(REPORTED, f"{subject or 'fault'} #{draft.state.counters.get('incident', 0) + 1}"),
            host=subject if report.hosts else None,
            service=report.service,
            status=Verdict.CRITICAL,
            since=draft.at,
            message=report.description or report.title,
        )
        for subject in subjects_named
    )
    reached: list[Reach] = classification.reaches(symptoms, settings)
    team = selection.team_for(report.category, report.service, settings)
    incident = Incident(
        id=f"INC-{draft.count('incident')}",
        origin=Origin.PERSON,
        phase=Phase.NEW,
        title=report.title,
        category=report.category,
        opened_at=draft.at,
        classification=classification.classify_report(reached, report.urgency, settings.policy),
        team=team.name,
        service=report.service,
        symptoms=symptoms,
        reporter=by,
    )
    said = report.title + (f": {report.description}" if report.description else "")
    draft.record(incident.id, EntryKind.NOTICED, f"reported by {by}: {said}", actor=actor)
    incidents.announce(draft, incident, f"assigned to {team.name}: {team.because}")
    return Reply(
        True, f"{incident.id} opened, {incident.classification.priority}, assigned to {team.name}", incident.id
    )


def _run_by_hand(draft: Draft, actor: str, wish: events.RunByHand) -> Reply:
    runbook = draft.settings.runbooks.get(wish.runbook)
    if runbook is None:
        return Reply(False, f"there is no runbook {wish.runbook!r}")
    incident = draft.incident(wish.incident) if wish.incident else None
    if wish.incident and incident is None:
        return Reply(False, f"there is no incident {wish.incident}")
    if incident and incident.execution:
        return Reply(False, f"{incident.id} is being treated by {incident.execution} already", incident.id)
    values, missing = treatment.variables_for(runbook, wish.variables)
    if missing:
        return Reply(False, f"{runbook.name} needs a value for {', '.join(missing)} (--var NAME=VALUE)")
    ill = incident.ill if incident else ()
    hosts = wish.hosts or selection.hosts_for(runbook, ill, draft.settings)
    strangers = [host for host in hosts if host not in draft.settings.hosts]
    if strangers or not hosts:
        what = f"there is no host {strangers[0]!r} in the inventory" if strangers else "say on which hosts (--host)"
        return Reply(False, what)
    if wish.override is None:
        around = treatment.circumstances(draft)
        refused = guard.refuse_start(runbook, around) or next(
            (found for host in hosts if (found := guard.refuse_host(host, runbook, around))), None
        )
        if refused:
            return Reply(False, f"refused, {refused} (to overrule: --override REASON)")
    under_treatment = treatment.circumstances(draft).under_treatment
    busy = [host for host in hosts if host in under_treatment]
    if busy:
        return Reply(False, f"{Reason.HOST_BUSY}: {', '.join(busy)} under treatment; this cannot be overruled")
    if incident:
        verify = selection.verification(draft, runbook, hosts, ill)
        incident = response.move(draft, incident, Move.TREAT)
    else:
        checks = runbook.verify.checks
        verify = {host: tuple(key for check in checks for key in subjects(draft, check, host)) for host in hosts}
    execution: Execution = treatment.start(
        draft, runbook, hosts, verify, incident=incident, actor=actor, variables=values, override=wish.override
    )
    if incident:
        draft.put_incident(replace(draft.incident(incident.id) or incident, execution=execution.id))
    return Reply(True, f"{runbook.name} started on {', '.join(hosts)} as {execution.id}", execution.id)


def _approve(draft: Draft, actor: str, answer: events.Approve) -> Reply:
    incident = draft.incident(answer.about)
    execution = draft.execution((incident.execution or "") if incident else answer.about)
    done = execution and treatment.answered(draft, execution, yes=answer.yes, actor=actor, reason=answer.reason)
    if not done:
        return Reply(False, f"nothing about {answer.about} waits for approval")
    return Reply(True, f"{answer.about} {'approved' if answer.yes else 'refused'}", answer.about)


def _freeze(draft: Draft, actor: str, reason: str) -> Reply:
    if not reason.strip():
        return Reply(False, "say why: people will read it at every refusal")
    if draft.freeze:
        return Reply(False, f"frozen already by {draft.freeze.actor}: {draft.freeze.reason}")
    draft.put_freeze(GlobalFreeze(reason, actor, draft.at))
    draft.record("agent", EntryKind.FREEZE, f"all treatment frozen by {actor}: {reason}", actor=actor)
    running = len(draft.executions())
    more = f"; {running} under way will end by themselves on the hosts they have begun" if running else ""
    return Reply(True, f"no treatment starts until unfreeze{more}")


def _unfreeze(draft: Draft, actor: str, reason: str) -> Reply:
    if not draft.freeze:
        return Reply(False, "nothing is frozen")
    draft.put_freeze(None)
    draft.record("agent", EntryKind.FREEZE, f"unfrozen by {actor}" + (f": {reason}" if reason else ""), actor=actor)
    response.waiting_may_go_on(draft, (Reason.FROZEN,))
    for execution in draft.executions():
        treatment.advance(draft, execution)
    return Reply(True, "treatment may start again")
