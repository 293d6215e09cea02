"""What several decisions come to as rows.

They are made before the transaction begins: it is short then, and what cannot be stored fails before
anything is written.
"""

from collections.abc import Mapping, Sequence
from itertools import chain

from sqlalchemy import Connection, Table, bindparam, delete

from agent.model.activation import Activation, PlanWatch
from agent.model.commands import RunStep, SendMessage, UpdateTicket
from agent.model.decision import Decision
from agent.model.execution import Execution, Treatment
from agent.model.exercise import Exercise
from agent.model.health import Health, Key
from agent.model.incident import Incident
from agent.runtime.crash_points import CrashPoint, reached
from agent.runtime.store import messages, outbox, steps, timeline
from agent.runtime.store.codec import dump, storable
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
    insert_missing,
    upsert,
)

FREEZE = "freeze"
"""Name of the global stop among the settings."""

Rows = list[dict[str, object]]
_UNFREEZE = delete(SETTINGS).where(SETTINGS.c.name == FREEZE)
_FORGET = delete(HEALTH).where(
    HEALTH.c.check_name == bindparam("gone_check"), HEALTH.c.subject == bindparam("gone_subject")
)
_END_EXERCISE = delete(EXERCISES).where(EXERCISES.c.id == bindparam("over"))


class Batch:
    """Of an aggregate that several of the decisions changed, the last state is kept.

    `at`: when they were committed. Raises ValueError if one holds what is no JSON value.
    """

    def __init__(self, decisions: Sequence[Decision], at: float) -> None:
        incidents: dict[str, Incident] = {}
        executions: dict[str, Execution] = {}
        treatments: dict[tuple[str, str], Treatment] = {}
        health: dict[Key, Health] = {}
        gone: dict[Key, None] = {}
        counters: dict[str, int] = {}
        activations: dict[str, Activation] = {}
        watches: dict[str, PlanWatch] = {}
        exercises: dict[str, Exercise | None] = {}
        runbooks: dict[str, str] = {}
        for decision in decisions:
            incidents |= decision.incidents
            executions |= decision.executions
            treatments |= {(treatment.execution, treatment.host): treatment for treatment in decision.treatments}
            health |= decision.health
            gone = {key: None for key in gone if key not in decision.health} | dict.fromkeys(decision.forgotten)
            for key in decision.forgotten:
                health.pop(key, None)
            counters |= decision.counters
            activations |= decision.activations
            watches |= decision.watches
            exercises |= decision.exercises
            runbooks |= decision.runbooks
        commands = [command for decision in decisions for command in decision.commands]
        self._aggregates: dict[Table, Rows] = {
            INCIDENTS: [_incident(incident) for incident in incidents.values()],
            EXECUTIONS: [_execution(execution) for execution in executions.values()],
            TREATMENTS: [_treatment(treatment) for treatment in treatments.values()],
            HEALTH: [_health(one) for one in health.values()],
            ACTIVATIONS: [_activation(activation) for activation in activations.values()],
            PLAN_WATCHES: [{"plan": storable(watch.plan), "body": dump(watch)} for watch in watches.values()],
            EXERCISES: [{"id": storable(id), "body": dump(one)} for id, one in exercises.items() if one],
            COUNTERS: [{"name": name, "value": value} for name, value in counters.items()],
        }
        self._gone: Rows = [{"gone_check": storable(key.check), "gone_subject": storable(key.subject)} for key in gone]
        self._over: Rows = [{"over": storable(id)} for id, one in exercises.items() if one is None]
        names = _runbook_names(incidents, executions, activations)
        self._runbooks: Rows = [
            {"digest": digest, "name": storable(names.get(digest, "")), "text": storable(text)}
            for digest, text in runbooks.items()
        ]
        self._steps = [steps.row(command, at) for command in commands if isinstance(command, RunStep)]
        self._updates = [outbox.row(command, at) for command in commands if isinstance(command, UpdateTicket)]
        self._messages = [messages.row(command, at) for command in commands if isinstance(command, SendMessage)]
        self._ended_steps = [step for decision in decisions for step in decision.ended_steps]
        self._entries = timeline.prepare([entry for decision in decisions for entry in decision.entries])
        freezes = [decision.freeze for decision in decisions if decision.freeze_changed]
        self._unfreeze = bool(freezes) and freezes[-1] is None
        if freezes and freezes[-1] is not None:
            self._aggregates[SETTINGS] = [{"name": FREEZE, "value": dump(freezes[-1])}]

    @property
    def is_empty(self) -> bool:
        queued = self._steps or self._updates or self._messages or self._ended_steps or self._entries or self._runbooks
        return not (queued or self._gone or self._over or self._unfreeze or any(self._aggregates.values()))

    def write(self, connection: Connection) -> None:
        """In the order in which rows refer to each other."""
        dialect = connection.dialect.name
        if self._runbooks:
            connection.execute(insert_missing(RUNBOOKS, dialect), self._runbooks)
        for table, rows in self._aggregates.items():
            if rows:
                connection.execute(upsert(table, dialect), rows)
        if self._unfreeze:
            connection.execute(_UNFREEZE)
        if self._gone:
            connection.execute(_FORGET, self._gone)
        if self._over:
            connection.execute(_END_EXERCISE, self._over)
        steps.queue(connection, self._steps)
        steps.end(connection, self._ended_steps)
        outbox.queue(connection, self._updates)
        messages.queue(connection, self._messages)
        reached(CrashPoint.HALF_WRITTEN)
        timeline.append(connection, self._entries)


def _runbook_names(
    incidents: Mapping[str, Incident], executions: Mapping[str, Execution], activations: Mapping[str, Activation]
) -> dict[str, str]:
    """By digest, from where the decision says which runbook it means."""
    ladders = chain.from_iterable(incident.ladders for incident in incidents.values())
    names = {rung.digest: rung.runbook for _check, rungs in ladders for rung in rungs}
    actions = chain.from_iterable(activation.actions for activation in activations.values())
    names |= {action.digest: action.runbook for action in actions}
    return names | {execution.digest: execution.runbook for execution in executions.values()}


def _incident(incident: Incident) -> dict[str, object]:
    return {
        "id": incident.id,
        "number": int(incident.id.rpartition("-")[2]),
        "phase": incident.phase.value,
        "origin": incident.origin.value,
        "service": None if incident.service is None else storable(incident.service),
        "priority": incident.classification.priority.value,
        "category": storable(incident.category),
        "team": storable(incident.team),
        "opened_at": incident.opened_at,
        "resolved_at": incident.resolved_at,
        "closed_at": incident.closed_at,
        "body": dump(incident),
    }


def _execution(execution: Execution) -> dict[str, object]:
    return {
        "id": execution.id,
        "incident": execution.incident,
        "runbook": storable(execution.runbook),
        "started_at": execution.started_at,
        "ended_at": execution.ended_at,
        "body": dump(execution),
    }


def _activation(activation: Activation) -> dict[str, object]:
    return {
        "id": activation.id,
        "number": activation.number,
        "plan": storable(activation.plan),
        "stage": activation.stage.value,
        "level": activation.level.value,
        "incident": activation.incident,
        "activated_at": activation.activated_at,
        "closed_at": activation.closed_at,
        "body": dump(activation),
    }


def _treatment(treatment: Treatment) -> dict[str, object]:
    return {
        "execution": treatment.execution,
        "host": storable(treatment.host),
        "at": treatment.at,
        "body": dump(treatment),
    }


def _health(health: Health) -> dict[str, object]:
    return {
        "check_name": storable(health.key.check),
        "subject": storable(health.key.subject),
        "body": dump(health),
    }
