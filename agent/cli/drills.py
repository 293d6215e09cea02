"""`drill …`: rehearse a fault or an emergency, and see what came of it before."""

import logging
import os
import pwd
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli import places, times
from agent.cli.daemon import ConfigOption
from agent.cli.exits import Code, no_such, refused
from agent.cli.nouns import noun
from agent.cli.session import Json, session
from agent.cli.terminal import complain, console, put, say, say_json
from agent.cli.typed import typed

if TYPE_CHECKING:
    from agent.config.configuration import Configuration
    from agent.model.drill import Drill
    from agent.model.drill_result import DrillResult

drill = noun("drill", "Drills: faults and emergencies rehearsed on the path that real ones take.")

Name = Annotated[str, typer.Argument(metavar="DRILL", help="Name of the drill.")]


class Format(StrEnum):
    """Of a report."""

    MARKDOWN = "md"
    JSON = "json"
    JUNIT = "junit"


@drill.command("list")
def listed(config: ConfigOption = None, as_json: Json = False) -> None:
    """The drills, when each was last run, its score against the one before, and which are overdue."""
    from agent.cli.drill_table import drill_table, standings

    configuration = _configuration(config)
    found = standings(configuration.drills.values(), _kept(configuration), times.now())
    if as_json:
        from agent.runtime.control.plain import plain

        say_json({"drills": plain(found)})
    elif found:
        put(console(), drill_table(found, times.now()))
    else:
        say("no drills are configured; one to begin with: paramedic drill new NAME")


@drill.command("show")
def show(name: Name, config: ConfigOption = None, as_json: Json = False) -> None:
    """What a drill does and expects, and what it may touch."""
    configuration = _configuration(config)
    found = _drill(configuration, name)
    if as_json:
        say_json(found.model_dump(mode="json", by_alias=True))
        return
    from agent.cli.drill_text import print_drill

    print_drill(console(), found)


@drill.command("new")
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the new drill, such as web-down.")],
    check: Annotated[
        str | None, typer.Option(help="The check that is to notice it; default: the first that has a runbook.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Where; default: the first host of the check.")] = None,
    unit: Annotated[
        str | None, typer.Option(help="The systemd unit to stop there: a live drill. Without it: a simulation.")
    ] = None,
    only_print: Annotated[bool, typer.Option("--print", help="Print it; write nothing.")] = False,
    config: ConfigOption = None,
) -> None:
    """Write a commented drill that runs as it is, to be changed: drill-NAME.yaml in the configuration folder."""
    from agent.cli.drill_starter import starter, write_starter

    configuration = _configuration(config)
    text = starter(configuration, name, check, host, unit)
    if only_print:
        say(text)
        return
    say(str(write_starter(configuration.folder, name, text)))
    complain(f"(read it, then: {typed('drill run', name)})")


@drill.command("run")
def run(
    ctx: typer.Context,
    name: Name,
    beside: Annotated[
        bool, typer.Option("--beside", help="In this terminal's own process, also where no agent is running.")
    ] = False,
    junit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the result as JUnit XML, for a pipeline.")
    ] = None,
    answers: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Of a tabletop: YAML with what was answered, asking nobody.")
    ] = None,
    config: ConfigOption = None,
    as_json: Json = False,
) -> None:
    """Run a drill. Ctrl-C puts everything back. Exit code 0 only if all that was expected happened in its time."""
    configuration = _configuration(config)
    found = _drill(configuration, name)
    named = session(ctx).socket
    if found.form == "tabletop":
        from agent.cli.tabletop import at_the_table

        result = at_the_table(configuration, found, _actor(), answers, quiet=as_json)
    else:
        if answers is not None:
            raise typer.BadParameter(f"{name} asks nobody: its form is {found.form}", param_hint="--answers")
        result = _carried_out(configuration, found, Path(named) if named else None, beside=beside, quiet=as_json)
    _tell(configuration, result, junit, as_json=as_json)
    if not result.passed:
        raise typer.Exit(Code.NO)


@drill.command("carry-out", hidden=True)
def carry_out(
    ctx: typer.Context,
    name: Name,
    actor: Annotated[str, typer.Option(help="Who wants it.")],
    config: ConfigOption = None,
) -> None:
    """What `run` begins inside the agent; tells it on standard output."""
    from agent.cli.drill_inside import carry_out as carry_out_inside

    named = session(ctx).socket
    carry_out_inside(config or places.needed_config_folder(), name, actor, Path(named) if named else None)


