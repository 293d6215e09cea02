"""`records verify`: whether the record is as it was written; `backup`: a copy of it; `restore`: the way back."""

import getpass
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli import places, times
from agent.cli.agent_client import NoAgent
from agent.cli.answers import ChainAnswer
from agent.cli.exits import Code, refused
from agent.cli.incidents import Stopped
from agent.cli.session import Json, Session, session
from agent.cli.stopped import asked
from agent.cli.terminal import complain, say, say_json
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
        found = copy.verify()
        number, head = copy.head()
    if as_json:
        say_json({"file": str(file), "records": number, "head": head, "intact": found.ok})
    else:
        say(f"{file}: {counted(number, 'record')}, head {head}")
    if not found.ok:
        complain(f"it is copied as it is, and that is not as it was written: {found.text}")


@records.command("restore")
def restore(
    ctx: typer.Context,
    backup: Annotated[Path, typer.Argument(metavar="BACKUP", help="What `records backup` wrote.")],
    store: Annotated[
        str | None, typer.Option("--store", metavar="PATH", help="The record to replace, or its folder.")
    ] = None,
    altered: Annotated[bool, typer.Option("--altered", help="Also when its chain of hashes is broken.")] = False,
    as_json: Json = False,
) -> None:
    """Put a backup in the record's place, while its agent is stopped. What was there is kept beside it.

    The agent then hands what was open in the backup to people: nobody knows what has been done about it since.
    """
    from agent.runtime.store.restore import restore as put_back

    try:
        record = _to_replace(session(ctx), store)
        found = put_back(backup, record, at=times.now(), actor=_who(), altered=altered)
    except PermissionError as error:
        raise refused(f"{error.filename}: {error.strerror}: only the agent's user and root may, so use sudo") from None
    restored, kept = found.restored, found.kept
    if as_json:
        until = {"records": restored.last, "head": found.head, "until": restored.until}
        say_json({"store": str(record), **until, "kept": str(kept) if kept else None})
        return
    say(f"{record}: restored, {counted(restored.last, 'record')}, head {found.head}")
    say(f"It ends on {times.moment(restored.until)}. What happened since then is not known to it:")
    say("whatever was open or under way is handed to people when the agent starts, and nothing of it is done again.")
    if kept:
        say(f"What was there is kept as {kept}")


def _to_replace(known: Session, store: str | None) -> Path:
    """The record that `store` names, else where the stopped agent kept one. Raises Failure."""
    if store is None:
        try:
            running = known.agent.get("status")
        except NoAgent:
            pass
        else:
            raise refused(f"the agent runs (process {running['pid']}): stop it first (systemctl stop paramedic)")
    tried = places.stores(store, known.socket)
    there = next((each for each in tried if each.exists() or _lock_of(each).exists()), None)
    if there is None and store is None:
        raise refused(f"there is no record in {' or '.join(str(each.parent) for each in tried)}: say --store PATH")
    return there or tried[0]


def _lock_of(record: Path) -> Path:
    """Where an agent has ever run, its lock is."""
    return record.with_name(f"{record.name}.lock")


def _who() -> str:
    """The person behind sudo, as the agent would record him."""
    behind = os.environ.get("SUDO_USER") if os.geteuid() == 0 else None
    return behind or getpass.getuser()
