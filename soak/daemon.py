"""The daemon under soak: a child process, its figures as the kernel and its own status give them."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from agent.demo.waiting import SiteError, until
from soak.site import SoakSite

_READY_WITHIN = 60.0
_AS_IN_THE_UNIT = {"PYTHONSAFEPATH": "1", "MALLOC_ARENA_MAX": "2"}
"""systemd/paramedic.service gives it these."""


@dataclass(frozen=True)
class Sample:
    """At one moment. `at`: seconds since the soak began; memory and database in bytes.

    `own`: what the process has written, in memory or swapped out. Unlike `resident`, and unlike what is private, it
    does not move when another process comes or goes that uses the same libraries.
    """

    at: float
    own: int
    resident: int
    threads: int
    descriptors: int
    database: int


class Daemon:
    """`paramedic run` on the site, between entering and leaving."""

    def __init__(self, site: SoakSite) -> None:
        self.site = site
        self.journal = site.folder / "journal"
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        with self.journal.open("wb") as journal:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "agent", "run", "--config", self.site.config],
                env={**os.environ, **_AS_IN_THE_UNIT, **self.site.environment},
                stdin=subprocess.DEVNULL,
                stdout=journal,
                stderr=journal,
                start_new_session=True,
            )
        try:
            until(lambda: self._lives() and "ready:" in self.said(), within=_READY_WITHIN, what="the daemon is ready")
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def said(self) -> str:
        return self.journal.read_text(errors="replace")

    def reload(self) -> None:
        """SIGHUP, until it says that it has."""
        before = self.said().count("configuration reloaded")
        self._process.send_signal(signal.SIGHUP)
        until(lambda: self.said().count("configuration reloaded") > before, within=60, what="the reload is done")

    def sample(self) -> Sample:
        """Raises SiteError when the daemon has ended."""
        self._lives()
        pid = self._process.pid
        try:
            rollup = _kilobytes(Path(f"/proc/{pid}/smaps_rollup").read_text())
            status = Path(f"/proc/{pid}/status").read_text()
            descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        except (FileNotFoundError, ProcessLookupError):
            raise SiteError("the daemon has ended") from None
        return Sample(
            at=time.monotonic() - self._began,
            own=1024 * (rollup["Anonymous"] + rollup["Swap"]),
            resident=1024 * rollup["Rss"],
            threads=int(status.partition("\nThreads:")[2].split()[0]),
            descriptors=descriptors,
            database=sum(file.stat().st_size for file in self.site.state.glob("paramedic.db*")),
        )

    def ask(self, path: str) -> Any:
        """GET on the control socket."""
        connection = self.connected()
        try:
            client = http.client.HTTPConnection("paramedic")
            client.sock = connection
            client.request("GET", path, headers={"Connection": "close"})
            answer = client.getresponse()
            return json.loads(answer.read())
        finally:
            connection.close()

    def connected(self) -> socket.socket:
        """A connection to the control socket that has said nothing yet."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(30)
        connection.connect(os.fspath(self.site.socket))
        return connection

    def _lives(self) -> bool:
        if self._process.poll() is not None:
            raise SiteError(f"the daemon ended with {self._process.returncode}:\n{self.said()[-3000:]}")
        return True


def _kilobytes(rollup: str) -> dict[str, int]:
    """https://docs.kernel.org/filesystems/proc.html, /proc/PID/smaps_rollup."""
    fields = (line.split() for line in rollup.splitlines()[1:])
    return {words[0].rstrip(":"): int(words[1]) for words in fields}
