"""What people may tell the agent to do, and what it answers. An act that is not possible changes nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from difflib import get_close_matches

from agent.core import (
    classification,
    emergency,
    exercises,
    grouping,
    guard,
    health,
    incidents,
    response,
    selection,
    treatment,
    turns,
)
from agent.core.case import subjects
from agent.core.classification import Reach
from agent.core.draft import Draft
from agent.core.lifecycle import IllegalMove, Move, after
from agent.core.selection import REPORTED
from agent.core.ticketing import as_it_stands, tell
from agent.core.variables import given_values, variables_for
from agent.model import events
from agent.model.commands import Milestone
from agent.model.decision import GlobalFreeze, Reply
from agent.model.health import Key
from agent.model.incident import Incident, Origin, Phase, Symptom
from agent.model.observation import Verdict
from agent.model.runbook import Runbook
from agent.model.settings import LOCALHOST
from agent.model.text import some
from agent.model.timeline import EntryKind


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
            case events.BeginExercise() | events.EndExercise():
                return exercises.act(draft, actor, what)
            case (
                events.ActivatePlan()
                | events.AcknowledgeCall()
                | events.TickAction()
                | events.EndEmergency()
                | events.CloseReview()
            ):
                return emergency.act(draft, actor, what)
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
    lasting = emergency.lasting(draft, incident) if isinstance(what, events.Resolve | events.Close) else None
    if lasting:
        return Reply(False, lasting, incident.id)
    match what:
        case events.Acknowledge():
            return _acknowledge(draft, actor, incident)
        case events.AddNote(_, text):
            draft.record(incident.id, EntryKind.NOTE, text, actor=actor)
            tell(draft, incident, as_it_stands(incident), f"{actor}: {text}")
            return Reply(True, f"noted on {incident.id}", incident.id)
        case events.Assign(_, to):
            return _assign(draft, actor, incident, to)
        case events.Escalate(_, reason):
            response.escalate(draft, incident, reason or f"taken over by {actor}", actor=actor)
            return Reply(
                True, f"{incident.id} is with a person now; the agent starts no further treatment", incident.id
            )
        case events.Resolve(_, reason):
            incident = _start_afresh(draft, incident)
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
    if incident.phase is Phase.CLOSED:
        return Reply(False, f"{incident.id} is {incident.phase}: reopen it first if it is not solved", incident.id)
    if to in draft.settings.teams:
        incident = replace(incident, team=to, assignee=None)
        known = to
    else:
        incident = replace(incident, assignee=to)
        no_team = f": no team is called so{_did_you_mean(to, draft.settings.teams)}"
        known = f"the person {to}{'' if _is_known(draft, to) else no_team}"
    draft.put_incident(incident)
    draft.record(incident.id, EntryKind.ASSIGNED, f"assigned to {to} by {actor}", actor=actor, to=to)
    tell(draft, incident, as_it_stands(incident), f"Assigned to {to} by {actor}")
    return Reply(True, f"{incident.id} is assigned to {known}", incident.id)


def _is_known(draft: Draft, person: str) -> bool:
    settings = draft.settings
    return person in settings.people or any(person in team.members for team in settings.teams.values())


def _start_afresh(draft: Draft, incident: Incident) -> Incident:
    """A person says it is well: should a check disagree, that must be confirmed, and noticed, anew."""
    after(incident.phase, Move.RESOLVE)
    for symptom in incident.symptoms:
        known, home = draft.health(symptom.key), draft.home_of(symptom.key)
        if known and home and home.id == incident.id:  # not if it is ill in a later incident
            if draft.window(symptom.key).missing_since is not None:
                draft.forget(symptom.key)  # it will not be reported again to say so
                continue
            known, window = health.forgotten(known, draft.window(symptom.key), draft.at)
            draft.put_health(known)
            draft.put_window(symptom.key, window)
    cleared = tuple(replace(s, cleared_at=draft.at) if s.is_ill else s for s in incident.symptoms)
    return draft.put_incident(replace(incident, symptoms=cleared))


def _report(draft: Draft, actor: str, report: events.Report) -> Reply:
    settings = draft.settings
    if report.service is not None and report.service not in settings.services:
        return Reply(False, _there_is_no("service", report.service, settings.services))
    strangers = [host for host in report.hosts if host not in settings.hosts]
    if strangers:
        return Reply(False, _there_is_no("host", strangers[0], settings.hosts))
    text = report.title + (f": {report.description}" if report.description else "")
    by = report.reporter or actor
    known = [i for i in draft.incidents() if i.phase.is_open and report.service and _concerns(i, report.service)]
    if known:
        draft.record(known[0].id, EntryKind.NOTE, f"also reported by {by}: {text}", actor=actor)
        tell(draft, known[0], Milestone.UPDATED, f"Also reported by {by}: {text}")
        return Reply(
            True, f"{known[0].id} is open for {report.service} already; your report was added to it", known[0].id
        )
    return _open_report(draft, actor, by, report)


def _concerns(incident: Incident, service: str) -> bool:
    return incident.service == service or service in grouping.services_of(incident)


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
    incident = incidents.announce(draft, incident, f"assigned to {team.name}: {team.because}")
    response.consider(draft, incident)
    return Reply(
        True, f"{incident.id} opened, {incident.classification.priority}, assigned to {team.name}", incident.id
    )


def _run_by_hand(draft: Draft, actor: str, wish: events.RunByHand) -> Reply:
    runbook = draft.settings.runbooks.get(wish.runbook)
    if runbook is None:
        return Reply(False, _there_is_no("runbook", wish.runbook, draft.settings.runbooks))
    incident = draft.incident(wish.incident) if wish.incident else None
    if wish.incident and incident is None:
        return Reply(False, f"there is no incident {wish.incident}")
    if incident and incident.execution:
        return Reply(False, f"{incident.id} is being treated by {incident.execution} already", incident.id)
    try:
        values, missing = variables_for(runbook, given_values(runbook, wish.variables))
    except ValueError as error:
        return Reply(False, str(error))
    if missing:
        return Reply(False, f"{runbook.name} needs a value for {', '.join(missing)} (--var NAME=VALUE)")
    named = (LOCALHOST if host == "local" else host for host in wish.hosts)
    hosts = tuple(dict.fromkeys(named)) or selection.hosts_for(
        runbook, incident.ill if incident else (), draft.settings
    )
    why_not = _not_on(draft, hosts) or _forbidden(draft, runbook, hosts, incident, wish.override)
    if why_not:
        return Reply(False, why_not)
    return _start_by_hand(draft, actor, runbook, hosts, incident, values, wish.override)


def _not_on(draft: Draft, hosts: tuple[str, ...]) -> str | None:
    if not hosts:
        return "say on which hosts (--host)"
    strangers = [host for host in hosts if host not in draft.settings.hosts and host != LOCALHOST]
    return _there_is_no("host", strangers[0], draft.settings.hosts) if strangers else None


def _there_is_no(what: str, name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    hint = _did_you_mean(name, names) or (f"; known: {', '.join(names[:12])}" if names else "")
    return f"there is no {what} {name!r}{hint}"


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    by_lower = {each.lower(): each for each in known}
    near = get_close_matches(name.lower(), by_lower, n=1)
    return f" (did you mean {by_lower[near[0]]}?)" if near else ""


def _forbidden(
    draft: Draft, runbook: Runbook, hosts: tuple[str, ...], incident: Incident | None, override: str | None
) -> str | None:
    around = turns.circumstances(draft)
    for host in hosts:
        busy = guard.refuse_busy(host, around)
        if busy:
            return f"refused, {busy}; this cannot be overruled"
    if override is not None:
        return None if override.strip() else "say why the guards are overruled: it goes on the record"
    refused = (
        guard.refuse_start(runbook, around)
        or next((found for host in hosts if (found := guard.refuse_host(host, runbook, around))), None)
        or guard.refuse_fault(incident.ill if incident else (), around)
    )
    return f"refused, {refused} (to overrule: --override REASON)" if refused else None


def _start_by_hand(
    draft: Draft,
    actor: str,
    runbook: Runbook,
    hosts: tuple[str, ...],
    incident: Incident | None,
    values: Mapping[str, object],
    override: str | None,
) -> Reply:
    if incident:
        verify = selection.verification(draft, runbook, hosts, incident.ill)
        incident = response.move(draft, incident, Move.TREAT)
        said = f"Treatment by {actor}: {runbook.name} on {some(hosts)}"
        incident = tell(draft, incident, Milestone.UPDATED, said)
    else:
        checks = runbook.verify.checks
        verify = {host: tuple(key for check in checks for key in subjects(draft, check, host)) for host in hosts}
    execution = treatment.start(
        draft, runbook, hosts, verify, incident=incident, actor=actor, variables=values, override=override
    )
    if incident:
        draft.put_incident(replace(draft.incident(incident.id) or incident, execution=execution.id))
    said = f"{runbook.name} (text {runbook.short_digest}) started on {some(hosts)} as {execution.id}"
    return Reply(True, said, execution.id)


def _approve(draft: Draft, actor: str, answer: events.Approve) -> Reply:
    of_plan = emergency.approve(draft, actor, answer)
    if of_plan is not None:
        return of_plan
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
    for execution in draft.executions():
        treatment.advance(draft, execution)
    response.waiting_may_go_on(draft, (guard.Reason.FROZEN,))
    return Reply(True, "treatment may start again")
