"""What the queues in the record have in common: rows that wait, are tried again, are delivered or given up."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Column, Table, Update, bindparam, func, select, update

from agent.runtime.store.codec import storable
from agent.runtime.store.engine import Database

WAITING, DELIVERED = "waiting", "delivered"


@dataclass(frozen=True, slots=True)
class Counted:
    """`oldest`: since when the longest waiting row waits, seconds since the epoch; `last_error`: of those that wait."""

    waiting: int
    oldest: float | None
    given_up: int
    last_error: str | None


class WaitingRows:
    """Every method is a transaction of its own and raises StoreError. Times in seconds since the epoch."""

    def __init__(
        self, database: Database, table: Table, key: "Column[str]", given_up: str, ended: Mapping[str, None] = {}
    ) -> None:
        """`key` names a row; `given_up` is the state of one that never will be delivered; `ended`: what is no longer
        true of a row whose attempt has failed.
        """
        self._database = database
        columns, this = table.c, key == bindparam("row")
        self._given_up = given_up
        waits = columns.state == WAITING
        failed = {"last_error": bindparam("error"), "attempts": columns.attempts + 1, **ended}
        delivered = {"state": DELIVERED, "delivered_at": bindparam("at")}
        self._delivered = update(table).where(this).values(**delivered)
        self._postponed = update(table).where(this, waits).values(not_before=bindparam("until"), **failed)
        self._gave_up = update(table).where(this, waits).values(state=given_up, **failed)
        later = columns.not_before > bindparam("at")
        self._not_later = update(table).where(waits, later).values(not_before=bindparam("at"))
        self._counts = (
            select(columns.state, func.count().label("number"), func.min(columns.queued_at).label("oldest"))
            .where(columns.state.in_([WAITING, given_up]))
            .group_by(columns.state)
        )
        self._last_error = (
            select(columns.last_error)
            .where(waits, columns.last_error.is_not(None))
            .order_by(columns.not_before.desc())
            .limit(1)
        )

    def delivered(self, id: str, at: float) -> None:
        """Also after it was given up: someone delivered it all the same."""
        self._change(self._delivered, {"row": id, "at": at})

    def postponed(self, id: str, not_before: float, error: str) -> None:
        """An attempt failed: it is counted, and the next one comes not before then."""
        self._change(self._postponed, {"row": id, "until": not_before, "error": storable(error)})

    def given_up(self, id: str, error: str) -> None:
        """It never will be delivered: what comes after it no longer waits for it."""
        self._change(self._gave_up, {"row": id, "error": storable(error)})

    def not_later(self, at: float) -> None:
        """What was postponed beyond then is due then."""
        self._change(self._not_later, {"at": at})

    def counted(self) -> Counted:
        """How many wait, and how many were given up."""
        with self._database.reading() as connection:
            counts = {found.state: found for found in connection.execute(self._counts)}
            error = connection.scalar(self._last_error)
        waiting, given_up = counts.get(WAITING), counts.get(self._given_up)
        return Counted(
            waiting=waiting.number if waiting else 0,
            oldest=waiting.oldest if waiting else None,
            given_up=given_up.number if given_up else 0,
            last_error=error,
        )

    def _change(self, statement: Update, values: dict[str, object]) -> None:
        with self._database.writing() as connection:
            connection.execute(statement, values)
