"""A drill as it goes: what is expected next and the seconds left, and what has happened."""

import sys
from types import TracebackType
from typing import Self

from rich.console import Group
from rich.live import Live
from rich.text import Text

from agent.cli.drill_text import judged_table
from agent.cli.terminal import console, safe, say
from agent.drill.progress import Progress, Stage
from agent.model.drill import MARK, Drill


class Watch:
    """Shows progress: in a terminal a table that is kept up to date, elsewhere plain lines. `quiet`: nothing."""

    def __init__(self, drill: Drill, *, quiet: bool = False) -> None:
        self._drill = drill
        self._quiet = quiet
        self._said: dict[str, bool | None] = {}
        self._live: Live | None = None
        if not quiet and sys.stdout.isatty():
            self._live = Live(console=console(), auto_refresh=False, transient=True, redirect_stderr=False)

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def told(self, progress: Progress) -> None:
        """Given to the drill, which calls it about once a second and when something happens."""
        if self._quiet:
            return
        lines = [f"{_when(progress)}{progress.text}"] if progress.text else []
        for each in progress.judged:
            if each.met is not None and self._said.get(each.label) is not each.met:
                lines.append(f"{_when(progress)}{'✓' if each.met else '✗'} {each.label}: {each.actual}")
                self._said[each.label] = each.met
        for line in lines:
            if self._live:
                self._live.console.print(Text(safe(line)), soft_wrap=True)
            else:
                say(line)
                sys.stdout.flush()
        if self._live:
            self._live.update(self._picture(progress), refresh=True)

    def _picture(self, progress: Progress) -> Group:
        left = f", {progress.left:.0f} s to the deadline" if progress.left is not None else ""
        head = Text(f"{MARK} {progress.id} ", "bold").append(safe(f"{self._drill.title}: {progress.stage}{left}"))
        parts = [Text(""), head]
        if progress.stage is Stage.RUNNING:
            return Group(*parts, judged_table(progress.judged, progress.since or 0.0))
        return Group(*parts)


def _when(progress: Progress) -> str:
    return f"+{progress.since:5.1f}s  " if progress.since is not None else "         "
