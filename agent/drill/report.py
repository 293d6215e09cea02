"""The report of a drill for people (Markdown) and for programs (JSON)."""

import json
import re
import time
from collections.abc import Iterable, Sequence

from agent.drill.findings import findings, objectives
from agent.model.drill import MARK
from agent.model.drill_result import Asked, DrillResult, Judged
from agent.model.quantities import say_duration
from agent.model.text import one_line, printable_lines
from agent.runtime.store import codec

_MARKUP = re.compile(r"([\\`*_{}\[\]<>()#+|~&!$])")
_LIST_SIGN = re.compile(r"^(\s*)(-|\d+\.)", re.MULTILINE)
_CELL = 1000
"""Characters of a value in a table."""


def as_json(result: DrillResult) -> str:
    """Everything in the result, and what follows from it: `passed`, `score`, `findings`. It can be read back."""
    data = json.loads(codec.dump(result))
    said = [codec.storable(each) for each in findings(result)]
    data |= {"passed": result.passed, "score": result.score, "findings": said}
    return json.dumps(data, indent=2) + "\n"


def as_markdown(result: DrillResult) -> str:
    """Values stand in it as text: nothing in them is markup."""
    parts = [
        f"# {MARK} {_text(result.id)}: {_text(result.title)}",
        *_head(result),
        *([f"## Scenario\n\n{_paragraph(result.scenario)}"] if result.scenario else []),
        _expectations(result),
        _objectives(result),
        _steady_state(result),
        _rollback(result),
        _stop_events(result),
        "## Findings\n\n" + "\n".join(f"- {_text(each)}" for each in findings(result)),
        "## Improvement actions\n\nTo be filled in by people.\n\n"
        + _table(("action", "owner", "due date"), [(" ", " ", " ")] * 3),
        _timeline(result),
    ]
    return "\n\n".join(parts) + "\n"


def verdict(result: DrillResult) -> str:
    """As `outcome`, with the score."""
    met = sum(1 for each in result.judged if each.met)
    return f"{outcome(result)}: {met} of {len(result.judged)} ({result.score:.0%})"


def outcome(result: DrillResult) -> str:
    """`passed`, `failed`, `stopped` or `interrupted`."""
    if result.interrupted:
        return "interrupted"
    return "passed" if result.passed else "stopped" if result.stopped_because else "failed"


def state_of(each: Judged) -> str:
    """Whether an expectation was met, in words."""
    return "met" if each.met else "not met" if each.met is False else "still open"


def moment(at: float) -> str:
    """`2025-11-20 17:11:08 CET`."""
    return time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(at))


def _head(result: DrillResult) -> list[str]:
    rows = [
        ("result", f"**{_text(verdict(result))}**"),
        ("drill", f"{_text(result.drill)} ({_text(result.form)}, text {_text(result.digest[:12])})"),
        ("run by", _text(result.actor)),
        ("from", f"{_text(moment(result.started_at))}, for {say_duration(result.ended_at - result.started_at)}"),
        ("hosts touched", _text(", ".join(result.touched) or "none")),
    ]
    return [_table(("", ""), rows)]


def _expectations(result: DrillResult) -> str:
    rows = [
        (
            "✓" if each.met else "✗" if each.met is False else "?",
            _text(each.label),
            state_of(each),
            _text(each.expected),
            _text(each.actual),
            say_duration(each.seconds) if each.seconds is not None else "—",
            say_duration(each.limit) if each.limit is not None else "—",
        )
        for each in result.judged
    ]
    head = ("", "expectation", "", "expected", "actual", "after", "limit")
    return f"## Expectations\n\nTimes count from the first fault.\n\n{_table(head, rows)}"


def _objectives(result: DrillResult) -> str:
    rows = [
        (_text(each.name), _text(each.text), f"{each.met} of {each.of}", f"{each.score:.0%}")
        for each in objectives(result)
    ]
    rows.append(("all", "", f"{sum(1 for j in result.judged if j.met)} of {len(result.judged)}", f"{result.score:.0%}"))
    return f"## Score\n\n{_table(('objective', '', 'met', 'score'), rows)}"


def _steady_state(result: DrillResult) -> str:
    after = {(each.check, each.subject): each for each in result.steady_after}
    before = {(each.check, each.subject): each for each in result.steady_before}
    rows = [
        (_text(check), _text(subject), _said(before.get((check, subject))), _said(after.get((check, subject))))
        for check, subject in dict.fromkeys((*before, *after))
    ]
    if not rows:
        return "## Steady state\n\nNo check was asked."
    return f"## Steady state\n\n{_table(('check', 'subject', 'before', 'after'), rows)}"


def _said(asked: Asked | None) -> str:
    if asked is None:
        return "not asked"
    return _text(f"{asked.verdict}: {asked.message}" if asked.message else asked.verdict)


def _rollback(result: DrillResult) -> str:
    proof = "Everything was put back and the steady state holds again."
    if not result.rolled_back:
        proof = "**Not proved: something was not put back, or the steady state does not hold.**"
    rows = [
        (
            _text(each.name),
            _text(each.host),
            "undone" if each.ok else "**failed**",
            _text(f"by the host itself; {each.text}" if each.by_host else each.text),
        )
        for each in result.undone
    ]
    done = _table(("undo", "host", "", "proof"), rows) if rows else "There was nothing to undo."
    return f"## Rollback\n\n{proof}\n\n{done}"


def _stop_events(result: DrillResult) -> str:
    return f"## Stop events\n\n{_text(result.stopped_because) or 'None: the drill went to its end.'}"


def _timeline(result: DrillResult) -> str:
    rows = [
        (
            _text(time.strftime("%H:%M:%S", time.localtime(each.at))),
            _text(each.about),
            _text(each.text),
            _text(each.actor),
        )
        for each in result.entries
    ]
    return f"## Timeline\n\n{_table(('time', 'about', 'what', 'by'), rows) if rows else 'Nothing is on the record.'}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _text(value: str) -> str:
    """One line in which nothing is markup (https://spec.commonmark.org/0.31.2/#backslash-escapes)."""
    line = _MARKUP.sub(r"\\\1", one_line(value, _CELL))
    # A bare address would become a link, and so would a mail address.
    return _LIST_SIGN.sub(r"\1\\\2", line).replace("://", "&#58;//").replace("@", "&#64;").replace("www.", "www&#46;")


def _paragraph(value: str) -> str:
    return "\n".join(_text(line) for line in printable_lines(value).strip().splitlines())
