"""What is done about an incident: wait, treat, hand to a person, resolve, close.

`consider` is asked whenever something changed and decides the next thing; everything else is what it
may decide.
"""

from collections.abc import Collection
from dataclasses import replace

from agent.core import health, lifecycle, selection, treatment
from agent.core.guard import Reason, Refused
from agent.core.lifecycle import Move
from agent.core.state import Draft
from agent.core.ticketing import tell
from agent.model.commands import Ask, Milestone
from agent.model.execution import Execution, Outcome
from agent.model.health import Key
from agent.model.incident import Attempt, Incident, Origin, Phase
from agent.model.timeline import AGENT, EntryKind

_LOOK_SOON = 0.25
_LOOK_LATER = 5.0
"""Seconds until a held incident is considered again when no better time is known."""


def consider(draft: Draft, incident: Incident) -> None:
    """Decide what happens next to an incident that nothing is under way for."""
    incident = draft.put_incident(replace(incident, due=None))
    if not incident.phase.is_open or incident.execution is not None:
        return
    if not incident.ill and incident.origin is not Origin.PERSON:
        _recovered(draft, incident)
        return
    if incident.phase is Phase.ESCALATED:
        return
    flapping = [symptom.key for symptom in incident.ill if _flaps(draft, symptom.key)]
    if flapping:
        escalate(draft, incident, _comes_and_goes(flapping))
        return
    waiting = _wait_for_dependencies(draft, incident)
    if waiting:
        hold(draft, incident, waiting)
        return
    selected = selection.choose(draft, incident)
    choice = selected.result
    if isinstance(choice, Refused) and choice.reason.passes:
        hold(draft, incident, choice)
        return
    for runbook, refused in selected.passed_over:
        if refused.reason is not Reason.INEFFECTIVE:  # that it did not help is on the record already
            draft.record(incident.id, EntryKind.REFUSED, f"{runbook} refused: {refused}", reason=str(refused.reason))
    if isinstance(choice, Refused):
        escalate(draft, incident, str(choice))
    else:
        _treat(draft, incident, choice)


def _treat(draft: Draft, incident: Incident, choice: selection.Choice) -> None:
    if incident.cause != choice.check:
        alone = len({symptom.key.check for symptom in incident.ill}) == 1
        because = "nothing else is ill" if alone else "nothing it depends on is ill, and it is the gravest of the rest"
        draft.record(incident.id, EntryKind.CAUSE, f"{choice.check} is taken as the cause: {because}")
    incident = replace(incident, cause=choice.check, held_because=None)
    incident = draft.put_incident(move(draft, incident, Move.TREAT))
    execution = treatment.start(draft, choice.runbook, choice.hosts, choice.verify, incident=incident)
    incident = replace(draft.incident(incident.id) or incident, execution=execution.id)
    tell(
        draft,
        draft.put_incident(incident),
        Milestone.UPDATED,
        f"Treatment: {choice.runbook.name} on {', '.join(choice.hosts)}",
    )


def _wait_for_dependencies(draft: Draft, incident: Incident) -> Refused | None:
    """Before a dependent is treated, what it depends on is asked: its fault may explain everything."""
    limit = incident.opened_at + draft.settings.policy.treatment.dependency_wait
    if draft.at >= limit or incident.attempts:
        return None
    suspects = selection.dependency_subjects(draft, incident)
    not_asked = [key for key in suspects if draft.window(key).asked_at < incident.opened_at]
    if not_asked:
        if incident.held_because != Reason.DEPENDENCY:
            draft.order(Ask(tuple(not_asked)))
        return Refused(Reason.DEPENDENCY, f"first asking {', '.join(map(str, not_asked))}", draft.at + _LOOK_SOON)
    shaky = [key for key in suspects if any(level >= health.WARNING for level in draft.window(key).recent)]
    if shaky:
        return Refused(Reason.DEPENDENCY, f"{shaky[0]} may be ill, not confirmed yet", draft.at + _LOOK_SOON)
    return None


def hold(draft: Draft, incident: Incident, refused: Refused) -> None:
    """Treatment is refused for now; the reason is recorded once."""
    if incident.held_because != refused.reason:
        draft.record(incident.id, EntryKind.REFUSED, f"not treated for now: {refused}", reason=str(refused.reason))
        if refused.reason is not Reason.DEPENDENCY:
            incident = tell(draft, incident, Milestone.UPDATED, f"Not treated for now: {refused}")
    if incident.phase is not Phase.HELD:
        incident = move(draft, incident, Move.HOLD)
    due = refused.until if refused.until is not None else draft.at + _LOOK_LATER
    draft.put_incident(replace(incident, held_because=str(refused.reason), due=due))


def escalate(draft: Draft, incident: Incident, because: str, *, actor: str = AGENT) -> None:
    """Hand the incident to a person, with everything known so far."""
    incident = move(draft, incident, Move.ESCALATE)
    incident = draft.put_incident(replace(incident, held_because=None, due=None))
    to = incident.assignee or incident.team
    draft.record(incident.id, EntryKind.ESCALATED, f"handed to {to}: {because}", actor=actor, to=to)
    incident = tell(draft, incident, Milestone.UPDATED, f"Handed to {to}: {because}")
    if incident.execution:
        execution = draft.execution(incident.execution)
        if execution and execution.is_running:
            treatment.stop(draft, execution, f"{to} has taken over")


