"""The dry run of a runbook from the configuration, as people read it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent.cli import style
from agent.cli.exits import no_such, refused
from agent.cli.reading import configuration_in
from agent.cli.terminal import put, safe, safe_lines
from agent.core.preview import PreviewedStep, preview
from agent.model.runbook import Runbook


def dry_run(
    name: str, hosts: Sequence[str], values: Mapping[str, object], folder: Path
) -> tuple[Runbook, list[PreviewedStep]]:
    """The runbook, and what it would do.

    Raises ConfigProblems, and Failure for what the configuration does not have.
    """
    settings = configuration_in(folder).settings
    runbook = settings.runbooks.get(name)
    if runbook is None:
        raise no_such("runbook", name, settings.runbooks)
    chosen = list(hosts) or list(settings.hosts_of(runbook.hosts))
    if not chosen:
        raise refused(f"{name} is for the hosts that an incident affects: say on which it should be tried (--host)")
    for host in chosen:
        if host not in settings.hosts:
            raise no_such("host", host, settings.hosts)
    try:
        return runbook, preview(runbook, [settings.hosts[host] for host in chosen], values)
    except ValueError as error:
        raise refused(str(error)) from None


def print_dry_run(console: Console, steps: Sequence[PreviewedStep]) -> None:
    """Host by host in the order of batches, section by section."""
    batches = max((step.batch for step in steps), default=1)
    host = section = ""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style=style.LABEL)
    table.add_column(overflow="fold")
    for step in steps:
        if step.host != host:
            host, section = step.host, ""
            turn = f"  batch {step.batch} of {batches}" if batches > 1 else ""
            table.add_row(Text(safe(host), "bold"), Text(turn.strip(), style.LABEL))
        text = Text(safe(step.name), "bold").append(f"  {step.kind}", style.LABEL)
        table.add_row("" if step.section == section else f"  {step.section}", text)
        section = step.section
        for line in safe_lines(step.command):
            table.add_row("", Text(f"  {line}", "cyan"))
        for note in step.notes:
            table.add_row("", Text(f"  ({safe(note)})", "yellow"))
    put(console, table)
    console.print(Text("nothing was done", style=style.LABEL))
