"""What a shell offers for the word under the cursor. It must be quick and may be empty; it never complains."""

from collections.abc import Callable, Iterator
from typing import Any

import typer

from agent.cli import places
from agent.cli.agent_client import AgentClient
from agent.cli.exits import Failure
from agent.cli.terminal import safe

_WITHIN = 0.5

Offers = Callable[[typer.Context, str], Iterator[tuple[str, str]]]


def _asked(ctx: typer.Context, *path: str, **query: object) -> dict[str, Any]:
    try:
        found = AgentClient(places.sockets(ctx.find_root().params.get("socket")), within=_WITHIN).get(*path, **query)
    except Failure:
        return {}
    return found if isinstance(found, dict) else {}


def _named(path: str, name: str, says: str) -> Offers:
    def offers(ctx: typer.Context, incomplete: str) -> Iterator[tuple[str, str]]:
        for each in _asked(ctx, path).get(path, ()):
            if str(each[name]).startswith(incomplete):
                yield safe(str(each[name])), safe(str(each[says]))[:60]

    return offers


open_incidents = _named("incidents", "id", "title")
runbook_names = _named("runbooks", "name", "description")
check_names = _named("checks", "name", "kind")
plan_names = _named("plans", "name", "title")


def activations(ctx: typer.Context, incomplete: str) -> Iterator[tuple[str, str]]:
    """Emergencies that are not closed."""
    for each in _asked(ctx, "activations").get("activations", ()):
        one = each["activation"]
        if str(one["id"]).startswith(incomplete.upper()):
            yield safe(str(one["id"])), safe(str(one["title"]))[:60]
