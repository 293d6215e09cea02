"""`decide(state, event)`: the only entry to the core. Pure: the same state and event give the same decision.

The caller commits the decision, then applies it to the state, then carries out its commands; their
results come back as events.
"""

from dataclasses import replace
from typing import assert_never

from agent.core import emergency, exercises, health, incidents, people, response, restoration, treatment
from agent.core.clock_set import clock_set
from agent.core.draft import Draft
from agent.core.guard import Reason
from agent.core.state import State
from agent.model.decision import Decision
from agent.model.events import (
    ClockSet,
    Event,
    MessageEnded,
    Observed,
    PersonActed,
    Refused,
    Reloaded,
    Restored,
    Started,
    StepEnded,
    StoodStill,
    TicketFiled,
    TimePassed,
)
from agent.model.health import Health, Key
from agent.model.incident import Phase
from agent.model.observation import Observation, Pass, Verdict
from agent.model.quantities import say_duration
from agent.model.timeline import EntryKind

_ABSENT = {"unknown": Verdict.UNKNOWN, "ok": Verdict.OK, "critical": Verdict.CRITICAL}


def decide(state: State, event: Event) -> Decision:
    """What this event leads to. The state is not changed."""
    draft = Draft(state, event.at)
    match event:
        case Observed():
            _observed(draft, event)
        case StepEnded():
            _step_ended(draft, event)
        case TimePassed():
            _time_passed(draft, event)
        case Started():
            _started(draft, event)
        case Restored():
            restoration.restored(draft, event)
        case ClockSet():
            clock_set(draft, event)
        case StoodStill():
            _stood_still(draft, event)
        case Reloaded():
            _reloaded(draft, event)
        case Refused(_, actor, text):
            draft.record("agent", EntryKind.REFUSED, text, actor=actor)
        case TicketFiled():
            _ticket_filed(draft, event)
        case MessageEnded():
            _message_ended(draft, event)
        case PersonActed():
            draft.reply = people.act(draft, event.actor, event.act, event.closed)
        case _:
            assert_never(event)
    if draft.reply is None or draft.reply.ok:  # what is refused changes nothing, not even what was due anyway
        _follow_up(draft, event)
    return draft.decision()


# observations


def _observed(draft: Draft, event: Observed) -> None:
    """Everything that was seen is taken in before anything is decided about any of it."""
    seen: set[Key] = set()
    for answered in event.passes:
        if answered.check not in draft.settings.checks:
            continue  # asked before a reload took the check away
        for observation in answered.observations:
            seen.add(_take(draft, answered, observation))
        for observation in _missing(draft, answered):
            key = Key(observation.check, observation.subject)
            since = draft.window(key).missing_since
            _take(draft, answered, observation, missing_since=answered.at if since is None else since)
            seen.add(key)
            _forget_if_gone_for_good(draft, key)
    concerned = incidents.follow(draft, draft.changed_health())
    emergency.follow(draft)  # before anything is treated that a plan takes charge of
    incidents.consider(draft, concerned)
    keys = frozenset(seen)
    for execution in draft.executions():
        treatment.observed(draft, execution, keys)
    response.waiting_may_go_on(draft, (Reason.DEPENDENCY,))


def _missing(draft: Draft, answered: Pass) -> list[Observation]:
    """Subjects this asking used to report and no longer does, judged by the check's `no_data`."""
    if not answered.complete:
        return []
    reported = {observation.subject for observation in answered.observations}
    policy = draft.settings.checks[answered.check].no_data
    absent = sorted(key for key in draft.state.subjects_of(answered.scope) if key.subject not in reported)
    return [
        Observation(
            check=key.check,
            subject=key.subject,
            host=known.host,
            # subject "" stands for the question itself, which has just been answered
            verdict=_ABSENT[policy] if key.subject else Verdict.OK,
            at=answered.at,
            message="no longer reported" if key.subject else "answers again",
        )
        for key in absent
        if (known := draft.health(key)) and known.scope == answered.scope
    ]


def _forget_if_gone_for_good(draft: Draft, key: Key) -> None:
    """A subject that went away long ago, once `no_data` has had its say and no incident has it any more."""
    rules, known, window = draft.settings.checks[key.check], draft.health(key), draft.window(key)
    if known is None or window.missing_since is None or draft.at < window.missing_since + rules.forget_after:
        return
    said = {"ok": not known.is_bad, "critical": known.is_bad, "unknown": known.blind_since is not None}
    if said[rules.no_data] and not draft.is_needed(key):
        draft.forget(key)


def _forget_what_nobody_asks(draft: Draft) -> None:
    """The subjects of checks that are no longer in the configuration."""
    for key in draft.state.health:
        if key.check not in draft.settings.checks and not draft.is_needed(key):
            draft.forget(key)


