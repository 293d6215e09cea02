"""`runbook list|show|run`: what operations people wrote down, and running one by hand."""

from pathlib import Path
from typing import Annotated

import typer

from agent.cli import places, style
from agent.cli.agent_client import NoAgent
from agent.cli.answers import RunbookAnswer
from agent.cli.completion import runbook_names
from agent.cli.daemon import ConfigOption, InsteadOfAgent
from agent.cli.digest import say_text
from agent.cli.exits import Code, no_such
from agent.cli.ids import SomeIncident
from agent.cli.nouns import noun
from agent.cli.session import Json, Session, session
from agent.cli.terminal import complain, console, put, safe, say, say_json
from agent.cli.typed import typed

runbook = noun("runbook", "Runbooks: what the agent does about a fault, and what people run.")

Name = Annotated[str, typer.Argument(metavar="RUNBOOK", help="Name of the runbook.", autocompletion=runbook_names)]
Hosts = Annotated[list[str] | None, typer.Option("--host", metavar="HOST", help="On this host; may be repeated.")]
Values = Annotated[
    list[str] | None, typer.Option("--var", metavar="NAME=VALUE", help="Value of a variable; may be repeated.")
]


@runbook.command("list")
def listed(ctx: typer.Context, config: InsteadOfAgent = None, as_json: Json = False) -> None:
    """The runbooks the agent knows, and the checks that call for them."""
    found = _runbooks(session(ctx), config)
    if as_json:
        say_json({"runbooks": found})
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style=style.LABEL, show_edge=False)
    table.add_column("RUNBOOK", overflow="fold")
    table.add_column("WHAT IT DOES", ratio=1, overflow="fold")
    table.add_column("CALLED FOR BY", overflow="fold")
    for one in found:
        used = Text(safe(", ".join(one["used_by"]))) if one["used_by"] else Text("by hand only", style.LABEL)
        does = Text(safe(one["description"]))
        if one["changed_on_disk"]:
            does.append("\n" if does else "").append(safe(_changed()), "yellow")
        table.add_row(Text(safe(one["name"]), "bold"), does, used)
    put(console(), table)


@runbook.command("show")
def show(ctx: typer.Context, name: Name, config: InsteadOfAgent = None, as_json: Json = False) -> None:
    """The text of a runbook, as the agent has it now."""
    known = {one["name"]: one for one in _runbooks(session(ctx), config)}
    found = known.get(name)
    if found is None:
        raise no_such("runbook", name, known)
    if as_json:
        say_json(found)
    else:
        say(found["text"])
        complain(f"({say_text(found['digest'], found['signed_by'])})")
        if found["changed_on_disk"]:
            complain(f"({_changed()})")


def _changed() -> str:
    return f"changed on disk since it was loaded; not used before: {typed('reload')}"


@runbook.command("run")
def run(
    ctx: typer.Context,
    name: Name,
    hosts: Hosts = None,
    values: Values = None,
    incident: SomeIncident = None,
    override: Annotated[
        str | None, typer.Option(metavar="WHY", help="Overrule the guards that refuse it (as a commander); recorded.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Until it is over; exit code 1 unless it came to recovered or done.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run a runbook by hand, on an incident or on hosts."""
    known = session(ctx)
    body = {
        "runbook": name,
        "hosts": hosts or [],
        "variables": given(values),
        "incident": incident,
        "override": override,
    }
    reply = known.agent.post("executions", body=body)
    if not (wait and as_json):
        known.told(reply)
    if not as_json:
        complain(f"(how it goes: {typed('show', reply['about'])})")
    if not wait:
        return
    from agent.cli.following import GOOD, say_ended, until_ended

    ended = until_ended(known.agent, reply["about"])
    if as_json:
        say_json({**reply, "execution": ended})
    else:
        say_ended(ended)
    if ended["outcome"] not in GOOD:
        raise typer.Exit(Code.NO)


@runbook.command("dry-run")
def dry_run(
    name: Name, hosts: Hosts = None, values: Values = None, config: ConfigOption = None, as_json: Json = False
) -> None:
    """What a runbook would do, step by step and host by host, without doing any of it."""
    from agent.cli.dry_run import dry_run as preview_of
    from agent.cli.dry_run import print_dry_run

    found, steps = preview_of(name, hosts or [], given(values), config or places.needed_config_folder())
    if as_json:
        from agent.runtime.control.plain import plain

        say_json({"digest": found.digest, "steps": plain(steps)})
    else:
        print_dry_run(console(), steps)
        complain(f"({say_text(found.digest, found.signed_by)})")


@runbook.command("test")
def rehearse(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE|DIR…]", help="Default: the tests of the runbook folder.")
    ] = None,
    config: ConfigOption = None,
    stories: Annotated[bool, typer.Option("--story", help="Also tell what happened in each test.")] = False,
    as_json: Json = False,
) -> None:
    """Run tests of runbooks without any host. Exit code 1 unless there are some and all pass."""
    from agent.cli.rehearsals import outcome_as_json, print_outcome, rehearse_all

    known = places.runbook_folder(config or places.config_folder())
    outcome = rehearse_all(files or [known or Path()], [known] if known else [])
    if as_json:
        say_json(outcome_as_json(outcome))
    else:
        print_outcome(console(), outcome, stories=stories)
    if not outcome.is_good:
        raise typer.Exit(Code.NO)


@runbook.command("new")
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the runbook, such as restart-web.")],
    folder: Annotated[
        Path | None, typer.Option("--folder", metavar="DIR", help="Default: the runbook folder of the configuration.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Write a commented runbook and its tests, to be changed."""
    from agent.cli.starter import write_starter

    target = folder or places.runbook_folder(config or places.config_folder()) or Path("runbooks")
    written, tests = write_starter(name, target)
    say(f"{written}\n{tests}")
    say(f"then: paramedic runbook test {tests}")


def given(values: list[str] | None) -> dict[str, str]:
    """`NAME=VALUE` by name; the runbook says which type a value has."""
    found = {}
    for each in values or ():
        name, sign, value = each.partition("=")
        if not sign or not name.strip():
            raise typer.BadParameter(f"{each!r} is not NAME=VALUE", param_hint="--var")
        found[name.strip()] = value
    return found


def _runbooks(known: Session, config: Path | None) -> list[RunbookAnswer]:
    """From the running agent, else from the configuration."""
    try:
        if config is not None:
            raise NoAgent("a configuration was named")
        found: list[RunbookAnswer] = known.agent.get("runbooks")["runbooks"]
    except NoAgent as nobody:
        from agent.cli.library import runbooks_in

        folder = config or places.config_folder()
        if config is None and not folder.is_dir():
            raise nobody from None
        found = runbooks_in(folder)
        if config is None and not known.json:
            complain(f"(no agent is running: read from {folder})")
    return found
