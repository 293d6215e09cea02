"""The review of an emergency: a Markdown document with all the agent knows, which people complete.

What they must complete: the root cause, and an owner and a due date (YYYY-MM-DD) for every improvement they name.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import accumulate

from agent.model.activation import ActionState, Activation, CallRun, CallState
from agent.model.incident import Incident
from agent.model.plan import PlanPhase, Targets
from agent.model.quantities import say_duration
from agent.model.text import one_line
from agent.model.timeline import Entry

_ROOT_CAUSE = "Root cause"
_IMPROVEMENTS = "Improvement actions"
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_MARKUP = re.compile(r"[\\|<\[]")
_CELL = re.compile(r"(?<!\\)\|")

_TIMELINE = 128 * 1024
"""Bytes of the timeline as it is sent, in ASCII; the control API takes 256 KiB in all."""

_LINKED = 50
"""Incidents that are named."""

_Row = tuple[str, str, str, str]

_Time = tuple[str, float | None, float | None]
"""What was to be reached, its target in seconds from the beginning of the fault, and when it was."""


def review_document(
    activation: Activation,
    incident: Incident | None,
    linked: Sequence[Incident],
    entries: Iterable[Entry],
    targets: Targets,
) -> str:
    """The document as it is handed to people. `incident`: the major one; `entries`: its timeline, oldest first."""
    times = _times(activation, targets)
    well, badly = _went_well(activation, times), _went_badly(activation, times)
    sections = (
        (f"# Review of {activation.id}: {_said(activation.title)}", _head(activation, incident, linked)),
        ("## Timeline", _timeline(activation, entries)),
        ("## Times against targets", _against_targets(activation, times)),
        ("## Who was called", _calls(activation)),
        ("## What was done", _actions(activation)),
        ("## What went well", [*_bullets(well), "<!-- add what the people say -->"]),
        ("## What went badly", [*_bullets(badly), "<!-- add what the people say -->"]),
        (f"## {_ROOT_CAUSE}", ["<!-- why it happened, not what happened: to be written before this is closed -->"]),
        (
            f"## {_IMPROVEMENTS}",
            [
                "<!-- one row each; owner and due date (YYYY-MM-DD) are needed -->",
                "",
                *_table(("Improvement", "Owner", "Due"), [("", "", "")]),
            ],
        ),
    )
    return "\n".join(line for title, lines in sections for line in (title, "", *lines, ""))


def problems_of(text: str) -> tuple[str, ...]:
    """What people have not completed yet, as sentences; empty: it can be closed."""
    return tuple(_problems(text))


def root_cause_of(text: str) -> str:
    """What people wrote there; empty as long as they have not."""
    return _COMMENT.sub("", _section(text, _ROOT_CAUSE) or "").strip()


def _problems(text: str) -> Iterator[str]:
    if not root_cause_of(text):
        yield f"nothing is written under '## {_ROOT_CAUSE}'"
    improvements = _section(text, _IMPROVEMENTS)
    if improvements is None:
        yield f"the section '## {_IMPROVEMENTS}' is missing"
        return
    rows = [line.strip() for line in _COMMENT.sub("", improvements).splitlines() if line.strip().startswith("|")]
    for row in rows[2:]:  # below the heading and its line
        cells = [cell.strip() for cell in _CELL.split(row.removeprefix("|").removesuffix("|"))]
        what, owner, due = (*cells, "", "", "")[:3]
        if not (what or owner or due):
            continue
        name = f"improvement {what!r}" if what else f"the improvement of {owner or due}"
        if not what:
            yield f"{name} does not say what is to be done"
        if not owner:
            yield f"{name} has no owner"
        if not _is_date(due):
            yield f"{name} has no due date such as 2030-01-31" + (f" but {due!r}" if due else "")


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _section(text: str, heading: str) -> str | None:
    """What stands below the heading, up to the next of its rank."""
    found = re.search(rf"^##[ \t]+{re.escape(heading)}[ \t]*$", text, re.MULTILINE)
    if found is None:
        return None
    following = re.search(r"^##?[ \t]", text[found.end() :], re.MULTILINE)
    return text[found.end() : found.end() + following.start()] if following else text[found.end() :]


# what the agent knows


def _head(activation: Activation, incident: Incident | None, linked: Sequence[Incident]) -> list[str]:
    lasted = ""
    if activation.marks.stood_down is not None:
        lasted = f", over after {say_duration(activation.marks.stood_down - activation.activated_at)}"
    major = f": {incident.title}, {incident.classification.priority}" if incident else ""
    return _bullets(
        [
            f"Plan: {activation.plan}, version {activation.version} (SHA-256 {activation.digest[:12]})",
            f"Level: {activation.level}, because {activation.because}",
            f"Declared: {_when(activation.activated_at)} by {activation.actor}{lasted}",
            f"Major incident: {activation.incident}{major}",
            *(f"Stood for {i.id}: {i.title} ({i.classification.priority}, {i.phase})" for i in linked[:_LINKED]),
            *([f"Stood for {len(linked) - _LINKED} more: {activation.incident} names them"] * (len(linked) > _LINKED)),
            f"Hosts in its charge: {', '.join(activation.hosts) or 'none'}",
        ]
    )


def _timeline(activation: Activation, entries: Iterable[Entry]) -> list[str]:
    rows = [
        (_when(each.at), say_duration(each.at - activation.marks.began), one_line(each.text), each.actor)
        for each in entries
    ]
    return _table(("When", "After the fault began", "What", "Who"), _bounded(rows, activation.id))


def _bounded(rows: list[_Row], id: str) -> list[_Row]:
    """The beginning and the end of what does not fit: what people have completed must be taken back whole."""
    sizes = [len("".join(row).encode("ascii", "backslashreplace")) for row in rows]
    if sum(sizes) <= _TIMELINE:
        return rows
    first = sum(1 for size in accumulate(sizes) if size <= _TIMELINE / 2)
    last = len(rows) - sum(1 for size in accumulate(reversed(sizes)) if size <= _TIMELINE / 2)
    return [*rows[:first], ("…", "", f"{last - first} more: paramedic show {id}", ""), *rows[last:]]


def _times(activation: Activation, targets: Targets) -> tuple[_Time, ...]:
    marks = activation.marks
    found: list[_Time] = [("noticed", targets.notice, marks.noticed), ("declared", targets.declare, marks.declared)]
    if any(call.within is not None for call in activation.calls) or targets.acknowledge is not None:
        found.append(("everybody acknowledged", targets.acknowledge, marks.acknowledged))
    if any(action.phase is PlanPhase.CONTAIN for action in activation.actions) or targets.contain is not None:
        found.append(("contained", targets.contain, marks.contained))
    return (*found, ("recovered (RTO)", targets.recover, marks.recovered), ("stood down", None, marks.stood_down))


def _verdict(activation: Activation, time: _Time) -> str:
    _, target, reached = time
    if reached is None:
        return "not reached"
    if target is None:
        return "no target"
    return "met" if reached - activation.marks.began <= target else "missed"


def _against_targets(activation: Activation, times: Iterable[_Time]) -> list[str]:
    began = activation.marks.began
    rows = [
        (
            time[0],
            "" if time[1] is None else say_duration(time[1]),
            "" if time[2] is None else say_duration(time[2] - began),
            _verdict(activation, time),
        )
        for time in times
    ]
    return [f"From the beginning of the fault, {_when(began)}.", "", *_table(("", "Target", "Took", ""), rows)]


def _calls(activation: Activation) -> list[str]:
    rows = [(_called(call), ", ".join(call.whom), str(call.state), _answer(call)) for call in activation.calls]
    return _table(("Called", "Whom", "", "Answer"), rows)


def _called(call: CallRun) -> str:
    return call.role.said if call.role else call.tell


def _answer(call: CallRun) -> str:
    if call.acknowledged_at is None or call.called_at is None:
        return "" if call.called_at is None else f"called {_when(call.called_at)}"
    return f"{call.acknowledged_by} after {say_duration(call.acknowledged_at - call.called_at)}"


def _actions(activation: Activation) -> list[str]:
    rows = []
    for each in activation.actions:
        took = ""
        if each.began_at is not None and each.ended_at is not None:
            took = say_duration(each.ended_at - each.began_at)
        result = "; ".join(part for part in (each.result, each.execution or "") if part)
        rows.append((str(each.number), str(each.phase), each.name, str(each.state), took, result, each.actor))
    return _table(("No.", "Phase", "Action", "", "Took", "Result", "By"), rows)


def _went_well(activation: Activation, times: Iterable[_Time]) -> list[str]:
    found = [f"{time[0]}: within the target" for time in times if _verdict(activation, time) == "met"]
    answered = [call for call in activation.calls if call.state is CallState.ACKNOWLEDGED]
    if answered and not any(call.state in (CallState.NOBODY, CallState.CALLED) for call in activation.calls):
        found.append("every call was acknowledged")
    done = [
        action
        for action in activation.actions
        if action.state is ActionState.DONE and not _failed_first(activation, action.number)
    ]
    if done:
        found.append(f"{len(done)} of {len(activation.actions)} actions did what they were to do")
    return found


def _failed_first(activation: Activation, number: int) -> bool:
    """Whether people had to finish what a runbook was to do."""
    return any(a.number == number and a.runbook and a.actor for a in activation.actions)


def _went_badly(activation: Activation, times: Iterable[_Time]) -> list[str]:
    said = {"missed": "later than its target", "not reached": "not reached, so far as the agent knows"}
    found = [f"{time[0]}: {said[v]}" for time in times if (v := _verdict(activation, time)) in said]
    for call in activation.calls:
        if call.state is CallState.NOBODY:
            found.append(f"{_called(call)}: nobody answered ({', '.join(call.whom) or 'nobody is named'})")
        elif call.turn:
            found.append(f"{_called(call)}: {', '.join(call.whom[: call.turn])} did not answer in time")
    for each in activation.actions:
        if each.state in (ActionState.FAILED, ActionState.SKIPPED) or _failed_first(activation, each.number):
            found.append(
                f"action {each.number}, {each.name}: {each.state}" + (f", {each.result}" if each.result else "")
            )
        elif not each.is_settled and activation.level >= each.level:
            found.append(f"action {each.number}, {each.name}: left {each.state}")
    return found


# Markdown


def _when(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _said(text: str) -> str:
    """As text and on one line: no cell, heading or bullet is broken out of, no mark-up, image or link is made."""
    return _MARKUP.sub(r"\\\g<0>", one_line(text))


def _bullets(lines: Iterable[str]) -> list[str]:
    return [f"- {_said(line)}" for line in lines]


def _table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [
        f"| {' | '.join(heading)} |",
        f"|{'---|' * len(heading)}",
        *(f"| {' | '.join(_said(cell) for cell in row)} |" for row in rows),
    ]
