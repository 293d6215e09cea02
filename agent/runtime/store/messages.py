"""Messages that wait to be delivered: at least once, those of one target in order, no target waiting for another."""

import logging
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from enum import StrEnum

from sqlalchemy import Connection, Update, bindparam, func, insert, select, update

from agent.errors import StoreCorrupt
from agent.model.commands import SendMessage
from agent.runtime.messages.queue import QueuedMessage, QueueState
from agent.runtime.store.codec import dump, load, storable
from agent.runtime.store.engine import Database
from agent.runtime.store.schema import MESSAGES

log = logging.getLogger("paramedic.messages")


class MessageState(StrEnum):
    """GIVEN_UP: it never will be delivered; the target's later messages no longer wait for it."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given up"


_COLUMNS = MESSAGES.c
_IS_WAITING = _COLUMNS.state == MessageState.WAITING.value
_QUEUE = insert(MESSAGES)
_FIRST = select(func.min(_COLUMNS.number)).where(_IS_WAITING).group_by(_COLUMNS.target)
_DUE = (
    select(MESSAGES)
    .where(_IS_WAITING, _COLUMNS.number.in_(_FIRST), _COLUMNS.not_before <= bindparam("now"))
    .order_by(_COLUMNS.queued_at, _COLUMNS.number)
)
_DELIVERED = (
    update(MESSAGES)
    .where(_COLUMNS.id == bindparam("message"))
    .values(state=MessageState.DELIVERED.value, delivered_at=bindparam("at"))
)
_POSTPONED = (
    update(MESSAGES)
    .where(_COLUMNS.id == bindparam("message"), _IS_WAITING)
    .values(not_before=bindparam("until"), last_error=bindparam("error"), attempts=_COLUMNS.attempts + 1)
)
_GIVEN_UP = (
    update(MESSAGES)
    .where(_COLUMNS.id == bindparam("message"), _IS_WAITING)
    .values(state=MessageState.GIVEN_UP.value, last_error=bindparam("error"), attempts=_COLUMNS.attempts + 1)
)
_NOT_LATER = (
    update(MESSAGES).where(_IS_WAITING, _COLUMNS.not_before > bindparam("at")).values(not_before=bindparam("at"))
)
_WAITING = select(_COLUMNS.id, _COLUMNS.payload).where(_IS_WAITING)
_SAY = update(MESSAGES).where(_COLUMNS.id == bindparam("message")).values(payload=bindparam("now_said"))
_COUNTS = (
    select(_COLUMNS.state, func.count().label("number"), func.min(_COLUMNS.queued_at).label("oldest"))
    .where(_COLUMNS.state.in_([MessageState.WAITING.value, MessageState.GIVEN_UP.value]))
    .group_by(_COLUMNS.state)
)
_LAST_ERROR = (
    select(_COLUMNS.last_error)
    .where(_IS_WAITING, _COLUMNS.last_error.is_not(None))
    .order_by(_COLUMNS.not_before.desc())
    .limit(1)
)


def row(command: SendMessage, at: float) -> dict[str, object]:
    return {
        "id": command.id,
        "number": int(command.id.rpartition("-")[2]),
        "about": storable(command.about),
        "target": storable(command.target),
        "payload": dump(command),
        "state": MessageState.WAITING.value,
        "attempts": 0,
        "not_before": 0.0,
        "queued_at": at,
    }


def queue(connection: Connection, rows: Sequence[dict[str, object]]) -> None:
    if rows:
        connection.execute(_QUEUE, rows)


class StoredMessageQueue:
    """The `MessageQueue` in the record's database; every method is a transaction of its own. All raise StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def due(self, now: float, besides: Collection[str] = ()) -> Sequence[QueuedMessage]:
        """The first waiting message of each target but these, unless it was postponed beyond `now`.

        One that cannot be read is given up here, so that it does not keep the target's others from delivery.
        """
        with self._database.reading() as connection:
            rows = connection.execute(_DUE.where(_COLUMNS.target.not_in(besides)), {"now": now}).all()
        queued = []
        for found in rows:
            try:
                command = load(SendMessage, found.payload, f"message {found.id}")
            except StoreCorrupt as error:
                log.error("message %s is given up: %s", found.id, error)
                self.given_up(found.id, str(error))
                continue
            queued.append(QueuedMessage(command, found.attempts, found.queued_at, found.last_error))
        return queued

    def delivered(self, id: str, at: float) -> None:
        self._change(_DELIVERED, {"message": id, "at": at})

    def postponed(self, id: str, not_before: float, error: str) -> None:
        """An attempt failed: it is counted, and the next one comes not before then (seconds since the epoch)."""
        self._change(_POSTPONED, {"message": id, "until": not_before, "error": storable(error)})

    def given_up(self, id: str, error: str) -> None:
        self._change(_GIVEN_UP, {"message": id, "error": storable(error)})

    def say_before(self, said: str) -> None:
        """Put a sentence before whatever waits."""
        with self._database.writing() as connection:
            for found in connection.execute(_WAITING).all():
                with suppress(StoreCorrupt):
                    message = load(SendMessage, found.payload, f"message {found.id}")
                    payload = dump(replace(message, body=f"{said}\n\n{message.body}"))
                    connection.execute(_SAY, {"message": found.id, "now_said": payload})

    def not_later(self, at: float) -> None:
        """What was postponed beyond then (seconds since the epoch) is due then."""
        self._change(_NOT_LATER, {"at": at})

    def state(self) -> QueueState:
        with self._database.reading() as connection:
            counts = {found.state: found for found in connection.execute(_COUNTS)}
            error = connection.scalar(_LAST_ERROR)
        waiting, given_up = counts.get(MessageState.WAITING), counts.get(MessageState.GIVEN_UP)
        return QueueState(
            waiting=waiting.number if waiting else 0,
            oldest=waiting.oldest if waiting else None,
            given_up=given_up.number if given_up else 0,
            last_error=error,
        )

    def _change(self, statement: Update, values: dict[str, object]) -> None:
        with self._database.writing() as connection:
            connection.execute(statement, values)
