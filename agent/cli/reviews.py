"""`review …`: what an emergency has taught, completed by people."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli import times
from agent.cli.agent_client import AgentClient
from agent.cli.emergency_answers import EmergencyAnswer, ReviewAnswer
from agent.cli.exits import refused
from agent.cli.ids import ActivationId
from agent.cli.incidents import Stopped
from agent.cli.nouns import noun
from agent.cli.session import Json, session
from agent.cli.stopped import asked
from agent.cli.terminal import console, put, say, say_json

if TYPE_CHECKING:
    from agent.runtime.store import Store

review = noun("review", "Reviews: what went well or badly in an emergency, and what is to change.")


@review.command("list")
def listed(
    ctx: typer.Context,
    every: Annotated[bool, typer.Option("--all", "-a", help="Closed ones too.")] = False,
    as_json: Json = False,
) -> None:
    """The emergencies whose review is to be completed."""
    known: list[EmergencyAnswer] = session(ctx).agent.get("activations", all=every)["activations"]
    found = [one for one in known if one["activation"]["stage"] in ("in review", "closed")]
    if as_json:
        say_json({"reviews": found})
    elif found:
        from agent.cli.emergency_text import emergency_table

        put(console(), emergency_table(found, times.now()))
    else:
        say("no reviews" if every else "no review is open")


@review.command("show")
def show(ctx: typer.Context, activation: ActivationId, store: Stopped = None, as_json: Json = False) -> None:
    """The document, filled in with all that the agent knows: complete it in an editor."""

    def in_store(record: "Store") -> object:
        from agent.model.settings import Settings
        from agent.runtime.control.told import review_from

        return review_from(record, activation, Settings())

    def of_agent(agent: AgentClient) -> object:
        return agent.get("activations", activation, "review")

    found: ReviewAnswer | None = asked(session(ctx), store, of_agent, in_store)
    if found is None:
        raise refused(f"no emergency is called {activation}")
    if as_json:
        say_json(found)
    else:
        say(found["text"])


@review.command("close")
def close(
    ctx: typer.Context,
    activation: ActivationId,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The completed document; - for standard input.")],
    as_json: Json = False,
) -> None:
    """Hand in the completed review and close it. What is missing in it is named."""
    known = session(ctx)
    known.told(known.agent.post("activations", activation, "review", body={"text": _read(file)}))


def _read(file: Path) -> str:
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except OSError as error:
        raise refused(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise refused(f"{file} is not UTF-8 text") from None
