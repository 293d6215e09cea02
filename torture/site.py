"""One agent's world: hosts, a ticket tracker, a disk of its own, a clock that can be set, and its configuration."""

import secrets
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from agent.demo.roundup import Roundup
from tests.neighbours.faulty_proxy import FaultyProxy
from torture.ward import Host, prepare, ward

FAKETIME = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
DISK_MEGABYTES = 96
STEPS = ("admit", "operate", "chart", "dress", "discharge")
"""Steps of the runbook that leave a trace."""

_AGENT = """\
agent: {{state_dir: {state}, socket: {socket}, runbooks: [runbooks], stop_within: 5s}}
policy:
  lifecycle: {{close_after: 500ms}}
login: {login}
teams: {{operations: {{}}}}
"""
_TICKETS = """\
tickets:
  preset: roundup
  url: {url}
  basic: {{user: {user}, password: tracker}}
  settles_within: 3s
  prefix: {prefix}-
secrets:
  tracker: {{file: {password}}}
"""
_CHECK = """\
  {patient}:
    kind: command
    on: [{hosts}]
    run: test ! -e {folder}/{patient}/ill || exit 2
    every: 1s
    timeout: 10s
    confirm: 1
    unknown_after: 5s
    flapping: {{changes: 1000}}
    category: health
    ladder: [{{runbook: heal, vars: {{patient: {patient}}}}}]
"""
_RUNBOOK = """\
runbook: heal
description: Every step leaves a trace; only one of them may ever be seen twice.
hosts: affected
vars: {{patient: {{}}}}
evidence:
  - name: look
    run: ls -l {folder}/{{{{ vars.patient }}}}
steps:
  - name: admit
    run: sh {folder}/treat 0 {{{{ incident.id }}}} {{{{ host.name }}}} admit
    timeout: 30s
  - name: operate
    run: sh {folder}/treat 0.3 {{{{ incident.id }}}} {{{{ host.name }}}} operate
    sudo: {sudo}
    timeout: 30s
  - name: chart
    on: local
    run: sh {here}/treat 0.1 {{{{ incident.id }}}} {{{{ host.name }}}} chart
    timeout: 30s
  - name: dress
    repeatable: true
    run: sh {folder}/treat 0.1 {{{{ incident.id }}}} {{{{ host.name }}}} dress
    timeout: 30s
  - name: discharge
    run: sh {folder}/treat 0 {{{{ incident.id }}}} {{{{ host.name }}}} discharge {folder}/{{{{ vars.patient }}}}/ill
    timeout: 30s
verify: {{within: 60s}}
"""


@dataclass(frozen=True)
class Patient:
    """One check on one host."""

    name: str
    host: Host

    @property
    def key(self) -> tuple[str, str]:
        """Check and subject, as the agent calls it."""
        return self.name, self.host.name

    @property
    def _flag(self) -> Path:
        return self.host.outside / self.name / "ill"

    @property
    def is_ill(self) -> bool:
        return self._flag.exists()

    def fall_ill(self) -> None:
        self._flag.write_text("ill\n")

    def cure(self) -> None:
        self._flag.unlink(missing_ok=True)


