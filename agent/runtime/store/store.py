"""The record: decisions in, one transaction each time; questions of people and of a starting agent out."""

import logging
import secrets
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Select, select

from agent.errors import StoreError
from agent.model.activation import Activation, Stage
from agent.model.decision import Decision
from agent.model.events import Restored
from agent.model.execution import Execution
from agent.model.incident import Incident, Phase
from agent.model.priority import Priority
from agent.model.timeline import EntryKind
from agent.runtime.store import steps, timeline
from agent.runtime.store.backup import back_up
from agent.runtime.store.batch import Batch
from agent.runtime.store.codec import dump, load
from agent.runtime.store.engine import Database, create_file, make_folder
from agent.runtime.store.lock import AgentLock, lock_file
from agent.runtime.store.messages import StoredMessageQueue
from agent.runtime.store.outbox import StoredTicketQueue
from agent.runtime.store.saved import AGENT_ID, RESTORED, Saved, saved
from agent.runtime.store.schema import ACTIVATIONS, EXECUTIONS, INCIDENTS, SETTINGS, insert_missing, upsert
from agent.runtime.store.steps import UnfinishedStep
from agent.runtime.store.timeline import Record, Verification
from agent.runtime.store.version import ensure_current, missing

log = logging.getLogger("paramedic")

_LOOKED_OVER_WITHIN = 10.0
"""Seconds in which an agent that starts looks for damaged pages: half a gigabyte or more on a usual disk."""

_OPEN = [phase.value for phase in Phase if phase.is_open]
_INCIDENTS = select(INCIDENTS.c.body, INCIDENTS.c.id).order_by(INCIDENTS.c.number.desc())
_ACTIVATIONS = select(ACTIVATIONS.c.body, ACTIVATIONS.c.id).order_by(ACTIVATIONS.c.number.desc())
_EXECUTIONS = select(EXECUTIONS.c.body, EXECUTIONS.c.id).order_by(EXECUTIONS.c.started_at, EXECUTIONS.c.id)


