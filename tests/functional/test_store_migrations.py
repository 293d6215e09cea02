"""A record of an older version is brought up to date; one of a newer version is left alone."""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from agent.errors import StoreCorrupt, StoreError, StoreNewer, StoreOlder
from agent.runtime.store import Store, UnfinishedStep
from agent.runtime.store.engine import Database, create_file
from agent.runtime.store.schema import METADATA
from agent.runtime.store.version import MIGRATIONS, SCHEMA_VERSION, upgrade, version_of
from tests.functional.records import EXECUTION, INCIDENT, NOON, STEP

OLD_COPY = Path(__file__).parent / "data" / "record-0001.sql"
"""A record as schema 0001 and the first version of the model wrote it. It stays as it is."""

NEXT_MIGRATION = """
import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    with op.batch_alter_table("executions") as table:
        table.add_column(sa.Column("drill", sa.Text()))
        table.alter_column("runbook", new_column_name="runbook_name")
    op.execute("{last}")
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "paramedic.db"
    with closing(sqlite3.connect(path)) as shell:
        shell.executescript(OLD_COPY.read_text(encoding="utf-8"))
    return path


@pytest.fixture
def next_migrations(tmp_path: Path) -> Path:
    """Our migrations and one more, whose last statement the test fills in."""
    return Path(shutil.copytree(MIGRATIONS, tmp_path / "migrations", ignore=shutil.ignore_patterns("__pycache__")))


def test_the_migrations_lead_to_the_tables_the_code_uses(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    Store.open(path).close()
    database = Database(path, read_only=True)
    with database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    database.close()


def layout(path: Path) -> set[tuple[object, ...]]:
    """Every column, index, reference and trigger of the database."""
    found: set[tuple[object, ...]] = set()
    with closing(sqlite3.connect(path)) as shell:
        for kind, name, sql in shell.execute("SELECT type, name, sql FROM sqlite_master"):
            found |= {(kind, name, sql)} if kind == "trigger" else {(kind, name)}
            for pragma in ("table_info", "foreign_key_list", "index_info") if kind in ("table", "index") else ():
                found |= {(name, pragma, *row) for row in shell.execute(f"PRAGMA {pragma}({name})")}
    return found


def test_a_new_record_is_what_the_migrations_lead_to(tmp_path: Path) -> None:
    Store.open(tmp_path / "new.db").close()
    create_file(tmp_path / "migrated.db")
    migrated = Database(tmp_path / "migrated.db", read_only=False)
    with migrated.migrating() as connection:
        upgrade(connection)
    migrated.close()
    assert layout(tmp_path / "new.db") == layout(tmp_path / "migrated.db")


def test_the_schema_version_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    assert ScriptDirectory.from_config(config).get_heads() == [SCHEMA_VERSION]


def test_an_old_copy_is_upgraded_and_read(old: Path) -> None:
    """A field added to a stored type needs a default, or what is on people's disks cannot be read."""
    with Store.open(old) as store:
        saved = store.load(NOON)
        assert saved.incidents["INC-12"].title == INCIDENT.title
        assert saved.incidents["INC-12"].ladders == INCIDENT.ladders
        assert saved.executions["RUN-7"].runs[0].registered == EXECUTION.runs[0].registered
        assert saved.freeze is not None
        assert store.unfinished_steps() == [UnfinishedStep(STEP, begun=True)]
        assert [queued.update.key for queued in store.tickets.due(NOON, 10)] == ["INC-12/1"]
        assert store.verify().count == 2
    database = Database(old, read_only=True)
    with database.reading() as connection:
        assert version_of(connection) == SCHEMA_VERSION
    database.close()


def test_a_migration_keeps_the_rows_and_the_references(old: Path, next_migrations: Path) -> None:
    script = NEXT_MIGRATION.format(last="UPDATE executions SET drill = 'no'")
    (next_migrations / "versions" / "0005_next.py").write_text(script, encoding="utf-8")
    database = Database(old, read_only=False)
    with database.migrating() as connection:
        upgrade(connection, next_migrations)
    with database.reading() as connection:
        assert version_of(connection) == "0005"
        found = connection.exec_driver_sql("SELECT runbook_name, drill FROM executions").fetchall()
        assert [tuple(row) for row in found] == [("restart-web", "no")]
    with pytest.raises(StoreError, match="FOREIGN KEY"), database.writing() as connection:
        connection.exec_driver_sql("DELETE FROM executions")
    database.close()


@pytest.mark.parametrize(
    ("last", "refused"),
    [("INSERT INTO nowhere VALUES (1)", "no such table"), ("DELETE FROM executions", "is missing")],
)
def test_a_migration_that_fails_leaves_the_record_as_it_was(
    old: Path, next_migrations: Path, last: str, refused: str
) -> None:
    (next_migrations / "versions" / "0005_next.py").write_text(NEXT_MIGRATION.format(last=last), encoding="utf-8")
    database = Database(old, read_only=False)
    with pytest.raises(StoreError, match=refused), database.migrating() as connection:
        upgrade(connection, next_migrations)
    database.close()
    with Store.open(old) as store:
        assert store.load(NOON).executions["RUN-7"].runbook == "restart-web"


def test_a_newer_record_is_not_touched(old: Path) -> None:
    with closing(sqlite3.connect(old)) as shell, shell:
        shell.execute("UPDATE alembic_version SET version_num = '0999'")
    before = old.read_bytes()
    for read_only in (False, True):
        with pytest.raises(StoreNewer, match="schema 0999, this program knows"):
            Store.open(old, read_only=read_only)
    assert old.read_bytes() == before


def test_a_reader_does_not_migrate(old: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(old)) as shell, shell:
        shell.execute("UPDATE alembic_version SET version_num = '0000'")
    with pytest.raises(StoreOlder, match="start the agent once"):
        Store.open(old, read_only=True)
    (tmp_path / "empty.db").touch()
    with pytest.raises(StoreError, match="is empty"):
        Store.open(tmp_path / "empty.db", read_only=True)


def test_somebody_elses_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "roundup.db"
    with closing(sqlite3.connect(path)) as shell, shell:
        shell.execute("CREATE TABLE issue (id)")
    with pytest.raises(StoreCorrupt, match="not a paramedic record: it holds the tables issue"):
        Store.open(path)


def test_alembic_is_not_imported_where_there_is_nothing_to_migrate(old: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from agent.runtime.store import Store; "
        "Store.open(Path(sys.argv[1])).close(); print('alembic' in sys.modules)"
    )

    def imported(path: Path) -> str:
        done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    assert imported(old.with_name("new.db")) == "False"
    assert imported(old) == "True"
    assert imported(old) == "False"
