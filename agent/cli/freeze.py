"""`freeze` and `unfreeze`: the global stop."""

from typing import Annotated

import typer

from agent.cli.acts import Why
from agent.cli.session import Json, session


def freeze(
    ctx: typer.Context,
    reason: Annotated[list[str], typer.Argument(metavar="WHY…", help="People read it at every refusal.")],
    as_json: Json = False,
) -> None:
    """Stop all treatment: from now on nothing is changed on any host. Noticing goes on."""
    known = session(ctx)
    known.told(known.agent.post("freeze", body={"reason": " ".join(reason)}))


def unfreeze(ctx: typer.Context, why: Why = None, as_json: Json = False) -> None:
    """Let treatment start again."""
    known = session(ctx)
    known.told(known.agent.post("unfreeze", body={"reason": " ".join(why or ())}))