class Store:
    """Every method may be called from any thread; all raise StoreError and its kinds.

    `tickets` is the queue of ticket updates, `messages` that of messages, in the same database.
    """

    def __init__(self, database: Database, resources: ExitStack) -> None:
        self._database = database
        self._resources = resources
        self.tickets = StoredTicketQueue(database)
        self.messages = StoredMessageQueue(database)

    @classmethod
    def open(cls, path: Path, *, read_only: bool = False) -> Self:
        """Open the record at `path`, and create or migrate it where needed; `read_only` does neither.

        Raises StoreInUse when another agent writes it (readers are welcome), StoreNewer, StoreOlder, StoreCorrupt,
        StoreMissing when a record that was there is gone, StoreNotWritable, StoreFull, or StoreError when there
        is nothing to read.
        """
        with ExitStack() as resources:
            if read_only and not path.is_file():
                raise StoreError(f"{path} does not exist: no agent has run on it yet")
            if read_only:
                database = Database(path, read_only=True)
                resources.callback(database.close)
                ensure_current(database, read_only=True)
                return cls(database, resources.pop_all())
            make_folder(path)
            lock = AgentLock(lock_file(path))
            resources.callback(lock.close)
            if lock.made and not path.exists():
                raise missing(path)
            create_file(path)
            database = Database(path, read_only=False)
            resources.callback(database.close)
            if not database.look_over(_LOOKED_OVER_WITHIN):
                log.warning("%s is large: it was looked over for damage in part only", path)
            ensure_current(database, read_only=False, made=lock.made)
            with database.writing() as connection:
                identity = {"name": AGENT_ID, "value": secrets.token_hex(16)}
                connection.execute(insert_missing(SETTINGS, connection.dialect.name), identity)
            lock.record_is_made()
            return cls(database, resources.pop_all())
        raise AssertionError("unreachable: the stack swallows nothing")

    def close(self) -> None:
        self._resources.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # the deciding thread

    def load(self, at: float) -> Saved:
        """What an agent that starts at `at` (seconds since the epoch) must know."""
        with self._database.reading() as connection:
            return saved(connection, at)

    def commit(self, decisions: Sequence[Decision], at: float) -> None:
        """Store all or nothing, durably: aggregates, entries, and the commands RunStep, UpdateTicket, SendMessage.

        `at`: when the commands are queued. Raises ValueError when a decision holds what is no JSON value.
        """
        batch = Batch(decisions, at)
        if batch.is_empty:
            return
        with self._database.writing() as connection:
            batch.write(connection)

    # performers

    def start_step(self, step_id: str, at: float, ledger: str | None = None) -> bool:
        """Claim a step before carrying it out; True exactly once for a step, and only if it has not ended.

        `ledger`: where the host will keep what came of it, if it does.
        """
        with self._database.writing() as connection:
            return steps.start(connection, step_id, at, ledger)

    def move_step(self, step_id: str, ledger: str) -> None:
        """The host keeps it elsewhere."""
        with self._database.writing() as connection:
            steps.move(connection, step_id, ledger)

    def unfinished_steps(self) -> Sequence[UnfinishedStep]:
        """Steps without an outcome, oldest first."""
        with self._database.reading() as connection:
            return steps.unfinished(connection)

    # people

    def incidents(
        self,
        *,
        open_only: bool = False,
        service: str | None = None,
        priority: Priority | None = None,
        since: float | None = None,
        limit: int = 100,
    ) -> list[Incident]:
        """Newest first. `open_only`: neither resolved nor closed; `since`: opened then or later."""
        query = _INCIDENTS.limit(limit)
        if open_only:
            query = query.where(INCIDENTS.c.phase.in_(_OPEN))
        if service is not None:
            query = query.where(INCIDENTS.c.service == service)
        if priority is not None:
            query = query.where(INCIDENTS.c.priority == priority.value)
        if since is not None:
            query = query.where(INCIDENTS.c.opened_at >= since)
        return self._incidents(query)

    def incident(self, id: str) -> Incident | None:
        return next(iter(self._incidents(_INCIDENTS.where(INCIDENTS.c.id == id))), None)

    def execution(self, id: str) -> Execution | None:
        return next(iter(self._executions(_EXECUTIONS.where(EXECUTIONS.c.id == id))), None)

    def executions_of(self, incident: str) -> list[Execution]:
        """Oldest first."""
        return self._executions(_EXECUTIONS.where(EXECUTIONS.c.incident == incident))

    def activations(self, *, open_only: bool = False, limit: int = 100) -> list[Activation]:
        """Newest first. `open_only`: those whose review is not closed."""
        query = _ACTIVATIONS.limit(limit)
        return self._activations(query.where(ACTIVATIONS.c.stage != Stage.CLOSED.value) if open_only else query)

    def activation(self, id: str) -> Activation | None:
        return next(iter(self._activations(_ACTIVATIONS.where(ACTIVATIONS.c.id == id))), None)

    def timeline(
        self,
        about: str | None = None,
        after_seq: int = 0,
        limit: int = 1000,
        kinds: Collection[EntryKind] | None = None,
    ) -> list[Record]:
        """Oldest first. `about`: an incident, an execution, or `agent`."""
        with self._database.reading() as connection:
            return timeline.records(connection, about=about, after_seq=after_seq, limit=limit, kinds=kinds)

    def latest(self, about: str, limit: int) -> list[Record]:
        """So many of the latest about an incident, an execution or `agent`, oldest first."""
        with self._database.reading() as connection:
            return timeline.latest(connection, about, limit)

    def verify(self, last: int | None = None) -> Verification:
        """Whether every record of the timeline is as it was written; see `timeline` for what this can show.

        `last`: only so many of the latest.
        """
        with self._database.reading() as connection:
            return timeline.verify(connection, last)

    def look_over(self, within: float) -> bool:
        """Whether every page of the file could be looked at within so many seconds. Raises StoreCorrupt."""
        return self._database.look_over(within)

    def head(self) -> tuple[int, str]:
        """Number and hash of the latest record: noted elsewhere, it anchors all records before it."""
        with self._database.reading() as connection:
            return timeline.head(connection)

    def backup(self, to: Path) -> None:
        """Write one consistent copy while the agent runs; `restore` puts it in a record's place."""
        back_up(self._database.path, to)

    def note_restored(self, restored: Restored) -> None:
        """The agent that starts next is told that this record was restored."""
        with self._database.writing() as connection:
            row = {"name": RESTORED, "value": dump(restored)}
            connection.execute(upsert(SETTINGS, connection.dialect.name), row)

    def _incidents(self, query: Select[Any]) -> list[Incident]:
        with self._database.reading() as connection:
            return [load(Incident, found.body, f"incident {found.id}") for found in connection.execute(query)]

    def _executions(self, query: Select[Any]) -> list[Execution]:
        with self._database.reading() as connection:
            return [load(Execution, found.body, f"execution {found.id}") for found in connection.execute(query)]

    def _activations(self, query: Select[Any]) -> list[Activation]:
        with self._database.reading() as connection:
            return [load(Activation, found.body, f"activation {found.id}") for found in connection.execute(query)]
