"""What people do about an incident: `ack`, `note`, `assign`, `escalate`, `resolve`, `close`, `reopen`, and more."""

from enum import StrEnum
from typing import Annotated

import typer

from agent.cli.exits import refused
from agent.cli.ids import About, IncidentId
from agent.cli.session import Json, session

Words = Annotated[list[str], typer.Argument(metavar="TEXT…", help="What to write down.")]
Why = Annotated[list[str] | None, typer.Argument(metavar="[WHY…]", help="The reason, for the record.")]


class HowSoon(StrEnum):
    """Urgency, as the reporter sees it."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


def ack(ctx: typer.Context, incident: IncidentId, as_json: Json = False) -> None:
    """Acknowledge an incident: you have seen it."""
    _act(ctx, "incidents", incident, "acknowledge")


def note(ctx: typer.Context, incident: IncidentId, text: Words, as_json: Json = False) -> None:
    """Write a note into an incident's story; its ticket gets it too."""
    _act(ctx, "incidents", incident, "note", text=_one(text))


def assign(
    ctx: typer.Context,
    incident: IncidentId,
    to: Annotated[str, typer.Argument(metavar="WHO", help="A team or a person.")],
    as_json: Json = False,
) -> None:
    """Assign an incident to a team or a person."""
    _act(ctx, "incidents", incident, "assign", to=to)


def escalate(ctx: typer.Context, incident: IncidentId, why: Why = None, as_json: Json = False) -> None:
    """Take an incident from the agent: no further treatment starts."""
    _act(ctx, "incidents", incident, "escalate", reason=_one(why))


def resolve(ctx: typer.Context, incident: IncidentId, why: Why = None, as_json: Json = False) -> None:
    """Say that it is solved. If a check still fails, the incident opens again."""
    _act(ctx, "incidents", incident, "resolve", reason=_one(why))


def close(ctx: typer.Context, incident: IncidentId, why: Why = None, as_json: Json = False) -> None:
    """Close a resolved incident."""
    _act(ctx, "incidents", incident, "close", reason=_one(why))


def reopen(ctx: typer.Context, incident: IncidentId, why: Why = None, as_json: Json = False) -> None:
    """Say that it is not solved after all."""
    _act(ctx, "incidents", incident, "reopen", reason=_one(why))


def approve(ctx: typer.Context, about: About, why: Why = None, as_json: Json = False) -> None:
    """Say yes to what waits for approval: a step, or an action of an emergency plan (as a commander)."""
    _act(ctx, "approvals", about, yes=True, reason=_one(why))


def deny(ctx: typer.Context, about: About, why: Why = None, as_json: Json = False) -> None:
    """Say no to what waits for approval."""
    _act(ctx, "approvals", about, yes=False, reason=_one(why))


def report(
    ctx: typer.Context,
    title: Annotated[list[str], typer.Argument(metavar="TITLE…", help="What is wrong, in a few words.")],
    description: Annotated[str, typer.Option("--description", "-d", help="What more is known.")] = "",
    service: Annotated[str | None, typer.Option(help="The service concerned.")] = None,
    host: Annotated[list[str] | None, typer.Option(help="A host concerned; may be repeated.")] = None,
    category: Annotated[str, typer.Option(help="Fault type; decides which team gets it.")] = "general",
    urgency: Annotated[HowSoon, typer.Option(help="How soon it gets worse.")] = HowSoon.MEDIUM,
    reporter: Annotated[str | None, typer.Option(help="Who noticed it, when it was not you.")] = None,
    as_json: Json = False,
) -> None:
    """Report a fault: it becomes an incident like any other."""
    if not _one(title):
        raise refused("say what is wrong")
    _act(
        ctx,
        "incidents",
        title=_one(title),
        description=description,
        service=service,
        hosts=host or [],
        category=category,
        urgency=urgency.value,
        reporter=reporter,
    )


def _act(ctx: typer.Context, *path: str, **body: object) -> None:
    known = session(ctx)
    known.told(known.agent.post(*path, body=body))


def _one(words: list[str] | None) -> str:
    return " ".join(words or ()).strip()
