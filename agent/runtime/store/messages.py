"""Messages that wait to be delivered: at least once, those of one target in order, no target waiting for another."""

import logging
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from enum import StrEnum

from sqlalchemy import Connection, bindparam, func, insert, select, update

from agent.errors import StoreCorrupt
from agent.model.commands import SendMessage
from agent.runtime.messages.queue import QueuedMessage, QueueState
from agent.runtime.store.codec import dump, load, storable
from agent.runtime.store.engine import Database
from agent.runtime.store.schema import MESSAGES
from agent.runtime.store.waiting import DELIVERED, WAITING, WaitingRows

log = logging.getLogger("paramedic.messages")


class MessageState(StrEnum):
    """GIVEN_UP: it never will be delivered; the target's later messages no longer wait for it."""

    WAITING = WAITING
    DELIVERED = DELIVERED
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
_WAITING = select(_COLUMNS.id, _COLUMNS.payload).where(_IS_WAITING)
_SAY = update(MESSAGES).where(_COLUMNS.id == bindparam("message")).values(payload=bindparam("now_said"))


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


class StoredMessageQueue(WaitingRows):
    """The `MessageQueue` in the record's database."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, MESSAGES, _COLUMNS.id, MessageState.GIVEN_UP.value)

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

    def say_before(self, said: str) -> None:
        """Put a sentence before whatever waits."""
        with self._database.writing() as connection:
            for found in connection.execute(_WAITING).all():
                with suppress(StoreCorrupt):
                    message = load(SendMessage, found.payload, f"message {found.id}")
                    payload = dump(replace(message, body=f"{said}\n\n{message.body}"))
                    connection.execute(_SAY, {"message": found.id, "now_said": payload})

    def state(self) -> QueueState:
        found = self.counted()
        return QueueState(found.waiting, found.oldest, found.given_up, found.last_error)
