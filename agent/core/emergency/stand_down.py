"""When an emergency is over: all is settled and well for long enough, everything in scope answers well once more,
and whoever has to confirms it. Then ordinary treatment goes on and the review is open.
"""

from collections.abc import Iterator
from dataclasses import replace

from agent.core import response, treatment
from agent.core.area import area_in_charge, incidents_in, subjects_in, unwell
from agent.core.draft import Draft
from agent.core.emergency import actions, calls, conditions
from agent.core.emergency.conditions import Judgement
from agent.core.emergency.messages import heading, holders, send, send_role
from agent.core.guard import Reason
from agent.core.lifecycle import Move
from agent.core.wording import few
from agent.model.access import person_behind
from agent.model.activation import Activation, Stage
from agent.model.commands import Ask
from agent.model.decision import Reply
from agent.model.events import EndEmergency
from agent.model.health import Key
from agent.model.incident import Incident
from agent.model.observation import Verdict
from agent.model.plan import Plan
from agent.model.text import some
from agent.model.timeline import AGENT, EntryKind

_ASK_AGAIN = 5.0
"""Seconds between two askings of what has not answered in the full check."""

_PATIENCE = 60.0
"""Seconds for all of it to answer, beside two and a half time-outs of the slowest check."""


def advance(draft: Draft, activation: Activation, plan: Plan | None, judgement: Judgement | None) -> Activation:
    """Whether it is over. A plan that is no longer in the configuration only a person ends."""
    if plan is None or judgement is None:
        return activation
    against = list(_against(draft, activation, plan, judgement))
    activation = _marked(draft, activation)
    if activation.stage is Stage.STANDING_DOWN:
        return _standing_down(draft, activation, plan, against)
    if against:
        return replace(activation, well_since=None) if activation.well_since is not None else activation
    since = draft.at if activation.well_since is None else activation.well_since
    activation = replace(activation, well_since=since)
    return _ask_everything(draft, activation) if draft.at >= since + plan.stand_down.hold else activation


def _against(draft: Draft, activation: Activation, plan: Plan, judgement: Judgement) -> Iterator[str]:
    """What speaks against standing down, as sentences."""
    action = actions.current(activation)
    if action:
        yield f"action {action.number}, {action.name}, is {action.state}"
    for level in plan.levels:
        for text in judgement.stirs(level):
            yield f"level {level}: {text}"
    if not judgement.may_stand_down:
        yield "the conditions of the stand-down do not hold"
    area = area_in_charge(activation, draft.settings)
    known = list(subjects_in(draft, area))
    ill = [health.key for health in unwell(known)]
    if ill:
        yield f"not well: {some(ill)}"
    if not known:
        yield "no check looks at anything in scope, so nobody can tell that it is well"
    for incident in incidents_in(draft, area):
        if any(s.key.check not in draft.settings.checks and area.ails(s) for s in incident.ill):
            yield f"{incident.id} is open, and no check can tell that it is over: resolve it when it is"


def _marked(draft: Draft, activation: Activation) -> Activation:
    """Recovered: since when nothing in scope has been ill."""
    ill = any(health.is_bad for health in subjects_in(draft, area_in_charge(activation, draft.settings)))
    recovered = None if ill else activation.marks.recovered or draft.at
    if recovered == activation.marks.recovered:
        return activation
    return replace(activation, marks=replace(activation.marks, recovered=recovered))


# the full check


def _ask_everything(draft: Draft, activation: Activation) -> Activation:
    keys = _keys(draft, activation)
    text = f"all has been well for long enough: {len(keys)} subjects in scope are asked once more"
    draft.record(activation.incident, EntryKind.PLAN, text, plan=activation.id, stage=str(Stage.STANDING_DOWN))
    draft.order(Ask(keys))
    return replace(activation, stage=Stage.STANDING_DOWN, asked_at=draft.at, checked_at=None, confirmed_by=None)


def ask_anew(draft: Draft, activation: Activation) -> Activation:
    """Nobody could answer for a while: the full check begins again."""
    if activation.stage is not Stage.STANDING_DOWN or activation.checked_at is not None:
        return activation
    draft.order(Ask(_keys(draft, activation)))
    return replace(activation, asked_at=draft.at, due=None)


