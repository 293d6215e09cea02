"""`resources`: what an emergency needs, and whether it is usable now."""

import typer

from agent.cli import style, times
from agent.cli.emergency_answers import ResourceAnswer
from agent.cli.exits import Code
from agent.cli.session import Json, session
from agent.cli.terminal import console, put, safe, say, say_json


def resources(ctx: typer.Context, as_json: Json = False) -> None:
    """Backups, spare hosts, suppliers: whether each is usable. Exit code 1 when one is not."""
    found: list[ResourceAnswer] = session(ctx).agent.get("resources")["resources"]
    if as_json:
        say_json({"resources": found})
    elif found:
        _print(found, times.now())
    else:
        say("no emergency resources are configured")
    if not all(one["usable"] for one in found):
        raise typer.Exit(Code.NO)


def _print(found: list[ResourceAnswer], now: float) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style=style.LABEL, show_edge=False)
    for title in ("", "RESOURCE", "PROVEN USABLE", "CHECK", "CONTACT"):
        table.add_column(title, no_wrap=title in ("", "PROVEN USABLE"), overflow="fold")
    for one in found:
        sign = Text("✓", "green") if one["usable"] else Text("✗", "bold red")
        name = Text(safe(one["name"]), "bold").append(f" ({one['kind']})", style.LABEL)
        if one["title"]:
            name.append(f"\n{safe(one['title'])}", "default")
        check = Text(one["verdict"] or "NOT KNOWN", style.VERDICT.get(one["verdict"] or "", "magenta"))
        check.append(f" {safe(one['check'])}", "default")
        if one["message"]:
            check.append(f"\n{safe(one['message'])}", style.LABEL)
        contact = Text(safe(one["contact"]))
        if one["note"]:
            contact.append(f"\n{safe(one['note'])}", style.LABEL)
        table.add_row(sign, name, _proven(one, now), check, contact)
    put(console(), table)


def _proven(one: ResourceAnswer, now: float) -> str:
    at = one["proven_at"]
    return "never so far" if at is None else f"{times.span(max(0.0, now - at))} ago"
