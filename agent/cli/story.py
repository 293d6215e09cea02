"""The story of an incident as a person wants to read it: what, how grave, what happened, how it stands."""

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent.cli import style, times
from agent.cli.answers import ExecutionAnswer, IncidentAnswer, StoryAnswer, SymptomAnswer
from agent.cli.digest import say_text
from agent.cli.repeats import Repeats
from agent.cli.terminal import put, safe
from agent.cli.timeline import timeline
from agent.cli.typed import typed
from agent.cli.waiting import how_to_answer, waiting_for_yes

_SYMPTOMS = 12
"""Symptoms that are listed before the rest is counted."""


def print_story(console: Console, story: StoryAnswer, *, now: float, full: bool) -> None:
    """`now`: seconds since the epoch; `full`: nothing is folded."""
    incident = story["incident"]
    if incident is not None:
        _print_head(console, incident, full=full)
    repeats = Repeats(fold=not full)
    for run in story["executions"] if incident is None else ():
        _print_run(console, run, repeats)
    console.print()
    entries = [stored["entry"] for stored in story["entries"]]
    title = incident["title"] if incident is not None else None
    put(console, timeline(console.width, entries, story["executions"], title=title, full=full, repeats=repeats))
    console.print()
    for line in _standing(story, now, repeats):
        console.print(line)


def _print_head(console: Console, incident: IncidentAnswer, *, full: bool) -> None:
    judged = incident["classification"]
    head = Text(safe(incident["id"]), style="bold")
    head.append("  ").append(f" {judged['priority']} ", style=style.PRIORITY.get(judged["priority"], ""))
    head.append("  ").append(incident["phase"], style=style.PHASE.get(incident["phase"], ""))
    if incident["origin"] == "exercise":
        head.append("  【演练】EXERCISE", style="bold yellow")
    console.print(head)
    console.print(Text(safe(incident["title"]), style="bold"))
    console.print()
    facts = _facts()
    service = safe(incident["service"]) if incident["service"] else "none known"
    facts.add_row("service", Text(f"{service} (category {safe(incident['category'])})"))
    for word in ("impact", "urgency", "priority"):
        sentence = str(judged[f"{word}_because"])  # type: ignore[literal-required]
        facts.add_row(word, Text(safe(sentence.removeprefix(f"{word} "))))
    facts.add_row("with", Text(safe(_owner(incident))))
    if incident["reporter"]:
        facts.add_row("reporter", Text(safe(incident["reporter"])))
    if incident["ticket"]:
        facts.add_row("ticket", Text(safe("  ".join(filter(None, incident["ticket"].values())))))  # type: ignore[arg-type]
    symptoms = incident["symptoms"] if full else incident["symptoms"][:_SYMPTOMS]
    for number, symptom in enumerate(symptoms):
        facts.add_row("" if number else "symptoms", _symptom(symptom))
    if len(symptoms) < len(incident["symptoms"]):
        more = f"and {len(incident['symptoms']) - len(symptoms)} more (--full)"
        facts.add_row("", Text(more, style=style.LABEL))
    put(console, facts)


def _print_run(console: Console, run: ExecutionAnswer, repeats: Repeats) -> None:
    head = Text(safe(run["id"]), style="bold")
    outcome = run["outcome"] or "under way"
    head.append("  ").append(safe(run["runbook"]), style="bold")
    head.append("  ").append(outcome, style=style.OUTCOME.get(outcome, "cyan"))
    console.print(head)
    console.print()
    facts = _facts()
    facts.add_row("started", Text(f"{times.moment(run['started_at'])} by {safe(run['actor'])}"))
    if run["incident"]:
        facts.add_row("incident", Text(safe(run["incident"])))
    facts.add_row("text", Text(safe(say_text(run["digest"], run["signed_by"]).removeprefix("text "))))
    if run["override"]:
        facts.add_row("guards", Text(f"overruled: {safe(run['override'])}", style="yellow"))
    for name, value in run["variables"].items():
        facts.add_row("with", Text(safe(f"{name} = {value}")))
    for number, one in enumerate(run["runs"]):
        how = one["outcome"] or one["phase"]
        line = Text(f"{safe(one['host'])}: ").append(how, style=style.OUTCOME.get(how, "cyan"))
        reason = repeats.shortened(" ".join(one["reason"].split()))
        facts.add_row("" if number else "hosts", line.append(f", {safe(reason)}" if reason else ""))
    put(console, facts)


