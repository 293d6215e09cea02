"""A copy of the record while the agent goes on writing, through SQLite's backup interface."""

import os
import tempfile
from contextlib import closing
from pathlib import Path

from agent.errors import StoreError, StoreNotWritable
from agent.runtime.crash_points import CrashPoint, reached
from agent.runtime.store.engine import connect, told


def back_up(source: Path, to: Path) -> None:
    """Write one consistent copy to `to`: complete under that name or not there at all, readable by us only.

    To restore, stop the agent, remove the record with its `-wal` and `-shm` files, and put the copy in
    its place. Raises StoreError, also when `to` exists: a backup never replaces a file.
    """
    if to.exists():
        raise StoreError(_exists(to))
    try:
        to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f"{to.name}.", suffix=".partial", dir=to.parent)  # 0600, ours alone
    except OSError as error:
        raise StoreNotWritable(f"{to} cannot be written: {error.strerror}") from error
    os.close(descriptor)
    partial = Path(name)
    try:
        with told(source), closing(connect(source, "ro")) as original, closing(connect(partial, "rw")) as copy:
            original.backup(copy)
            # The copy is to be one file, without a write-ahead log beside it.
            copy.execute("PRAGMA journal_mode=DELETE")
        reached(CrashPoint.COPIED)
        _sync(partial)
        reached(CrashPoint.COPY_UNNAMED)
        _name(partial, to)
        reached(CrashPoint.COPY_NAMED)
        _sync(to.parent)
    except OSError as error:
        raise StoreNotWritable(f"{to} cannot be written: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)


def _name(partial: Path, to: Path) -> None:
    """A link, unlike a rename, replaces nothing that has come there meanwhile; some file systems have none."""
    try:
        os.link(partial, to)
    except FileExistsError:
        raise StoreError(_exists(to)) from None
    except OSError:
        partial.rename(to)


def _exists(to: Path) -> str:
    return f"{to} exists already: a backup never replaces a file"


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
