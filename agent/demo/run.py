"""`paramedic demo`: a real fault on a real (throwaway) site, treated before your eyes."""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from agent.demo import sshd
from agent.demo.drill_site import DrillSite
from agent.demo.interruption import interruptible, uninterrupted
from agent.demo.site import Site
from agent.demo.waiting import SiteError, until

_UP_WITHIN = 20.0
_CLOSED_WITHIN = 40.0
"""Seconds for the whole loop: notice, judge, treat, verify, file."""


def main() -> int:
    """0 if the loop closed: fault noticed, treated over SSH, verified, ticket filed and resolved."""
    console = Console(highlight=False)
    lacking = sshd.missing()
    if lacking:
        console.print(Text(f"The demo needs an SSH server: {lacking}", style="red"))
        return 1
    try:
        with tempfile.TemporaryDirectory(prefix="paramedic-demo-") as folder, interruptible():
            _demonstrate(console, Path(folder))
    except KeyboardInterrupt:
        console.print("\nStopped; everything that was started has been ended and removed.")
        return 130
    except SiteError as error:
        console.print(Text(f"\nThe loop did not close: {error}", style="bold red"))
        return 1
    console.print("\nThe loop closed. Everything that was started has been ended and removed.")
    command = as_typed(Path(sys.argv[0]).absolute(), Path.cwd())
    console.print(Text(f"Next: {command} run --config config, and in another terminal {command} status"))
    return 0


def as_typed(program: Path, here: Path) -> str:
    """How the command is called: by its name alone only where the shell finds this very one."""
    found = shutil.which("paramedic")
    if program.name != "paramedic" or (found is not None and Path(found).absolute() == program):
        return "paramedic"
    return str(program.relative_to(here) if program.is_relative_to(here) else program)


def _demonstrate(console: Console, folder: Path) -> None:
    _chapter(console, "1", "A throwaway site on loopback: sshd, a web shop, a Roundup ticket tracker")
    with Site(folder) as site:
        console.print(f"    shop     {site.web.url}\n    sshd     127.0.0.1:{site.sshd.port}")
        console.print(f"    tickets  {site.tickets.url}")
        _chapter(console, "2", "The agent starts on it")
        with running_agent(console, site) as agent:
            _chapter(console, "3", "The fault: kill -9 of the shop's web server")
            began = time.monotonic()
            site.web.kill()
            agent.wait_for("resolved", within=_CLOSED_WITHIN)
            took = time.monotonic() - began
            resolved = until(
                lambda: [issue for issue in site.tickets.issues() if issue["status"] == "resolved"],
                within=_CLOSED_WITHIN,
                what="the ticket is resolved",
            )
            console.print(f"    from the kill to verified recovery: {took:.1f} s")
            _chapter(console, "4", "The story, as `paramedic show INC-1` tells it")
            _show(site)
        _chapter(console, "5", "The ticket, as Roundup shows it")
        _print_ticket(console, resolved[0])


class _Agent:
    """The daemon as a child process; its journal is relayed as it comes, unless it is `quiet`."""

    def __init__(self, console: Console, process: "subprocess.Popen[str]", *, quiet: bool) -> None:
        self._console = console
        self._quiet = quiet
        self._process = process
        self._said: list[str] = []
        self._reader = threading.Thread(target=self._relay, name="journal", daemon=True)
        self._reader.start()

    def wait_for(self, words: str, *, within: float) -> None:
        """Until the journal has said it. Raises SiteError, also when the agent ends before."""
        until(lambda: self._ended() or any(words in line for line in self._said), within=within, what=words)

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(5)

    def _ended(self) -> bool:
        if self._process.poll() is not None:
            raise SiteError(f"the agent ended with status {self._process.returncode}")
        return False

    def _relay(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._said.append(line)
            if not self._quiet:
                self._console.print(Text("    " + line.rstrip(), style=_style(line)))


def _style(line: str) -> str:
    if " recovered" in line or " resolved" in line:
        return "green"
    if "CRITICAL" in line or "ERROR" in line:
        return "red"
    return "cyan" if "INC-" in line else "dim"


@contextmanager
def running_agent(console: Console, site: Site | DrillSite, *, quiet: bool = False) -> Iterator[_Agent]:
    """The daemon on the site; it is ready."""
    agent: _Agent | None = None
    try:
        with uninterrupted():
            process = subprocess.Popen(
                [sys.executable, "-m", "agent", "run", "--config", site.config],
                env={**os.environ, **site.environment, "PYTHONUNBUFFERED": "1", "PYTHONSAFEPATH": "1"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="backslashreplace",
                start_new_session=True,
            )
            agent = _Agent(console, process, quiet=quiet)
        agent.wait_for("ready", within=_UP_WITHIN)
        yield agent
    finally:
        if agent:
            agent.stop()


def _show(site: Site) -> None:
    words = [sys.executable, "-m", "agent", "--socket", str(site.socket), "show", "INC-1"]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        raise SiteError(f"paramedic show ended with status {done.returncode}")


def _print_ticket(console: Console, ticket: dict[str, Any]) -> None:
    for field in ("id", "external_id", "title", "priority", "status"):
        console.print(Text(f"    {field:12} {ticket.get(field)}"))
    for message in ticket["messages"]:
        first, *more = message.splitlines() or [""]
        console.print(Text(f"    message      {first}"))
        for line in more:
            console.print(Text(f"                 {line}", style="dim"))


def _chapter(console: Console, number: str, title: str) -> None:
    console.print(Text(f"\n{number}  {title}", style="bold"))
