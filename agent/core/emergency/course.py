"""What follows for emergency plans from what has just changed."""

from dataclasses import replace

from agent.core.clock_set import shifted
from agent.core.draft import Draft
from agent.core.emergency import actions, calls, conditions, declaration, situation, stand_down
from agent.core.emergency.conditions import Judgement
from agent.core.emergency.messages import heading, in_role, send
from agent.model.activation import Activation, Stage
from agent.model.plan import PlanRole
from agent.model.timeline import EntryKind


def follow(draft: Draft, *, always: bool = False) -> None:
    """Judge every plan, and take those at work one step further. Asked after every event: where nothing that
    concerns a plan has changed, nothing is looked at. `always`: time has passed, or the agent was away.
    """
    settings = draft.settings
    if not settings.plans and not any(a.stage.is_active for a in draft.activations()):
        return
    has_news, draft.followed = draft.news != draft.followed, draft.news
    if not (always or has_news or any(_is_answering(activation) for activation in draft.activations())):
        return
    judgements = {plan.name: declaration.judged(draft, plan) for plan in settings.plans.values()}
    for activation in draft.activations():
        if activation.stage.is_active:
            advance(draft, activation, judgements.get(activation.plan))


def advance(draft: Draft, before: Activation, judgement: Judgement | None) -> None:
    """Calls, actions, reports, and whether it is over."""
    activation = declaration.link(draft, before)
    activation = calls.advance(draft, activation)
    if activation.stage is Stage.ACTIVE:
        activation = actions.advance(draft, activation)
    activation = situation.advance(draft, activation)
    plan = draft.settings.plans.get(activation.plan)
    activation = stand_down.advance(draft, activation, plan, judgement)
    put(draft, before, activation)


def put(draft: Draft, before: Activation, activation: Activation) -> None:
    """Keep it, and when it must be looked at again."""
    activation = replace(activation, due=_due(draft, activation))
    if activation != before:
        draft.put_activation(activation)


def resumed(draft: Draft) -> None:
    """The agent was away: a full check begins again."""
    for activation in draft.activations():
        asked = stand_down.ask_anew(draft, activation)
        if asked is not activation:
            draft.put_activation(asked)


def stood_still(draft: Draft, seconds: float) -> None:
    """Nobody looked for so long: whether the conditions held meanwhile is not known, so that is no part of their hold
    times.
    """
    for plan in draft.settings.plans:
        watch = draft.watch(plan)
        if watch.since:
            draft.put_watch(shifted(watch, seconds))
    resumed(draft)


def restored(draft: Draft, because: str) -> None:
    """The record is a backup. What it knows may have been carried out since, and be long over: from now on people do
    what the agent was to do, and what had lasted by then counts for nothing.
    """
    for plan in draft.settings.plans:
        conditions.begin_anew(draft, plan)
    for before in draft.activations():
        if before.stage.is_active:
            left = tuple(actions.left_to_people(action, because) for action in before.actions)
            activation = replace(stand_down.broken_off(before), actions=left, lower_since=None)
            text = f"the agent carries out nothing more of {before.id}, people do: {because}"
            draft.record(before.incident, EntryKind.PLAN, text, plan=before.id)
            people = (*calls.reached(before), *in_role(before, PlanRole.COMMANDER))
            send(draft, before, people, f"{heading(before)}: left to people", text)
            put(draft, before, activation)


def _is_answering(activation: Activation) -> bool:
    """Whether a full check is under way: answers count that change nothing else."""
    return activation.stage is Stage.STANDING_DOWN and activation.checked_at is None


def _due(draft: Draft, activation: Activation) -> float | None:
    if not activation.stage.is_active:
        return None
    moments = [activation.report_due, *(call.due for call in activation.calls)]
    moments += [action.due for action in activation.actions]
    plan = draft.settings.plans.get(activation.plan)
    if plan and activation.well_since is not None:
        moments.append(activation.well_since + plan.stand_down.hold)
    if plan and plan.lower_after is not None and activation.lower_since is not None:
        moments.append(activation.lower_since + plan.lower_after)
    if _is_answering(activation):
        moments.append(stand_down.asked_again_at(draft.at, activation))
    return min((moment for moment in moments if moment is not None and moment > draft.at), default=None)
