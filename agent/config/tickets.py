"""The ticket system that incidents are copied to."""

from pydantic import BaseModel

from agent.config.kinds import plugin
from agent.config.names import refer
from agent.config.problem import Path, say_known
from agent.config.source import Folder
from agent.config.validation import show, validate
from agent.plugin import registry
from agent.plugin.api import TicketSystem
from agent.plugin.http import HttpAccess

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
        refer_to_secrets(source, ("tickets",), tickets)
    return tickets


def refer_to_secrets(source: Folder, path: Path, model: BaseModel) -> None:
    """The secrets that a plugin logs in with must be listed."""
    if not isinstance(model, HttpAccess):
        return
    if model.bearer is not None:
        refer(source, (*path, "bearer"), "secrets", model.bearer)
    if model.basic is not None:
        refer(source, (*path, "basic", "password"), "secrets", model.basic.password)