class Site:
    """Everything is in `folder`; use as a context manager. `not_done` names what this machine does not allow."""

    def __init__(self, folder: Path, *, hosts: int = 3, patients: int = 2, booted: bool = True) -> None:
        self.folder = folder
        self.config, self.state, self.local = folder / "config", folder / "state", folder / "local"
        self.socket, self.journal, self.record = folder / "sock", folder / "journal", self.state / "paramedic.db"
        self.backups = folder / "backups"
        self.prefix = secrets.token_hex(4)
        self.not_done: list[str] = []
        self.tracker = Roundup(folder / "roundup")
        self._clock = folder / "clock"
        self._checks = [f"patient{number}" for number in range(1, patients + 1)]
        self._names = [f"ward{number}" for number in range(1, hosts + 1)]
        self._booted = booted
        self._parts = ExitStack()
        self._has_disk = False

    def __enter__(self) -> Self:
        with self._parts as parts:
            self._ward = parts.enter_context(ward(self.folder / "hosts", self._names, booted=self._booted))
            self.not_done += self._ward.not_done
            self.hosts: Sequence[Host] = self._ward.hosts
            self.patients = [Patient(name, host) for host in self.hosts for name in self._checks]
            for host in self.hosts:
                prepare(host.outside, self._checks)
            prepare(self.local, [])
            parts.callback(self.tracker.stop)
            self.tracker.start()
            self.proxy = parts.enter_context(FaultyProxy(self.tracker.url))
            self._mount(parts)
            self._write_config()
            self.set_clock(0)
            if not FAKETIME:
                self.not_done.append("shifts of the clock: libfaketime is not installed (apt-get install faketime)")
            self._parts = parts.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._parts.close()

    @property
    def environment(self) -> dict[str, str]:
        """Of the agent: its wall clock alone is ours to set."""
        if not FAKETIME:
            return {}
        return {
            "LD_PRELOAD": str(FAKETIME[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self._clock),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def set_clock(self, seconds: int) -> None:
        """So many seconds ahead of the world's."""
        fresh = self._clock.with_suffix(".new")
        fresh.write_text(f"{seconds:+d}\n")
        fresh.rename(self._clock)

    @property
    def has_disk(self) -> bool:
        """Whether the agent's record has a disk of its own, to be filled."""
        return self._has_disk

    def fill_disk(self) -> None:
        with suppress(OSError), (self.state / "ballast").open("ab", buffering=0) as ballast:
            while ballast.write(bytes(1 << 16)):
                pass
        with suppress(OSError), (self.state / "ballast").open("ab", buffering=0) as ballast:
            while ballast.write(bytes(512)):
                pass

    def empty_disk(self) -> None:
        (self.state / "ballast").unlink(missing_ok=True)

    def keep_evidence(self, folder: Path) -> None:
        """Copies for the checker: every trace, the tracker's own database, the agent's record and journal."""
        (folder / "traces").mkdir(parents=True, exist_ok=True)
        for host in self.hosts:
            shutil.copyfile(host.outside / "trace", folder / "traces" / host.name)
        shutil.copyfile(self.local / "trace", folder / "traces" / "localhost")
        self.tracker.stop()
        shutil.copytree(self.folder / "roundup" / "tracker" / "db", folder / "tracker", dirs_exist_ok=True)
        for name in ("paramedic.db", "paramedic.db-wal"):
            with suppress(FileNotFoundError):
                shutil.copyfile(self.state / name, folder / name)
        shutil.copyfile(self.journal, folder / "journal")
        shutil.copyfile(self.folder / "roundup" / "log", folder / "tracker.log")
        if self.backups.exists():
            shutil.copytree(self.backups, folder / "backups", dirs_exist_ok=True)

    def _mount(self, parts: ExitStack) -> None:
        self.state.mkdir()
        words = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MEGABYTES}m,mode=700", "paramedic-torture", str(self.state)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        self._has_disk = done.returncode == 0
        if self._has_disk:
            parts.callback(subprocess.run, ["umount", "--lazy", str(self.state)], check=True)
        else:
            self.not_done.append(f"a full disk: {done.stderr.strip()}")

    def _write_config(self) -> None:
        (self.config / "runbooks").mkdir(parents=True)
        password = self.config / "tracker-password"
        password.write_text(self.tracker.password)
        password.chmod(0o600)
        folder = self._ward.folder
        hosts = "".join(f"  {host.name}: {{address: {host.address}}}\n" for host in self.hosts)
        on = ", ".join(f"host:{host.name}" for host in self.hosts)
        files = {
            "agent.yaml": _AGENT.format(state=self.state, socket=self.socket, login=self._ward.login),
            "hosts.yaml": f"hosts:\n{hosts}",
            "tickets.yaml": _TICKETS.format(
                url=self.proxy.url.rstrip("/"), user=self.tracker.user, prefix=self.prefix, password=password
            ),
            "checks.yaml": "checks:\n"
            + "".join(_CHECK.format(patient=name, hosts=on, folder=folder) for name in self._checks),
            "runbooks/heal.yaml": _RUNBOOK.format(folder=folder, here=self.local, sudo=str(self._ward.sudo).lower()),
        }
        for name, text in files.items():
            (self.config / name).write_text(text)
        self.config.chmod(0o755)
