"""A drill, and what came of it, as people read them in a terminal."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent.cli import style, times
from agent.cli.plan_text import facts_table
from agent.cli.terminal import put, safe, safe_lines
from agent.drill.findings import findings, objectives
from agent.drill.judging import label_of
from agent.drill.report import verdict
from agent.model.drill import Drill, Injection
from agent.model.drill_result import DrillResult, Judged

SIGN = {True: ("✓", "green"), False: ("✗", "bold red"), None: ("·", "dim")}
"""By `Judged.met`."""


def print_drill(console: Console, drill: Drill) -> None:
    console.print(Text(safe(drill.name), "bold").append(f"  {drill.form}, text {drill.digest[:12]}", style.LABEL))
    console.print(Text(safe(drill.title), "bold"))
    for line in safe_lines(drill.scenario) if drill.scenario else ():
        console.print(Text(line))
    console.print()
    facts = facts_table()
    if drill.plan or drill.runbook:
        facts.add_row("exercises", Text(safe(f"plan {drill.plan}" if drill.plan else f"runbook {drill.runbook}")))
    if drill.hosts.names:
        facts.add_row("may touch", Text(safe(f"{', '.join(drill.hosts.names)}; at most {drill.hosts.most} of them")))
    if drill.steady_state.checks:
        within = times.span(drill.steady_state.within)
        facts.add_row("well before", Text(safe(f"{', '.join(drill.steady_state.checks)}, within {within}")))
    for number, injection in enumerate(drill.inject):
        facts.add_row("" if number else "breaks", _injection(injection))
    for number, expected in enumerate(drill.expect):
        within = times.span(expected.within if expected.within is not None else drill.deadline)
        facts.add_row("" if number else "expects", Text(safe(f"{label_of(expected)} within {within}")))
    for number, question in enumerate(drill.ask):
        facts.add_row("" if number else "asks", Text(safe(question.ask)))
    for number, (name, text) in enumerate(drill.objectives.items()):
        facts.add_row("" if number else "objectives", Text(safe(f"{name}: {text}")))
    if drill.form != "tabletop":
        facts.add_row("deadline", times.span(drill.deadline))
    if drill.every is not None:
        facts.add_row("every", times.span(drill.every))
    put(console, facts)


def _injection(injection: Injection) -> Text:
    text = Text(f"{times.offset(injection.at)} ", style.LABEL).append(safe(injection.name), "default")
    if injection.answer is not None:
        about = f" on {injection.answer.host}" if injection.answer.host else ""
        return text.append("\n  " + safe(f"{injection.answer.check}{about} says {injection.answer.verdict}"), "cyan")
    text.append("\n  " + safe(f"on {injection.host}: {injection.run}"), "cyan")
    return text.append("\n  " + safe(f"undone by: {injection.undo}"), "cyan")


def judged_table(judged: tuple[Judged, ...], since: float | None = None) -> Table:
    """`since`: seconds since the first fault, while the drill runs: how long each open expectation still has."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for each in judged:
        sign, colour = SIGN[each.met]
        table.add_row(Text(sign, colour), Text(safe(each.label)), Text(safe(_beside(each, since)), style.LABEL))
    return table


def _beside(each: Judged, since: float | None) -> str:
    if each.met is None and since is not None and each.limit is not None:
        return f"{max(0.0, each.limit - since):.0f} s left; {each.actual}"
    return each.actual


def print_result(console: Console, result: DrillResult) -> None:
    console.print()
    put(console, judged_table(result.judged))
    for each in objectives(result):
        line = f"  {each.name}: {each.met} of {each.of}: {each.text}"
        console.print(Text(safe(line), style.LABEL), soft_wrap=True)
    for finding in findings(result):
        console.print(Text(safe(f"- {finding}")), soft_wrap=True)
    put_back = "everything is put back" if result.rolled_back else "NOT PROVED to be put back: see the report"
    said = Text(safe(f"{result.id} {verdict(result)}"), "bold green" if result.passed else "bold red")
    nothing = result.form == "tabletop"
    console.print(said if nothing else said.append(f"; {put_back}", "default" if result.rolled_back else "bold red"))
