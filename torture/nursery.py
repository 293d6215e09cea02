"""Agents as child processes: started by the process that has everything imported, killed by it, waited for."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from agent.runtime.crash_points import CrashPoint

CHECKOUT = Path(__file__).resolve().parents[1]
_BORN_WITHIN = 180.0


class Life:
    """One process, from its birth to its end. `status`: negative is the signal that ended it."""

    def __init__(self, nursery: "Nursery", pid: int) -> None:
        self.pid = pid
        self.status: int | None = None
        self.over = threading.Event()
        self._nursery = nursery

    def end(self, number: int = signal.SIGKILL, *, within: float = 30.0) -> int:
        """Send the signal and wait for the end; aborted if it does not come in time: the journal then shows where
        each thread is. Its exit status.
        """
        self._nursery.order(kill=self.pid, signal=number)
        if not self.over.wait(within):
            self._nursery.order(kill=self.pid, signal=signal.SIGABRT)
            self.over.wait()
        assert self.status is not None
        return self.status


class Nursery:
    """Use as a context manager: what still lives at its end is killed."""

    def __init__(self, journal: Path, environment: Mapping[str, str], *, plant: str | None = None) -> None:
        self._journal = journal
        self._environment = environment
        self._plant = plant
        self._lives: dict[int, Life] = {}
        self._born: queue.SimpleQueue[Life | None] = queue.SimpleQueue()

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "torture.daemon"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=CHECKOUT,
            env={**os.environ, **self._environment, "PYTHONFAULTHANDLER": "1"},
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, name="nursery", daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for life in list(self._lives.values()):
            life.end()
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        self._reader.join()

    def birth(self, *words: str | Path, crash: tuple[CrashPoint, int] | None = None) -> Life:
        """`paramedic WORDS`, killed when the point is reached for the n-th time."""
        named = [crash[0].name, crash[1]] if crash else None
        self.order(words=[str(word) for word in words], journal=str(self._journal), crash=named, plant=self._plant)
        life = self._born.get(timeout=_BORN_WITHIN)
        assert life is not None, "the process that all agents are born of has ended"
        return life

    def order(self, **what: str | int | Sequence[object] | None) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what).encode() + b"\n")
        self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = json.loads(line)
            if "born" in said:
                life = self._lives[said["born"]] = Life(self, said["born"])
                self._born.put(life)
            else:
                life = self._lives.pop(said["ended"])
                life.status = said["status"]
                life.over.set()
        self._born.put(None)
