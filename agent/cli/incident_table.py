"""Incidents as a table that fits the terminal."""

from collections.abc import Collection, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from agent.cli import style, times
from agent.cli.answers import ExecutionAnswer, IncidentAnswer
from agent.cli.terminal import safe
from agent.cli.typed import typed
from agent.cli.waiting import waiting_for_yes

_NARROW = 80
"""Columns below which each incident takes several lines."""


def incident_table(
    incidents: Sequence[IncidentAnswer], now: float, width: int, executions: Sequence[ExecutionAnswer] = ()
) -> RenderableType:
    """As they come. `now`: seconds since the epoch; `width`: columns there are; `executions`: those under way."""
    waiting = waiting_for_yes(executions)
    if width < _NARROW:
        return Group(*(_in_lines(one, now, waiting) for one in incidents))
    table = Table(box=None, padding=(0, 2, 0, 0), header_style=style.LABEL, show_edge=False)
    for heading in ("ID", "", "PHASE", "OPENED"):
        table.add_column(heading, no_wrap=True)
    table.add_column("WHAT", ratio=1, overflow="fold")
    table.add_column("WITH", overflow="fold", max_width=24)
    for one in incidents:
        priority = one["classification"]["priority"]
        table.add_row(
            Text(safe(one["id"]), style="bold"),
            Text(priority, style=style.PRIORITY.get(priority, "")),
            Text(one["phase"], style=style.PHASE.get(one["phase"], "")),
            Text(_opened(one, now)),
            _what(one, waiting),
            Text(safe(_with(one))),
        )
    return table


def _in_lines(one: IncidentAnswer, now: float, waiting: Collection[str]) -> Text:
    priority, phase = one["classification"]["priority"], one["phase"]
    text = Text.assemble(
        (safe(one["id"]), "bold"),
        "  ",
        (priority, style.PRIORITY.get(priority, "")),
        "  ",
        (phase, style.PHASE.get(phase, "")),
        f"  {_opened(one, now)}\n  ",
    )
    return text.append_text(_what(one, waiting)).append(f"\n  {safe(_with(one))}", style.LABEL)


def _opened(one: IncidentAnswer, now: float) -> str:
    return f"{times.span(max(0.0, now - one['opened_at']))} ago"


def _what(one: IncidentAnswer, waiting: Collection[str]) -> Text:
    text = Text(safe(one["title"]))
    if one["service"] and one["service"] not in one["title"]:
        text.append(f" ({safe(one['service'])})", style=style.LABEL)
    if one["held_because"] and one["phase"] == "held":
        text.append(f" – not treated: {safe(one['held_because'])}", style="yellow")
    if one["id"] in waiting:
        text.append(f" – waits for a yes: {safe(typed('approve', one['id']))}", style="magenta")
    return text


def _with(one: IncidentAnswer) -> str:
    who = one["assignee"] or one["team"]
    seen_by = one["acknowledged_by"]
    return f"{who} ✓" if seen_by == who else f"{who}, seen by {seen_by}" if seen_by else who
