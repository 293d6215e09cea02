"""A home folder on this machine with a ledger in it, under each shell that hosts have."""

import os
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from agent.model.command_result import CommandResult
from agent.model.commands import RunStep
from agent.model.inventory import Host
from agent.runtime.ledger import Ledger, Ledgers, StepShell
from agent.runtime.shell import LocalShell
from agent.runtime.shells import Shells
from agent.runtime.ssh import SshPool
from tests.neighbours import available
from tests.neighbours.waiting import until

HERE = Host(name="localhost", connection="local")
STEP = RunStep("RUN-1.web1.steps.1.1", "RUN-1", None, "web1", True, "a step", "run", {}, False, 60.0, False, 1000.0)
ENTRY = "RUN-1.web1.steps.1.1@1000000"
SHELLS = ("dash", "bash", "busybox")


class Site:
    """A home folder, and an agent that has steps carried out there."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.shell = Shells({}, SshPool(), LocalShell())
        self.agent = secrets.token_hex(6)  # for the places that all tests share
        self.ledgers = Ledgers(self.shell, self.agent)
        self.moves: list[Ledger] = []

    @property
    def entry(self) -> Path:
        return self.home / ".paramedic" / self.agent / ENTRY

    def run(self, command: str, *, again: bool = False, ledger: Ledger | None = None, **how: Any) -> CommandResult:
        """Ask for the same step, with what is given in `how`: timeout, output_limit, step."""
        shell = self.step(ledger or self.ledgers.of(HERE), again=again, **how)
        return shell.run(HERE, command, timeout=how.get("timeout", 60.0))

    def step(self, ledger: Ledger, *, again: bool = False, **how: Any) -> StepShell:
        return StepShell(
            self.shell,
            self.ledgers,
            how.get("step", STEP),
            ledger,
            again=again,
            secret=True,
            output_limit=how.get("output_limit", 65536),
            moved=self.moves.append,
        )

    def runner(self) -> int:
        """Process that carries the step out."""
        text = until(lambda: self._runner_file(), within=30, what="the step is under way")
        return int(text.split()[0])

    def _runner_file(self) -> str:
        file = self.entry / "runner"
        return file.read_text() if file.exists() else ""


def site_with(name: str | None, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Whose `sh` is the shell of that name; None: this machine's."""
    if name is not None:
        shell = shutil.which(name)
        available.require(name, None if shell else "it is not installed", f"apt-get install -y {name}")
        assert shell
        names = ["sh"]
        if name == "busybox":  # and every tool it has: what a container or a router has instead of coreutils
            names += subprocess.run([shell, "--list"], capture_output=True, text=True, check=True).stdout.split()
        (folder / "bin").mkdir()
        for tool in sorted(set(names)):
            (folder / "bin" / tool).symlink_to(shell)
        monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
    home = folder / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    return Site(home)
