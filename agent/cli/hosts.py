"""`hosts list`, `hosts check`: the inventory, and whether the agent can log in to it."""

from typing import Annotated

import typer

from agent.cli import style
from agent.cli.daemon import ConfigOption, chosen
from agent.cli.exits import Code
from agent.cli.nouns import noun
from agent.cli.session import Json
from agent.cli.terminal import console, put, safe, say_json

hosts = noun("hosts", "The hosts of the configuration, and whether they can be logged in to.")


@hosts.command("list")
def listed(config: ConfigOption = None, as_json: Json = False) -> None:
    """The hosts: name, address, how they are reached, groups."""
    from agent.cli.reading import configuration_in

    settings = configuration_in(chosen(None, config)).settings
    found = [
        {
            "name": name,
            "address": host.target,
            "connection": host.connection,
            "groups": [group.name for group in settings.groups_of_hosts.get(name, ())],
        }
        for name, host in settings.hosts.items()
    ]
    if as_json:
        say_json({"hosts": found})
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style=style.LABEL, show_edge=False)
    for heading in ("HOST", "ADDRESS", "CONNECTION", "GROUPS"):
        table.add_column(heading, overflow="fold")
    for one in found:
        groups = ", ".join(one["groups"])
        table.add_row(Text(safe(str(one["name"])), "bold"), safe(str(one["address"])), str(one["connection"]), groups)
    put(console(), table)


@hosts.command("check")
def check(
    names: Annotated[list[str] | None, typer.Argument(metavar="[HOST…]", help="Default: all reached over SSH.")] = None,
    sudo: Annotated[bool, typer.Option("--sudo", help="Also whether sudo asks for no password.")] = False,
    config: ConfigOption = None,
    as_json: Json = False,
) -> None:
    """Log in to hosts from here, as the agent would, and run `true`. Exit code 1 if any failed."""
    from agent.cli.login_check import log_in, print_login
    from agent.cli.reading import configuration_in

    configuration = configuration_in(chosen(None, config))
    out = console()
    found = []
    for one in log_in(configuration, names or (), sudo=sudo):
        found.append(one)
        if not as_json:
            print_login(out, one)
    failed = any(not one["ok"] for one in found)
    if as_json:
        say_json({"ok": not failed, "hosts": found})
    elif not found:
        out.print("no host is reached over SSH")
    if failed:
        raise typer.Exit(Code.NO)
