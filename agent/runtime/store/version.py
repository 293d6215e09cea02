"""Which schema a database has, and bringing it up to ours.

A new record is made as `schema` has it; an older one goes through the migrations, which lead to the same
(a test compares the two). Alembic costs 12 MB of memory, so it is imported only for that.
"""

from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, String, Table, insert, inspect, select
from sqlalchemy.schema import CreateTable

from agent.errors import StoreCorrupt, StoreError, StoreMissing, StoreNewer, StoreOlder
from agent.runtime.store.engine import Database
from agent.runtime.store.schema import METADATA

SCHEMA_VERSION = "0004"
"""The newest revision in `migrations/versions`. Revisions are numbered, so that a newer one can be told."""

MIGRATIONS = Path(__file__).parent / "migrations"
_VERSION = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))
"""As Alembic makes it."""


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


def ensure_current(database: Database, *, read_only: bool, made: bool = False) -> None:
    """Create or migrate the schema where needed, in one transaction. `made`: there is to be a record already.

    Raises StoreNewer, StoreMissing, and when `read_only` StoreOlder instead of migrating.
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
    if found is None and made:
        raise missing(database.path)
    if read_only and found is None:
        raise StoreError(f"{database.path} is empty: no agent has run on it yet")
    if read_only:
        raise StoreOlder(f"{database.path} has schema {found}: start the agent once to bring it to {SCHEMA_VERSION}")
    with database.migrating() as connection:
        if found is None:
            create(connection)
        else:
            upgrade(connection)


def missing(path: Path) -> StoreMissing:
    """What is said when the record is gone. An empty one would have forgotten every incident and every limit."""
    return StoreMissing(
        f"{path} is gone or empty, though an agent has kept its record there. Restore a backup: "
        f"paramedic records restore BACKUP. To begin an empty record instead, remove {path}.lock"
    )


def create(connection: Connection) -> None:
    """Make the tables in an empty database."""
    METADATA.create_all(connection, checkfirst=False)
    connection.execute(CreateTable(_VERSION))
    connection.execute(insert(_VERSION).values(version_num=SCHEMA_VERSION))


def upgrade(connection: Connection, migrations: Path = MIGRATIONS, to: str = "head") -> None:
    """Run the migrations in the folder up to revision `to`, inside the connection's transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    command.upgrade(config, to)
