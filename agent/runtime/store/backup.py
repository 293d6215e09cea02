"""A copy of the record while the agent goes on writing, through SQLite's backup interface."""

import os
import tempfile
from contextlib import closing
from pathlib import Path

from agent.errors import StoreError, StoreFull
from agent.runtime.crash_points import CrashPoint, reached
from agent.runtime.store.engine import connect, damaged, refusal, sync, told


def back_up(source: Path, to: Path) -> None:
    """Write one consistent copy to `to`: complete under that name or not there at all, readable by us only.

    Every page of the copy has been looked at: it is no backup if the record is damaged. Raises StoreError and its
    kinds, also when `to` exists: a backup never replaces a file.
    """
    if to.exists():
        raise StoreError(_exists(to))
    try:
        to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f"{to.name}.", suffix=".partial", dir=to.parent)  # 0600, ours alone
    except OSError as error:
        raise refusal(to, error) from error
    os.close(descriptor)
    partial = Path(name)
    try:
        _copy(source, partial, to)
        reached(CrashPoint.COPIED)
        sync(partial)
        reached(CrashPoint.COPY_UNNAMED)
        _name(partial, to)
        reached(CrashPoint.COPY_NAMED)
        sync(to.parent)
    except OSError as error:
        raise refusal(to, error) from error
    finally:
        partial.unlink(missing_ok=True)


def _copy(source: Path, partial: Path, to: Path) -> None:
    try:
        with told(source), closing(connect(source, "ro")) as original, closing(connect(partial, "rw")) as copy:
            original.backup(copy)
            # The copy is to be one file, without a write-ahead log beside it.
            copy.execute("PRAGMA journal_mode=DELETE")
            found = [str(row[0]) for row in copy.execute("PRAGMA quick_check(3)")]
    except StoreFull as error:  # only the copy grows
        raise StoreFull(f"{to} has no space left to grow") from error
    if found != ["ok"]:
        raise damaged(source, found)


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
