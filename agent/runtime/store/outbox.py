"""Ticket updates that wait to be delivered: at least once, in order, one incident not waiting for another."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Double, Row, and_, bindparam, func, insert, select, update

from agent.errors import StoreCorrupt
from agent.model.commands import Milestone, UpdateTicket
from agent.model.incident import Incident, TicketRef
from agent.model.text import one_line
from agent.runtime.outbox import OutboxState, Queued
from agent.runtime.store import timeline
from agent.runtime.store.codec import dump, load
from agent.runtime.store.engine import Database
from agent.runtime.store.schema import INCIDENTS, TICKET_UPDATES
from agent.runtime.store.waiting import DELIVERED, WAITING, WaitingRows

log = logging.getLogger("paramedic.tickets")


class UpdateState(StrEnum):
    """SET_ASIDE: delivery was given up; the incident's later updates no longer wait for it. JOINED: a later update of
    the incident tells it (`UpdateTicket.first`)."""

    WAITING = WAITING
    DELIVERED = DELIVERED
    SET_ASIDE = "set aside"
    JOINED = "told in a later one"


_LINES = 20
"""At the most, of updates told as one."""

_COLUMNS = TICKET_UPDATES.c
_IS_WAITING = _COLUMNS.state == UpdateState.WAITING.value
_QUEUE = insert(TICKET_UPDATES)
_FIRST = (
    select(_COLUMNS.incident, func.min(_COLUMNS.number).label("number"), (func.count() - 1).label("behind"))
    .where(_IS_WAITING)
    .group_by(_COLUMNS.incident)
    .subquery()
)
_DUE = (
    select(TICKET_UPDATES, _FIRST.c.behind)
    .join(_FIRST, and_(_COLUMNS.incident == _FIRST.c.incident, _COLUMNS.number == _FIRST.c.number))
    .where(_COLUMNS.not_before <= bindparam("now"))
    .order_by(_COLUMNS.queued_at, _COLUMNS.key)
    .limit(bindparam("limit"))
)
_BEHIND = (
    select(_COLUMNS.key, _COLUMNS.payload)
    .where(_COLUMNS.incident == bindparam("of"), _COLUMNS.number > bindparam("after"), _IS_WAITING)
    .order_by(_COLUMNS.number)
)
_JOIN = update(TICKET_UPDATES).where(_COLUMNS.key == bindparam("update")).values(state=UpdateState.JOINED.value)
_LET_SETTLE = (
    update(TICKET_UPDATES)
    .where(_COLUMNS.key == bindparam("update"), _IS_WAITING)
    .values(not_before=bindparam("until"), settles_within=bindparam("seconds"))
)
_SETTLED = bindparam("now", type_=Double) + _COLUMNS.settles_within
_SETTLE_FROM = update(TICKET_UPDATES).where(_IS_WAITING, _COLUMNS.not_before > _SETTLED).values(not_before=_SETTLED)
_TELL_ALL = update(TICKET_UPDATES).where(_COLUMNS.key == bindparam("update")).values(payload=bindparam("all"))


def row(command: UpdateTicket, at: float) -> dict[str, object]:
    return {
        "key": command.key,
        "incident": command.incident,
        "number": command.number,
        "payload": dump(command),
        "state": UpdateState.WAITING.value,
        "attempts": 0,
        "not_before": 0.0,
        "queued_at": at,
    }


def queue(connection: Connection, rows: Sequence[dict[str, object]]) -> None:
    if rows:
        connection.execute(_QUEUE, rows)


def _queued(found: Row[Any], head: tuple[int, str]) -> Queued:
    command = load(UpdateTicket, found.payload, f"ticket update {found.key}")
    command = replace(command, record=f"{head[0]} {head[1]}")
    return Queued(command, found.attempts, found.queued_at, found.last_error, found.behind)


def as_one(updates: Sequence[UpdateTicket]) -> UpdateTicket:
    """Of the same incident, in order: the last of them, telling in a line each what happened before."""
    *before, last = updates
    lines = [one_line(update.text.partition("\n")[0]) for update in before]
    if len(lines) > _LINES:
        lines[_LINES // 2 : -_LINES // 2] = [f"… and {len(lines) - _LINES} more"]
    said = "\n".join(["Before that:", *(f"- {line}" for line in lines)])
    return replace(last, text=f"{last.text}\n\n{said}", first=before[0].number)


class StoredTicketQueue(WaitingRows):
    """The `TicketQueue` in the record's database."""

    def __init__(self, database: Database) -> None:
        super().__init__(
            database, TICKET_UPDATES, _COLUMNS.key, UpdateState.SET_ASIDE.value, ended={"settles_within": None}
        )

    def due(self, now: float, limit: int) -> Sequence[Queued]:
        """The first waiting update of each incident, unless it was postponed beyond `now`; longest queued first.

        An update that was set aside holds up none after it; one that cannot be read is set aside here.
        """
        with self._database.reading() as connection:
            rows = connection.execute(_DUE, {"now": now, "limit": limit}).all()
            head = timeline.head(connection) if rows else (0, "")
        queued = []
        for found in rows:
            try:
                queued.append(_queued(found, head))
            except StoreCorrupt as error:  # it must not keep all the others from being delivered
                log.error("ticket update %s is set aside: %s", found.key, error)
                self.set_aside(found.key, now, str(error))
        return queued

    def join_behind(self, update: UpdateTicket) -> None:
        """Those that wait behind this one become one, as far as each says no more than that something happened.

        None of them has ever been on its way, so nothing is told twice. One that cannot be read ends the row.
        """
        with self._database.writing() as connection:
            found = connection.execute(_BEHIND, {"of": update.incident, "after": update.number}).all()
            joining: list[UpdateTicket] = []
            with suppress(StoreCorrupt):
                for each in found:
                    command = load(UpdateTicket, each.payload, f"ticket update {each.key}")
                    if command.milestone is not Milestone.UPDATED:
                        break
                    if command.first:  # that is many told as one already
                        joining.clear()
                    else:
                        joining.append(command)
            if len(joining) > 1:
                joint = as_one(joining)
                connection.execute(_TELL_ALL, {"update": joint.key, "all": dump(joint)})
                connection.execute(_JOIN, [{"update": command.key} for command in joining[:-1]])

    def let_settle(self, key: str, now: float, within: float) -> None:
        """It is due so many seconds later at the earliest, though no attempt has failed."""
        self._change(_LET_SETTLE, {"update": key, "until": now + within, "seconds": within})

    def settle_from(self, now: float) -> None:
        """What settles is due as many seconds after `now` at the latest."""
        self._change(_SETTLE_FROM, {"now": now})

    def set_aside(self, key: str, at: float, error: str) -> None:
        """Delivery is given up, so that the incident's later updates get their turn."""
        self.given_up(key, error)

    def ticket_of(self, incident: str) -> TicketRef | None:
        with self._database.reading() as connection:
            body = connection.scalar(select(INCIDENTS.c.body).where(INCIDENTS.c.id == incident))
        return None if body is None else load(Incident, body, f"incident {incident}").ticket

    def waiting(self) -> OutboxState:
        found = self.counted()
        return OutboxState(found.waiting, found.oldest, found.last_error, found.given_up)
