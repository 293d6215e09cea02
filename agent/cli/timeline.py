"""A timeline as rows: clock, offset from the beginning, sign, sentence; what steps printed is folded below."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from agent.cli import style, times
from agent.cli.answers import EntryAnswer, ExecutionAnswer
from agent.cli.repeats import Repeats
from agent.cli.terminal import safe, safe_lines
from agent.config.counted import counted
from agent.model.timeline import AGENT

_NARROW = 72
"""Columns below which there is no room for the clock."""
_WHOLE_UP_TO = 8
_HEAD, _TAIL = 3, 3
"""Lines of output that are shown of more than `_WHOLE_UP_TO`."""
_ENTRIES = 200
"""Entries at each end of a long story that are shown; a storm leaves thousands."""
_WITHIN_RUN = ("step", "verification", "rollback", "approval")
_REFUSED_ON_HOST = "host"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the timeline. `inside`: part of the run of a runbook. `printed`: lines below it."""

    at: float
    sign: tuple[str, str]
    text: Text
    inside: bool = False
    printed: tuple[str, ...] = ()


def timeline(
    width: int,
    entries: Sequence[EntryAnswer],
    executions: Sequence[ExecutionAnswer],
    *,
    title: str | None,
    full: bool,
    repeats: Repeats,
) -> RenderableType:
    """`title`: of the incident, which stands above; `full`: all entries, and all that steps printed.

    `repeats` knows what was said above.

    Offsets count from the first entry.
    """
    if not entries:
        return Text("nothing on record", style=style.LABEL)
    began = entries[0]["at"]
    alone = {run["id"] for run in executions if len(run["runs"]) == 1}
    with_clock = width >= _NARROW
    table = Table.grid(padding=(0, 1, 0, 0), expand=True)
    if with_clock:
        table.add_column(no_wrap=True, style=style.LABEL)
    table.add_column(no_wrap=True, justify="right", style=style.LABEL)
    table.add_column(no_wrap=True, min_width=3)
    table.add_column(ratio=1, overflow="fold")
    last_day, last_clock, last_offset = times.day(began), "", ""
    for row in _shown(entries, alone, title or "", repeats, full=full):
        if isinstance(row, str):
            table.add_row(*[""] * with_clock, "", "⋮", Text(row, style=style.LABEL))
            continue
        day, clock, offset = times.day(row.at), times.clock(row.at), times.offset(row.at - began)
        if day != last_day:
            table.add_row(*[""] * with_clock, "", "", Text(day, style="bold"))
        cells = [offset if (offset, clock) != (last_offset, last_clock) else ""]
        if with_clock:
            cells.insert(0, clock if (clock, day) != (last_clock, last_day) else "")
        last_day, last_clock, last_offset = day, clock, offset
        glyph, colour = row.sign
        table.add_row(*cells, Text(f"  {glyph}" if row.inside else glyph, style=colour), row.text)
        for line in row.printed:
            printed = Text(line, style=style.LABEL, no_wrap=not full, overflow="fold" if full else "ellipsis")
            table.add_row(*[""] * with_clock, "", Text("  │", style=style.LABEL), printed)
    return Group(Text(f"{times.day(began)}, {times.zone(began)}", style="bold"), table)


def _shown(
    entries: Sequence[EntryAnswer], alone: set[str], title: str, repeats: Repeats, *, full: bool
) -> Iterator[Row | str]:
    left_out = len(entries) - 2 * _ENTRIES
    reclassified = False
    for number, entry in enumerate(entries):
        if not full and left_out > 0 and _ENTRIES <= number < len(entries) - _ENTRIES:
            if number == _ENTRIES:
                yield f"{counted(left_out, 'entry')} left out here; --full shows all"
            continue
        said = entry["text"]
        if entry["kind"] == "opened":
            said = "opened" + said.removeprefix(title) if title and said.startswith(title) else f"opened: {said}"
        elif entry["kind"] == "classified" and not reclassified:
            said = said.rpartition("; ")[2]  # impact and urgency stand at the top of the story
        reclassified |= entry["kind"] == "classified"
        yield _row(entry, said, alone, repeats, full=full)


def _row(entry: EntryAnswer, said: str, alone: set[str], repeats: Repeats, *, full: bool) -> Row:
    data, kind = entry["data"], entry["kind"]
    if data.get("execution") in alone and isinstance(data.get("host"), str):
        said = said.removeprefix(f"{data['host']}: ")
    inside = kind in _WITHIN_RUN or (kind == "refused" and _REFUSED_ON_HOST in data)
    text = Text(safe(repeats.shortened(" ".join(said.split()))), style=_emphasis(kind))
    if entry["actor"] not in (AGENT, "") and entry["actor"] not in said:
        text.append(f"  — {safe(entry['actor'])}", style="cyan")
    return Row(entry["at"], _sign(kind, data), text, inside and "execution" in data, _printed(entry, full=full))


def _sign(kind: str, data: Mapping[str, object]) -> tuple[str, str]:
    match kind:
        case "step":
            return style.STEP.get(str(data.get("status")), style.OTHER)
        case "verification":
            return style.verified(data.get("outcome"))
        case "treatment" if "outcome" in data:
            return "■", style.OUTCOME.get(str(data["outcome"]), "")
        case "approval" if "approved" in data:
            return ("✓", "green") if data["approved"] else ("✗", "red")
    return style.ENTRY.get(kind, style.OTHER)


def _emphasis(kind: str) -> str:
    return "bold" if kind in ("noticed", "treatment", "escalated", "resolved", "reopened") else ""


def _printed(entry: EntryAnswer, *, full: bool) -> tuple[str, ...]:
    """What a step printed, if it matters: evidence and failures, and everything when all is wanted."""
    data = entry["data"]
    matters = full or data.get("evidence") or data.get("status") not in ("ok", "skipped")
    if entry["kind"] != "step" or not matters:
        return ()
    lines: list[str] = []
    for stream in ("stdout", "stderr"):
        content = data.get(stream)
        if isinstance(content, str) and content.strip():
            lines.extend(safe_lines(content))
    if full or len(lines) <= _WHOLE_UP_TO:
        return tuple(lines)
    more = f"… {len(lines) - _HEAD - _TAIL} lines more (--full)"
    return (*lines[:_HEAD], more, *lines[-_TAIL:])
