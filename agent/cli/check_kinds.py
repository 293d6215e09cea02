"""The installed check kinds, described from the plugins themselves."""

from collections.abc import Sequence
from typing import TypedDict

from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent.cli import style
from agent.cli.exits import refused
from agent.cli.terminal import put, safe
from agent.plugin.api import CheckType
from agent.plugin.registry import CHECKS, UnknownKind, load
from agent.plugin.registry import kinds as installed


class KeyOfKind(TypedDict):
    name: str
    needed: bool
    description: str


class Kind(TypedDict):
    """`readings` None: what thresholds may speak of is known only when it answers."""

    kind: str
    description: str
    remote: bool
    readings: list[str] | None
    default_critical: str | None
    keys: list[KeyOfKind]


def describe(only: str | None) -> list[Kind]:
    """All kinds, or one. Raises Failure when there is none of that name."""
    names = installed(CHECKS) if only is None else (only,)
    try:
        return [_describe(name, load(CHECKS, name, CheckType)) for name in names]
    except UnknownKind as error:
        raise refused(f"{error}; installed: {', '.join(error.known)}") from None


def _describe(name: str, kind: type[CheckType]) -> Kind:
    return {
        "kind": name,
        "description": " ".join((kind.__doc__ or "").strip().partition("\n\n")[0].split()),
        "remote": kind.remote,
        "readings": None if kind.readings is None else sorted(kind.readings),
        "default_critical": kind.default_critical,
        "keys": [
            {"name": field.alias or key, "needed": field.is_required(), "description": field.description or ""}
            for key, field in kind.model_fields.items()
        ],
    }


def print_kinds(console: Console, kinds: Sequence[Kind], *, in_detail: bool) -> None:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for kind in kinds:
        table.add_row(safe(kind["kind"]), Text(safe(kind["description"])))
        speaks_of = "what it answers" if kind["readings"] is None else ", ".join(kind["readings"]) or "nothing"
        table.add_row("", Text(f"thresholds may speak of: {safe(speaks_of)}", style.LABEL))
        if kind["default_critical"]:
            table.add_row("", Text(f"critical unless said otherwise: {safe(kind['default_critical'])}", style.LABEL))
        if not kind["remote"]:
            table.add_row("", Text("only of the machine the agent runs on", style.LABEL))
        if in_detail:
            for key in kind["keys"]:
                line = Text(f"{safe(key['name'])}: ", "cyan")
                line.append(safe(key["description"]) or "see the documentation", "default")
                table.add_row("", line.append(" (needed)" if key["needed"] else "", "yellow"))
    put(console, table)
    if not in_detail:
        console.print(Text("all keys of one: paramedic checks kinds KIND", style.LABEL))
