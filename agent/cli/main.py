"""The `paramedic` command: what there is to type, and how every command ends."""

import os
import sys
import traceback
from collections.abc import Callable
from typing import Annotated

import typer

from agent.cli import acts, daemon, typed
from agent.cli.checks import checks
from agent.cli.drills import drill
from agent.cli.exits import Code, Failure
from agent.cli.freeze import freeze, unfreeze
from agent.cli.hosts import hosts
from agent.cli.incidents import incidents, show
from agent.cli.messages import messages
from agent.cli.plans import plan
from agent.cli.records import records
from agent.cli.resources import resources
from agent.cli.reviews import review
from agent.cli.runbooks import runbook
from agent.cli.schema import schema
from agent.cli.session import Session, session
from agent.cli.status import status
from agent.cli.terminal import complain, safe, say_json, survive_any_encoding
from agent.errors import ParamedicError

_EPILOG = (
    "Exit codes: 0 done or yes · 1 no: problems found, or refused · 2 the command line makes no sense · "
    "3 no running agent reachable · 4 a defect of the program · 5 your role does not suffice."
)

app = typer.Typer(
    name="paramedic",
    help="A first responder for servers: notices trouble, treats it with your runbooks, verifies, records.",
    epilog=_EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_COMMANDS: dict[str, tuple[Callable[..., None] | typer.Typer, ...]] = {
    "Incidents": (
        incidents,
        show,
        acts.report,
        acts.ack,
        acts.note,
        acts.assign,
        acts.escalate,
        acts.resolve,
        acts.close,
        acts.reopen,
    ),
    "Checks and treatment": (checks, runbook, acts.approve, acts.deny, freeze, unfreeze),
    "Emergencies": (plan, resources, review, messages, drill),
    "The agent": (status, daemon.run, daemon.reload, daemon.check_config, schema, hosts, records, daemon.demo),
}
"""By heading of the help, in the order in which they are shown."""

for heading, commands in _COMMANDS.items():
    for command in commands:
        if isinstance(command, typer.Typer):
            app.add_typer(command, rich_help_panel=heading)
        else:
            app.command(rich_help_panel=heading)(command)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"paramedic {version('paramedic')}")
        raise typer.Exit


@app.callback()
def options(
    ctx: typer.Context,
    socket: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            envvar="PARAMEDIC_SOCKET",
            help="Control socket of the agent; default: that of PARAMEDIC_CONFIG, else "
            "/run/paramedic/control.sock, else ./var/control.sock.",
        ),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an unexpected error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Every command is explained by `--help` after its name."""
    known = session(ctx)
    known.socket = socket
    source = ctx.get_parameter_source("socket")
    is_typed = (
        source is not None and source.name == "COMMANDLINE"
    )  # the environment's is found by the next command, too
    typed.go_to(socket if is_typed else None)
    known.debug = debug


def main() -> None:
    """Ends the process with one of `Code`, or 130 after Ctrl-C."""
    survive_any_encoding((sys.stdout, sys.stderr))
    known = Session()
    code = _run(known)
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read has seen enough; Python would complain while it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def _run(known: Session) -> int:
    try:
        app(_typed(sys.argv[1:]), obj=known)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else Code.OK
    except Failure as failure:
        _end(known, failure.text, failure.data)
        return failure.code
    except ParamedicError as error:
        _end(known, str(error), {"error": str(error)})
        return Code.NO
    except BrokenPipeError:  # whoever read has seen enough
        return Code.NO
    except Exception as error:  # noqa: BLE001 - the last place: a person gets a sentence, not a traceback
        _unexpected(known, error)
        return Code.INTERNAL
    return Code.OK


def _typed(words: list[str]) -> list[str]:
    """`paramedic help COMMAND` is what people try first; it means `paramedic COMMAND --help`."""
    return [*words[1:], "--help"] if words[:1] == ["help"] else words


def _end(known: Session, text: str, data: dict[str, object]) -> None:
    if known.json:
        say_json(data)
    else:
        complain(text)


def _unexpected(known: Session, error: Exception) -> None:
    said = " ".join(f"{type(error).__name__}: {error}".split())
    if known.debug:
        traceback.print_exception(error)
        return
    complain(f"unexpected: {said}; this is a defect of paramedic")
    complain(f"its traceback: {safe(' '.join(['paramedic', '--debug', *sys.argv[1:]]))}")
