"""`schema`: what may be written in a configuration, for editors."""

from typing import Annotated

import typer

from agent.cli.terminal import say_json

WHAT = ("config", "runbook")


def schema(
    what: Annotated[
        str, typer.Argument(metavar="|".join(WHAT), help="A file of the configuration folder, or a runbook.")
    ],
) -> None:
    """Print the JSON Schema that an editor checks and completes YAML by; it knows every installed kind."""
    if what not in WHAT:
        raise typer.BadParameter(f"{what!r} is none of {', '.join(WHAT)}")
    from agent.config.schema import schemas

    say_json(schemas()[what])
