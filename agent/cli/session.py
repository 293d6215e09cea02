"""What every command knows: which agent is meant, and for whom it prints."""

from dataclasses import dataclass
from typing import Annotated

import typer

from agent.cli import places
from agent.cli.agent_client import AgentClient
from agent.cli.answers import ReplyAnswer
from agent.cli.terminal import say, say_json
from agent.cli.typed import retyped


@dataclass(slots=True)
class Session:
    """`socket`: the control socket that was named. `json`: a program reads."""

    socket: str | None = None
    debug: bool = False
    json: bool = False

    @property
    def agent(self) -> AgentClient:
        return AgentClient(places.sockets(self.socket))

    def told(self, reply: ReplyAnswer) -> None:
        """Show what the agent said to an act."""
        if self.json:
            say_json(reply)
        else:
            say(retyped(reply["text"]))


def session(ctx: typer.Context) -> Session:
    found = ctx.find_object(Session)
    assert found is not None, "main() gives one"
    return found


def _for_programs(ctx: typer.Context, value: bool) -> bool:
    if value and (found := ctx.find_object(Session)):  # there is none while a shell completes
        found.json = True
    return value


Json = Annotated[bool, typer.Option("--json", callback=_for_programs, help="Print JSON for programs.")]
