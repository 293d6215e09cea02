"""What a plan says, for people who have not written it."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent.cli import style, times
from agent.cli.emergency_answers import LevelAnswer, PlanAnswer, PlannedAction, PlannedCall
from agent.cli.terminal import put, safe, safe_lines
from agent.cli.typed import typed

_TARGETS = {
    "notice": "noticed",
    "declare": "declared",
    "acknowledge": "roles acknowledged",
    "contain": "contained",
    "recover": "recovered (RTO)",
    "data_loss": "data lost at most (RPO)",
}


def plan_table(found: Sequence[PlanAnswer]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style=style.LABEL, show_edge=False)
    for title in ("PLAN", "TITLE", "LEVELS", "OWNER", "REVIEW DUE", "NOW"):
        table.add_column(title, no_wrap=title in ("LEVELS", "REVIEW DUE"), overflow="fold")
    for plan in found:
        now = Text(f"AT WORK: {', '.join(plan['active'])}", "bold red") if plan["active"] else Text("ready", "green")
        levels = ", ".join(level["level"] for level in plan["levels"])
        cells = (safe(plan["name"]), safe(plan["title"]), levels, safe(plan["owner"]))
        table.add_row(*(Text(cell) for cell in cells), _review_due(plan), now)
    return table


def print_plan(console: Console, plan: PlanAnswer) -> None:
    console.print(Text(safe(plan["name"]), "bold").append(f"  version {safe(plan['version'])}", "default"))
    console.print(Text(safe(plan["title"]), "bold"))
    console.print()
    facts = facts_table()
    approved = f", approved by {plan['approved_by']}" if plan["approved_by"] else ""
    facts.add_row("owner", Text(safe(f"team {plan['owner']}{approved}")))
    facts.add_row("review due", _review_due(plan))
    services = f"services {', '.join(plan['services'])}; " if plan["services"] else ""
    facts.add_row("scope", Text(safe(f"{services}hosts {', '.join(plan['hosts'])}")))
    _add(facts, "roles", (Text(safe(f"{role}: {', then '.join(whom)}")) for role, whom in plan["roles"].items()))
    _add(facts, "levels", map(_level, plan["levels"]))
    _add(facts, "told", map(_call, plan["calls"]))
    put(console, facts)
    for phase, actions in groupby(plan["actions"], key=lambda action: action["phase"]):
        console.print()
        console.print(Text(phase, "bold"))
        for action in actions:
            for line in _action(action):
                console.print(line)
    console.print()
    rest = facts_table()
    rest.add_row("reports", Text(f"every {times.span(plan['report_every'])}"))
    _add(rest, "over when", (Text(safe(said)) for said in plan["stand_down"]))
    targets = (f"{_TARGETS.get(name, name)} within {times.span(at)}" for name, at in plan["targets"].items())
    _add(rest, "targets", map(Text, targets))
    if plan["resources"]:
        rest.add_row("resources", Text(safe(", ".join(plan["resources"]))))
    _add(rest, "fallback", map(Text, safe_lines(plan["fallback"]) if plan["fallback"] else ()))
    _add(rest, "at work", (Text(safe(typed("plan status", id)), "bold red") for id in plan["active"]))
    put(console, rest)


def facts_table() -> Table:
    """Labels on the left, what they say on the right."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style=style.LABEL, no_wrap=True)
    table.add_column(overflow="fold")
    return table


def _add(facts: Table, label: str, said: Iterator[Text]) -> None:
    for number, text in enumerate(said):
        facts.add_row("" if number else label, text)


def _review_due(plan: PlanAnswer) -> Text:
    if plan["review_due"] is None:
        return Text("no date", style.LABEL)
    return Text(f"{plan['review_due']}: OVERDUE", "yellow") if plan["overdue"] else Text(plan["review_due"])


def _level(level: LevelAnswer) -> Text:
    text = Text(f"{level['level']:<4}", "bold")
    parts = [" or ".join(level["any"])] * bool(level["any"]) + level["all"]
    said = " and ".join(parts) or "only when a person declares it"
    title = f"{level['title']}: " if level["title"] else ""
    return text.append(safe(title + said), "default")


def _call(call: PlannedCall) -> Text:
    whom = ", then ".join(call["whom"]) or "nobody"
    within = f"; to acknowledge within {times.span(call['within'])}" if call["within"] is not None else ""
    grave = f" (level {call['level']} and graver)" if call["level"] != "IV" else ""
    return Text(safe(f"{'  ' * call['depth']}{'then ' if call['depth'] else ''}{call['tell']}: {whom}{within}{grave}"))


def _action(action: PlannedAction) -> Iterator[Text]:
    text = Text(f"  {action['number']:>2}. {safe(action['name'])}")
    said = [f"{action['by']}"]
    if action["kind"] == "runbook":
        said = [f"runbook {action['what']} on {action['hosts']}"] if action["what"] != action["name"] else []
    elif action["kind"] == "steps":
        said = [f"steps on {action['hosts']}"]
    said.append(f"at most {times.span(action['timeout'])}")
    if action["approve"]:
        said.append(f"after a yes of the {action['approve']}")
    if action["level"] != "IV":
        said.append(f"level {action['level']} and graver")
    yield text.append(f"  ({safe('; '.join(said))})", style.LABEL)
    if action["kind"] == "person" and action["what"] != action["name"]:
        yield from (Text(f"        {line}") for line in safe_lines(action["what"]))
