"""What people may tell an emergency plan."""

from agent.core.draft import Draft
from agent.core.emergency import actions, calls, conditions, course, declaration, stand_down
from agent.model import events
from agent.model.activation import Activation
from agent.model.decision import Reply
from agent.model.text import some

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
        return Reply(False, f"{activation.id} cannot be closed yet", activation.id)
    return _at_work(draft, activation, actor, what)


def approve(draft: Draft, actor: str, answer: events.Approve) -> Reply | None:
    """A person answers an action that waits for approval; None when no plan is meant."""
    activation = draft.activation(answer.about)
    return _at_work(draft, activation, actor, answer) if activation else None


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