def after_treatment(draft: Draft, execution: Execution) -> None:
    """An execution on an incident ended."""
    incident = draft.incident(execution.incident) if execution.incident else None
    if incident is None or incident.execution != execution.id or execution.outcome is None:
        return
    attempt = Attempt(execution.id, execution.runbook, str(execution.outcome), draft.at)
    incident = replace(incident, execution=None, attempts=(*incident.attempts, attempt))
    if incident.phase is Phase.TREATING and incident.ill:
        incident = move(draft, incident, Move.END)
    incident = draft.put_incident(incident)
    if execution.outcome is not Outcome.RECOVERED:
        said = f"{execution.runbook}: {execution.outcome}"
        incident = tell(draft, incident, Milestone.UPDATED, said)
    if incident.ill and incident.phase is Phase.NEW:
        if execution.outcome in (Outcome.OUTCOME_UNKNOWN, Outcome.UNDECIDABLE, Outcome.DECLINED):
            reasons = "; ".join(run.reason for run in execution.runs if run.outcome is execution.outcome)
            escalate(draft, incident, f"{execution.runbook}: {execution.outcome}: {reasons}")
            return
        if execution.outcome is Outcome.RECOVERED:
            _let_settle(draft, incident)
            return
    consider(draft, incident)


def _let_settle(draft: Draft, incident: Incident) -> None:
    """The cause is treated; what hung on it gets time to come back before it is treated itself."""
    keys = tuple(symptom.key for symptom in incident.ill)
    for key in keys:
        draft.put_window(key, health.afresh(draft.window(key), draft.at))
    draft.order(Ask(keys))
    until = draft.at + draft.settings.policy.treatment.dependency_wait
    names = ", ".join(map(str, keys))
    hold(draft, incident, Refused(Reason.SETTLING, f"{incident.cause} recovered; waiting for {names}", until))


def _recovered(draft: Draft, incident: Incident) -> None:
    flapping = [symptom.key for symptom in incident.symptoms if _flaps(draft, symptom.key)]
    if flapping:
        if incident.phase is not Phase.ESCALATED:
            escalate(draft, incident, _comes_and_goes(flapping))
            incident = draft.incident(incident.id) or incident
        draft.put_incident(replace(incident, due=draft.at + _LOOK_LATER))
        return
    treated = [attempt.runbook for attempt in incident.attempts if attempt.outcome == Outcome.RECOVERED]
    how = f"recovered by {treated[-1]}, verified" if treated else "recovered, confirmed by its checks"
    resolve(draft, incident, Move.RECOVER, how)


def _comes_and_goes(keys: list[Key]) -> str:
    return f"{Reason.FLAPPING}: {', '.join(map(str, keys))} comes and goes; treating it again would not help"


def _flaps(draft: Draft, key: Key) -> bool:
    known = draft.health(key)
    return known is not None and known.flapping


def resolve(draft: Draft, incident: Incident, how: Move, because: str, *, actor: str = AGENT) -> None:
    """The fault is gone. It closes by itself later unless it comes back. Raises IllegalMove."""
    incident = move(draft, incident, how)
    due = draft.at + draft.settings.policy.lifecycle.close_after
    incident = draft.put_incident(replace(incident, resolved_at=draft.at, held_because=None, due=due))
    took = round(draft.at - incident.opened_at, 3)
    draft.record(incident.id, EntryKind.RESOLVED, because, actor=actor, seconds=took)
    tell(draft, incident, Milestone.RESOLVED, because)


def close(draft: Draft, incident: Incident, because: str, *, actor: str = AGENT) -> None:
    """The end of an incident's life. Raises IllegalMove."""
    incident = move(draft, incident, Move.CLOSE)
    incident = draft.put_incident(replace(incident, closed_at=draft.at, due=None))
    draft.record(incident.id, EntryKind.CLOSED, because, actor=actor)
    tell(draft, incident, Milestone.CLOSED, because)


def reopen(draft: Draft, incident: Incident, because: str, *, actor: str) -> None:
    """A person says it is not solved. Raises IllegalMove."""
    incident = move(draft, incident, Move.REOPEN)
    incident = draft.put_incident(
        replace(incident, resolved_at=None, closed_at=None, due=None, reopened=incident.reopened + 1)
    )
    draft.record(incident.id, EntryKind.REOPENED, because, actor=actor)
    incident = tell(draft, incident, Milestone.REOPENED, because)
    escalate(draft, incident, f"reopened by {actor}: {because}", actor=actor)


def time_passed(draft: Draft, incident: Incident) -> None:
    """The incident is due: close it, or look again."""
    if incident.phase is Phase.RESOLVED:
        close(draft, incident, "no relapse since it was resolved")
        return
    consider(draft, incident)


def waiting_may_go_on(draft: Draft, reasons: Collection[Reason]) -> None:
    """Something that held incidents back changed: consider them again now."""
    for incident in draft.incidents():
        if incident.phase is Phase.HELD and incident.held_because in reasons:
            consider(draft, incident)


def move(draft: Draft, incident: Incident, move: Move) -> Incident:
    return draft.put_incident(replace(incident, phase=lifecycle.after(incident.phase, move)))
