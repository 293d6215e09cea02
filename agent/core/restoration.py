"""What a backup put back in the record's place means: the past it knows is right, and not all there is.

Whatever was under way when it was made has since been carried out, or not; nobody can say. So nothing of it goes
on: each incident that was open is a person's, and so is what a plan at work was still to do. What is noticed from now
on is treated as ever. Numbers given after the backup are known elsewhere, to ticket systems and to hosts: they are not
given again.
"""

from dataclasses import replace

from agent.core import emergency, response, treatment
from agent.core.draft import Draft
from agent.model.events import Restored
from agent.model.incident import Phase
from agent.model.quantities import say_duration
from agent.model.timeline import EntryKind

SKIPPED = 1000
"""More numbers than are given between two backups."""

_COUNTERS = ("incident", "execution", "activation", "message")


def restored(draft: Draft, event: Restored) -> None:
    """Say so, give up what was under way, hand over what was open."""
    age = say_duration(max(0.0, event.at - event.until))
    draft.record(
        "agent",
        EntryKind.AGENT,
        f"the record was restored from {event.backup}, which ends with record {event.last}: "
        f"what happened in the {age} since then is not known",
        actor=event.actor,
        last=event.last,
        until=event.until,
    )
    for counter in _COUNTERS:
        draft.skip(counter, SKIPPED)
    for incident in draft.incidents():
        draft.put_incident(replace(incident, updates=incident.updates + SKIPPED))
    for execution in draft.executions():
        because = "it was under way in the backup that was restored; nobody can say what has been done since"
        treatment.abandon(draft, execution, because)
    emergency.restored(draft, f"the record was restored from a backup; what was done in the {age} since is not known")
    for incident in draft.incidents():
        if incident.phase.is_open and incident.phase is not Phase.ESCALATED:
            because = f"the record was restored from a backup; what was done about it in the {age} since is not known"
            response.escalate(draft, incident, because)
