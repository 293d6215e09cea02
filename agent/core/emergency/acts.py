"""What people may tell an emergency plan."""

from dataclasses import replace

from agent.core import response
from agent.core.draft import Draft
from agent.core.emergency import actions, calls, conditions, course, declaration, review, stand_down
from agent.core.ticketing import as_it_stands, tell
from agent.model import events
from agent.model.activation import Activation, Stage
from agent.model.decision import Reply
from agent.model.incident import Incident, Phase
from agent.model.text import one_line, some
from agent.model.timeline import EntryKind

_AtWork = events.AcknowledgeCall | events.TickAction | events.EndEmergency | events.Approve
PlanAct = events.ActivatePlan | events.AcknowledgeCall | events.TickAction | events.EndEmergency | events.CloseReview


def act(draft: Draft, actor: str, what: PlanAct) -> Reply:
    """Do what a person asks, or say why not."""
    if isinstance(what, events.ActivatePlan):
        return _activate(draft, actor, what)
    activation = draft.activation(what.activation)
    if activation is None:
        known = some([each.id for each in draft.activations()])
        return Reply(False, f"there is no {what.activation}" + (f"; there is {known}" if known else ""))
    if isinstance(what, events.CloseReview):
        return _close(draft, activation, actor, what.text)
    return _at_work(draft, activation, actor, what)


def approve(draft: Draft, actor: str, answer: events.Approve) -> Reply | None:
    """A person answers an action that waits for approval; None when no plan is meant."""
    activation = draft.activation(answer.about)
    return _at_work(draft, activation, actor, answer) if activation else None


def lasting(draft: Draft, incident: Incident) -> str | None:
    """Why a major incident cannot be resolved or closed by itself; None where it can."""
    activation = draft.activation(incident.plan) if incident.plan else None
    if activation is None:
        return None
    if activation.stage.is_active:
        return f"{incident.id} lasts as long as {activation.id}: paramedic plan stand-down {activation.id}"
    if incident.phase.is_open:
        return None
    return f"{incident.id} closes with the review of {activation.id}: paramedic review close {activation.id} FILE"


def _at_work(draft: Draft, activation: Activation, actor: str, what: _AtWork) -> Reply:
    if not activation.stage.is_active:
        return Reply(False, f"{activation.id} is {activation.stage}", activation.id)
    match what:
        case events.AcknowledgeCall():
            after, reply = calls.acknowledge(draft, activation, actor, what)
        case events.TickAction():
            after, reply = actions.ticked(draft, activation, actor, what)
        case events.EndEmergency():
            after, reply = stand_down.confirmed(draft, activation, actor, what)
        case events.Approve():
            after, reply = actions.approved(draft, activation, actor, what)
    course.put(draft, activation, after)
    return reply


def _activate(draft: Draft, actor: str, wish: events.ActivatePlan) -> Reply:
    plan = draft.settings.plans.get(wish.plan)
    if plan is None:
        known = some(sorted(draft.settings.plans)) or "none is configured"
        return Reply(False, f"there is no plan {wish.plan!r}; known: {known}")
    if wish.level not in plan.levels:
        return Reply(False, f"{plan.name} has no level {wish.level}; it has {some(sorted(plan.levels, reverse=True))}")
    if not wish.reason.strip():
        return Reply(False, "say why: it goes on the record and to everybody who is called")
    because = f"{wish.reason} (by {actor})"
    activation = declaration.active(draft, plan.name)
    if activation is None:
        activation = declaration.declare(draft, plan, wish.level, because, actor=actor)
        text = f"{activation.id}: {plan.name} is at work, level {wish.level}; major incident {activation.incident}"
        return Reply(True, text, activation.id)
    if activation.level is wish.level:
        return Reply(True, f"{activation.id} is at level {wish.level} already", activation.id)
    if wish.level < activation.level:
        conditions.spend(draft, plan, above=wish.level)
    declaration.change_level(draft, activation, wish.level, because, actor=actor)
    return Reply(True, f"{activation.id} is at level {wish.level} now", activation.id)


def _close(draft: Draft, activation: Activation, actor: str, text: str) -> Reply:
    """The review is complete, or what is missing is named."""
    if activation.stage.is_active:
        return Reply(False, f"{activation.id} is {activation.stage}: there is no review yet", activation.id)
    missing = review.problems_of(text)
    if missing:
        return Reply(False, f"the review of {activation.id} is not complete: {'; '.join(missing)}", activation.id)
    draft.put_activation(
        replace(activation, stage=Stage.CLOSED, review=text, reviewed_by=actor, closed_at=draft.at, due=None)
    )
    cause = one_line(review.root_cause_of(text))
    said = f"the review of {activation.id} is complete; root cause: {cause}"
    draft.record(
        activation.incident,
        EntryKind.PLAN,
        said,
        actor=actor,
        plan=activation.id,
        stage=str(Stage.CLOSED),
        review=text,
    )
    major = draft.incident(activation.incident)
    if major and major.phase is Phase.RESOLVED:
        response.close(draft, major, said, actor=actor)
    elif major:
        tell(draft, major, as_it_stands(major), said)
    return Reply(True, f"the review of {activation.id} is complete and closed", activation.id)
