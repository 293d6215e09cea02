"""How the drills stand: last run, score against the one before, overdue or not."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from agent.cli import style, times
from agent.cli.terminal import safe
from agent.drill.report import outcome
from agent.model.drill import Drill
from agent.model.drill_result import DrillResult


@dataclass(frozen=True, slots=True)
class Standing:
    """`last`: id of the latest result; `outcome`: `passed`, `failed`, `stopped` or `interrupted`; `score`, `before`:
    from 0 to 1, of it and of the one before that.

    `changed`: the drill's text is no longer the one that was run. `due`: when it must be run again; None where nobody
    said how often. Times in seconds since the epoch.
    """

    name: str
    title: str
    form: str
    last: str | None
    at: float | None
    passed: bool | None
    outcome: str | None
    score: float | None
    before: float | None
    changed: bool
    due: float | None
    overdue: bool


def standings(drills: Iterable[Drill], results: Sequence[DrillResult], now: float) -> list[Standing]:
    """In the order in which the drills are written. `results`: the oldest first."""
    return [_standing(drill, [each for each in results if each.drill == drill.name], now) for drill in drills]


def _standing(drill: Drill, mine: Sequence[DrillResult], now: float) -> Standing:
    last = mine[-1] if mine else None
    due = None
    if drill.every is not None:
        due = last.started_at + drill.every if last else now
    return Standing(
        name=drill.name,
        title=drill.title,
        form=drill.form,
        last=last.id if last else None,
        at=last.started_at if last else None,
        passed=last.passed if last else None,
        outcome=outcome(last) if last else None,
        score=last.score if last else None,
        before=mine[-2].score if len(mine) > 1 else None,
        changed=bool(last and last.digest != drill.digest),
        due=due,
        overdue=due is not None and due <= now,
    )


def drill_table(found: Sequence[Standing], now: float) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style=style.LABEL, show_edge=False)
    for title in ("DRILL", "FORM", "LAST RUN", "RESULT", "SCORE", "DUE", "TITLE"):
        table.add_column(title, no_wrap=title not in ("DRILL", "TITLE"), overflow="fold")
    for one in found:
        table.add_row(
            Text(safe(one.name), "bold"),
            one.form,
            _last(one, now),
            _result(one),
            _score(one),
            _due(one, now),
            Text(safe(one.title)),
        )
    return table


def _last(one: Standing, now: float) -> Text:
    if one.at is None:
        return Text("never", style.LABEL)
    return Text(f"{times.span(max(0.0, now - one.at))} ago ({one.last})" + (", changed since" if one.changed else ""))


def _result(one: Standing) -> Text:
    if one.outcome is None:
        return Text("—", style.LABEL)
    return Text(one.outcome, "green" if one.passed else "bold red")


def _score(one: Standing) -> Text:
    if one.score is None:
        return Text("—", style.LABEL)
    text = Text(f"{one.score:.0%}")
    if one.before is None or one.before == one.score:
        return text.append("" if one.before is None else " =", style.LABEL)
    up = one.score > one.before
    return text.append(f" {'↑' if up else '↓'} from {one.before:.0%}", "green" if up else "red")


def _due(one: Standing, now: float) -> Text:
    if one.due is None:
        return Text("—", style.LABEL)
    if one.overdue:
        late = times.span(now - one.due) if one.at is not None else ""
        return Text(f"OVERDUE{' by ' + late if late else ''}", "bold yellow")
    return Text(f"in {times.span(one.due - now)}")
