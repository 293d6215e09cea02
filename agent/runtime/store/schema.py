"""The tables of the record.

What people search by is a column; the whole aggregate is in `body`, as JSON text written by `codec`.
Times are seconds since the epoch. Nothing here is particular to SQLite but the triggers. A change of a table needs a
migration in `migrations/versions`; a test compares the two.
"""

from functools import cache
from importlib import import_module

from sqlalchemy import (
    DDL,
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Insert,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    event,
)

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Sequence = BigInteger().with_variant(Integer, "sqlite")
"""In SQLite only INTEGER makes a primary key the table's own order."""

INCIDENTS = Table(
    "incidents",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("phase", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("service", Text),
    Column("priority", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("team", Text, nullable=False),
    Column("opened_at", Double, nullable=False),
    Column("resolved_at", Double),
    Column("closed_at", Double),
    Column("body", Text, nullable=False),
    Index(None, "number"),
    Index(None, "closed_at"),
    Index(None, "opened_at"),
)

EXECUTIONS = Table(
    "executions",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("incident", Text, ForeignKey(INCIDENTS.c.id)),
    Column("runbook", Text, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("ended_at", Double),
    Column("body", Text, nullable=False),
    Index(None, "incident"),
    Index(None, "ended_at"),
)

HEALTH = Table(
    "health",
    METADATA,
    Column("check_name", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("body", Text, nullable=False),
)

TIMELINE = Table(
    "timeline",
    METADATA,
    Column("seq", Sequence, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False),
    Column("about", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("data", Text, nullable=False),
    Column("prev_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Index(None, "about", "seq"),
)
for _act in ("UPDATE", "DELETE"):
    # Against mistakes only: who means it can drop a trigger. Against that stands the chain of hashes.
    _refusal = DDL(  # type: ignore[no-untyped-call]
        f"CREATE TRIGGER timeline_refuses_{_act.lower()} BEFORE {_act} ON timeline "
        "BEGIN SELECT RAISE(ABORT, 'the timeline is append-only'); END"
    )
    event.listen(TIMELINE, "after_create", _refusal.execute_if(dialect="sqlite"))

STEPS = Table(
    "steps",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("execution", Text, ForeignKey(EXECUTIONS.c.id), nullable=False),
    Column("payload", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("started_at", Double),
    Column("ledger", Text),
    Index(None, "state"),
)

TICKET_UPDATES = Table(
    "ticket_updates",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("incident", Text, ForeignKey(INCIDENTS.c.id), nullable=False),
    Column("number", Integer, nullable=False),
    Column("payload", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("not_before", Double, nullable=False),
    Column("last_error", Text),
    Column("queued_at", Double, nullable=False),
    Column("delivered_at", Double),
    Column("settles_within", Double),  # seconds, while an attempt of unknown end may still take effect
    UniqueConstraint("incident", "number"),
    Index(None, "state", "incident", "number"),
)

TREATMENTS = Table(
    "treatments",
    METADATA,
    Column("execution", Text, ForeignKey(EXECUTIONS.c.id), primary_key=True),
    Column("host", Text, primary_key=True),
    Column("at", Double, nullable=False),
    Column("body", Text, nullable=False),
    Index(None, "at"),
)

RUNBOOKS = Table(
    "runbooks",
    METADATA,
    Column("digest", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("text", Text, nullable=False),
)

ACTIVATIONS = Table(
    "activations",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("plan", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("level", Text, nullable=False),
    Column("incident", Text, ForeignKey(INCIDENTS.c.id), nullable=False),
    Column("activated_at", Double, nullable=False),
    Column("closed_at", Double),
    Column("body", Text, nullable=False),
    Index(None, "number"),
    Index(None, "stage"),
)

PLAN_WATCHES = Table(
    "plan_watches",
    METADATA,
    Column("plan", Text, primary_key=True),
    Column("body", Text, nullable=False),
)

EXERCISES = Table(
    "exercises",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("body", Text, nullable=False),
)

MESSAGES = Table(
    "messages",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("about", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("not_before", Double, nullable=False),
    Column("last_error", Text),
    Column("queued_at", Double, nullable=False),
    Column("delivered_at", Double),
    Index(None, "state", "target", "number"),
)

COUNTERS = Table(
    "counters",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("value", Integer, nullable=False),
)

SETTINGS = Table(
    "settings",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)


def _insert(table: Table, dialect: str) -> "Insert":
    # ON CONFLICT is spelled alike in SQLite and PostgreSQL, but SQLAlchemy has one construct for each.
    construct = import_module(f"sqlalchemy.dialects.{dialect}").insert
    statement: Insert = construct(table)
    return statement


@cache
def upsert(table: Table, dialect: str) -> "Insert":
    """Write the row, over the one with the same primary key if there is one."""
    statement = _insert(table, dialect)
    key = list(table.primary_key.columns)
    rest = {column.name: statement.excluded[column.name] for column in table.columns if column not in set(key)}  # type: ignore[attr-defined]
    written: Insert = statement.on_conflict_do_update(index_elements=key, set_=rest)  # type: ignore[attr-defined]
    return written


@cache
def insert_missing(table: Table, dialect: str) -> "Insert":
    """Write the row unless there is one with the same primary key."""
    written: Insert = _insert(table, dialect).on_conflict_do_nothing()  # type: ignore[attr-defined]
    return written
