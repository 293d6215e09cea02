"""`messages list`, `messages test`: the ways in which people are told, and whether one works."""

from typing import Annotated

import typer

from agent.cli import style
from agent.cli.daemon import ConfigOption, chosen
from agent.cli.exits import no_such, refused
from agent.cli.nouns import noun
from agent.cli.session import Json
from agent.cli.terminal import console, put, safe, say, say_json

messages = noun("messages", "The message targets of the configuration, and whether one works.")


@messages.command("list")
def listed(config: ConfigOption = None, as_json: Json = False) -> None:
    """The targets: which secret holds the URL, and whom they reach."""
    from agent.cli.reading import configuration_in

    settings = configuration_in(chosen(None, config)).settings
    found = [
        {
            "name": target.name,
            "url": target.url,
            "people": [person.name for person in settings.people.values() if target.name in person.notify],
        }
        for target in settings.targets.values()
    ]
    if as_json:
        say_json({"targets": found})
        return
    if not found:
        say("no message target is configured")
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style=style.LABEL, show_edge=False)
    for heading in ("TARGET", "URL IN SECRET", "PEOPLE"):
        table.add_column(heading, overflow="fold")
    for one in found:
        table.add_row(Text(safe(str(one["name"])), "bold"), safe(str(one["url"])), safe(", ".join(one["people"])))
    put(console(), table)


@messages.command("test")
def send_test(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="A message target of the configuration.")],
    config: ConfigOption = None,
    as_json: Json = False,
) -> None:
    """Send a test message from here, now, and say what came of it. Exit code 1 if it was not taken."""
    import getpass
    import platform

    from agent.cli.reading import configuration_in
    from agent.errors import MessageError
    from agent.model.commands import SendMessage
    from agent.runtime.clock import Clock
    from agent.runtime.messages.courier import AppriseCourier
    from agent.runtime.secrets import Secrets

    configuration = configuration_in(chosen(None, config))
    targets = configuration.settings.targets
    if target not in targets:
        raise no_such("message target", target, targets)
    clock = Clock()
    began = clock.now()
    body = f"{getpass.getuser()} on {platform.node()} wants to know whether this gets through. Nothing has happened."
    message = SendMessage("MSG-0", "agent", target, "paramedic: a test message", body, began)
    try:
        AppriseCourier(targets, Secrets(configuration.secrets)).deliver(message)
    except MessageError as error:
        raise refused(f"{target}: not delivered: {error}") from None
    seconds = clock.now() - began
    if as_json:
        say_json({"ok": True, "target": target, "seconds": seconds})
    else:
        say(f"{target}: delivered in {seconds:.1f} s")
