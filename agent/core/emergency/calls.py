"""The notification tree: who is called, who acknowledged, whose turn it is when nobody did.

A call is made when the level is grave enough and the call above it is settled: acknowledged, told, or answered by
nobody. Each of its people in turn has the whole time.
"""

from collections.abc import Iterator
from dataclasses import replace

from agent.core.draft import Draft
from agent.core.emergency.messages import called, heading, people_in, send
from agent.model.access import person_behind
from agent.model.activation import Activation, CallRun, CallState
from agent.model.decision import Reply
from agent.model.events import AcknowledgeCall
from agent.model.plan import Call, Plan, PlanRole
from agent.model.quantities import say_duration
from agent.model.settings import Settings
from agent.model.text import some
from agent.model.timeline import EntryKind

_SETTLED = (CallState.ACKNOWLEDGED, CallState.TOLD, CallState.NOBODY)


def flattened(plan: Plan) -> tuple[CallRun, ...]:
    """The plan's tree, parents before children."""
    found: list[CallRun] = []
    for call, parent in _walk(plan.notification, None, found):
        role = PlanRole(call.tell) if call.tell in tuple(PlanRole) else None
        whom = plan.roles.get(role, ()) if role else (call.tell.removeprefix("person:"),)
        found.append(CallRun(call.tell, whom, call.level, call.within, role, parent))
    return tuple(found)


def _walk(calls: tuple[Call, ...], parent: int | None, found: list[CallRun]) -> Iterator[tuple[Call, int | None]]:
    for call in calls:
        yield call, parent
        yield from _walk(call.then, len(found) - 1, found)


def advance(draft: Draft, activation: Activation) -> Activation:
    """Make the calls whose turn has come; go to the next deputy where the time is up."""
    number = 0
    while number < len(activation.calls):
        call = activation.calls[number]
        changed = call
        if call.state is CallState.WAITING and _is_due(activation, call):
            changed = _begin(draft, activation, call)
        elif _is_overdue(activation, call, draft.at):
            changed = _next_deputy(draft, activation, call)
        activation = _with(activation, number, changed)
        number += 1  # children stand behind their parent: what it settles is seen in this round
    if activation.marks.acknowledged is None and _all_acknowledged(activation):
        activation = replace(activation, marks=replace(activation.marks, acknowledged=draft.at))
    return activation


def _is_due(activation: Activation, call: CallRun) -> bool:
    if activation.level < call.level:
        return False
    return call.parent is None or activation.calls[call.parent].state in _SETTLED


def _is_overdue(activation: Activation, call: CallRun, at: float) -> bool:
    """No deputy is called for a level that is no longer in force."""
    return call.due is not None and call.due <= at and activation.level >= call.level


def _begin(draft: Draft, activation: Activation, call: CallRun) -> CallRun:
    if not call.whom:
        draft.record(activation.incident, EntryKind.PLAN, f"nobody is named as {_said(call)}", plan=activation.id)
        return replace(call, state=CallState.NOBODY, called_at=draft.at)
    return _ring(draft, activation, replace(call, turn=0))


def _ring(draft: Draft, activation: Activation, call: CallRun) -> CallRun:
    """Call whose turn it is."""
    settings = draft.settings
    who = _who(call, settings)
    expected = call.within is not None
    said = f"{_said(call)}: {who} is called" if expected else f"{_said(call)}: {who} is told"
    until = f", to acknowledge within {say_duration(call.within)}" if call.within is not None else ""
    draft.record(
        activation.incident,
        EntryKind.PLAN,
        said + until,
        plan=activation.id,
        call=call.tell,
        whom=call.whom[call.turn],
    )
    send(draft, activation, (call.whom[call.turn],), heading(activation), _body(draft, activation, call, who))
    due = draft.at + call.within if call.within is not None else None
    state = CallState.CALLED if expected else CallState.TOLD
    return replace(call, state=state, called_at=call.called_at if call.turn else draft.at, due=due)


def _next_deputy(draft: Draft, activation: Activation, call: CallRun) -> CallRun:
    missed = f"{_who(call, draft.settings)} did not acknowledge within {say_duration(call.within or 0.0)}"
    if call.turn + 1 < len(call.whom):
        draft.record(activation.incident, EntryKind.PLAN, f"{_said(call)}: {missed}", plan=activation.id)
        return _ring(draft, activation, replace(call, turn=call.turn + 1))
    text = f"{_said(call)}: {missed}, and there is no further deputy: nobody answered"
    draft.record(activation.incident, EntryKind.PLAN, text, plan=activation.id, call=call.tell, nobody=True)
    return replace(call, state=CallState.NOBODY, due=None)


