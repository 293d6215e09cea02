"""The real daemon as a child process: started and stopped as an operator would, its journal and record read."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent.model.execution import Execution
from agent.model.health import Key
from agent.model.incident import Incident
from agent.model.observation import Verdict
from agent.runtime.store import Store
from tests.acceptance.site import Site
from tests.acceptance.told import Told
from tests.neighbours.waiting import until

PARAMEDIC = Path(sys.executable).with_name("paramedic")
READY_WITHIN = 60.0
SOON = 45.0
"""Seconds that something which takes one or two may take on a machine that is busy with other tests."""
STOPS_WITHIN = 40.0
"""More than the bounds of all its parts together."""

LAST_LINES = 40


class Daemon:
    """`paramedic run` on a site's configuration. One journal over all its starts."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.process: subprocess.Popen[bytes] | None = None
        self._journal = site.folder / "journal"
        self._store: Store | None = None

    # life

    def start(self) -> None:
        """Until it says that it is ready."""
        times = self._times(" ready: ")
        self.launch()
        self.until_said(" ready: ", times=times + 1, within=READY_WITHIN)

    def launch(self) -> None:
        """Start it and wait for nothing."""
        assert self.process is None, "it runs already"
        with self._journal.open("ab") as journal:
            self.process = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=journal,
                stderr=journal,
                env={
                    **os.environ,
                    "PYTHONSAFEPATH": "1",
                    "PYTHONFAULTHANDLER": "1",
                    "MALLOC_ARENA_MAX": "2",
                    **self.site.environment,
                },
                start_new_session=True,
            )

    def stop(self, *, within: float = 60.0) -> int:
        """SIGTERM, as systemd does; its exit status."""
        return self.end(signal.SIGTERM, within=within)

    def kill(self) -> None:
        """kill -9: no word of farewell."""
        self.end(signal.SIGKILL)

    def end(self, number: int, *, within: float = 60.0) -> int:
        """Send the signal and wait for the end; its exit status."""
        assert self.process is not None, "it does not run"
        self.process.send_signal(number)
        return self.ended(within=within)

    def ended(self, *, within: float = 60.0) -> int:
        """Wait for the end that was asked for already; its exit status."""
        assert self.process is not None, "it does not run"
        try:
            status = self.process.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it did not end within {within:g} s{self._last_lines()}") from None
        self.process = None
        return status

    def reload(self) -> None:
        """SIGHUP, as `systemctl reload` does."""
        assert self.process is not None, "it does not run"
        self.process.send_signal(signal.SIGHUP)

    def clean_up(self) -> None:
        """End it however it is, and see that nothing went wrong that no test asked about."""
        ended_in_time = self.process is None or self._has_ended_cleanly()
        if self._store is not None:
            verified = self._store.verify()
            self._store.close()
            assert verified.ok, verified.text
        journal = self.journal()
        assert ended_in_time, f"it did not end when told to:\n{journal}"
        assert "Traceback" not in journal, journal
        assert "defect:" not in journal, journal

    def _has_ended_cleanly(self) -> bool:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)  # its journal then shows where each thread is
            self.process.wait()
            return False
        return True

    def _command(self) -> list[str]:
        return [str(PARAMEDIC), "run", "--config", str(self.site.config)]

    # journal

    def journal(self) -> str:
        return self._journal.read_text(errors="replace") if self._journal.exists() else ""

    def until_said(self, words: str, *, times: int = 1, within: float = SOON) -> None:
        """Until the journal has these words so often. At once an error when the daemon ends meanwhile."""
        self._until(lambda: self._times(words) >= times, within, f"the journal says {words!r} ({times} times)")

    def _times(self, words: str) -> int:
        return self.journal().count(words)

    def _until(self, condition: Callable[[], bool], within: float, what: str) -> None:
        def reached() -> bool:
            if condition():
                return True
            ended = self.process.poll() if self.process is not None else None
            assert ended is None, f"it ended with {ended} before {what}"
            return False

        try:
            until(reached, within=within, what=what)
        except AssertionError as error:
            raise AssertionError(f"{error}{self._last_lines()}") from None

    def _last_lines(self) -> str:
        lines = self.journal().splitlines()[-LAST_LINES:]
        return "\nThe end of its journal:\n" + "\n".join(lines)

    # record

    def until(self, wish: str, *, about: str = "INC-1", times: int = 1, within: float = SOON) -> Told:
        """Until the record holds so many entries of that kind (`resolved`), or of that kind and with these words
        (`step: restart: ok`); what is on record about it then.
        """
        kind, _, words = wish.partition(": ")
        pattern = re.compile(rf" {re.escape(about)} {re.escape(kind)}: .*{re.escape(words)}")
        what = f"{wish!r} is on record about {about} ({times} times)"
        self._until(lambda: len(pattern.findall(self.journal())) >= times, within, what)
        return self.told(about)

    def until_any(self, *kinds: str, about: str = "INC-1", within: float = SOON) -> Told:
        """Until there is an entry of one of these kinds; what is on record about it then."""
        pattern = re.compile(rf" {re.escape(about)} ({'|'.join(kinds)}): ")
        self._until(lambda: bool(pattern.search(self.journal())), within, f"{' or '.join(kinds)} is on record")
        return self.told(about)

    def until_health(self, check: str, subject: str, status: str, *, within: float = SOON) -> None:
        """Until it believes that of the subject: OK, WARNING or CRITICAL, or `blind`."""

        def believed() -> bool:
            health = self.store.load(time.time()).health.get(Key(check, subject))
            if health is None:
                return False
            return health.blind_since is not None if status == "blind" else health.status is Verdict[status]

        self._until(believed, within, f"{check} on {subject} is {status}")

    def until_delivered(self, *, within: float = SOON) -> None:
        """Until no update of a ticket waits, and none was given up."""
        self._until(lambda: self.store.tickets.waiting().waiting == 0, within, "all ticket updates are delivered")
        given_up = self.store.tickets.waiting()
        assert given_up.set_aside == 0, f"{given_up}{self._last_lines()}"

    def told(self, about: str = "INC-1") -> Told:
        """What is on record about it, oldest first."""
        return Told(record.entry for record in self.store.timeline(about, limit=10_000))

    def incident(self, id: str = "INC-1") -> Incident:
        incident = self.store.incident(id)
        assert incident, f"there is no {id}"
        return incident

    def incidents(self) -> list[Incident]:
        """Oldest first."""
        return self.store.incidents()[::-1]

    def executions(self, incident: str = "INC-1") -> list[Execution]:
        """Oldest first."""
        return self.store.executions_of(incident)

    @property
    def store(self) -> Store:
        """The record, read beside the daemon as any program may."""
        if self._store is None:
            self._store = Store.open(self.site.state / "paramedic.db", read_only=True)
        return self._store

    def read_anew(self) -> None:
        """The file was replaced: what is read from now on is read from the new one."""
        if self._store is not None:
            self._store.close()
            self._store = None

    # the command line

    def paramedic(self, *words: str, status: int = 0, user: int | None = None) -> str:
        """What `paramedic WORDS` says to this daemon, by its console script. AssertionError at another exit status."""
        done = subprocess.run(
            [str(PARAMEDIC), "--socket", str(self.site.socket), *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            user=user,
            env={**os.environ, "NO_COLOR": "1"},
        )
        said = f"paramedic {' '.join(words)} ended with {done.returncode}: {done.stdout}{done.stderr}"
        assert done.returncode == status, said
        return done.stdout + done.stderr if status else done.stdout

    def json(self, *words: str) -> Any:
        """What it says to a program."""
        return json.loads(self.paramedic(*words, "--json"))
