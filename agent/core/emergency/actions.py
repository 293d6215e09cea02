"""The actions of a plan: one at a time in the order of its phases, each carried out, or done by a person, or skipped.

waiting ─▶ awaiting approval ─▶ running ─▶ done
                    │  │           │
          manual: ──┘  └───────────┴──▶ for a person ─▶ done, skipped      (on_failure: people)
                                   └──▶ failed                             (on_failure: continue)
"""

from collections.abc import Mapping
from dataclasses import replace

from agent.core import treatment
from agent.core.draft import Draft
from agent.core.emergency import reach
from agent.core.emergency.messages import heading, holders, send_role
from agent.core.variables import given_values, variables_for
from agent.model.access import person_behind
from agent.model.activation import ActionRun, ActionState, Activation
from agent.model.decision import Reply
from agent.model.events import Approve, TickAction
from agent.model.execution import Execution, Outcome
from agent.model.plan import Plan, PlanAction, PlanPhase
from agent.model.quantities import say_duration
from agent.model.runbook import Runbook
from agent.model.settings import Settings
from agent.model.text import some
from agent.model.timeline import AGENT, EntryKind

_HELPED = (Outcome.RECOVERED, Outcome.DONE)
_FOR_A_PERSON = (ActionState.TODO, ActionState.APPROVAL)


def numbered(plan: Plan, settings: Settings) -> tuple[ActionRun, ...]:
    """The plan's actions in the order of its phases, with the texts of their runbooks as they are now."""
    written = [(phase, action) for phase in PlanPhase for action in plan.phases.get(phase, ())]
    return tuple(_run_of(number, phase, action, settings) for number, (phase, action) in enumerate(written, 1))


def _run_of(number: int, phase: PlanPhase, action: PlanAction, settings: Settings) -> ActionRun:
    runbook = action.inline or settings.runbooks.get(action.runbook or "")
    return ActionRun(
        number=number,
        phase=phase,
        name=action.name,
        by=action.by,
        level=action.level,
        timeout=action.timeout,
        runbook=runbook.name if runbook else action.runbook or "",
        digest=runbook.digest if runbook else "",
        signed_by=runbook.signed_by if runbook else "",
        variables=action.vars,
        hosts=action.hosts or (runbook.hosts if runbook else "affected"),
        do=action.do or "",
        approve=action.approve,
        goes_on=action.on_failure == "continue",
    )


def advance(draft: Draft, activation: Activation) -> Activation:
    """Settle what has ended or whose time is up, and begin what is next, until something must be waited for."""
    while (action := current(activation)) is not None:
        after = _advanced(draft, activation, action)
        if after is activation:
            break
        activation = after
    return activation


def current(activation: Activation) -> ActionRun | None:
    """The action whose turn it is: the one that is under way, whatever has become of the level since it was begun;
    else the first of this level that is not settled.
    """
    unsettled = [action for action in activation.actions if not action.is_settled]
    begun = [action for action in unsettled if action.state is not ActionState.WAITING]
    return next(iter(begun or [action for action in unsettled if activation.level >= action.level]), None)


def _advanced(draft: Draft, activation: Activation, action: ActionRun) -> Activation:
    is_late = action.due is not None and action.due <= draft.at
    match action.state:
        case ActionState.WAITING:
            return _begin(draft, activation, action)
        case ActionState.RUNNING:
            execution = draft.execution(action.execution or "")
            if execution is None or not execution.is_running:
                return _ended(draft, activation, action, execution)
            return _out_of_time(draft, activation, action, execution) if is_late else activation
        case ActionState.APPROVAL if is_late:
            return _gone_wrong(draft, activation, action, f"nobody approved within {say_duration(action.timeout)}")
        case ActionState.TODO if is_late:
            return _remind(draft, activation, action)
        case _:
            return activation


def _begin(draft: Draft, activation: Activation, action: ActionRun) -> Activation:
    action = replace(action, began_at=draft.at, due=draft.at + action.timeout)
    if action.approve is not None:
        role = action.approve
        said = f"waits for the {role.said} to approve"
        _note(draft, activation, action, said)
        how = f"paramedic approve {activation.id}, or paramedic deny {activation.id}"
        send_role(draft, activation, role, f"{heading(activation)}: approve {action.said}?", f"{said}: {how}")
        return _put(activation, replace(action, state=ActionState.APPROVAL))
    return _carry_out(draft, activation, action)


