"""A real agent as a child process, and what it costs, as the kernel counts it."""

import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from agent.demo.waiting import until


class Daemon:
    """`paramedic run --config FOLDER`; its journal is kept in `lines`."""

    def __init__(self, config: Path, environment: dict[str, str] | None = None) -> None:
        self.log = config.parent / "journal"
        self._words = [Path(sys.executable).with_name("paramedic"), "run", "--config", config]
        self._environment = {**os.environ, **(environment or {})}

    def __enter__(self) -> Self:
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                self._words, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.process = psutil.Process(self._process.pid)
        self.wait_for("ready:", 60)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(60)

    def wait_for(self, words: str, within: float, times: int = 1) -> None:
        """Until the journal has said it so often."""

        def said() -> bool:
            if self._process.poll() is not None:
                raise SystemExit(f"the agent ended:\n{self.text()[-3000:]}")
            return self.text().count(words) >= times

        until(said, within=within, what=f"the journal says {words!r} {times} times")

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def cpu_seconds(self) -> float:
        """User and system time since its start."""
        spent = self.process.cpu_times()
        return float(spent.user + spent.system)

    def megabytes(self) -> float:
        """Resident memory."""
        return float(self.process.memory_info().rss / 1e6)
