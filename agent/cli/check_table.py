"""What the checks say, subject by subject, as a table that fits the terminal."""

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from agent.cli import style, times
from agent.cli.answers import CheckAnswer, SubjectAnswer
from agent.cli.terminal import safe

_NARROW = 80
"""Columns below which each subject takes two lines."""


def check_table(found: Sequence[CheckAnswer], now: float, width: int) -> RenderableType:
    """`now`: seconds since the epoch; `width`: columns there are."""
    if width < _NARROW:
        return Group(*_in_lines(found, now))
    table = Table(box=None, padding=(0, 2, 0, 0), header_style=style.LABEL, show_edge=False)
    table.add_column("CHECK", overflow="fold")
    table.add_column("ON", overflow="fold")
    table.add_column("STATUS", no_wrap=True)
    table.add_column("FOR", no_wrap=True)
    table.add_column("LAST ANSWER", ratio=1, overflow="fold")
    for check in found:
        for number, one in enumerate(check["subjects"]):
            name = Text("" if number else safe(check["name"]), style="bold")
            table.add_row(name, Text(safe(one["subject"])), _status(one), Text(_since(one, now)), _last_answer(one))
        if not check["subjects"]:
            table.add_row(Text(safe(check["name"]), style="bold"), "", Text("not asked yet", style.LABEL), "", "")
    return table


def _in_lines(found: Sequence[CheckAnswer], now: float) -> Iterator[Text]:
    for check in found:
        yield Text(safe(check["name"]), style="bold")
        for one in check["subjects"]:
            text = Text("  ").append_text(_status(one)).append(f"  {safe(one['subject'])}  for {_since(one, now)}")
            yield text.append("\n    ").append_text(_last_answer(one))
        if not check["subjects"]:
            yield Text("  not asked yet", style=style.LABEL)


def _since(subject: SubjectAnswer, now: float) -> str:
    return times.span(max(0.0, now - subject["since"]))


def _status(subject: SubjectAnswer) -> Text:
    status = _confirmed(subject)
    text = Text(status or "not confirmed", style.VERDICT.get(status or "", style.LABEL))
    return text.append(" flapping", "yellow") if subject["flapping"] else text


def _confirmed(subject: SubjectAnswer) -> str | None:
    """What holds by now; what could not be asked for long is UNKNOWN, whatever it was before."""
    return "UNKNOWN" if subject["blind"] else subject["status"]


def _last_answer(subject: SubjectAnswer) -> Text:
    """The latest answer, with its verdict where that is not what is confirmed."""
    last = subject["last"]
    said = Text(safe(subject["message"]))
    if last and last != _confirmed(subject):
        return Text(f"{last}: ", style.VERDICT.get(last, "")).append_text(said)
    return said
