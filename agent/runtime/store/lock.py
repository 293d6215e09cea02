"""One agent per record: an advisory lock on a file of its own, given back by the kernel when the process ends.

The file stays, and remembers whether a record was ever made beside it: one that is gone is missed then, and not
begun anew as if nothing had happened.
"""

import fcntl
import os
from pathlib import Path

from agent.errors import StoreInUse
from agent.runtime.store.engine import refusal

_MADE = "record made"


def lock_file(record: Path) -> Path:
    """Beside the record."""
    return record.with_name(f"{record.name}.lock")


class AgentLock:
    """Held from construction to `close`. Raises StoreInUse, naming the process that holds it, or StoreNotWritable.

    `made`: there has been a record.
    """

    def __init__(self, path: Path) -> None:
        try:
            # No link is followed: root locks too, to restore, and the folder is another's.
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise refusal(path, error) from error
        self._path = path
        holder, _, rest = os.pread(self._file, 100, 0).decode("ascii", "replace").partition("\n")
        self.made = rest.startswith(_MADE)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.fchmod(self._file, 0o600)
            self._write()
        except BlockingIOError as error:
            os.close(self._file)
            raise StoreInUse(f"another agent (process {holder.strip() or 'unknown'}) holds {path}") from error
        except OSError as error:
            os.close(self._file)
            raise refusal(path, error) from error

    def record_is_made(self) -> None:
        """From now on its absence is an accident. Raises StoreError."""
        if self.made:
            return
        self.made = True
        try:
            self._write()
            os.fsync(self._file)
        except OSError as error:
            raise refusal(self._path, error) from error

    def close(self) -> None:
        os.close(self._file)

    def _write(self) -> None:
        """In one piece, and shortened afterwards: what is remembered is at no moment gone."""
        said = f"{os.getpid():<10}\n{_MADE if self.made else ''}\n".encode()
        os.pwrite(self._file, said, 0)
        os.ftruncate(self._file, len(said))
