"""What `check-config` says: every problem with its place, or a summary that fits one screen."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from agent.cli.terminal import console, safe
from agent.config.configuration import Configuration
from agent.config.counted import counted
from agent.config.problem import Problem
from agent.model.inventory import Host

_NAMES = 12


def as_json(problems: Sequence[Problem], warnings: Sequence[str] = ()) -> dict[str, object]:
    return {"ok": not problems, "problems": [asdict(problem) for problem in problems], "warnings": list(warnings)}


def say_problems(problems: Sequence[Problem]) -> None:
    """One problem after the other: place, what is wrong, what would be right."""
    from rich.text import Text

    out = console()
    for problem in problems:
        place = f"{problem.file}:{problem.line}" if problem.line else problem.file
        text = Text(safe(place), "bold").append(f"  {safe(problem.path)}" if problem.path else "", "cyan")
        out.print(text, soft_wrap=True)
        out.print(Text(f"    {safe(problem.what)}", "red"), soft_wrap=True)
        if problem.hint:
            out.print(Text(f"    {safe(problem.hint)}", "green"), soft_wrap=True)
    out.print(Text(counted(len(problems), "problem"), "bold"))


def say_warnings(warnings: Sequence[str]) -> None:
    """What is no mistake in what was written, but will not work."""
    from rich.text import Text

    for warning in warnings:
        console().print(Text("warning: ", "yellow").append(safe(warning), "default"), soft_wrap=True)


def summary(configuration: Configuration) -> str:
    settings, agent = configuration.settings, configuration.agent
    kinds = Counter(rules.kind for rules in settings.checks.values())
    no_ladder = sorted(name for name, rules in settings.checks.items() if not rules.ladder)
    treated = {rules.service for rules in settings.checks.values() if rules.ladder} - {None}
    climbed = {name for rules in settings.checks.values() for name in rules.runbooks}
    by_hand = sorted(settings.runbooks.keys() - climbed)
    lines = [
        f"{configuration.folder} is sound",
        f"  checks    {len(settings.checks)} ({_kinds(kinds)}), {counted(len(configuration.probes), 'asking')} in all",
        f"  hosts     {len(settings.hosts)} ({_reached(list(settings.hosts.values()))}); groups {len(settings.groups)}",
        f"  services  {len(settings.services)}; teams {len(settings.teams)}",
        f"  runbooks  {len(settings.runbooks)}",
        f"  plans     {len(settings.plans)}; people {len(settings.people)}; resources {len(settings.resources)}",
        f"  drills    {len(configuration.drills)}",
        f"  tickets   {configuration.tickets.kind if configuration.tickets else 'no ticket system'}",
        f"  state     {agent.state_dir}",
        f"  socket    {agent.socket}",
    ]
    if no_ladder:
        lines.append(f"  no runbook, so a person is called: {_some(no_ladder)}")
    if beside := [name for name in no_ladder if settings.checks[name].service in treated]:
        lines.append(
            f"    another check of the same service has a ladder: {_some(beside)}; whichever notices first decides: "
            "the incident that one without opens goes to a person at once, that of the other is treated and takes it in"
        )
    if by_hand:
        lines.append(f"  runbooks on no ladder, so run by hand only: {_some(by_hand)}")
    return "\n".join(lines)


def _kinds(kinds: Counter[str]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or "none"


def _reached(hosts: Sequence[Host]) -> str:
    over_ssh = sum(1 for host in hosts if host.connection == "ssh")
    return f"{over_ssh} over SSH"


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMES
    return ", ".join(names[:_NAMES]) + (f" and {more} more" if more > 0 else "")
