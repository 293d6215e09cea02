"""One agent per record: an advisory lock on a file of its own, given back by the kernel when the process ends."""

import fcntl
import os
from pathlib import Path

from agent.errors import StoreInUse, StoreNotWritable


class AgentLock:
    """Held from construction to `close`. Raises StoreInUse, naming the process that holds it, or StoreNotWritable."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreNotWritable(f"{path} cannot be written: {error.strerror}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, str(os.getpid()).encode(), 0)
        except BlockingIOError as error:
            holder = os.pread(self._file, 20, 0).decode("ascii", "replace") or "unknown"
            os.close(self._file)
            raise StoreInUse(f"another agent (process {holder}) holds {path}") from error
        except OSError as error:
            os.close(self._file)
            raise StoreNotWritable(f"{path} cannot be locked: {error.strerror}") from error

    def close(self) -> None:
        os.close(self._file)
