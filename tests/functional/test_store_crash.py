"""What was reported as committed survives kill -9, a full disk, and a backup and restore."""

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from agent.errors import StoreBusy, StoreCorrupt, StoreError, StoreFailing, StoreFull, StoreMissing, StoreNotWritable
from agent.model.decision import Decision
from agent.model.health import Health, Key
from agent.runtime.store import Store, UnfinishedStep
from agent.runtime.store.engine import Database, told
from tests.functional.records import EXECUTION, INCIDENT, NOON, STEP, entry, notes, opened, update
from tests.neighbours.disk import Disk

COMMITTING = """
import sys
from pathlib import Path
from agent.model.decision import Decision
from agent.runtime.store import Store, UnfinishedStep
from tests.functional.records import NOON, notes, opened, update

store = Store.open(Path(sys.argv[1]))
store.commit([opened()], NOON)
number = 0
while True:
    number += 1
    store.commit([notes(f"note {number}"), Decision(commands=(update("INC-12", number),))], NOON)
    print(number, flush=True)
"""

CLAIMING = """
import os, signal, sys
from pathlib import Path
from agent.model.decision import Decision
from agent.runtime.store import Store, UnfinishedStep
from tests.functional.records import NOON, STEP, opened

store = Store.open(Path(sys.argv[1]))
store.commit([opened(), Decision(commands=(STEP,))], NOON)
assert store.start_step(STEP.id, NOON)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "paramedic.db"


def start(program: str, path: Path) -> "subprocess.Popen[str]":
    root = str(Path(__file__).parents[2])
    return subprocess.Popen(
        [sys.executable, "-c", program, path], stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": root}
    )


@pytest.mark.parametrize("commits", [1, 40, 150])
def test_kill_9_loses_nothing_that_was_reported_as_committed(path: Path, commits: int) -> None:
    with start(COMMITTING, path) as child:
        assert child.stdout is not None
        reported = 0
        for line in child.stdout:
            reported = int(line)
            if reported == commits:
                child.kill()
        assert child.wait() == -signal.SIGKILL
    with Store.open(path) as store:
        sound = store.verify()
        assert sound.ok
        assert sound.count >= reported >= commits
        texts = [record.entry.text for record in store.timeline()]
        assert texts == [f"note {number}" for number in range(1, sound.count + 1)]
        assert store.tickets.waiting().waiting == sound.count
        store.commit([notes("it goes on")], NOON)
        assert store.verify().count == sound.count + 1


def test_a_step_claimed_before_the_kill_is_known_as_started(path: Path) -> None:
    with start(CLAIMING, path) as child:
        assert child.wait() == -signal.SIGKILL
    with Store.open(path) as store:
        assert store.unfinished_steps() == [UnfinishedStep(STEP, begun=True)]
        assert not store.start_step(STEP.id, NOON)


def test_a_commit_is_on_the_disk_before_it_is_reported(path: Path) -> None:
    """What only a power failure would show: SQLite syncs the write-ahead log at every commit."""
    Store.open(path).close()
    database = Database(path, read_only=False)
    with database.writing() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    database.close()


@pytest.mark.root
def test_what_was_committed_survives_a_power_failure(tmp_path: Path) -> None:
    """The disk forgets whatever was not synced: also the name of a new file."""
    with Disk(tmp_path / "disk") as disk:
        path = disk.path / "state" / "paramedic.db"
        store = Store.open(path)
        for number in range(20):
            store.commit([notes(f"note {number}")], NOON)
        disk.cut_power()
        with pytest.raises(StoreFailing, match="the disk fails"):
            store.commit([notes("not on the disk")], NOON)
        store.close()
        disk.unmount()
        disk.mount()
        with Store.open(path) as store:
            assert (store.verify().ok, store.verify().count) == (True, 20)


@pytest.mark.root
def test_the_power_failure_of_these_tests_does_lose_what_is_not_synced(tmp_path: Path) -> None:
    with Disk(tmp_path / "disk") as disk:
        path = disk.path / "careless.db"
        careless = sqlite3.connect(path, isolation_level=None)
        for act in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "CREATE TABLE t (x)"):
            careless.execute(act)
        for act in ("PRAGMA synchronous=NORMAL", "INSERT INTO t VALUES (1)"):
            careless.execute(act)
        disk.cut_power()
        careless.close()
        disk.unmount()
        disk.mount()
        with closing(sqlite3.connect(path)) as later:
            assert later.execute("SELECT count(*) FROM t").fetchone() == (0,)


def big(number: int) -> Decision:
    key = Key("disk", str(number))
    health = Health(key, None, None, NOON, message="x" * 50_000)
    return Decision(entries=(entry(f"note {number}"),), health={key: health})


def fill(store: Store) -> None:
    for number in range(1, 100):
        store.commit([big(number)], NOON)


@pytest.mark.root
def test_a_full_disk_is_said_and_recovered_from(tmp_path: Path) -> None:
    with Disk(tmp_path / "disk") as disk, Store.open(disk.path / "paramedic.db") as store:
        disk.fill()
        with pytest.raises(StoreFull, match="no space left") as full:
            fill(store)
        assert full.value.retryable
        committed = store.head()[0]
        assert (store.verify().ok, len(store.load(NOON).health)) == (True, committed)
        disk.free()
        store.commit([big(committed + 1)], NOON)
        store.close()
        with Store.open(disk.path / "paramedic.db") as reopened:
            assert (reopened.verify().ok, reopened.verify().count) == (True, committed + 1)


def test_a_file_that_is_no_database_is_called_damaged(path: Path) -> None:
    path.write_bytes(b"not a database, " * 500)
    with pytest.raises(StoreCorrupt, match="is not a database"):
        Store.open(path)


def test_a_damaged_page_is_called_damaged_not_empty(path: Path) -> None:
    keys = [Key("up", f"host{number}") for number in range(2000)]
    with Store.open(path) as store:
        store.commit([Decision(health={key: Health(key, None, None, NOON) for key in keys})], NOON)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 10 * 4096] = bytes(10 * 4096)
    path.write_bytes(content)
    with pytest.raises(StoreCorrupt, match=r"is damaged: .*paramedic records restore BACKUP"):
        Store.open(path)
    with Store.open(path, read_only=True) as reader, pytest.raises(StoreCorrupt, match="is damaged"):
        reader.load(NOON)
    assert path.read_bytes() == content


@pytest.mark.parametrize("replaced", [False, True])
def test_a_record_that_is_taken_away_under_the_agent_is_missed_at_once(path: Path, replaced: bool) -> None:
    """It would be written on, unseen by anybody, and be gone with the agent."""
    with Store.open(path) as store:
        store.commit([notes("one")], NOON)
        path.rename(path.with_name("moved"))
        if replaced:
            Store.open(path.with_name("another.db")).close()
            path.with_name("another.db").rename(path)
        with pytest.raises(StoreMissing, match="is not the file any more that the agent has opened"):
            store.commit([notes("two")], NOON)
        path.unlink(missing_ok=True)
        path.with_name("moved").rename(path)
        store.commit([notes("two")], NOON)
        assert store.verify().count == 2


def test_a_row_that_cannot_be_read_is_named(path: Path) -> None:
    with Store.open(path) as store:
        store.commit([opened()], NOON)
        with closing(sqlite3.connect(path)) as shell, shell:
            shell.execute("""UPDATE incidents SET body = '{"id": "INC-12"}'""")
        with pytest.raises(StoreCorrupt, match="incident INC-12 cannot be read"):
            store.load(NOON)


def test_a_folder_we_may_not_write_is_said() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        me = os.geteuid()
        if me == 0:
            os.seteuid(65534)  # root may write everywhere
        try:
            with pytest.raises(StoreNotWritable, match="cannot be written: Permission denied"):
                Store.open(Path(folder) / "paramedic.db")
        finally:
            os.seteuid(me)


def test_a_database_locked_by_a_shell_is_busy_not_broken(path: Path) -> None:
    with Store.open(path):
        pass
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as shell,
        closing(sqlite3.connect(path, timeout=0)) as other,
    ):
        shell.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy, match="locked by another program") as busy, told(path):
            other.execute("BEGIN IMMEDIATE")
    assert busy.value.retryable


def test_a_backup_of_a_running_agent_is_restored(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "backups" / "paramedic.db"
    with Store.open(path) as store:
        store.commit([opened(), Decision(commands=(STEP, update("INC-12", 1)), entries=(entry("before"),))], NOON)
        store.start_step(STEP.id, NOON)
        head, identity = store.head(), store.load(NOON).agent_id
        store.backup(copy)
        store.commit([notes("after")], NOON)
    with Store.open(copy, read_only=True) as reader:  # also from a medium that cannot be written
        assert reader.head() == head
        assert [file.name for file in copy.parent.iterdir()] == ["paramedic.db"]
    assert copy.stat().st_mode & 0o777 == 0o600
    with Store.open(copy) as restored:
        assert restored.verify().ok
        assert (restored.head(), restored.load(NOON).agent_id) == (head, identity)
        assert restored.load(NOON).incidents == {"INC-12": INCIDENT}
        assert restored.load(NOON).executions == {"RUN-7": EXECUTION}
        assert restored.unfinished_steps() == [UnfinishedStep(STEP, begun=True)]
        restored.commit([notes("goes on from there")], NOON)
        assert restored.verify().count == 2


def test_a_backup_never_replaces_a_file(path: Path, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("precious")
    with Store.open(path) as store, pytest.raises(StoreError, match="exists already"):
        store.backup(taken)
    assert taken.read_text() == "precious"


def test_a_backup_is_a_snapshot_while_commits_go_on(path: Path, tmp_path: Path) -> None:
    with start(COMMITTING, path) as child:
        assert child.stdout is not None
        try:
            for line in child.stdout:
                if int(line) == 20:
                    break
            with Store.open(path, read_only=True) as reader:
                reader.backup(tmp_path / "copy.db")
        finally:
            child.kill()
    with Store.open(tmp_path / "copy.db") as copy:
        assert copy.verify().ok
        assert copy.verify().count >= 20
        assert copy.tickets.waiting().waiting == copy.verify().count
