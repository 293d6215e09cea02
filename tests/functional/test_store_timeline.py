"""The timeline shows by itself whether anybody touched it."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from agent.model.decision import Decision
from agent.runtime.store import Break, Store
from tests.functional.records import NOON, entry, notes


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "paramedic.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.open(path) as opened:
        opened.commit([notes(*(f"note {number}" for number in range(1, 6)))], NOON)
        opened.commit([Decision(entries=(entry("读数 é", at=1, value=1.5, b=[True, None], a={"ü": "x"}),))], NOON)
        yield opened


def tamper(path: Path, *statements: str) -> None:
    """As somebody with the file and a database shell would."""
    with closing(sqlite3.connect(path)) as shell, shell:
        shell.execute("DROP TRIGGER timeline_refuses_update")
        shell.execute("DROP TRIGGER timeline_refuses_delete")
        for statement in statements:
            shell.execute(statement)


def forge(path: Path, seq: int, text: str) -> None:
    """Alter a record and give it the hash that fits."""
    with closing(sqlite3.connect(path)) as shell:
        at, about, kind, actor, data, prev = shell.execute(
            "SELECT at, about, kind, actor, data, prev_hash FROM timeline WHERE seq = ?", (seq,)
        ).fetchone()
    tamper(
        path,
        f"UPDATE timeline SET text = '{text}', hash = '{hashed(prev, seq, at, about, kind, actor, text, data)}' "
        f"WHERE seq = {seq}",
    )


def hashed(prev: str, seq: int, at: float, about: str, kind: str, actor: str, text: str, data: str) -> str:
    """The recipe, as its documentation has it, written a second time."""
    record = {"seq": seq, "at": repr(at), "about": about, "kind": kind, "actor": actor, "text": text, "data": data}
    canonical = json.dumps(record, sort_keys=True, separators=(",", ":"))
    return sha256((prev + canonical).encode()).hexdigest()


def test_the_chain_can_be_checked_with_other_tools(path: Path, store: Store) -> None:
    previous = "0" * 64
    with closing(sqlite3.connect(path)) as shell:
        rows = shell.execute(
            "SELECT seq, at, about, kind, actor, text, data, prev_hash, hash FROM timeline ORDER BY seq"
        ).fetchall()
    assert [row[0] for row in rows] == [1, 2, 3, 4, 5, 6]
    for *fields, prev, stored in rows:
        assert prev == previous
        assert stored == hashed(prev, *fields)
        previous = stored
    assert store.head() == (6, previous)


def test_an_untouched_chain_is_sound_also_after_a_restart(path: Path, store: Store) -> None:
    sound = store.verify()
    assert (sound.ok, sound.count, sound.broken) == (True, 6, None)
    assert (sound.seq, sound.hash) == store.head()
    store.close()
    with Store.open(path) as again:
        again.commit([notes("one more")], NOON)
        assert again.verify().count == 7


def test_an_empty_chain_is_sound(tmp_path: Path) -> None:
    with Store.open(tmp_path / "empty.db") as empty:
        assert empty.verify().ok
        assert empty.head() == (0, "0" * 64)


@pytest.mark.parametrize(
    "change",
    [
        "text = 'nothing happened'",
        "actor = 'nobody'",
        "at = at + 0.001",
        "about = 'INC-13'",
        "kind = 'closed'",
        """data = '{"x":1}'""",
        "text = x'ff00'",
        "hash = 'f00d'",
    ],
)
def test_an_altered_record_is_named(path: Path, store: Store, change: str) -> None:
    tamper(path, f"UPDATE timeline SET {change} WHERE seq = 3")
    found = store.verify()
    assert (found.ok, found.broken, found.why, found.count) == (False, 3, Break.ALTERED, 2)
    assert "record 3" in found.text


def test_a_removed_record_is_named(path: Path, store: Store) -> None:
    tamper(path, "DELETE FROM timeline WHERE seq = 3")
    found = store.verify()
    assert (found.broken, found.why) == (3, Break.MISSING)
    assert "after 2 comes 4" in found.text


def test_a_removed_first_record_is_named(path: Path, store: Store) -> None:
    tamper(path, "DELETE FROM timeline WHERE seq = 1")
    assert (store.verify().broken, store.verify().why) == (1, Break.MISSING)


@pytest.mark.parametrize("number", [0, -1])
def test_a_record_before_the_first_was_put_in(path: Path, store: Store, number: int) -> None:
    forged = f"SELECT {number}, at, about, kind, actor, 'nothing happened', data, prev_hash, hash FROM timeline"
    tamper(path, f"INSERT INTO timeline (seq, at, about, kind, actor, text, data, prev_hash, hash) {forged} LIMIT 1")
    found = store.verify()
    assert (found.ok, found.count, found.why) == (False, 0, Break.ALTERED)
    assert f"record {number} was put in" in found.text


def test_a_removed_record_is_noticed_though_the_rest_was_numbered_anew(path: Path, store: Store) -> None:
    tamper(
        path,
        "DELETE FROM timeline WHERE seq = 3",
        *(f"UPDATE timeline SET seq={n - 1} WHERE seq={n}" for n in (4, 5, 6)),
    )
    assert store.verify().broken == 3


def test_two_swapped_records_are_named(path: Path, store: Store) -> None:
    swap = [f"UPDATE timeline SET seq = {to} WHERE seq = {seq}" for seq, to in ((3, 99), (4, 3), (99, 4))]
    tamper(path, *swap)
    found = store.verify()
    assert (found.broken, found.why) == (3, Break.REORDERED)


def test_a_record_altered_with_a_fitting_hash_breaks_the_next_one(path: Path, store: Store) -> None:
    forge(path, 3, "nothing happened")
    found = store.verify()
    assert (found.broken, found.why) == (4, Break.ALTERED)


def test_a_cut_off_end_shows_only_against_a_head_noted_elsewhere(path: Path, store: Store) -> None:
    seq, anchor = store.head()
    tamper(path, "DELETE FROM timeline WHERE seq > 4")
    assert store.verify().ok
    assert store.head() != (seq, anchor)


@pytest.mark.parametrize(
    "mistake", ["UPDATE timeline SET text = 'oops'", "DELETE FROM timeline WHERE seq = 2", "DELETE FROM timeline"]
)
def test_the_database_refuses_a_change_by_mistake(path: Path, store: Store, mistake: str) -> None:
    with closing(sqlite3.connect(path)) as shell, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        shell.execute(mistake)
    assert store.verify().count == 6