def _facts() -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style=style.LABEL, no_wrap=True)
    table.add_column(overflow="fold")
    return table


def _owner(incident: IncidentAnswer) -> str:
    who = incident["assignee"] or incident["team"]
    team = f" of {incident['team']}" if incident["assignee"] else ""
    by, at = incident["acknowledged_by"], incident["acknowledged_at"]
    seen = f"; acknowledged by {by} after {times.span(at - incident['opened_at'])}" if by and at else ""
    return f"{who}{team}{seen}"


def _symptom(symptom: SymptomAnswer) -> Text:
    key = symptom["key"]
    name = f"{key['check']} on {key['subject']}" if key["subject"] else key["check"]
    status = "cannot be asked" if symptom["blind"] else symptom["status"]
    if symptom["cleared_at"] is not None:
        took = times.span(symptom["cleared_at"] - symptom["since"])
        text = Text("✓ ", style="green").append(safe(name), style="default")
        was = "could not be asked" if symptom["blind"] else f"was {status}"
        return text.append(f"  {was} for {took}", style=style.LABEL)
    colour = style.VERDICT.get(symptom["status"], "magenta")
    text = Text("✗ ", style=colour).append(safe(name), style="default").append(f"  {status}", style=colour)
    return text.append(f"  {safe(symptom['message'])}" if symptom["message"] else "", style="default")


def _standing(story: StoryAnswer, now: float, repeats: Repeats) -> Iterator[Text]:
    """How it stands, and what a person may type next."""
    incident = story["incident"]
    if incident is not None:
        yield from _incident_stands(incident, story["executions"], now, repeats)
    for about, hosts in waiting_for_yes(story["executions"]).items():
        yield Text(safe(f"{', '.join(hosts)} waits for a yes: {how_to_answer(about)}"), "magenta")


def _incident_stands(
    incident: IncidentAnswer, runs: list[ExecutionAnswer], now: float, repeats: Repeats
) -> Iterator[Text]:
    id, phase, opened = safe(incident["id"]), incident["phase"], incident["opened_at"]
    colour = style.PHASE.get(phase, "")
    tried = ", ".join(f"{one['runbook']} ({one['execution']}): {one['outcome']}" for one in incident["attempts"])
    if tried:
        yield Text("treatments  ", style.LABEL).append(safe(tried), style="default")
    if incident["resolved_at"] is not None and phase in ("resolved", "closed"):
        took = times.span(incident["resolved_at"] - opened)
        yield Text(f"{'closed; ' if phase == 'closed' else ''}resolved {took} after it was opened", "green")
        return
    still = f"{times.span(max(0.0, now - opened))} after it was opened"
    match phase:
        case "treating":
            under_way = [run for run in runs if run["outcome"] is None]
            for run in under_way:
                where = ", ".join(f"{one['host']} {one['phase']}" for one in run["runs"] if one["outcome"] is None)
                yield Text(safe(f"being treated by {run['runbook']} ({run['id']}): {where}"), colour)
        case "held":
            why = repeats.shortened(incident["held_because"] or "no reason named")
            yield Text(safe(f"not treated for now, {still}: {why}"), colour)
        case "escalated":
            who = incident["assignee"] or incident["team"]
            yield Text(safe(f"with {who}, {still}; when it is solved: {typed('resolve', id, 'WHY')}"), colour)
        case _:
            yield Text(f"{phase}, {still}", colour)
