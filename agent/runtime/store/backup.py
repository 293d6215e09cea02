"""A copy of the record while the agent goes on writing, through SQLite's backup interface."""

import os
from contextlib import closing
from pathlib import Path

from agent.errors import StoreError, StoreNotWritable
from agent.runtime.store.engine import connect, create_file, told


def back_up(source: Path, to: Path) -> None:
    """Write one consistent copy to `to`: complete under that name or not there at all, readable by us only.

    To restore, stop the agent, remove the record with its `-wal` and `-shm` files, and put the copy in
    its place. Raises StoreError, also when `to` exists: a backup never replaces a file.
    """
    if to.exists():
        raise StoreError(f"{to} exists already: a backup never replaces a file")
    partial = to.with_name(f"{to.name}.partial")
    partial.unlink(missing_ok=True)
    create_file(partial)
    try:
        with told(source), closing(connect(source, "ro")) as original, closing(connect(partial, "rw")) as copy:
            original.backup(copy)
            # The copy is to be one file, without a write-ahead log beside it.
            copy.execute("PRAGMA journal_mode=DELETE")
        _sync(partial)
        partial.rename(to)
        _sync(to.parent)
    except OSError as error:
        raise StoreNotWritable(f"{to} cannot be written: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
