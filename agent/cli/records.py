"""`records verify`: whether the record is as it was written."""

from typing import TYPE_CHECKING

import typer

from agent.cli.answers import ChainAnswer
from agent.cli.exits import Code
from agent.cli.incidents import Stopped
from agent.cli.session import Json, session
from agent.cli.stopped import asked
from agent.cli.terminal import say, say_json

if TYPE_CHECKING:
    from agent.runtime.store import Store

records = typer.Typer(
    name="records", no_args_is_help=True, help="The record: everything that happened, in a chain of hashes."
)


@records.command("verify")
def verify(ctx: typer.Context, store: Stopped = None, as_json: Json = False) -> None:
    """Check that no record was altered, removed or put in between. Exit code 1 if one was."""

    def in_store(record: "Store") -> object:
        from agent.runtime.control.told import chain_of

        return chain_of(record)

    chain: ChainAnswer = asked(session(ctx), store, lambda agent: agent.get("records", "verify"), in_store)
    if as_json:
        say_json(chain)
    elif chain["intact"]:
        say(f"{chain['records']} records, each as it was written\nhead {chain['head']}")
        say("(compare the head with one noted elsewhere, on a ticket say: that shows whether the end was cut off)")
    else:
        say(f"the record is broken at {chain['broken_at']}: {chain['why']}")
        say(f"{chain['records']} records before it are sound")
    if not chain["intact"]:
        raise typer.Exit(Code.NO)