@drill.command("abort")
def abort(
    ctx: typer.Context,
    why: Annotated[list[str] | None, typer.Argument(metavar="[WHY…]", help="The reason, for the record.")] = None,
    config: ConfigOption = None,
) -> None:
    """End the drill that is under way; everything is put back."""
    from agent.drill.run import abort as ask_to_abort

    configuration = _configuration(config)
    try:
        id = ask_to_abort(configuration, _actor(), " ".join(why or ()).strip())
    except PermissionError:  # another's: the agent may do it, if it is inside
        body = {"reason": " ".join(why or ()).strip()}
        session(ctx).told(session(ctx).agent.post("drills", "abort", body=body))
        return
    except OSError as error:
        raise _cannot_read(configuration, error) from None
    if id is None:
        raise refused("no drill is under way")
    say(f"{id} is told to end; it puts everything back first")


@drill.command("report")
def report(
    id: Annotated[str | None, typer.Argument(metavar="[DRILL-7]", help="Default: the latest.")] = None,
    form: Annotated[Format, typer.Option("--format", help="How it is written.")] = Format.MARKDOWN,
    config: ConfigOption = None,
) -> None:
    """The report of a drill that has ended."""
    from agent.drill.junit import as_junit
    from agent.drill.report import as_json, as_markdown

    configuration = _configuration(config)
    kept = {result.id: result for result in _kept(configuration)}
    if not kept:
        raise refused("no drill has been run so far")
    wanted = id.upper() if id else list(kept)[-1]
    wanted = f"DRILL-{wanted}" if wanted.isdigit() else wanted
    if wanted not in kept:
        raise no_such("result of a drill", wanted, kept)
    written = {Format.MARKDOWN: as_markdown, Format.JSON: as_json, Format.JUNIT: as_junit}[form](kept[wanted])
    print(written, end="")


def _carried_out(
    configuration: "Configuration", found: "Drill", socket: Path | None, *, beside: bool, quiet: bool
) -> "DrillResult":
    from agent.cli.agent_client import AgentClient
    from agent.cli.drill_inside import follow, no_agent_for
    from agent.cli.drill_live import Watch
    from agent.drill.run import run as carry_out

    place = socket or configuration.agent.socket
    if not beside and not place.exists():
        raise no_agent_for(place)
    if not beside:
        with Watch(found, quiet=quiet) as watch:
            return follow(AgentClient([place]), place, found, watch.told)
    try:
        _hear_errors_only()
        with Watch(found, quiet=quiet) as watch:
            return carry_out(configuration, found, actor=_actor(), say=watch.told, socket=socket)
    except OSError as error:
        raise _cannot_read(configuration, error) from None


def _hear_errors_only() -> None:
    """What the drill's agent has to say stands on its record; only what could not be put there is said here."""
    handler = logging.StreamHandler()
    handler.setLevel(logging.ERROR)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logging.getLogger().addHandler(handler)


def _tell(configuration: "Configuration", result: "DrillResult", junit: Path | None, *, as_json: bool) -> None:
    from agent.drill import archive, report
    from agent.drill.junit import as_junit

    if junit is not None:
        try:
            junit.write_text(as_junit(result), encoding="utf-8")
        except OSError as error:
            complain(f"cannot write {junit}: {error.strerror}")
    if as_json:
        print(report.as_json(result), end="")
        return
    from agent.cli.drill_text import print_result

    print_result(console(), result)
    complain(f"(report: {archive.folder_of(configuration.agent.state_dir, result.id) / 'report.md'})")


def _configuration(config: Path | None) -> "Configuration":
    from agent.cli.reading import configuration_in

    return configuration_in(config or places.needed_config_folder())


def _drill(configuration: "Configuration", name: str) -> "Drill":
    if name not in configuration.drills:
        raise no_such("drill", name, configuration.drills)
    return configuration.drills[name]


def _kept(configuration: "Configuration") -> "list[DrillResult]":
    from agent.drill import archive

    try:
        return archive.kept(configuration.agent.state_dir)
    except OSError as error:
        raise _cannot_read(configuration, error) from None


def _cannot_read(configuration: "Configuration", error: OSError) -> Exception:
    place = error.filename or configuration.agent.state_dir
    return refused(f"{place}: {error.strerror or error}; drills are run, and read, as the agent's user")


def _actor() -> str:
    """Who types: also behind sudo."""
    behind = os.environ.get("SUDO_USER", "")
    if os.geteuid() == 0 and behind.isascii() and behind.isprintable() and behind:
        return behind
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
