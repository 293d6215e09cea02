"""What is done about an incident: wait, treat, hand to a person, resolve, close.

`consider` is asked whenever something changed and decides the next thing; everything else is what it
may decide.
"""

from collections.abc import Collection
from dataclasses import replace

from agent.core import health, lifecycle, selection, treatment
from agent.core.draft import Draft
from agent.core.guard import Reason, Refused
from agent.core.lifecycle import Move
from agent.core.selection import REPORTED
from agent.core.ticketing import tell
from agent.model.commands import Ask, Milestone
from agent.model.execution import Execution, Outcome
from agent.model.health import Key
from agent.model.incident import Attempt, Incident, Origin, Phase, Symptom
from agent.model.observation import Verdict
from agent.model.text import some
from agent.model.timeline import AGENT, EntryKind

_LOOK_SOON = 1.0
_LOOK_LATER = 5.0
"""Seconds until a held incident is considered again when no better time is known."""

_HELD_BY_WORD = (Reason.FROZEN, Reason.EMERGENCY, Reason.EXERCISE)
"""Reasons that do not pass with time: somebody says when it goes on."""

_FOR_A_PERSON = (Outcome.OUTCOME_UNKNOWN, Outcome.UNDECIDABLE, Outcome.DECLINED)


def consider(draft: Draft, incident: Incident) -> None:
    """Decide what happens next to an incident that nothing is under way for."""
    if not incident.phase.is_open or incident.execution is not None:
        return
    if not incident.ill:
        _recovered(draft, incident)
        return
    if incident.phase is Phase.ESCALATED:
        return
    gone = no_longer_asked(draft, incident)
    if gone:
        escalate(draft, incident, f"no longer in the configuration, so recovery cannot be seen: {some(gone)}")
        return
    flapping = [symptom.key for symptom in incident.ill if _flaps(draft, symptom.key)]
    if flapping:
        escalate(draft, incident, _comes_and_goes(flapping), reason=Reason.FLAPPING)
        return
    refused = _refused_for_now(draft, incident)
    if refused:
        hold(draft, incident, refused)
        return
    selected = selection.choose(draft, incident)
    choice = selected.result
    if isinstance(choice, Refused) and choice.reason.passes:
        hold(draft, incident, choice)
        return
    for runbook, refusal in selected.passed_over:
        if refusal.reason is not Reason.INEFFECTIVE:  # that it did not help is on the record already
            draft.record(incident.id, EntryKind.REFUSED, f"{runbook} refused: {refusal}", reason=str(refusal.reason))
    if isinstance(choice, Refused):
        escalate(draft, incident, str(choice), reason=choice.reason)
    else:
        _treat(draft, incident, choice)


def no_longer_asked(draft: Draft, incident: Incident) -> list[Key]:
    """What is ill by a check that is not in the configuration any more. What people reported never was a check's."""
    known = draft.settings.checks
    return [s.key for s in incident.ill if s.key.check not in known and s.key.check != REPORTED]


def _refused_for_now(draft: Draft, incident: Incident) -> Refused | None:
    if incident.held_because == Reason.SETTLING and incident.due is not None and draft.at < incident.due:
        return Refused(Reason.SETTLING, "what hung on the cause still has time to come back", incident.due)
    return _wait_for_dependencies(draft, incident)


def _treat(draft: Draft, incident: Incident, choice: selection.Choice) -> None:
    if incident.cause != choice.check:
        alone = len({symptom.key.check for symptom in incident.ill}) == 1
        because = "nothing else is ill" if alone else "nothing it depends on is ill, and it is the gravest of the rest"
        draft.record(incident.id, EntryKind.CAUSE, f"{choice.check} is taken as the cause: {because}")
    incident = move(draft, replace(incident, cause=choice.check), Move.TREAT)
    said = f"Treatment: {choice.runbook.name} on {some(choice.hosts)}"
    incident = tell(draft, incident, Milestone.UPDATED, said)  # first: its first step may be a question
    execution = treatment.start(
        draft, choice.runbook, choice.hosts, choice.verify, incident=incident, variables=choice.variables
    )
    draft.put_incident(replace(draft.incident(incident.id) or incident, execution=execution.id))