def _body(draft: Draft, activation: Activation, call: CallRun, who: str) -> str:
    """What is the matter, what to do, and how to acknowledge."""
    todo = [
        f"- {action.number}. {action.name}" + (f": {action.do}" if action.do else "")
        for action in activation.actions
        if call.role is action.by and activation.level >= action.level and not action.is_settled
    ]
    lines = [
        f"{who}: the emergency plan {activation.plan} is at work, level {activation.level}.",
        f"Why: {activation.because}",
        f"Hosts: {some(activation.hosts) or 'none'}. Incidents: {some(activation.linked) or 'none yet'}.",
        f"Major incident: {activation.incident}",
    ]
    if call.role:
        lines.append(f"You are called as {call.role.said}.")
    if todo:
        lines += ["You answer for:", *todo]
    if call.within is not None:
        within = say_duration(call.within)
        lines.append(f"Acknowledge within {within}: paramedic plan ack {activation.id}")
    lines.append(f"How it stands: paramedic plan status {activation.id}")
    return "\n".join(lines)


def acknowledge(draft: Draft, activation: Activation, actor: str, act: AcknowledgeCall) -> tuple[Activation, Reply]:
    """Somebody is there. Which calls: those for which the person stands; of `role` only, where that is said."""
    person = act.whom or person_behind(actor)
    asked = [call for call in activation.calls if act.role is None or call.role is act.role]
    settings = draft.settings
    own = [call for call in asked if person in people_in(call.whom, settings)]
    if not own:
        names = people_in((name for call in asked for name in call.whom), settings)
        text = f"{person} is not called by {activation.id}; called are: {some(names) or 'nobody'}"
        return activation, Reply(False, f"{text} (--for NAME acknowledges for somebody else)", activation.id)
    open_ones = [call for call in own if call.state in (CallState.CALLED, CallState.NOBODY)]
    if not open_ones:
        return activation, Reply(True, _nothing_open(activation, own), activation.id)
    for number, call in enumerate(activation.calls):
        if call in open_ones:
            done = replace(
                call, state=CallState.ACKNOWLEDGED, acknowledged_by=person, acknowledged_at=draft.at, due=None
            )
            activation = _with(activation, number, done)
            took = say_duration(draft.at - (call.called_at if call.called_at is not None else draft.at))
            behalf = f", said by {actor}" if person != actor else ""
            late = ", after nobody had answered" if call.state is CallState.NOBODY else ""
            text = f"{_said(call)}: acknowledged by {called(person, settings)} after {took}{late}{behalf}"
            draft.record(
                activation.incident,
                EntryKind.ACKNOWLEDGED,
                text,
                actor=actor,
                plan=activation.id,
                call=call.tell,
                role=str(call.role) if call.role else None,
                person=person,
            )
    return activation, Reply(True, f"acknowledged: {person} as {some([_said(c) for c in open_ones])}", activation.id)


def _nothing_open(activation: Activation, own: list[CallRun]) -> str:
    if all(call.state is CallState.ACKNOWLEDGED for call in own):
        return f"{activation.id} was acknowledged by {own[0].acknowledged_by} already"
    return f"nothing is to be acknowledged of {activation.id} now"


def _all_acknowledged(activation: Activation) -> bool:
    """Everybody of whom it is expected at this level."""
    wanted = [c for c in activation.calls if c.within is not None and activation.level >= c.level]
    return bool(wanted) and all(call.state is CallState.ACKNOWLEDGED for call in wanted)


def reached(activation: Activation) -> tuple[str, ...]:
    """Who acknowledged, and who was called or told and has not: they are kept informed."""
    found: dict[str, None] = {}
    for call in activation.calls:
        if call.acknowledged_by:
            found[call.acknowledged_by] = None
        elif call.state is not CallState.WAITING:
            found |= dict.fromkeys(call.whom[: call.turn + 1])
    return tuple(found)


def in_charge(activation: Activation, settings: Settings) -> str:
    """Who holds which role, in words."""
    roles = [call for call in activation.calls if call.role]
    said = [f"{call.role.said}: {_holder(call, settings)}" for call in roles if call.role]
    return "; ".join(dict.fromkeys(said)) or "nobody is called by this plan"


def _holder(call: CallRun, settings: Settings) -> str:
    match call.state:
        case CallState.ACKNOWLEDGED:
            return called(call.acknowledged_by or "", settings)
        case CallState.CALLED:
            return f"{_who(call, settings)} is called, no answer yet"
        case CallState.TOLD:
            return f"{_who(call, settings)} (told)"
        case _:
            return str(call.state)


def _who(call: CallRun, settings: Settings) -> str:
    return called(call.whom[call.turn], settings)


def _said(call: CallRun) -> str:
    return call.role.said if call.role else call.tell


def _with(activation: Activation, number: int, call: CallRun) -> Activation:
    if activation.calls[number] is call:
        return activation
    calls = (*activation.calls[:number], call, *activation.calls[number + 1 :])
    return replace(activation, calls=calls)
