"""The situation report: what is known, what was done, what is next, who is in charge."""

from dataclasses import replace

from agent.core.area import area_in_charge, ill_hosts, subjects_in, unwell
from agent.core.draft import Draft
from agent.core.emergency import actions, calls
from agent.core.emergency.messages import heading, send
from agent.core.ticketing import tell
from agent.model.activation import ActionRun, ActionState, Activation, Stage
from agent.model.commands import Milestone
from agent.model.quantities import say_duration
from agent.model.text import some
from agent.model.timeline import EntryKind


def advance(draft: Draft, activation: Activation) -> Activation:
    """Report when it is due."""
    if activation.report_due is None or draft.at < activation.report_due:
        return activation
    return report(draft, activation)


def report(draft: Draft, activation: Activation) -> Activation:
    """To everybody who was reached, on the ticket and on the record; the next one is due in a while."""
    number = activation.reports + 1
    text = situation(draft, activation)
    draft.record(
        activation.incident, EntryKind.PLAN, f"situation report {number}:\n{text}", plan=activation.id, report=number
    )
    incident = draft.incident(activation.incident)
    if incident:
        tell(draft, incident, Milestone.UPDATED, f"Situation report {number}\n\n{text}")
    subject = f"{heading(activation)}: situation report {number}"
    send(draft, activation, calls.reached(activation), subject, text)
    return replace(activation, reports=number, report_due=draft.at + activation.report_every)


def situation(draft: Draft, activation: Activation) -> str:
    """How it stands, in four paragraphs."""
    return "\n".join(
        (
            f"Known: {_known(draft, activation)}",
            f"Done: {_done(activation)}",
            f"Next: {_next(draft, activation)}",
            f"In charge: {calls.in_charge(activation, draft.settings)}",
        )
    )


def _known(draft: Draft, activation: Activation) -> str:
    area = area_in_charge(activation, draft.settings)
    ill = ill_hosts(draft, area)
    hosts = f"{len(ill)} of {len(area.hosts)} hosts ill" + (f" ({some(ill)})" if ill else "")
    blind = [health.key for health in unwell(subjects_in(draft, area)) if not health.is_bad]
    unseen = f"; cannot be asked: {some(blind)}" if blind else ""
    linked = [f"{i.id} {i.phase} ({i.title})" for id in activation.linked for i in (draft.incident(id),) if i]
    incidents = f"; incidents: {some(linked)}" if linked else ""
    since = say_duration(draft.at - activation.activated_at)
    return f"level {activation.level} for {since} because {activation.because}; {hosts}{unseen}{incidents}."


def _done(activation: Activation) -> str:
    settled = [
        f"{a.number}. {a.name}: {a.state}" + (f" ({a.result})" if a.result else "") for a in _settled(activation)
    ]
    return "; ".join(settled) + "." if settled else "nothing yet."


def _settled(activation: Activation) -> list[ActionRun]:
    return [action for action in activation.actions if action.is_settled]


def _next(draft: Draft, activation: Activation) -> str:
    if activation.stage is Stage.STANDING_DOWN:
        waits = "the confirmation of the stand-down" if activation.checked_at else "the full check of the scope"
        return f"{waits}."
    action = actions.current(activation)
    if action is None and activation.plan not in draft.settings.plans:
        return f"the plan is no longer configured: a person ends it, paramedic plan stand-down {activation.id} --force."
    if action is None:
        return "all actions are settled; the plan stands down once all is well for long enough."
    whose = f", {action.by.said}" if action.state is ActionState.TODO else ""
    open_ones = [a for a in activation.actions if not a.is_settled and activation.level >= a.level]
    more = f"; after that {len(open_ones) - 1} more" if len(open_ones) > 1 else ""
    return f"{action.number}. {action.name} ({action.state}{whose}){more}."
