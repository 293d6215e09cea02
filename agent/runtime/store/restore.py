"""A backup put in the record's place, while no agent runs: whole or not at all, and what was there is kept."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from agent.errors import StoreCorrupt, StoreError, StoreOlder
from agent.model.events import Restored
from agent.runtime.store.backup import back_up
from agent.runtime.store.engine import make_folder, refusal, sync
from agent.runtime.store.lock import AgentLock, lock_file
from agent.runtime.store.store import Store

_DOUBTFUL = "(This may have come before: it waited in a record that was restored from a backup.)"
"""No service knows a message by a number of ours: it is rather doubled than lost, and says so."""


@dataclass(frozen=True, slots=True)
class Restoration:
    """`restored.last` and `head`: number and hash of the latest record; `kept`: where the replaced record is."""

    restored: Restored
    head: str
    kept: Path | None


def restore(backup: Path, to: Path, *, at: float, actor: str, altered: bool = False) -> Restoration:
    """Put a copy of `backup` in the place of the record `to`. The agent that starts on it is told so.

    `at`: now, seconds since the epoch. `altered`: also when the backup's chain of hashes is broken. Raises
    StoreInUse while an agent runs on that record; StoreError and its kinds, also when the backup cannot be used: then
    nothing is changed.
    """
    _look_at(backup)
    make_folder(to)
    with _nobody_else(to) as lock, _workshop(to) as workshop:
        copy = workshop / to.name
        back_up(backup, copy)
        with Store.open(copy) as store:  # also brings an older one up to date
            restoration = _noted(store, backup, at, actor, altered)
        try:
            _give_to_owner_of(to.parent, copy, lock_file(to))
            lock.record_is_made()  # from here on an agent that starts misses the record rather than begin anew
            sync(copy)
            kept = _put_aside(to, at)
            copy.rename(to)
            sync(to.parent)
        except OSError as error:
            raise refusal(to, error) from error
    return Restoration(restoration.restored, restoration.head, kept)


def _look_at(backup: Path) -> None:
    """Raises StoreError when there is no record in it: an empty file would make an empty record."""
    if not backup.is_file():
        raise StoreError(f"{backup} does not exist")
    with suppress(StoreOlder):  # which is brought up to date
        Store.open(backup, read_only=True).close()


@contextmanager
def _nobody_else(record: Path) -> Iterator[AgentLock]:
    lock = AgentLock(lock_file(record))
    try:
        yield lock
    finally:
        lock.close()


@contextmanager
def _workshop(record: Path) -> Iterator[Path]:
    """A folder of our own on the record's disk."""
    try:
        folder = Path(tempfile.mkdtemp(prefix=".restoring-", dir=record.parent))
    except OSError as error:
        raise refusal(record.parent, error) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _noted(store: Store, backup: Path, at: float, actor: str, altered: bool) -> Restoration:
    found = store.verify()
    if not (found.ok or altered):
        raise StoreCorrupt(f"{backup} is not as it was written: {found.text} (--altered restores it all the same)")
    last, head = store.head()
    latest = store.timeline(after_seq=last - 1)
    restored = Restored(at, actor, backup.name, last, latest[-1].entry.at if latest else at)
    store.note_restored(restored)
    store.messages.say_before(_DOUBTFUL)
    return Restoration(restored, head, None)


def _give_to_owner_of(folder: Path, *files: Path) -> None:
    """Who restores is root, who runs is not: and could put a link in the place of a file of his folder."""
    if os.geteuid() == 0:
        owner = folder.stat()
        for file in files:
            os.chown(file, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _put_aside(record: Path, at: float) -> Path | None:
    """The record first, then what belongs to it: a write-ahead log beside another record would spoil that."""
    stem = f"{record.name}.replaced-{int(at)}"
    names = (record.with_name(f"{stem}-{number}" if number else stem) for number in count())
    kept = next(name for name in names if not any(_beside(name, suffix).exists() for suffix in ("", "-wal")))
    there = record.exists()
    for suffix in ("", "-wal"):
        if _beside(record, suffix).exists():
            _beside(record, suffix).rename(_beside(kept, suffix))
    _beside(record, "-shm").unlink(missing_ok=True)
    sync(record.parent)
    return kept if there else None


def _beside(record: Path, suffix: str) -> Path:
    return record.with_name(f"{record.name}{suffix}")
