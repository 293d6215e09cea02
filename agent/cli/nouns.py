"""Commands about one noun: `paramedic checks`, by itself, means `paramedic checks list`."""

from typing import Any

import typer
from typer.core import TyperGroup

_HELP = ("-h", "--help")


class Listing(TyperGroup):
    """A group whose `list` is meant where no other command of it is named; its options are then list's."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # the context's type is Typer's own, and private
        if not args or (args[0].startswith("-") and args[0] not in _HELP):
            args = ["list", *args]
        return super().parse_args(ctx, args)


def noun(name: str, says: str) -> typer.Typer:
    """A group of commands that has `list`."""
    return typer.Typer(name=name, cls=Listing, help=f"{says} By itself it lists them.")
