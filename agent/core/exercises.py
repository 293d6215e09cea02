"""Drills that ask the running agent for leave to break things.

While one lasts, what its checks say of its hosts is the drill's: it opens no incident here, no plan counts it, and the
agent treats none of those hosts. A drill gives way to what is real: it is told so when it asks for more time.
"""

from collections.abc import Iterator
from dataclasses import replace

from agent.core import health, response, treatment
from agent.core.draft import Draft
from agent.core.guard import Reason
from agent.core.selection import REPORTED
from agent.model import events
from agent.model.commands import Ask
from agent.model.decision import Reply
from agent.model.execution import RunPhase
from agent.model.exercise import Exercise
from agent.model.incident import Incident
from agent.model.quantities import say_duration
from agent.model.settings import LOCALHOST
from agent.model.text import some
from agent.model.timeline import AGENT, EntryKind


def act(draft: Draft, actor: str, what: events.BeginExercise | events.EndExercise) -> Reply:
    """Do what a drill asks, or say why not.

    To one that asks for more time after something real has come between the answer is no, `about` what that is; it has
    the time all the same, to undo what it did.
    """
    known = next((exercise for exercise in draft.exercises() if exercise.id == what.exercise), None)
    if isinstance(what, events.BeginExercise):
        return _renew(draft, known, what) if known else _begin(draft, actor, what)
    if known is None:
        return Reply(False, f"{what.exercise} has no leave: it was never given, or it is over")
    reason = f": {what.reason}" if what.reason else ""
    _end(draft, known, f"{known.id} is over{reason}", actor)
    return Reply(True, f"{known.id} is over", known.preempted_by)


def _begin(draft: Draft, actor: str, wish: events.BeginExercise) -> Reply:
    why_not = next(_against(draft, wish), None)
    if why_not:
        return Reply(False, why_not)
    exercise = Exercise(
        id=wish.exercise,
        title=wish.title,
        actor=actor,
        hosts=wish.hosts,
        checks=wish.checks,
        since=draft.at,
        until=draft.at + wish.lease,
        services=wish.services,
    )
    draft.put_exercise(exercise.id, exercise)
    on, checks = some(wish.hosts) or "no host", some(wish.checks) or "no check"
    draft.record(
        "agent",
        EntryKind.EXERCISE,
        f"{exercise.id} begins ({wish.title}) on {on}: what {checks} says there is the drill's",
        actor=actor,
        exercise=exercise.id,
        hosts=list(wish.hosts),
        checks=list(wish.checks),
    )
    return Reply(True, f"{exercise.id} has leave for {say_duration(wish.lease)}", exercise.id)


def _renew(draft: Draft, known: Exercise, wish: events.BeginExercise) -> Reply:
    draft.put_exercise(known.id, replace(known, until=draft.at + wish.lease))
    if known.preempted_by:
        incident = draft.incident(known.preempted_by)
        real = next(_not_its_own(known, incident), "") if incident else ""
        why = f" ({real})" if real else ""
        text = f"preempted by {known.preempted_by}{why}: undo what was done and end the exercise"
        return Reply(False, text, known.preempted_by)
    return Reply(True, f"{known.id} has leave for {say_duration(wish.lease)} more", known.id)


def _against(draft: Draft, wish: events.BeginExercise) -> Iterator[str]:
    """Why the exercise may not begin, as sentences."""
    settings = draft.settings
    strangers = [host for host in wish.hosts if host not in settings.hosts and host != LOCALHOST]
    strangers += [check for check in wish.checks if check not in settings.checks]
    if strangers:
        yield f"nothing is configured as {some(strangers)}"
    hosts = frozenset(wish.hosts)
    for incident in draft.incidents():
        if incident.phase.is_open and _touches(incident, wish):
            yield f"{incident.id} is open there: {incident.title}"
    for activation in draft.activations():
        if activation.stage.is_active and (hosts & {*activation.hosts} or {*wish.services} & {*activation.services}):
            yield f"{activation.id} is at work there: {activation.title}"
    for other in draft.exercises():
        shared = sorted(hosts & {*other.hosts})
        if shared:
            yield f"{other.id} has {some(shared)}: {other.title}"
    for execution in draft.executions():
        treated = [run.host for run in execution.runs if run.phase is not RunPhase.ENDED and run.host in hosts]
        if treated:
            yield f"{execution.id} treats {some(treated)} with {execution.runbook}"


def _touches(incident: Incident, wish: events.BeginExercise) -> bool:
    if incident.service in wish.services:
        return True
    return any(s.host in wish.hosts or s.service in wish.services or s.key.check in wish.checks for s in incident.ill)


def follow(draft: Draft) -> None:
    """Whether something real has come between. What the drill's own checks say of its hosts opens no incident."""
    if not draft.news:
        return
    for exercise in draft.exercises():
        found = None if exercise.preempted_by else next(_real(draft, exercise), None)
        if found:
            id, text = found
            draft.put_exercise(exercise.id, replace(exercise, preempted_by=id))
            said = f"{exercise.id} must give way to {id}: {text}"
            draft.record("agent", EntryKind.EXERCISE, said, exercise=exercise.id, preempted_by=id)


def _real(draft: Draft, exercise: Exercise) -> Iterator[tuple[str, str]]:
    """Incidents and plans in the scope of the drill."""
    for incident in draft.incidents():
        ill = [s for s in incident.ill if s.host in exercise.hosts or s.service in exercise.services]
        if incident.phase.is_open and (ill or incident.service in exercise.services):
            yield incident.id, incident.title
    for activation in draft.activations():
        shared = {*activation.hosts} & {*exercise.hosts} or {*activation.services} & {*exercise.services}
        if activation.stage.is_active and shared:
            yield activation.id, activation.title


def _not_its_own(exercise: Exercise, incident: Incident) -> Iterator[str]:
    """What of the incident is not the drill's, and why; that which is ill first."""
    for symptom in sorted(incident.symptoms, key=lambda each: not each.is_ill):
        check, host = symptom.key.check, symptom.host
        if check == REPORTED:
            yield "reported by a person"
        elif check not in exercise.checks:
            yield f"{symptom.key}, and {check} is not one of the drill's checks"
        elif not exercise.speaks_of(check, host):
            yield f"{symptom.key}, and {host} is not one of the drill's hosts"


def time_passed(draft: Draft, exercise: Exercise) -> None:
    """Its leave is over unless it was renewed."""
    if exercise.until <= draft.at:
        _end(draft, exercise, f"{exercise.id} has not been heard of: its leave is over", AGENT)


def _end(draft: Draft, exercise: Exercise, said: str, actor: str) -> None:
    """What is ill by now is asked anew, and real once it is confirmed anew: it may be the last of what the drill broke,
    which has just been put back. What waited for the drill goes on.
    """
    draft.put_exercise(exercise.id, None)
    left = [
        each
        for each in draft.healths()
        if exercise.speaks_of(each.key.check, each.host)
        and each.key.check in draft.settings.checks
        and (each.is_bad or each.blind_since is not None)
    ]
    for each in left:
        known, window = health.forgotten(each, draft.window(each.key), draft.at)
        draft.put_health(replace(known, changes=each.changes, flapping=each.flapping))
        draft.put_window(each.key, window)
    keys = tuple(each.key for each in left)
    if keys:
        draft.order(Ask(keys))
        said += f"; ill by now, and asked anew: {some(keys)}"
    draft.record("agent", EntryKind.EXERCISE, said, actor=actor, exercise=exercise.id)
    for execution in draft.executions():
        treatment.advance(draft, execution)
    response.waiting_may_go_on(draft, (Reason.EXERCISE,))
