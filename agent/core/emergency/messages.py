"""Telling people by their message targets, on the record of the major incident what could not be sent."""

from collections.abc import Iterable

from agent.core.draft import Draft
from agent.model.activation import Activation, CallState
from agent.model.commands import SendMessage
from agent.model.plan import PlanRole
from agent.model.settings import Settings
from agent.model.text import some
from agent.model.timeline import EntryKind


def people_in(names: Iterable[str], settings: Settings) -> tuple[str, ...]:
    """Each once: people as they are, `team:NAME` as its members."""
    found: dict[str, None] = {}
    for name in names:
        sort, _, team = name.partition(":")
        members = settings.teams[team].members if sort == "team" and team in settings.teams else (name,)
        found |= dict.fromkeys(members)
    return tuple(found)


def holders(activation: Activation, role: PlanRole, settings: Settings) -> tuple[str, ...]:
    """Everybody who may speak for the role: who holds it, and the deputies."""
    return people_in(activation.roles.get(role, ()), settings)


def called(name: str, settings: Settings) -> str:
    """A person as people know her, with the way to her where there is one."""
    known = settings.people.get(name)
    if known is None:
        return name
    return f"{known.called}, {known.phone}" if known.phone else known.called


def heading(activation: Activation) -> str:
    """What every message about the plan begins with."""
    return f"{activation.id} level {activation.level}: {activation.title}"


def send(draft: Draft, activation: Activation, people: Iterable[str], subject: str, body: str) -> None:
    """To every target of each of them, once. Who has none is named on the record: somebody must call them."""
    settings, targets, unreachable = draft.settings, dict[str, None](), list[str]()
    for person in people_in(people, settings):
        known = settings.people.get(person)
        if known and known.notify:
            targets |= dict.fromkeys(known.notify)
        else:
            unreachable.append(called(person, settings))
    if unreachable:
        text = f"not reachable by message: {some(unreachable)}; call them: {subject}"
        draft.record(activation.incident, EntryKind.MESSAGE, text, plan=activation.id, unreachable=unreachable)
    for target in targets:
        id = f"MSG-{draft.count('message')}"
        draft.order(SendMessage(id, activation.incident, target, subject, body, draft.at))


def send_role(draft: Draft, activation: Activation, role: PlanRole, subject: str, body: str) -> None:
    """To whoever acts in the role now: who acknowledged the call; else the one who is called; else the holder."""
    send(draft, activation, in_role(activation, role), subject, body)


def in_role(activation: Activation, role: PlanRole) -> tuple[str, ...]:
    """Who acts in the role now, as far as is known; everybody who may, once nobody has answered."""
    for call in activation.calls:
        if call.role is role and call.acknowledged_by:
            return (call.acknowledged_by,)
    for call in activation.calls:
        if call.role is role and call.state in (CallState.CALLED, CallState.TOLD):
            return (call.whom[call.turn],)
    return activation.roles.get(role, ())