def _carry_out(draft: Draft, activation: Activation, action: ActionRun) -> Activation:
    if not action.runbook:
        _note(draft, activation, action, f"is for the {action.by.said} to do")
        _ask_person(draft, activation, action, action.do or action.name)
        return _put(activation, replace(action, state=ActionState.TODO))
    runbook = draft.runbook(action.digest)
    if runbook is None:
        return _gone_wrong(draft, activation, action, f"the text of {action.runbook} is not known")
    try:
        values, missing = variables_for(runbook, given_values(runbook, action.variables))
    except ValueError as error:
        return _gone_wrong(draft, activation, action, str(error))
    if missing:
        return _gone_wrong(draft, activation, action, f"{runbook.name} needs a value for {', '.join(missing)}")
    hosts = reach.hosts_of(draft, activation, action)
    if not hosts:
        nothing = "none of its hosts is ill" if action.hosts == "affected" else f"there are no hosts {action.hosts}"
        return _settle(draft, activation, action, ActionState.SKIPPED, nothing)
    free = reach.not_of_another_plan(draft, activation, action, hosts)
    if not free:
        because = "another emergency plan is in charge of all its hosts"
        return _settle(draft, activation, action, ActionState.SKIPPED, because)
    return _start(draft, activation, action, runbook, free, values)


def _start(
    draft: Draft,
    activation: Activation,
    action: ActionRun,
    runbook: Runbook,
    hosts: tuple[str, ...],
    values: Mapping[str, object],
) -> Activation:
    verify = reach.verification(draft, activation, action, runbook, hosts)
    incident = draft.incident(activation.incident)
    draft.put_activation(activation)  # the guards must see who is in charge
    execution = treatment.start(draft, runbook, hosts, verify, incident=incident, variables=values, plan=activation.id)
    _note(draft, activation, action, f"{runbook.name} on {some(hosts)} ({execution.id})")
    return _put(activation, replace(action, state=ActionState.RUNNING, execution=execution.id))


def _ended(draft: Draft, activation: Activation, action: ActionRun, execution: Execution | None) -> Activation:
    if execution is None:
        return _gone_wrong(draft, activation, action, f"nobody knows what became of {action.execution}")
    if execution.outcome in _HELPED:
        return _settle(draft, activation, action, ActionState.DONE, f"{execution.runbook}: {execution.outcome}")
    outcome = execution.outcome
    if outcome is Outcome.STOPPED and not any(run.touched for run in execution.runs):
        _note(draft, activation, action, f"begun anew: {execution.stopped_because}")
        return _carry_out(draft, activation, replace(action, due=draft.at + action.timeout))
    reasons = dict.fromkeys(run.reason for run in execution.runs if run.outcome is outcome and run.reason)
    because = ": ".join((execution.runbook, str(outcome), "; ".join(reasons))).rstrip(": ")
    return _gone_wrong(draft, activation, action, because)


def _out_of_time(draft: Draft, activation: Activation, action: ActionRun, execution: Execution) -> Activation:
    because = f"not done within {say_duration(action.timeout)}"
    after = _gone_wrong(draft, activation, action, because)
    treatment.stop(draft, execution, because)
    return after


def _gone_wrong(draft: Draft, activation: Activation, action: ActionRun, because: str) -> Activation:
    """Go on, or let people take over, as the plan says."""
    if action.goes_on:
        return _settle(draft, activation, action, ActionState.FAILED, because)
    _note(draft, activation, action, f"did not go well, people take over: {because}", result=because)
    fallback = activation.fallback or "nothing is written down for this case"
    _ask_person(draft, activation, action, f"It did not go well: {because}.\nThe fallback: {fallback}")
    todo = replace(action, state=ActionState.TODO, result=because, due=draft.at + action.timeout)
    return _put(activation, todo)


def _ask_person(draft: Draft, activation: Activation, action: ActionRun, what: str) -> None:
    tick = f"paramedic plan tick {activation.id} {action.number}"
    body = f"{what}\n\nWhen it is done: {tick}; to leave it: {tick} --skip --note WHY"
    send_role(draft, activation, action.by, f"{heading(activation)}: {action.said}", body)