def _wait_for_dependencies(draft: Draft, incident: Incident) -> Refused | None:
    """Before a dependent is treated, what it depends on is asked: its fault may explain everything."""
    began = min(symptom.since for symptom in incident.ill)
    limit = began + draft.settings.policy.treatment.dependency_wait
    treated = any(attempt.at >= began for attempt in incident.attempts)
    if draft.at >= limit or treated or incident.origin is Origin.PERSON:
        return None
    suspects = selection.dependency_subjects(draft, incident)
    not_asked = [key for key in suspects if draft.window(key).asked_at < began]
    shaky = [key for key in suspects if any(level >= health.WARNING for level in draft.window(key).recent)]
    if not (not_asked or shaky):
        return None
    again = incident.due if incident.held_because == Reason.DEPENDENCY else None
    if again is None or again <= draft.at:
        draft.order(Ask(tuple(dict.fromkeys((*not_asked, *shaky)))))
        again = min(draft.at + _LOOK_SOON, limit)
    if shaky:
        return Refused(Reason.DEPENDENCY, f"{shaky[0]} may be ill, not confirmed yet", again)
    return Refused(Reason.DEPENDENCY, f"first asking {some(not_asked)}", again)


def hold(draft: Draft, incident: Incident, refused: Refused) -> None:
    """Treatment is refused for now; the reason is recorded once."""
    if incident.held_because != refused.reason:
        draft.record(incident.id, EntryKind.REFUSED, f"not treated for now: {refused}", reason=str(refused.reason))
        if refused.reason is not Reason.DEPENDENCY:
            incident = tell(draft, incident, Milestone.UPDATED, f"Not treated for now: {refused}")
    incident = move(draft, incident, Move.HOLD)
    due = refused.until if refused.until is not None else draft.at + _LOOK_LATER
    draft.put_incident(replace(incident, held_because=str(refused.reason), due=due))


def escalate(
    draft: Draft, incident: Incident, because: str, *, actor: str = AGENT, reason: Reason | None = None
) -> None:
    """Hand the incident to a person, with everything known so far. Raises IllegalMove."""
    incident = move(draft, incident, Move.ESCALATE)
    to = incident.assignee or incident.team
    named = {"reason": str(reason)} if reason else {}
    draft.record(incident.id, EntryKind.ESCALATED, f"handed to {to}: {because}", actor=actor, to=to, **named)
    incident = tell(draft, incident, Milestone.UPDATED, f"Handed to {to}: {because}", whole=True)
    if incident.execution:
        execution = draft.execution(incident.execution)
        if execution and execution.is_running:
            treatment.stop(draft, execution, f"{to} has taken over")


def after_treatment(draft: Draft, execution: Execution, *, late: str = "") -> None:
    """An execution on an incident ended. `late`: why nobody knows by now what is still ill."""
    incident = draft.incident(execution.incident) if execution.incident else None
    if incident is None or incident.execution != execution.id or execution.outcome is None:
        return
    attempt = Attempt(execution.id, execution.runbook, str(execution.outcome), draft.at, execution.variables)
    incident = draft.put_incident(replace(incident, execution=None, attempts=(*incident.attempts, attempt)))
    if not incident.phase.is_open:
        return
    if incident.phase is Phase.TREATING and incident.ill:
        incident = move(draft, incident, Move.END)
    if execution.outcome is not Outcome.RECOVERED:
        incident = tell(draft, incident, Milestone.UPDATED, f"{execution.runbook}: {execution.outcome}")
    if not incident.ill or incident.phase is Phase.ESCALATED:
        consider(draft, incident)
    elif execution.outcome in _FOR_A_PERSON or execution.actor != AGENT:
        escalate(draft, incident, _did_not_end_it(execution, incident))
    elif execution.outcome is Outcome.RECOVERED and all(s.key.check != incident.cause for s in incident.ill):
        _let_settle(draft, incident, f"{incident.cause} recovered")
    elif late:
        _let_settle(draft, incident, late)
    else:
        consider(draft, incident)


def _did_not_end_it(execution: Execution, incident: Incident) -> str:
    by_hand = "" if execution.actor == AGENT else f" by {execution.actor}"
    reasons = dict.fromkeys(run.reason for run in execution.runs if run.outcome is execution.outcome and run.reason)
    if execution.outcome is Outcome.RECOVERED:
        reasons = {f"but {some([symptom.key for symptom in incident.ill])} still ill": None}
    return ": ".join((f"{execution.runbook}{by_hand}", str(execution.outcome), "; ".join(reasons))).rstrip(": ")


def _let_settle(draft: Draft, incident: Incident, because: str) -> None:
    """What is ill is asked anew, and has time to be well, before it is treated."""
    keys = tuple(symptom.key for symptom in incident.ill)
    for key in keys:
        draft.put_window(key, health.afresh(draft.window(key), draft.at))
    draft.order(Ask(keys))
    until = draft.at + draft.settings.policy.treatment.dependency_wait
    hold(draft, incident, Refused(Reason.SETTLING, f"{because}; waiting for {some(keys)}", until))


