"""`make drill`: a live drill on a throwaway site, on any machine and as any user.

Run as `python -m agent.demo.drilling [NAME] [what "paramedic drill run" takes]`; ends with the drill's exit code.
"""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from agent.demo import sshd
from agent.demo.drill_site import DrillSite
from agent.demo.interruption import interruptible, uninterrupted
from agent.demo.run import running_agent
from agent.demo.waiting import SiteError

_DEFAULT = "web-down"


def main(words: list[str]) -> int:
    """0 only if everything that was expected happened; 1 if not, or where no sshd can run; 130 after Ctrl-C."""
    console = Console(highlight=False)
    if lacking := sshd.missing():
        console.print(Text(f"Drills need an SSH server: {lacking}", style="red"))
        return 1
    if not words or words[0].startswith("-"):
        words = [_DEFAULT, *words]
    try:
        with tempfile.TemporaryDirectory(prefix="paramedic-drill-") as folder, interruptible():
            return _drill(console, Path(folder), words)
    except KeyboardInterrupt:
        console.print("\nStopped; everything that was started has been ended and removed.")
        return 130
    except SiteError as error:
        console.print(Text(f"\nThe site does not work: {error}", style="bold red"))
        return 1


def _drill(console: Console, folder: Path, words: list[str]) -> int:
    console.print("A throwaway site on loopback: four web servers, their database, a ticket tracker, somebody on duty")
    with DrillSite(folder) as site, running_agent(console, site, quiet=True):
        console.print("Its agent runs; the drill begins. Ctrl-C puts everything back.\n")
        return _run([sys.executable, "-m", "agent", "drill", "run", *words], site)


def _run(command: list[str], site: DrillSite) -> int:
    """To its end, also when we are interrupted: it has to put things back first."""
    with uninterrupted():
        process = subprocess.Popen(command, env={**os.environ, **site.environment, "PYTHONSAFEPATH": "1"})
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.send_signal(signal.SIGINT)
        process.wait()
        raise


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