def _remind(draft: Draft, activation: Activation, action: ActionRun) -> Activation:
    """It stays open; that its time is up is said once."""
    said = f"still to be done, after {say_duration(action.timeout)}"
    _note(draft, activation, action, said)
    _ask_person(draft, activation, action, f"{action.do or action.name}: {said}")
    return _put(activation, replace(action, due=None))


def _settle(
    draft: Draft, activation: Activation, action: ActionRun, state: ActionState, result: str, *, actor: str = ""
) -> Activation:
    said = f"{state}: {result}" if result else str(state)
    _note(draft, activation, action, said, actor=actor or AGENT, result=result, state=str(state))
    settled = replace(action, state=state, ended_at=draft.at, due=None, result=result, actor=actor)
    activation = _put(activation, settled)
    contain = [a for a in activation.actions if a.phase is PlanPhase.CONTAIN and activation.level >= a.level]
    if activation.marks.contained is None and contain and all(a.is_settled for a in contain):
        activation = replace(activation, marks=replace(activation.marks, contained=draft.at))
    return activation


def left_to_people(action: ActionRun, because: str) -> ActionRun:
    """Whatever the agent was still to carry out is done, or found to be done already, by a person."""
    if action.is_settled or not action.runbook:
        return action
    do = f"{action.runbook} (hosts: {action.hosts}), unless it has been done: {because}"
    return replace(action, runbook="", digest="", do=do)


# people


def approved(draft: Draft, activation: Activation, actor: str, answer: Approve) -> tuple[Activation, Reply]:
    """A person answers the action that waits for approval."""
    waiting = next((a for a in activation.actions if a.state is ActionState.APPROVAL), None)
    if waiting is None or waiting.approve is None:
        return activation, Reply(False, f"nothing about {activation.id} waits for approval", activation.id)
    may = holders(activation, waiting.approve, draft.settings)
    if person_behind(actor) not in may:
        text = f"only the {waiting.approve.said} may approve {waiting.said}: {some(may) or 'nobody is named'}"
        return activation, Reply(False, text, activation.id)
    reason = f": {answer.reason}" if answer.reason else ""
    said = f"{'approved' if answer.yes else 'refused'} by {actor}{reason}"
    draft.record(
        activation.incident,
        EntryKind.APPROVAL,
        f"{waiting.said}: {said}",
        actor=actor,
        approved=answer.yes,
        plan=activation.id,
        action=waiting.number,
    )
    due = draft.at + waiting.timeout
    if answer.yes:
        activation = _carry_out(draft, activation, replace(waiting, due=due))
    else:
        activation = _gone_wrong(draft, activation, waiting, said)
    return activation, Reply(True, f"{waiting.said} {said}", activation.id)


def ticked(draft: Draft, activation: Activation, actor: str, act: TickAction) -> tuple[Activation, Reply]:
    """A person settles an action. One that the agent is carrying out is not a person's to settle."""
    action = next((a for a in activation.actions if a.number == act.number), None)
    if action is None:
        known = some([f"{a.number} {a.name}" for a in activation.actions]) or "none"
        return activation, Reply(False, f"{activation.id} has no action {act.number}; it has: {known}", activation.id)
    if action.is_settled:
        return activation, Reply(True, f"{action.said} is {action.state} already", activation.id)
    if action.state is ActionState.RUNNING:
        text = f"{action.said} is being carried out as {action.execution}: wait for its end, or for its time to be up"
        return activation, Reply(False, text, activation.id)
    if action.state not in _FOR_A_PERSON and action.runbook and not act.skip:
        text = f"the turn of {action.said} has not come; it can only be skipped (--skip)"
        return activation, Reply(False, text, activation.id)
    state = ActionState.SKIPPED if act.skip else ActionState.DONE
    result = "; ".join(part for part in (action.result, act.note) if part)
    activation = _settle(draft, activation, action, state, result, actor=actor)
    return activation, Reply(True, f"{action.said}: {state}", activation.id)


def _note(
    draft: Draft, activation: Activation, action: ActionRun, said: str, *, actor: str = AGENT, **data: object
) -> None:
    draft.record(
        activation.incident,
        EntryKind.PLAN,
        f"{action.said}: {said}",
        actor=actor,
        plan=activation.id,
        action=action.number,
        phase=str(action.phase),
        **data,
    )


def _put(activation: Activation, action: ActionRun) -> Activation:
    actions = tuple(action if each.number == action.number else each for each in activation.actions)
    return replace(activation, actions=actions)
