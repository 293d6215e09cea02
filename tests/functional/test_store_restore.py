"""A backup is put in the record's place whole or not at all, and what was there is kept."""

import os
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from agent.errors import StoreCorrupt, StoreError, StoreFull, StoreInUse, StoreMissing
from agent.model.commands import RunStep
from agent.model.decision import Decision
from agent.model.events import Restored
from agent.runtime.store import Store, UnfinishedStep
from agent.runtime.store.restore import restore
from tests.functional.control_site import paramedic
from tests.functional.records import NOON, STEP, notes, opened, update
from tests.neighbours import available
from tests.neighbours.disk import Disk

LATER = NOON + 3600.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "paramedic.db"


@pytest.fixture
def backup(path: Path, tmp_path: Path) -> Path:
    """Of a record that went on afterwards."""
    copy = tmp_path / "monday.db"
    with Store.open(path) as store:
        store.commit([opened(), Decision(commands=(STEP, update("INC-12", 1))), notes("one", "two")], NOON)
        store.backup(copy)
        store.commit([notes("after the backup")], NOON)
    return copy


def texts(store: Store) -> list[str]:
    return [record.entry.text for record in store.timeline()]


def beside(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.iterdir())


def test_the_backup_is_the_record_and_what_was_there_is_kept(path: Path, backup: Path) -> None:
    before = backup.read_bytes()
    found = restore(backup, path, at=LATER, actor="ada")
    assert found.restored == Restored(LATER, "ada", "monday.db", 2, NOON)
    assert found.kept == path.with_name(f"paramedic.db.replaced-{int(LATER)}")
    assert beside(path) == ["paramedic.db", "paramedic.db.lock", found.kept.name]
    assert path.stat().st_mode & 0o777 == 0o600
    assert backup.read_bytes() == before
    with Store.open(path) as store:
        assert texts(store) == ["one", "two"]
        assert store.head() == (2, found.head)
        assert store.load(LATER).restored == found.restored
    with Store.open(found.kept) as replaced:
        assert texts(replaced) == ["one", "two", "after the backup"]


def test_an_agent_is_told_once_that_the_record_was_restored(path: Path, backup: Path) -> None:
    restore(backup, path, at=LATER, actor="ada")
    with Store.open(path) as store:
        assert store.load(LATER).restored is not None
        store.commit([notes("what follows from it")], LATER)
        assert store.load(LATER).restored is None
        copy = path.with_name("tuesday.db")
        store.backup(copy)
    again = restore(copy, path, at=LATER + 1, actor="bob")
    with Store.open(path) as store:
        assert store.load(LATER).restored == again.restored


def test_a_record_that_ended_in_a_crash_is_kept_with_its_write_ahead_log(path: Path, backup: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path; from agent.runtime.store import Store;"
        "from tests.functional.records import NOON, notes;"
        "Store.open(Path(sys.argv[1])).commit([notes('in the log')], NOON); os.kill(os.getpid(), signal.SIGKILL)"
    )
    root = str(Path(__file__).parents[2])
    python = Path(__import__("sys").executable)
    subprocess.run([python, "-c", program, path], env=os.environ | {"PYTHONPATH": root}, check=False)
    assert path.with_name("paramedic.db-wal").stat().st_size
    found = restore(backup, path, at=LATER, actor="ada")
    assert found.kept is not None
    with Store.open(path) as store:
        assert texts(store) == ["one", "two"]
    with Store.open(found.kept) as replaced:
        assert texts(replaced)[-1] == "in the log"


def test_twice_in_a_second_keeps_both(path: Path, backup: Path) -> None:
    first, second = (restore(backup, path, at=LATER, actor="ada").kept for _ in range(2))
    assert first != second
    assert first is not None
    assert second is not None
    assert first.exists()
    assert second.exists()


def test_a_damaged_record_is_replaced_and_kept_as_it_is(path: Path, backup: Path) -> None:
    path.write_bytes(b"\xa5" * 8192)
    found = restore(backup, path, at=LATER, actor="ada")
    assert found.kept is not None
    assert found.kept.read_bytes() == b"\xa5" * 8192
    with Store.open(path) as store:
        assert store.verify().ok


def test_while_an_agent_runs_nothing_is_restored(path: Path, backup: Path) -> None:
    with Store.open(path) as store:
        with pytest.raises(StoreInUse, match="another agent"):
            restore(backup, path, at=LATER, actor="ada")
        store.commit([notes("goes on")], NOON)
        assert texts(store)[-1] == "goes on"


