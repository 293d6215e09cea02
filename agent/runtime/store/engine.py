"""The SQLite file: one writing connection, reading connections of their own, errors in our words.

Write-ahead logging lets readers read while the agent writes; `synchronous=FULL` makes a commit last
through a power failure. A writing transaction takes the write lock when it begins (BEGIN IMMEDIATE),
so that it never fails half-way for want of it. pysqlite's own transaction control is switched off and
the BEGIN is given by SQLAlchemy's event, as SQLAlchemy's documentation of the SQLite dialect says.
"""

import errno
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from threading import Lock, Timer

from sqlalchemy import Connection, Engine, NullPool, QueuePool, create_engine, event
from sqlalchemy.exc import DBAPIError

from agent.errors import (
    StoreBusy,
    StoreCorrupt,
    StoreError,
    StoreFailing,
    StoreFull,
    StoreMissing,
    StoreNotWritable,
    StoreRefused,
)
from agent.model.text import one_line
from agent.runtime.crash_points import CrashPoint, reached

BUSY_TIMEOUT = 5.0
"""Seconds to wait for another program that holds the file locked."""

RESTORE = "stop the agent and restore a backup: paramedic records restore BACKUP"

_KINDS: dict[int, tuple[type[StoreError], str]] = {
    sqlite3.SQLITE_IOERR_SHMSIZE: (StoreFull, "has no space left to grow"),
    sqlite3.SQLITE_IOERR: (StoreFailing, "cannot be read or written, the disk fails"),
    sqlite3.SQLITE_BUSY: (StoreBusy, "is locked by another program"),
    sqlite3.SQLITE_LOCKED: (StoreBusy, "is locked by another program"),
    sqlite3.SQLITE_FULL: (StoreFull, "has no space left to grow"),
    sqlite3.SQLITE_READONLY: (StoreNotWritable, "cannot be written"),
    sqlite3.SQLITE_PERM: (StoreNotWritable, "cannot be written"),
    sqlite3.SQLITE_CANTOPEN: (StoreNotWritable, "cannot be opened"),
    sqlite3.SQLITE_CORRUPT: (StoreCorrupt, "is damaged"),
    sqlite3.SQLITE_NOTADB: (StoreCorrupt, "is not a database"),
    sqlite3.SQLITE_CONSTRAINT: (StoreRefused, "does not take what contradicts it"),
}
_PRIMARY = 0xFF
"""SQLite's extended result codes hold the primary one in their lowest byte."""


@contextmanager
def told(path: Path) -> Iterator[None]:
    """SQLite's errors as StoreError and its kinds."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        code = getattr(cause, "sqlite_errorcode", None)
        code = code or 0
        kind, what = _KINDS.get(code) or _KINDS.get(code & _PRIMARY, (StoreError, "failed"))
        if kind in (StoreCorrupt, StoreError):
            _see_whether_the_disk_reads(path)  # SQLite may call damaged, or empty, what only cannot be read
        remedy = f"; {RESTORE}" if kind is StoreCorrupt else ""
        raise kind(f"{path} {what}: {cause}{remedy}") from error


def _see_whether_the_disk_reads(path: Path) -> None:
    """Raises StoreFailing when it does not: then nobody is to be told to restore a backup."""
    try:
        with path.open("rb") as file:
            file.read(100)
    except OSError as error:
        if error.errno == errno.EIO:
            raise refusal(path, error) from error


def connect(path: Path, mode: str, *pragmas: str) -> sqlite3.Connection:
    """A connection of `mode` `rw` or `ro` that begins no transaction by itself; it never creates a file."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=BUSY_TIMEOUT,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def make_folder(path: Path) -> None:
    """The record's folder, which only we may enter; one that exists keeps its mode: it may be shared with others.

    Raises StoreError.
    """
    try:
        if not path.parent.is_dir():
            path.parent.mkdir(mode=0o700, parents=True)
            sync(path.parent.parent)
    except OSError as error:
        raise refusal(path, error) from error