def _take(draft: Draft, answered: Pass, observation: Observation, *, missing_since: float | None = None) -> Key:
    key = Key(answered.check, observation.subject)
    known = draft.health(key)
    before = known or Health(key, observation.host, None, observation.at, scope=answered.scope)
    host = observation.host or before.host
    if before.host != host or before.scope != answered.scope:
        before = replace(before, host=host, scope=answered.scope)  # a reload has moved it
    after, window = health.observe(before, draft.window(key), observation, draft.settings.checks[answered.check])
    if after.changes is not before.changes and draft.is_left_to_a_drill(answered.check, host):
        after = replace(after, changes=before.changes, flapping=before.flapping)  # it does not come and go by itself
    if window.missing_since != missing_since:
        window = replace(window, missing_since=missing_since)
    draft.put_window(key, window)
    if after is not known:
        draft.put_health(after)
    return key


# the rest


def _step_ended(draft: Draft, event: StepEnded) -> None:
    draft.end_step(event.step_id)
    execution = draft.execution(event.step_id.split(".", 1)[0])
    run = treatment.run_of_step(execution, event.step_id) if execution else None
    if execution and run:
        treatment.step_ended(draft, execution, run, event.outcome)


def _time_passed(draft: Draft, event: TimePassed) -> None:
    incident = draft.incident(event.about)
    execution = draft.execution(event.about)
    if incident and incident.due is not None and incident.due <= draft.at:
        response.time_passed(draft, incident)
    elif execution and execution.is_running:
        treatment.time_passed(draft, execution)
    for exercise in draft.exercises():
        if exercise.id == event.about:
            exercises.time_passed(draft, exercise)


def _started(draft: Draft, event: Started) -> None:
    open_ones = [incident.id for incident in draft.incidents() if incident.phase.is_open]
    found = f", open: {', '.join(open_ones)}" if open_ones else ""
    draft.record("agent", EntryKind.AGENT, f"started: {event.agent}{found}")
    for execution in draft.executions():
        text = f"goes on with {execution.runbook} ({execution.id}) after a restart of the agent"
        draft.record(execution.incident or execution.id, EntryKind.AGENT, text)
        ended = treatment.resumed(draft, execution, event.never_begun)
        if not ended.is_running and ended.stopped_because:
            response.after_treatment(draft, ended, late=ended.stopped_because)
    response.resumed(draft)
    emergency.resumed(draft)
    _forget_what_nobody_asks(draft)


def _stood_still(draft: Draft, event: StoodStill) -> None:
    """Nobody could be asked meanwhile: as after a restart, what was being asked has the whole time for it again."""
    because = event.because or "it was suspended, stopped or starved"
    draft.record("agent", EntryKind.AGENT, f"nothing was decided for {say_duration(event.seconds)}: {because}")
    for execution in draft.executions():
        treatment.resumed(draft, execution, None)
    response.resumed(draft)
    emergency.stood_still(draft, event.seconds)


def _reloaded(draft: Draft, event: Reloaded) -> None:
    """An incident whose check is gone can no longer be seen to recover: a person must decide."""
    draft.record("agent", EntryKind.AGENT, event.text, actor=event.actor)
    for incident in draft.incidents():
        if incident.phase in (Phase.NEW, Phase.HELD) and response.no_longer_asked(draft, incident):
            response.consider(draft, incident)
    _forget_what_nobody_asks(draft)


def _ticket_filed(draft: Draft, event: TicketFiled) -> None:
    incident = draft.incident(event.incident)
    where = f" {event.ticket.url}" if event.ticket.url else ""
    draft.record(event.incident, EntryKind.TICKET, f"ticket {event.ticket.id}{where}", ticket=event.ticket.id)
    if incident:
        draft.put_incident(replace(incident, ticket=event.ticket))


def _message_ended(draft: Draft, event: MessageEnded) -> None:
    said = f"could not be delivered: {event.error}" if event.error else "delivered"
    text = f"message to {event.target} {said}"
    draft.record(event.about, EntryKind.MESSAGE, text, message=event.id, delivered=event.error is None)


def _follow_up(draft: Draft, event: Event) -> None:
    """What follows from the rest of the decision, until nothing more does."""
    always = isinstance(event, TimePassed | Started | Reloaded | ClockSet)
    ended = -1
    while len(draft.ended_executions()) != ended:
        ended = len(draft.ended_executions())
        _after_executions(draft)
        emergency.follow(draft, always=always)
    exercises.follow(draft)


def _after_executions(draft: Draft) -> None:
    """What follows from treatments that ended in this decision; one may start and end another at once."""
    done: set[str] = set()
    while fresh := [execution for execution in draft.ended_executions() if execution.id not in done]:
        for execution in fresh:
            done.add(execution.id)
            response.after_treatment(draft, execution)
        for waiting in draft.executions():
            if waiting.held_because:
                treatment.advance(draft, waiting)
        response.waiting_may_go_on(draft, (Reason.HOST_BUSY, Reason.GROUP_BUDGET))
