"""Drills inside the running agent: a process of their own, its child, with its user, files and credentials."""

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from agent.model.decision import Reply
from agent.model.text import one_line

log = logging.getLogger("paramedic.drill")

_NOT_FOR_IT = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_FDS", "LISTEN_PID")
"""What systemd gave to the agent and its child must not answer to; the credentials are for both."""
_REASON = 500
"""Characters."""
_KEPT = 5000
"""Lines of progress kept: about an hour and a half."""


class Drilling:
    """One drill at a time, of the configuration in `folder`. Thread-safe. `socket`: where this agent answers, which
    the drill asks for leave.
    """

    def __init__(self, folder: Path, socket: Path) -> None:
        self._folder = folder
        self._socket = socket
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._lines: list[object] = []
        self._dropped = 0
        self._reading: threading.Thread | None = None

    def start(self, name: str, actor: str) -> Reply:
        """Begin a drill. Whether it may, it finds out itself and tells."""
        with self._lock:
            if self._process is not None and self._process.poll() is None:
                return Reply(False, "another drill is under way")
            environment = {key: value for key, value in os.environ.items() if key not in _NOT_FOR_IT}
            words = [sys.executable, "-m", "agent", "--socket", str(self._socket), "drill", "carry-out"]
            try:
                self._process = process = subprocess.Popen(
                    [*words, "--config", str(self._folder), "--actor", actor, "--", name],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    start_new_session=True,
                    env=environment,
                    text=True,
                )
            except OSError as error:
                return Reply(False, f"the drill could not be started: {error.strerror or error}")
            self._lines, self._dropped = [], 0
            self._reading = threading.Thread(target=self._read, args=(process,), name="drill", daemon=True)
            self._reading.start()
        log.info("%s begins the drill %s (process %d)", actor, name, process.pid)
        return Reply(True, f"the drill {name} begins", name)

    def told(self, after: int) -> tuple[int, Sequence[object], bool]:
        """What the drill has told since number `after`, the number of the last of it, and whether it has ended."""
        with self._lock:
            last = self._dropped + len(self._lines)
            lines = self._lines[max(0, after - self._dropped) :]
            over = self._reading is None or not self._reading.is_alive()
        return last, lines, over

    def abort(self, because: str) -> Reply:
        """End it by its rollback. It is told on its standard input, and takes the end of that for ours."""
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                return Reply(False, "no drill of this agent is under way")
            assert self._process.stdin is not None
            with suppress(OSError):  # it has just ended
                self._process.stdin.write(f"{one_line(because, _REASON)}\n")
                self._process.stdin.flush()
        return Reply(True, "the drill is told to end; it puts everything back first")

    @property
    def under_way(self) -> bool:
        with self._lock:
            return self._process is not None and self._process.poll() is None

    def stop(self, within: float) -> bool:
        """The agent stops: so does the drill, by its rollback. False if that takes longer than `within` seconds."""
        self.abort("the agent stops")
        process = self._process
        if process is None:
            return True
        with suppress(subprocess.TimeoutExpired):
            process.wait(within)
        return process.poll() is not None

    def _read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                self._keep(line)
        process.wait()
        assert process.stdin is not None
        with self._lock, suppress(OSError):
            process.stdin.close()

    def _keep(self, line: str) -> None:
        try:
            told = json.loads(line)
        except ValueError:
            log.warning("the drill said: %s", one_line(line, 500))
            return
        with self._lock:
            self._lines.append(told)
            if len(self._lines) > _KEPT:
                del self._lines[0]
                self._dropped += 1
