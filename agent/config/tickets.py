"""The ticket system that incidents are copied to."""

from collections.abc import Mapping
from typing import Any

from agent.config.kinds import plugin
from agent.config.names import refer
from agent.config.problem import Path, say_known
from agent.config.secret import secret_names
from agent.config.source import Folder
from agent.config.validation import show, validate
from agent.plugin import registry
from agent.plugin.api import TicketSystem
from agent.plugin.overlay import over

DEFAULT_KIND = "rest"


def read_tickets(source: Folder) -> tuple[TicketSystem | None, TicketSystem | None]:
    """The ticket system, and as it is for drills: with what `drill:` says laid over it. None for each that is not
    written, or not sound.
    """
    authored = dict(source.section("tickets"))
    for_drills = authored.pop("drill", None)
    if not authored:
        return None, None
    tickets = _read(source, ("tickets",), dict(authored))
    if for_drills is None:
        return tickets, None
    if not isinstance(for_drills, Mapping):
        source.report(("tickets", "drill"), "no mapping", "write the keys that are different in the drill queue")
        return tickets, None
    return tickets, _read(source, ("tickets", "drill"), over(for_drills, authored)) if tickets is not None else None


def _read(source: Folder, at: Path, authored: dict[str, Any]) -> TicketSystem | None:
    kind = authored.pop("kind", DEFAULT_KIND)
    kinds = registry.kinds(registry.TICKETS)
    if not isinstance(kind, str) or kind not in kinds:
        source.report((*at, "kind"), f"there is no ticket system kind {show(kind)}", say_known(kind, kinds))
        return None
    system = plugin(source, (*at, "kind"), registry.TICKETS, kind, TicketSystem)
    if system is None:
        return None
    tickets, findings = validate(system, authored, at, source.reach)
    source.report_all(findings)
    if tickets is not None:
        for path, name in secret_names(tickets, at):
            refer(source, path, "secrets", name)
    return tickets