def create_file(path: Path) -> None:
    """Make an empty file that only we may read, if there is none. SQLite's side files inherit its mode.

    Raises StoreError.
    """
    try:
        is_new = not path.exists()
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        for each in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
            if each.exists() and each.stat().st_mode & 0o077:
                each.chmod(0o600)
        if is_new:
            sync(path.parent)  # SQLite does this for its side files only
    except OSError as error:
        raise refusal(path, error) from error


def sync(path: Path) -> None:
    """Bring a file, or a folder's list of names, to the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def refusal(path: Path, error: OSError) -> StoreError:
    """What the operating system said, in our words."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreFull(f"{path} has no space left to grow: {error.strerror}")
    if error.errno == errno.EIO:
        return StoreFailing(f"{path} cannot be read or written, the disk fails: {error.strerror}")
    return StoreNotWritable(f"{path} cannot be written: {error.strerror}")


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and inode; None when there is no such file. Raises StoreError."""
    try:
        about = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise refusal(path, error) from error
    return about.st_dev, about.st_ino


def damaged(path: Path, found: Iterable[str]) -> StoreCorrupt:
    """What SQLite's look at all pages has found."""
    return StoreCorrupt(f"{path} is damaged: {one_line('; '.join(found), 500)}; {RESTORE}")


class Database:
    """Connections to one file. Safe to use from any thread; writers wait for each other."""

    def __init__(self, path: Path, *, read_only: bool) -> None:
        self.path = path
        self._one_writer = Lock()
        self._file = _identity(path)
        reading = partial(connect, path, "ro" if read_only else "rw", "query_only=ON")
        self._readers = _engine(reading, "BEGIN", pool_size=2, max_overflow=-1)
        self._writer: Engine | None = None
        if not read_only:
            writing = partial(connect, path, "rw", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON")
            self._writer = _engine(writing, "BEGIN IMMEDIATE", pool_size=1, max_overflow=0)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent view of what is committed. Raises StoreError."""
        with told(self.path), self._readers.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction, durable on leaving, or undone whole if anything raises. Raises StoreError."""
        if self._writer is None:
            raise StoreNotWritable(f"{self.path} was opened for reading only")
        with self._one_writer, told(self.path):
            self._see_that_it_is_still_there()
            with self._writer.begin() as connection:
                yield connection
            reached(CrashPoint.BEFORE_COMMIT)

    def _see_that_it_is_still_there(self) -> None:
        """SQLite would go on writing to a file that was removed or replaced, and all of it would be lost."""
        if _identity(self.path) != self._file:
            raise StoreMissing(f"{self.path} is not the file any more that the agent has opened; {RESTORE}")

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        """As `writing`, but rows may refer to what is not there meanwhile: tables are rebuilt one by one.

        Raises StoreCorrupt, and undoes all, if such a row is left at the end.
        """
        pragmas = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=OFF")
        engine = _engine(partial(connect, self.path, "rw", *pragmas), "BEGIN IMMEDIATE", poolclass=NullPool)
        with told(self.path), engine.begin() as connection:
            yield connection
            if broken := connection.exec_driver_sql("PRAGMA foreign_key_check").fetchone():
                raise StoreCorrupt(f"{self.path}: a row of {broken[0]} refers to a row of {broken[2]} that is missing")

    def look_over(self, within: float) -> bool:
        """Whether every page could be looked at within so many seconds. Raises StoreCorrupt when one is damaged."""
        with told(self.path), closing(connect(self.path, "ro")) as connection:
            impatience = Timer(within, connection.interrupt)
            impatience.start()
            try:
                found = [str(row[0]) for row in connection.execute("PRAGMA quick_check(3)")]
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                    return False
                raise
            finally:
                impatience.cancel()
                impatience.join()  # it must not interrupt a connection that is closed
        if found != ["ok"]:
            raise damaged(self.path, found)
        return True

    def close(self) -> None:
        """The last connection to leave brings the write-ahead log home."""
        self._readers.dispose()
        if self._writer is not None:
            self._writer.dispose()


def _engine(creator: partial[sqlite3.Connection], begin: str, **pool: object) -> Engine:
    engine = create_engine("sqlite+pysqlite://", creator=creator, **({"poolclass": QueuePool} | pool))

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