def test_a_backup_that_is_damaged_changes_nothing(path: Path, backup: Path) -> None:
    content = bytearray(backup.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    backup.write_bytes(content)
    there = beside(path)
    with pytest.raises(StoreCorrupt, match=r"monday\.db is damaged"):
        restore(backup, path, at=LATER, actor="ada")
    assert beside(path) == there
    with Store.open(path) as store:
        assert texts(store)[-1] == "after the backup"


def test_a_backup_that_was_altered_is_restored_only_when_that_is_meant(path: Path, backup: Path) -> None:
    with closing(sqlite3.connect(backup)) as shell, shell:
        shell.execute("DROP TRIGGER timeline_refuses_update")
        shell.execute("UPDATE timeline SET text = 'another' WHERE seq = 1")
    with pytest.raises(StoreCorrupt, match=r"not as it was written: record 1 .*--altered"):
        restore(backup, path, at=LATER, actor="ada")
    restore(backup, path, at=LATER, actor="ada", altered=True)
    with Store.open(path) as store:
        assert texts(store) == ["another", "two"]
        assert not store.verify().ok


def test_what_is_no_backup_is_named(path: Path, backup: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"tuesday\.db does not exist"):
        restore(tmp_path / "tuesday.db", path, at=LATER, actor="ada")
    (tmp_path / "empty.db").touch()
    with pytest.raises(StoreError, match=r"empty\.db is empty"):
        restore(tmp_path / "empty.db", path, at=LATER, actor="ada")
    (tmp_path / "letter.txt").write_text("dear all, " * 1000)
    with pytest.raises(StoreCorrupt, match=r"letter\.txt is not a database"):
        restore(tmp_path / "letter.txt", path, at=LATER, actor="ada")


def test_killed_between_putting_aside_and_putting_back_nothing_begins_anew(path: Path, backup: Path) -> None:
    path.rename(path.with_name("paramedic.db.replaced-1"))
    with pytest.raises(StoreMissing, match="paramedic records restore BACKUP"):
        Store.open(path)
    restore(backup, path, at=LATER, actor="ada")
    with Store.open(path) as store:
        assert texts(store) == ["one", "two"]


@pytest.mark.root
def test_without_space_nothing_is_restored_and_a_backup_leaves_nothing(tmp_path: Path, backup: Path) -> None:
    with Disk(tmp_path / "disk") as disk:
        path = disk.path / "paramedic.db"
        with Store.open(path) as store:
            store.commit([notes("kept")], NOON)
        disk.fill()
        there = beside(path)
        with pytest.raises(StoreFull, match="no space left to grow"):
            restore(backup, path, at=LATER, actor="ada")
        with Store.open(backup, read_only=True) as reader, pytest.raises(StoreFull, match=r"disk/copy\.db"):
            reader.backup(disk.path / "copy.db")
        assert beside(path) == there
        disk.free()
        with Store.open(path) as store:
            assert texts(store) == ["kept"]


def test_a_link_in_place_of_the_lock_leads_nowhere(path: Path, backup: Path, tmp_path: Path) -> None:
    """The folder is the agent's, and root restores."""
    (tmp_path / "passwd").write_text("root::0:0")
    lock = path.with_name("paramedic.db.lock")
    lock.unlink()
    lock.symlink_to(tmp_path / "passwd")
    with pytest.raises(StoreError, match="cannot be written"):
        restore(backup, path, at=LATER, actor="ada")
    assert (tmp_path / "passwd").read_text() == "root::0:0"


@pytest.mark.root
def test_what_root_restores_belongs_to_the_agent(path: Path, backup: Path) -> None:
    available.require("files of other users", None if os.geteuid() == 0 else "this is not root", "sudo make test")
    os.chown(path.parent, 65534, 65534)
    path.with_name("paramedic.db.lock").unlink()
    restore(backup, path, at=LATER, actor="ada")
    owners = {file.name: file.stat().st_uid for file in path.parent.iterdir()}
    assert owners["paramedic.db"] == owners["paramedic.db.lock"] == 65534


# the command


def test_the_command_says_from_when_the_record_is_and_where_the_old_one_is(path: Path, backup: Path) -> None:
    said = paramedic("records", "restore", str(backup), "--store", str(path.parent))
    assert said.code == 0, said.err
    kept = next(file for file in path.parent.iterdir() if ".replaced-" in file.name)
    lines = said.out.splitlines()
    assert lines[0].startswith(f"{path}: restored, 2 records, head ")
    assert lines[1].startswith("It ends on Thu 20 Nov 2025 ")
    assert lines[-1] == f"What was there is kept as {kept}"
    verified = paramedic("records", "verify", "--store", str(path))
    assert verified.out.startswith("2 records, each as it was written")


def test_the_command_restores_where_nothing_is_left(path: Path, backup: Path) -> None:
    path.unlink()
    said = paramedic("records", "restore", str(backup), socket=path.with_name("control.sock"))
    assert said.code == 0, said.err
    assert "kept" not in said.out
    step: RunStep = STEP
    with Store.open(path) as store:
        assert store.unfinished_steps() == [UnfinishedStep(step)]


def test_the_command_does_not_guess_which_record_is_meant(tmp_path: Path, backup: Path) -> None:
    said = paramedic("records", "restore", str(backup), socket=tmp_path / "nowhere" / "control.sock")
    assert said.code == 1
    assert "say --store PATH" in said.err
