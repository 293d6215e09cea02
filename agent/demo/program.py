"""A server program running as our child, with a log: started, waited for, ended by its own id."""

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

from agent.demo.interruption import uninterrupted
from agent.demo.waiting import SiteError, until

WHERE_SBIN_HIDES = "/usr/local/sbin:/usr/sbin:/sbin"
"""An ordinary user's PATH does not name these on Debian."""


class Program:
    """One program; `name` is what errors call it. Raises SiteError if it does not come up."""

    def __init__(self, name: str, words: Sequence[str | Path], log: Path) -> None:
        self.name = name
        self.log = log
        self._words = [str(word) for word in words]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """None while it is not running."""
        return self._process.pid if self._process is not None else None

    def start(
        self,
        is_up: Callable[[], bool],
        *,
        within: float = 30,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start it in `folder` and wait until `is_up`; `environment` is added to our own."""
        try:
            with self.log.open("ab") as log, uninterrupted():
                self._process = subprocess.Popen(
                    self._words,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=folder,
                    env={**os.environ, **(environment or {})},
                    start_new_session=True,  # a Ctrl-C at the terminal is for its owner to handle
                )
            until(lambda: self._still_runs() and is_up(), within=within, what=f"{self.name} is up")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it at once, and whatever it started and did not let go, as a machine that goes away would."""
        process, self._process = self._process, None
        if process is None:
            return
        children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.kill()
        process.wait()
        for child in children:
            kill(child)
        until(lambda: not any(map(lives, children)), within=10, what=f"{self.name} is gone")

    def _still_runs(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            said = self.log.read_text(errors="replace")[-2000:]
            raise SiteError(f"{self.name} ended while starting. Its log:\n{said}")
        return True


def find(name: str) -> str | None:
    """The program's absolute path, looked for in the system's folders too."""
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:{WHERE_SBIN_HIDES}")


def lives(process: psutil.Process) -> bool:
    """A zombie is dead."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def kill(process: psutil.Process) -> None:
    """SIGKILL; a process that is gone already is no matter."""
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return
