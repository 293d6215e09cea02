"""`run`, `reload`, `check-config`, `demo`: the agent itself and what it is told by files."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from agent.cli import places, times
from agent.cli.exits import Code
from agent.cli.session import Json, session
from agent.cli.terminal import say, say_json

LEVELS = ("debug", "info", "warning", "error")

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="DIR",
        envvar="PARAMEDIC_CONFIG",
        help="Configuration folder; default: ./config, else /etc/paramedic.",
    ),
]
InsteadOfAgent = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="DIR",
        help="Read this configuration folder, and do not ask the running agent.",
    ),
]
"""Without the variable: that names the configuration of the agent to be asked."""

Folder = Annotated[Path | None, typer.Argument(metavar="[DIR]", help="The same as --config DIR.")]


def chosen(folder: Path | None, config: Path | None) -> Path:
    """The configuration folder, however it was named; a word on the command line counts more than a variable."""
    return folder or config or places.needed_config_folder()


def run(
    ctx: typer.Context,
    folder: Folder = None,
    config: ConfigOption = None,
    log_level: Annotated[
        str | None, typer.Option(metavar="|".join(LEVELS), help="Overrides the configuration.")
    ] = None,
) -> None:
    """Run the agent in the foreground until SIGTERM or Ctrl-C; SIGHUP reloads."""
    if log_level is not None and log_level not in LEVELS:
        raise typer.BadParameter(f"{log_level!r} is none of {', '.join(LEVELS)}", param_hint="--log-level")
    from agent import app
    from agent.drill.half_done import finish_at_start

    named = session(ctx).socket
    socket = Path(named) if named else None
    first = partial(finish_at_start, socket=socket)
    raise typer.Exit(app.run(chosen(folder, config), socket=socket, log_level=log_level, first=first))


def reload(ctx: typer.Context, as_json: Json = False) -> None:
    """Let the agent read its configuration again. On any problem nothing changes, and all are listed."""
    known = session(ctx)
    known.told(known.agent.post("reload", within=120))


def check_config(folder: Folder = None, config: ConfigOption = None, as_json: Json = False) -> None:
    """Check the configuration; print every problem with its place, what is wrong and what would be right."""
    from agent.cli.config_summary import as_json as said_to_programs
    from agent.cli.config_summary import say_problems, say_warnings, summary
    from agent.cli.reading import configuration_in
    from agent.config.problem import ConfigProblems

    try:
        configuration = configuration_in(chosen(folder, config))
    except ConfigProblems as found:
        if as_json:
            say_json(said_to_programs(found.problems))
        else:
            say_problems(found.problems)
        raise typer.Exit(Code.NO) from None
    warnings: list[str] = []
    if configuration.access:
        from agent.runtime.accounts import strangers

        warnings += strangers(configuration.access)
    if configuration.logins:
        from agent.cli.login_files import missing_for_login

        warnings += missing_for_login(configuration.logins)
    if configuration.secrets:
        from agent.cli.missing_secrets import missing_secrets

        warnings += missing_secrets(configuration.secrets)
    if configuration.settings.plans:
        from datetime import date

        from agent.config.plan_warnings import plan_warnings

        warnings += plan_warnings(configuration.settings, date.fromtimestamp(times.now()))
    if as_json:
        say_json(said_to_programs((), warnings))
    else:
        say(summary(configuration))
        say_warnings(warnings)


def demo() -> None:
    """Watch a real fault being noticed, treated over SSH, verified and filed, on a throwaway site (a minute)."""
    from agent.demo import run as demonstration

    raise typer.Exit(demonstration.main())
