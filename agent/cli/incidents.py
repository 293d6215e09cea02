"""`incidents` and `show`: what is going on, and the whole story of one incident."""

from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli import times
from agent.cli.agent_client import AgentClient
from agent.cli.answers import IncidentAnswer, StoryAnswer
from agent.cli.exits import refused
from agent.cli.ids import About
from agent.cli.session import Json, session
from agent.cli.stopped import asked
from agent.cli.terminal import console, put, say, say_json
from agent.config.problem import say_known

if TYPE_CHECKING:
    from agent.runtime.store import Store

Stopped = Annotated[
    str | None, typer.Option("--store", metavar="PATH", help="Read this record instead of asking an agent.")
]


def incidents(
    ctx: typer.Context,
    every: Annotated[bool, typer.Option("--all", "-a", help="Resolved and closed ones too.")] = False,
    service: Annotated[str | None, typer.Option(help="Only of this service.")] = None,
    priority: Annotated[str | None, typer.Option(metavar="P1…P5", help="Only of this priority.")] = None,
    since: Annotated[str | None, typer.Option(metavar="2h|DATE", help="Opened since then: 2h, 3d, 2025-11-20.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many, the newest.")] = 100,
    store: Stopped = None,
    as_json: Json = False,
) -> None:
    """What is going on: open incidents, newest first."""
    now = times.now()
    grade = _priority(priority)
    opened_since = _since(since, now)

    def in_store(record: "Store") -> object:
        from agent.model.priority import Priority

        rank = Priority(grade) if grade else None
        found = record.incidents(open_only=not every, service=service, priority=rank, since=opened_since, limit=limit)
        runs = [record.execution(one.execution) for one in found if one.execution]
        return {"incidents": found, "executions": [run for run in runs if run]}

    def of_agent(agent: AgentClient) -> object:
        wanted = {"all": every, "service": service, "priority": grade, "since": opened_since, "limit": limit}
        found = agent.get("incidents", **wanted)["incidents"]
        if service is not None and not found:
            _require_service(agent, service)
        treated = any(one["execution"] for one in found)
        return {"incidents": found, "executions": agent.get("status")["executions"] if treated else []}

    answer = asked(session(ctx), store, of_agent, in_store)
    found: list[IncidentAnswer] = answer["incidents"]
    if as_json:
        say_json({"incidents": found})
    elif found:
        from agent.cli.incident_table import incident_table

        out = console()
        put(out, incident_table(found, now, out.width, answer["executions"]))
    else:
        of_service = f" of {service}" if service is not None else ""
        say(f"no incidents{of_service}" if every else f"no open incidents{of_service}")


def show(
    ctx: typer.Context,
    about: About,
    full: Annotated[bool, typer.Option("--full", help="Everything the steps printed, every entry.")] = False,
    store: Stopped = None,
    as_json: Json = False,
) -> None:
    """The whole story of an incident, of a run by hand, or of the agent itself."""

    def in_store(record: "Store") -> object:
        from agent.runtime.control.told import story_from

        return story_from(record, about)

    story: StoryAnswer | None = asked(session(ctx), store, lambda agent: agent.get("stories", about), in_store)
    if story is None:
        raise refused(f"there is no incident, run or emergency called {about}")
    if as_json:
        say_json(story)
        return
    from agent.cli.story import print_story

    print_story(console(), story, now=times.now(), full=full)


def _require_service(agent: AgentClient, service: str) -> None:
    """No answer is no good news where the name is misspelt. Raises Failure."""
    named = [*agent.get("checks")["checks"], *agent.get("incidents", all=True)["incidents"]]
    known = {one["service"] for one in named if one["service"]}
    if service not in known:
        hint = say_known(service, known)
        raise refused(f"no check and no incident is of a service {service}" + (f": {hint}" if hint else ""))


def _priority(text: str | None) -> str | None:
    if text is None:
        return None
    grade = text.upper().removeprefix("P")
    if grade not in ("1", "2", "3", "4", "5"):
        raise typer.BadParameter(f"{text!r} is no priority: P1 is the gravest, P5 the least", param_hint="--priority")
    return f"P{grade}"


def _since(text: str | None, now: float) -> float | None:
    if text is None:
        return None
    try:
        return times.parse_since(text, now)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--since") from None
