"""The ticket system that incidents are copied to."""

from agent.config.kinds import plugin
from agent.config.names import refer
from agent.config.problem import say_known
from agent.config.secret import secret_names
from agent.config.source import Folder
from agent.config.validation import show, validate
from agent.plugin import registry
from agent.plugin.api import TicketSystem

DEFAULT_KIND = "rest"


def read_tickets(source: Folder) -> TicketSystem | None:
    """None where no ticket system is written, or none that is sound."""
    authored = dict(source.section("tickets"))
    if not authored:
        return None
    kind = authored.pop("kind", DEFAULT_KIND)
    kinds = registry.kinds(registry.TICKETS)
    if not isinstance(kind, str) or kind not in kinds:
        source.report(("tickets", "kind"), f"there is no ticket system kind {show(kind)}", say_known(kind, kinds))
        return None
    system = plugin(source, ("tickets", "kind"), registry.TICKETS, kind, TicketSystem)
    if system is None:
        return None
    tickets, findings = validate(system, authored, ("tickets",), source.reach)
    source.report_all(findings)
    if tickets is not None:
        for path, name in secret_names(tickets, ("tickets",)):
            refer(source, path, "secrets", name)
    return tickets
