"""The queue of runbook steps: a step is claimed, durably, before it is carried out."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, bindparam, insert, select, update

from agent.model.commands import RunStep
from agent.runtime.store.codec import dump, load
from agent.runtime.store.schema import STEPS


class StepState(StrEnum):
    """How far a step is. STARTED with no result after a crash: what it did is not known here, but perhaps there."""

    PENDING = "pending"
    STARTED = "started"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class UnfinishedStep:
    """A step without an outcome. `ledger`: where the host keeps what came of it, noted before it was begun."""

    command: RunStep
    begun: bool = False
    ledger: str | None = None


_COLUMNS = STEPS.c
_QUEUE = insert(STEPS)
_END = update(STEPS).where(_COLUMNS.id == bindparam("step")).values(state=StepState.ENDED.value)
_START = (
    update(STEPS)
    .where(_COLUMNS.id == bindparam("step"), _COLUMNS.state == StepState.PENDING.value)
    .values(state=StepState.STARTED.value, started_at=bindparam("at"), ledger=bindparam("where"))
)
_MOVE = update(STEPS).where(_COLUMNS.id == bindparam("step")).values(ledger=bindparam("where"))
_UNFINISHED = (
    select(_COLUMNS.payload, _COLUMNS.state, _COLUMNS.id, _COLUMNS.ledger)
    .where(_COLUMNS.state.in_([StepState.PENDING.value, StepState.STARTED.value]))
    .order_by(_COLUMNS.created_at, _COLUMNS.id)
)


def row(step: RunStep, at: float) -> dict[str, object]:
    return {
        "id": step.id,
        "execution": step.execution,
        "payload": dump(step),
        "state": StepState.PENDING.value,
        "created_at": at,
    }


def queue(connection: Connection, rows: Sequence[dict[str, object]]) -> None:
    if rows:
        connection.execute(_QUEUE, rows)


def end(connection: Connection, ids: Sequence[str]) -> None:
    if ids:
        connection.execute(_END, [{"step": id} for id in ids])


def start(connection: Connection, id: str, at: float, ledger: str | None) -> bool:
    """Claim a pending step; False if it was started or ended before, or was never ordered."""
    return connection.execute(_START, {"step": id, "at": at, "where": ledger}).rowcount == 1


def move(connection: Connection, id: str, ledger: str) -> None:
    connection.execute(_MOVE, {"step": id, "where": ledger})


def unfinished(connection: Connection) -> list[UnfinishedStep]:
    """Every step that has not ended, in order of its command."""
    return [
        UnfinishedStep(
            load(RunStep, found.payload, f"step {found.id}"), found.state == StepState.STARTED.value, found.ledger
        )
        for found in connection.execute(_UNFINISHED)
    ]
