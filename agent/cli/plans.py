"""`plan …`: emergency plans, what is at work, and what people do in an emergency."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli import places, times
from agent.cli.agent_client import AgentClient, NoAgent
from agent.cli.answers import StatusAnswer
from agent.cli.completion import plan_names
from agent.cli.daemon import InsteadOfAgent
from agent.cli.emergency_answers import EmergencyAnswer, PlanAnswer
from agent.cli.exits import no_such, refused
from agent.cli.ids import ActivationId, SomeActivation
from agent.cli.incidents import Stopped
from agent.cli.nouns import noun
from agent.cli.session import Json, Session, session
from agent.cli.status import print_exercises
from agent.cli.stopped import asked
from agent.cli.terminal import complain, console, put, say, say_json
from agent.cli.typed import typed

if TYPE_CHECKING:
    from agent.runtime.store import Store

plan = noun("plan", "Emergency plans: what happens when thresholds are breached.")

Name = Annotated[str, typer.Argument(metavar="PLAN", help="Name of the plan.", autocompletion=plan_names)]


class RoleName(StrEnum):
    """As `agent.model.plan.PlanRole`, whose import would cost more than the question."""

    COMMANDER = "commander"
    TECHNICAL_LEAD = "technical_lead"
    LIAISON = "liaison"
    SCRIBE = "scribe"


@plan.command("list")
def listed(ctx: typer.Context, config: InsteadOfAgent = None, as_json: Json = False) -> None:
    """The emergency plans, when they are to be looked through again, and which are at work."""
    found = _plans(session(ctx), config)
    if as_json:
        say_json({"plans": found})
    elif found:
        from agent.cli.plan_text import plan_table

        put(console(), plan_table(found))
    else:
        say("no emergency plans are configured")


@plan.command("show")
def show(ctx: typer.Context, name: Name, config: InsteadOfAgent = None, as_json: Json = False) -> None:
    """What a plan says: when it starts, who is called, what is done, when it is over."""
    known = {one["name"]: one for one in _plans(session(ctx), config)}
    if name not in known:
        raise no_such("emergency plan", name, known)
    if as_json:
        say_json(known[name])
    else:
        from agent.cli.plan_text import print_plan

        print_plan(console(), known[name])


@plan.command("activate")
def activate(
    ctx: typer.Context,
    name: Name,
    level: Annotated[str, typer.Option(metavar="I…IV", help="How grave it is; I is the gravest.")],
    reason: Annotated[str, typer.Option(metavar="WHY", help="People read it in every message.")],
    as_json: Json = False,
) -> None:
    """Declare an emergency, or another level of one that is declared (as a commander)."""
    known = session(ctx)
    reply = known.agent.post("plans", name, "activate", body={"level": _level(level), "reason": reason})
    known.told(reply)
    if not as_json and reply["about"]:
        complain(f"(how it goes: {typed('plan status', reply['about'])})")


@plan.command("status")
def status(
    ctx: typer.Context,
    activation: SomeActivation = None,
    every: Annotated[bool, typer.Option("--all", "-a", help="Also those that are over and reviewed.")] = False,
    store: Stopped = None,
    as_json: Json = False,
) -> None:
    """How an emergency stands: level, who is in charge, what is done now, what waits for whom."""

    def in_store(record: "Store") -> object:
        from agent.model.settings import Settings
        from agent.runtime.control.emergency_views import emergency_view

        one = record.activation(activation) if activation else None
        found = [one] if one else [] if activation else record.activations(open_only=not every)
        return [emergency_view(each, Settings()) for each in found]

    exercises: list[StatusAnswer] = []

    def of_agent(agent: AgentClient) -> object:
        if not as_json:
            exercises.append(agent.get("status"))
        if activation is None:
            return agent.get("activations", all=every)["activations"]
        return [agent.get("activations", activation)]

    found: list[EmergencyAnswer] = asked(session(ctx), store, of_agent, in_store)
    if activation is not None and not found:
        raise refused(f"no emergency is called {activation}")
    if as_json:
        say_json({"activations": found})
        return
    for told in exercises:
        print_exercises(console(), told)
    if not found:
        say("no emergency plan has ever been at work" if every else "no emergency plan is at work, no review is open")
        return
    from agent.cli.emergency_text import emergency_table, print_emergency

    out = console()
    if every and activation is None:
        put(out, emergency_table(found, times.now()))
        return
    for number, one in enumerate(found):
        if number:
            out.print()
        print_emergency(out, one, times.now())


@plan.command("ack")
def ack(
    ctx: typer.Context,
    activation: ActivationId,
    role: Annotated[RoleName | None, typer.Option(help="Only of this role; default: every call to you.")] = None,
    for_whom: Annotated[
        str | None, typer.Option("--for", metavar="PERSON", help="Who said so to you, by telephone.")
    ] = None,
    as_json: Json = False,
) -> None:
    """You were called, and are there."""
    _act(ctx, activation, "acknowledge", role=role.value if role else None, whom=for_whom)


@plan.command("tick")
def tick(
    ctx: typer.Context,
    activation: ActivationId,
    number: Annotated[int, typer.Argument(metavar="N", min=1, help="Number of the action.")],
    skip: Annotated[bool, typer.Option("--skip", help="It is not done, and need not be.")] = False,
    note: Annotated[str, typer.Option(metavar="TEXT", help="What came of it, for the record.")] = "",
    as_json: Json = False,
) -> None:
    """An action of the plan is settled: done by hand, or skipped."""
    _act(ctx, activation, "tick", number=number, skip=skip, note=note)


@plan.command("stand-down")
def stand_down(
    ctx: typer.Context,
    activation: ActivationId,
    force: Annotated[bool, typer.Option("--force", help="Whatever the checks say; needs --reason.")] = False,
    reason: Annotated[str, typer.Option(metavar="WHY", help="For the record.")] = "",
    as_json: Json = False,
) -> None:
    """Confirm that the emergency is over; ordinary treatment goes on (as a commander)."""
    if force and not reason.strip():
        raise typer.BadParameter("say why it is over although the checks do not: --reason WHY", param_hint="--force")
    _act(ctx, activation, "stand-down", force=force, reason=reason)


def _act(ctx: typer.Context, activation: str, act: str, **body: object) -> None:
    known = session(ctx)
    known.told(known.agent.post("activations", activation, act, body=body))


def _level(text: str) -> str:
    words = {"1": "I", "2": "II", "3": "III", "4": "IV"}
    level = words.get(text.strip(), text.strip().upper())
    if level not in words.values():
        raise typer.BadParameter(f"{text!r} is no level: I is the gravest, then II, III and IV", param_hint="--level")
    return level


def _plans(known: Session, config: Path | None) -> list[PlanAnswer]:
    """From the running agent, else from the configuration."""
    try:
        if config is not None:
            raise NoAgent("a configuration was named")
        found: list[PlanAnswer] = known.agent.get("plans")["plans"]
    except NoAgent as nobody:
        from agent.cli.library import plans_in

        folder = config or places.config_folder()
        if config is None and not folder.is_dir():
            raise nobody from None
        found = plans_in(folder)
        if config is None and not known.json:
            complain(f"(no agent is running: read from {folder})")
    return found