def resumed(draft: Draft) -> None:
    """The agent was away when the time came until which something was held: nobody knows whether it is still ill."""
    for incident in draft.incidents():
        has_come = incident.due is not None and incident.due <= draft.at
        if incident.phase is Phase.HELD and has_come and incident.held_because not in _HELD_BY_WORD:
            _let_settle(draft, incident, "the agent was away")


def _recovered(draft: Draft, incident: Incident) -> None:
    """Nothing is ill any more; what comes and goes is believed only when it has been quiet for a while."""
    flapping = [symptom.key for symptom in incident.symptoms if _flaps(draft, symptom.key)]
    if flapping:
        if incident.phase is not Phase.ESCALATED:
            escalate(draft, incident, _comes_and_goes(flapping), reason=Reason.FLAPPING)
        return
    last = incident.attempts[-1] if incident.attempts else None
    helped = last is not None and last.outcome == Outcome.RECOVERED and last.at >= _ill_since(incident)
    how = f"recovered by {last.runbook}, verified" if last and helped else "recovered, confirmed by its checks"
    resolve(draft, incident, Move.RECOVER, how)


def _ill_since(incident: Incident) -> float:
    return max((symptom.since for symptom in incident.symptoms), default=incident.opened_at)


def _comes_and_goes(keys: list[Key]) -> str:
    advice = "treating it again would not help; it resolves by itself once it has settled"
    return f"{Reason.FLAPPING}: {some(keys)} comes and goes, {advice}"


def _flaps(draft: Draft, key: Key) -> bool:
    known = draft.health(key)
    return known is not None and known.flapping


def resolve(draft: Draft, incident: Incident, how: Move, because: str, *, actor: str = AGENT) -> None:
    """The fault is gone. It closes by itself later unless it comes back. Raises IllegalMove."""
    incident = move(draft, incident, how)
    due = draft.at + draft.settings.policy.lifecycle.close_after
    incident = draft.put_incident(replace(incident, resolved_at=draft.at, due=due))
    took = round(draft.at - incident.opened_at, 3)
    draft.record(incident.id, EntryKind.RESOLVED, because, actor=actor, seconds=took)
    tell(draft, incident, Milestone.RESOLVED, because)


def close(draft: Draft, incident: Incident, because: str, *, actor: str = AGENT) -> None:
    """The end of an incident's life. Raises IllegalMove."""
    incident = move(draft, incident, Move.CLOSE)
    incident = draft.put_incident(replace(incident, closed_at=draft.at, execution=None))
    draft.record(incident.id, EntryKind.CLOSED, because, actor=actor)
    tell(draft, incident, Milestone.CLOSED, because)


def reopen(draft: Draft, incident: Incident, because: str, *, actor: str) -> None:
    """A person says it is not solved. Raises IllegalMove."""
    incident = move(draft, incident, Move.REOPEN)
    number = incident.reopened + 1
    said = Symptom(
        key=Key(REPORTED, f"{incident.id} reopened #{number}"),
        host=None,
        service=incident.service,
        status=Verdict.CRITICAL,
        since=draft.at,
        message=because,
    )
    symptoms = (*incident.symptoms, said)  # no check can clear what a person says: only a person resolves it
    incident = draft.put_incident(
        replace(incident, resolved_at=None, closed_at=None, reopened=number, symptoms=symptoms)
    )
    draft.record(incident.id, EntryKind.REOPENED, because, actor=actor)
    incident = tell(draft, incident, Milestone.REOPENED, because)
    escalate(draft, incident, f"reopened by {actor}: {because}", actor=actor)


def time_passed(draft: Draft, incident: Incident) -> None:
    """The incident is due: close it, or look again."""
    if incident.phase is Phase.RESOLVED:
        if incident.plan and draft.activation(incident.plan):  # it closes with the review of its plan
            draft.put_incident(replace(incident, due=draft.at + draft.settings.policy.lifecycle.close_after))
            return
        close(draft, incident, "no relapse since it was resolved")
        return
    consider(draft, incident)


def waiting_may_go_on(draft: Draft, reasons: Collection[Reason]) -> None:
    """Something that held incidents back changed: consider them again now."""
    for incident in draft.incidents():
        if incident.phase is Phase.HELD and incident.held_because in reasons:
            consider(draft, incident)


def move(draft: Draft, incident: Incident, move: Move) -> Incident:
    """Raises IllegalMove. What an incident waited for in its old phase is forgotten."""
    phase = lifecycle.after(incident.phase, move)
    return draft.put_incident(replace(incident, phase=phase, held_because=None, due=None))
