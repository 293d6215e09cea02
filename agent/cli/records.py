"""`records verify`: whether the record is as it was written; `records backup`: a copy of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.answers import ChainAnswer
from agent.cli.exits import Code, refused
from agent.cli.incidents import Stopped
from agent.cli.session import Json, session
from agent.cli.stopped import asked
from agent.cli.terminal import say, say_json
from agent.config.counted import counted

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
        say(f"{counted(chain['records'], 'record')}, each as it was written\nhead {chain['head']}")
        say("(compare the head with one noted elsewhere, on a ticket say: that shows whether the end was cut off)")
    else:
        say(f"the record is broken at {chain['broken_at']}: {chain['why']}")
        verb = "is" if chain["records"] == 1 else "are"
        say(f"{counted(chain['records'], 'record')} before it {verb} sound")
    if not chain["intact"]:
        raise typer.Exit(Code.NO)


@records.command("backup")
def backup(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to; nothing that is there is replaced.")],
    store: Stopped = None,
    as_json: Json = False,
) -> None:
    """Copy the record, whole and consistent, whether its agent runs or not."""
    from agent.cli.stopped import opened, record_file
    from agent.runtime.store import Store

    with opened(record_file(session(ctx), store)) as record:
        try:
            record.backup(file)
        except OSError as error:
            raise refused(f"{file} cannot be written: {error.strerror}") from None
    with Store.open(file, read_only=True) as copy:
        number, head = copy.head()
    if as_json:
        say_json({"file": str(file), "records": number, "head": head})
    else:
        say(f"{file}: {counted(number, 'record')}, head {head}")
