"""Which schema a database has, and bringing it up to ours.

Alembic costs 12 MB of memory, so it is imported only when there is something to migrate; an agent
that starts on a current database reads one row.
"""

from pathlib import Path

from sqlalchemy import Connection, column, inspect, select, table

from agent.errors import StoreCorrupt, StoreError, StoreNewer, StoreOlder
from agent.runtime.store.engine import Database

SCHEMA_VERSION = "0001"
"""The newest revision in `migrations/versions`. Revisions are numbered, so that a newer one can be told."""

MIGRATIONS = Path(__file__).parent / "migrations"
_VERSION = table("alembic_version", column("version_num"))


def version_of(connection: Connection) -> str | None:
    """None: the database is empty. Raises StoreCorrupt when it is somebody else's."""
    tables = inspect(connection).get_table_names()
    if not tables:
        return None
    if _VERSION.name not in tables:
        raise StoreCorrupt(f"this is not a paramedic record: it holds the tables {', '.join(sorted(tables)[:5])}")
    found = connection.scalar(select(_VERSION.c.version_num))
    if found is None:
        raise StoreCorrupt("the schema's version row is missing")
    return str(found)


def ensure_current(database: Database, *, read_only: bool) -> None:
    """Create or migrate the schema where needed, in one transaction.

    Raises StoreNewer, and when `read_only` StoreOlder instead of migrating.
    """
    with database.reading() as connection:
        found = version_of(connection)
    if found == SCHEMA_VERSION:
        return
    if found is not None and found > SCHEMA_VERSION:
        raise StoreNewer(
            f"{database.path} has schema {found}, this program knows {SCHEMA_VERSION}: "
            "install the version of paramedic that wrote it, or restore a backup"
        )
    if read_only and found is None:
        raise StoreError(f"{database.path} is empty: no agent has run on it yet")
    if read_only:
        raise StoreOlder(f"{database.path} has schema {found}: start the agent once to bring it to {SCHEMA_VERSION}")
    with database.migrating() as connection:
        upgrade(connection)


def upgrade(connection: Connection, migrations: Path = MIGRATIONS, to: str = "head") -> None:
    """Run the migrations in the folder up to revision `to`, inside the connection's transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    command.upgrade(config, to)
