"""How an emergency stands, for somebody who has just been woken: the last lines say what waits for whom."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent.cli import style, times
from agent.cli.emergency_answers import ActionAnswer, ActivationAnswer, CallAnswer, EmergencyAnswer
from agent.cli.plan_text import facts_table
from agent.cli.terminal import put, safe, safe_lines
from agent.cli.typed import retyped, typed

_STAGE = {"active": "bold red", "standing down": "bold yellow", "in review": "cyan", "closed": "dim"}
_ACTION = {
    "waiting": ("·", "dim"),
    "awaiting approval": ("?", "magenta"),
    "running": ("▶", "cyan"),
    "for a person": ("!", "bold yellow"),
    "done": ("✓", "green"),
    "failed": ("✗", "red"),
    "skipped": ("–", "dim"),
}
_CALL = {
    "waiting": ("·", "dim"),
    "called": ("?", "magenta"),
    "acknowledged": ("✓", "green"),
    "told": ("✓", "dim"),
    "nobody answered": ("✗", "bold red"),
}


def emergency_table(found: Sequence[EmergencyAnswer], now: float) -> Table:
    """One line for each, newest first."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style=style.LABEL, show_edge=False)
    for title in ("EMERGENCY", "LEVEL", "STAGE", "BEGAN", "PLAN", "TITLE"):
        table.add_column(title, no_wrap=title != "TITLE", overflow="fold")
    for one in found:
        it = one["activation"]
        began = f"{times.span(max(0.0, now - it['activated_at']))} ago"
        stage = Text(it["stage"], _STAGE.get(it["stage"], ""))
        table.add_row(it["id"], it["level"], stage, began, Text(safe(it["plan"])), Text(safe(it["title"])))
    return table


def print_emergency(console: Console, one: EmergencyAnswer, now: float) -> None:
    """`now`: seconds since the epoch."""
    it = one["activation"]
    console.print(headline(it, now))
    console.print(Text(safe(it["title"]), "bold").append(safe(f"  ({it['plan']}, version {it['version']})"), "default"))
    console.print()
    facts = facts_table()
    facts.add_row("because", Text(safe(it["because"])))
    facts.add_row("declared", Text(safe(f"{times.moment(it['activated_at'])} by {it['actor']}")))
    linked = f"; it stands for {', '.join(it['linked'])}" if it["linked"] else ""
    facts.add_row("incident", Text(safe(f"{it['incident']}{linked}  ({typed('show', it['id'])})")))
    facts.add_row("hosts", Text(safe(f"{', '.join(it['hosts'])}: treated by this plan alone" * bool(it["hosts"]))))
    if it["report_due"] is not None:
        due = times.span(max(0.0, it["report_due"] - now))
        facts.add_row("reports", Text(f"{it['reports']} so far, the next in {due}"))
    if it["well_since"] is not None and it["stage"] in ("active", "standing down"):
        facts.add_row("well", Text(f"all is well for {times.span(max(0.0, now - it['well_since']))}", "green"))
    for number, call in enumerate(it["calls"]):
        facts.add_row("" if number else "called", _call(call, it))
    put(console, facts)
    for phase, actions in groupby(it["actions"], key=lambda action: action["phase"]):
        console.print()
        console.print(Text(phase, "bold"))
        for action in actions:
            console.print(_action(action, it))
    console.print()
    for line in standing(one, now):
        console.print(line, soft_wrap=True)


def headline(it: ActivationAnswer, now: float) -> Text:
    colour = _STAGE.get(it["stage"], "")
    text = Text(safe(it["id"]), "bold").append("  ", "default").append(f" LEVEL {it['level']} ", "bold white on red")
    return text.append(
        f"  {it['stage']}, {times.span(max(0.0, now - it['activated_at']))} after it was declared", colour
    )


def standing(one: EmergencyAnswer, now: float) -> Iterator[Text]:
    """Who is in charge, what is done now, and what waits for a person with the words to type."""
    it = one["activation"]
    if it["stage"] == "closed":
        yield Text(safe(f"over, and reviewed by {it['reviewed_by'] or 'nobody'}"), "green")
        return
    if it["stage"] != "in review":
        yield Text("in charge  ", style.LABEL).append(safe(one["in_charge"]), "bold")
        yield Text("now        ", style.LABEL).append(safe("; ".join(one["under_way"])) or _idle(one), "cyan")
    for wait in one["waits"]:
        yield (
            Text("waits for  ", style.LABEL)
            .append(safe(f"{wait['who']}: {wait['what']}"), "bold yellow")
            .append(_until(wait["due"], now), "default")
        )
        yield Text("           ").append(safe(retyped(wait["command"])), "bold")
    needs_people = any(call["state"] == "nobody answered" for call in it["calls"]) or any(
        action["state"] == "for a person" and action["result"] for action in it["actions"]
    )
    if it["fallback"] and needs_people:
        for number, line in enumerate(safe_lines(it["fallback"])):
            yield Text("           " if number else "fallback   ", style.LABEL).append(line, "yellow")


def _idle(one: EmergencyAnswer) -> str:
    return "nothing: it waits for a person" if one["waits"] else "nothing: it waits for the checks"


def _until(due: float | None, now: float) -> str:
    if due is None:
        return ""
    left = f"{times.span(due - now)} left" if due > now else f"{times.span(now - due)} ago"
    return f"  (by {times.clock(due)}, {left})"


def _call(call: CallAnswer, it: ActivationAnswer) -> Text:
    sign, colour = _CALL.get(call["state"], style.OTHER)
    text = Text(f"{sign} ", colour).append(safe(call["tell"].replace("_", " ")), "default")
    if call["acknowledged_by"] and call["acknowledged_at"] is not None:
        after = times.span(call["acknowledged_at"] - (call["called_at"] or it["activated_at"]))
        return text.append(safe(f": {call['acknowledged_by']} acknowledged after {after}"), "default")
    whom = call["whom"][call["turn"]] if call["turn"] < len(call["whom"]) else "nobody"
    said = {"called": f"{whom} is called", "told": f"{whom} was told", "waiting": "its turn has not come"}
    return text.append(safe(f": {said.get(call['state'], call['state'])}"), colour)


def _action(action: ActionAnswer, it: ActivationAnswer) -> Text:
    sign, colour = _ACTION.get(action["state"], style.OTHER)
    text = Text(f"  {sign} ", colour).append(f"{action['number']:>2}. {safe(action['name'])}", "default")
    after = f", {times.span(action['ended_at'] - it['activated_at'])} in" if action["ended_at"] is not None else ""
    by = f" by {action['actor']}" if action["actor"] and action["state"] in ("done", "skipped") else ""
    run = f" ({action['execution']})" if action["execution"] else ""
    said = f"{action['state']}{by}{run}{after}"
    text.append(f"  {safe(said)}", colour)
    return text.append(safe(f": {action['result']}") if action["result"] else "", "default")
