"""What an agent that starts must know of what it left."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, or_, select

from agent.model.activation import Activation, PlanWatch, Stage
from agent.model.decision import GlobalFreeze
from agent.model.events import Restored
from agent.model.execution import Execution, Treatment
from agent.model.exercise import Exercise
from agent.model.health import Health, Key
from agent.model.incident import Incident
from agent.runtime.store import timeline
from agent.runtime.store.batch import FREEZE
from agent.runtime.store.codec import load
from agent.runtime.store.schema import (
    ACTIVATIONS,
    COUNTERS,
    EXECUTIONS,
    EXERCISES,
    HEALTH,
    INCIDENTS,
    PLAN_WATCHES,
    RUNBOOKS,
    SETTINGS,
    TREATMENTS,
)

AGENT_ID = "agent_id"
"""Name of the agent's identity among the settings."""

RESTORED = "restored"
"""Name, among the settings, of where the record comes from if it was restored."""

EXECUTIONS_KEPT = 48 * 3600.0
"""Seconds an ended execution is still of interest to a starting agent."""

TREATMENTS_KEPT = 8 * 86400.0
"""Seconds; longer than any rate limit's period."""


_ACTIVE = (
    select(ACTIVATIONS.c.body, ACTIVATIONS.c.id)
    .where(ACTIVATIONS.c.stage != Stage.CLOSED.value)
    .order_by(ACTIVATIONS.c.number)
)
_WATCHES = select(PLAN_WATCHES)
_EXERCISES = select(EXERCISES).order_by(EXERCISES.c.id)


@dataclass(frozen=True, slots=True)
class Saved:
    """`incidents`, `activations`: those not closed. `runbooks`: digest to text of every runbook that these and the
    executions refer to.

    `executions`: those running, and those that ended within 48 hours. `treatments`: of the last 8 days,
    oldest first. `agent_id`: 32 hexadecimal digits, drawn once for this record. `restored`: the record was
    restored, and no agent has started on it since.
    """

    agent_id: str
    incidents: Mapping[str, Incident]
    executions: Mapping[str, Execution]
    health: Mapping[Key, Health]
    treatments: tuple[Treatment, ...]
    freeze: GlobalFreeze | None
    counters: Mapping[str, int]
    runbooks: Mapping[str, str]
    restored: Restored | None = None
    activations: Mapping[str, Activation] = field(default_factory=dict)
    watches: Mapping[str, PlanWatch] = field(default_factory=dict)
    exercises: Mapping[str, Exercise] = field(default_factory=dict)


def saved(connection: Connection, at: float) -> Saved:
    """As of `at`, seconds since the epoch. Raises StoreCorrupt when a row cannot be read."""
    settings = {found.name: found.value for found in connection.execute(select(SETTINGS))}
    open_incidents = select(INCIDENTS.c.body, INCIDENTS.c.id).where(INCIDENTS.c.closed_at.is_(None))
    recent_executions = select(EXECUTIONS.c.body, EXECUTIONS.c.id).where(
        or_(EXECUTIONS.c.ended_at.is_(None), EXECUTIONS.c.ended_at >= at - EXECUTIONS_KEPT)
    )
    recent_treatments = select(TREATMENTS.c.body, TREATMENTS.c.execution).where(TREATMENTS.c.at >= at - TREATMENTS_KEPT)
    incidents = [
        load(Incident, body, f"incident {id}")
        for body, id in connection.execute(open_incidents.order_by(INCIDENTS.c.number))
    ]
    executions = [
        load(Execution, body, f"execution {id}")
        for body, id in connection.execute(recent_executions.order_by(EXECUTIONS.c.started_at, EXECUTIONS.c.id))
    ]
    activations = [load(Activation, body, f"activation {id}") for body, id in connection.execute(_ACTIVE)]
    watches = [load(PlanWatch, found.body, f"watch of plan {found.plan}") for found in connection.execute(_WATCHES)]
    exercises = [load(Exercise, found.body, f"exercise {found.id}") for found in connection.execute(_EXERCISES)]
    treatments = [
        load(Treatment, body, f"treatment of {execution}")
        for body, execution in connection.execute(recent_treatments.order_by(TREATMENTS.c.at))
    ]
    health = [
        load(Health, found.body, f"health of {found.check_name} on {found.subject}")
        for found in connection.execute(select(HEALTH))
    ]
    freeze = settings.get(FREEZE)
    return Saved(
        agent_id=settings[AGENT_ID],
        incidents={incident.id: incident for incident in incidents},
        executions={execution.id: execution for execution in executions},
        health={one.key: one for one in health},
        treatments=tuple(treatments),
        freeze=None if freeze is None else load(GlobalFreeze, freeze, "the freeze"),
        counters={found.name: found.value for found in connection.execute(select(COUNTERS))},
        runbooks=_runbooks(connection, incidents, executions, activations),
        restored=_restored(settings.get(RESTORED), timeline.head(connection)[0]),
        activations={activation.id: activation for activation in activations},
        watches={watch.plan: watch for watch in watches},
        exercises={exercise.id: exercise for exercise in exercises},
    )


def _restored(noted: str | None, head: int) -> Restored | None:
    """What follows from it is decided once: from then on there are newer entries."""
    restored = None if noted is None else load(Restored, noted, "the note of a restoration")
    return restored if restored is not None and restored.last == head else None


def _runbooks(
    connection: Connection,
    incidents: Iterable[Incident],
    executions: Iterable[Execution],
    activations: Iterable[Activation],
) -> dict[str, str]:
    digests = {rung.digest for incident in incidents for _check, rungs in incident.ladders for rung in rungs}
    digests |= {execution.digest for execution in executions}
    digests |= {action.digest for activation in activations for action in activation.actions}
    query = select(RUNBOOKS.c.digest, RUNBOOKS.c.text).where(RUNBOOKS.c.digest.in_(sorted(digests)))
    return {found.digest: found.text for found in connection.execute(query)}