def asked_again_at(at: float, activation: Activation) -> float:
    """When what has not answered is asked once more: at the same moments however often it is looked at."""
    asked_at = at if activation.asked_at is None else activation.asked_at
    return asked_at + _ASK_AGAIN * (1 + (at - asked_at) // _ASK_AGAIN)


def _keys(draft: Draft, activation: Activation) -> tuple[Key, ...]:
    return tuple(sorted(health.key for health in subjects_in(draft, area_in_charge(activation, draft.settings))))


def _standing_down(draft: Draft, activation: Activation, plan: Plan, against: list[str]) -> Activation:
    if against:
        return _back(draft, activation, few(against))
    if activation.checked_at is None:
        return _full_check(draft, activation, plan)
    return activation


def _full_check(draft: Draft, activation: Activation, plan: Plan) -> Activation:
    asked_at, keys = activation.asked_at or draft.at, _keys(draft, activation)
    windows = {key: draft.window(key) for key in keys}
    answered = {key: window for key, window in windows.items() if window.asked_at >= asked_at}
    ill = [key for key, window in answered.items() if window.last_verdict is not None and window.last_verdict.is_bad]
    if ill:
        return _back(draft, activation, f"{some(ill)} not well in the full check")
    missing = [key for key in keys if key not in answered or answered[key].last_verdict is not Verdict.OK]
    if not missing:
        return _checked(draft, activation, plan, len(keys))
    checks = draft.settings.checks
    slowest = max((checks[key.check].timeout for key in missing), default=0.0)
    if draft.at >= asked_at + _PATIENCE + 2.5 * slowest:
        return _back(draft, activation, f"{some(missing)} did not answer in the full check")
    if activation.due is not None and activation.due <= draft.at:
        draft.order(Ask(tuple(missing)))
    return activation


def _checked(draft: Draft, activation: Activation, plan: Plan, number: int) -> Activation:
    text = f"full check passed: all {number} subjects in scope answered well"
    draft.record(activation.incident, EntryKind.VERIFICATION, text, plan=activation.id, subjects=number)
    activation = replace(activation, checked_at=draft.at)
    role = plan.stand_down.confirmed_by
    if role is None or activation.confirmed_by:
        return end(draft, activation, "all is well, and stayed so in a full check")
    how = f"paramedic plan stand-down {activation.id}"
    draft.record(
        activation.incident, EntryKind.PLAN, f"waits for the {role.said} to confirm the stand-down", plan=activation.id
    )
    send_role(draft, activation, role, f"{heading(activation)}: confirm the stand-down?", f"{text}.\nConfirm: {how}")
    return activation


def _back(draft: Draft, activation: Activation, because: str) -> Activation:
    text = f"does not stand down: {because}"
    draft.record(activation.incident, EntryKind.PLAN, text, plan=activation.id, stage=str(Stage.ACTIVE))
    send(draft, activation, calls.reached(activation), f"{heading(activation)}: no stand-down yet", text)
    return broken_off(activation)


def broken_off(activation: Activation) -> Activation:
    """It must be well for the whole time again, and be asked once more."""
    return replace(activation, stage=Stage.ACTIVE, well_since=None, asked_at=None, checked_at=None, confirmed_by=None)


# the end


def confirmed(draft: Draft, activation: Activation, actor: str, act: EndEmergency) -> tuple[Activation, Reply]:
    """A person confirms that it is over, or says so whatever the checks say (`force`)."""
    if act.force:
        if not act.reason.strip():
            return activation, Reply(False, "say why it is over: it goes on the record", activation.id)
        activation = end(draft, activation, f"ended by {actor}: {act.reason}", actor=actor)
        return activation, Reply(True, f"{activation.id} is over; its review is open", activation.id)
    plan = draft.settings.plans.get(activation.plan)
    role = plan.stand_down.confirmed_by if plan else None
    may = holders(activation, role, draft.settings) if role else (person_behind(actor),)
    if person_behind(actor) not in may:
        named = some(may) or "nobody is named"
        text = f"only the {role.said if role else ''} may confirm: {named}"
        return activation, Reply(False, text, activation.id)
    if activation.stage is not Stage.STANDING_DOWN or plan is None:
        why = (
            few(list(_against(draft, activation, plan, conditions.judge(draft, plan)))) if plan else "no such plan now"
        )
        text = (
            f"it is not over yet: {why or 'it must stay well for a while'} (to end it all the same: --force --reason)"
        )
        return activation, Reply(False, text, activation.id)
    reason = f": {act.reason}" if act.reason else ""
    draft.record(
        activation.incident,
        EntryKind.PLAN,
        f"stand-down confirmed by {actor}{reason}",
        actor=actor,
        plan=activation.id,
    )
    activation = replace(activation, confirmed_by=actor)
    if activation.checked_at is None:
        return activation, Reply(True, "confirmed; it is over once the full check has passed", activation.id)
    activation = end(draft, activation, f"all is well, confirmed by {actor}", actor=actor)
    return activation, Reply(True, f"{activation.id} is over; its review is open", activation.id)


def end(draft: Draft, activation: Activation, because: str, *, actor: str = AGENT) -> Activation:
    """Ordinary treatment goes on, and people write the review."""
    told = (*calls.reached(activation), *(name for names in activation.roles.values() for name in names))
    marks = replace(activation.marks, stood_down=draft.at)
    activation = replace(
        activation, stage=Stage.REVIEW, marks=marks, confirmed_by=activation.confirmed_by or _person(actor)
    )
    draft.put_activation(activation)
    text = f"{activation.id}: the emergency is over: {because}; the review is open"
    draft.record(
        activation.incident, EntryKind.PLAN, text, actor=actor, plan=activation.id, stage=str(activation.stage)
    )
    plan = draft.settings.plans.get(activation.plan)
    if plan:
        conditions.spend(draft, plan)
    for execution in draft.executions():
        if execution.plan == activation.id:
            treatment.stop(draft, execution, f"{activation.id} is over")
    _resolve(draft, draft.incident(activation.incident), because, actor)
    body = f"{text}\nThe review: paramedic review show {activation.id}"
    send(draft, activation, told, f"{heading(activation)}: over", body)
    for linked in incidents_in(draft, area_in_charge(activation, draft.settings)):
        draft.record(
            linked.id, EntryKind.PLAN, f"{activation.id} is over: ordinary treatment goes on", plan=activation.id
        )
    for execution in draft.executions():
        treatment.advance(draft, execution)
    response.waiting_may_go_on(draft, (Reason.EMERGENCY,))
    return activation


def _person(actor: str) -> str | None:
    return None if actor == AGENT else actor


def _resolve(draft: Draft, major: Incident | None, because: str, actor: str) -> None:
    if major is None or not major.phase.is_open:
        return
    well = tuple(replace(s, cleared_at=draft.at) if s.is_ill else s for s in major.symptoms)
    # RECOVER, which is possible from every open phase: a person may be treating it by hand
    response.resolve(draft, draft.put_incident(replace(major, symptoms=well)), Move.RECOVER, because, actor=actor)
