"""`checks list`, `checks run`, `checks kinds`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from agent.cli import style, times
from agent.cli.agent_client import NoAgent
from agent.cli.answers import CheckAnswer, ObservationAnswer, SubjectAnswer
from agent.cli.completion import check_names
from agent.cli.daemon import InsteadOfAgent
from agent.cli.exits import Code, no_such
from agent.cli.nouns import noun
from agent.cli.session import Json, Session, session
from agent.cli.terminal import complain, console, put, safe, say, say_json

checks = noun("checks", "What is watched, and what it says.")

_ASKED_WITHIN = 300.0
Name = Annotated[str, typer.Argument(metavar="CHECK", help="Name of the check.", autocompletion=check_names)]
SomeName = Annotated[str | None, typer.Argument(metavar="[CHECK]", help="Only this check.", autocompletion=check_names)]


@checks.command("list")
def listed(
    ctx: typer.Context,
    name: SomeName = None,
    bad: Annotated[bool, typer.Option("--bad", help="Only what is not well.")] = False,
    as_json: Json = False,
) -> None:
    """What every check last said, subject by subject."""
    found: list[CheckAnswer] = session(ctx).agent.get("checks")["checks"]
    if name is not None:
        known = [check["name"] for check in found]
        found = [check for check in found if check["name"] == name]
        if not found:
            raise no_such("check", name, known)
    everything = found
    if bad:
        found = [{**check, "subjects": [one for one in check["subjects"] if _is_bad(one)]} for check in found]
        found = [check for check in found if check["subjects"]]
    if as_json:
        say_json({"checks": found})
    elif found:
        from agent.cli.check_table import check_table

        out = console()
        put(out, check_table(found, times.now(), out.width))
    else:
        say(_nothing_bad(everything) if bad else "no checks are configured")


@checks.command("run")
def run(
    ctx: typer.Context,
    name: Name,
    host: Annotated[str | None, typer.Option(metavar="HOST", help="Only on this host.")] = None,
    config: InsteadOfAgent = None,
    as_json: Json = False,
) -> None:
    """Ask a check now: the running agent does, else this command itself. Exit code 1 unless all is well."""
    found, nobody = _asked_of_agent(session(ctx), name, host) if config is None else (None, None)
    if found is None:  # outside of any `except`: what fails below must not look like the agent's absence
        from agent.cli.ask_locally import ask_locally

        found = ask_locally(name, host, config, nobody)
        if config is None and not as_json:
            complain("(no agent is running: asked from here, and judged by this one answer)")
    if as_json:
        say_json({"observations": found})
    else:
        _say_observations(found)
    if any(one["verdict"] != "OK" for one in found):
        raise typer.Exit(Code.NO)


@checks.command("kinds")
def kinds(
    kind: Annotated[str | None, typer.Argument(metavar="[KIND]", help="Only this kind, with all its keys.")] = None,
    as_json: Json = False,
) -> None:
    """The kinds of checks that are installed, what thresholds may speak of, and their keys."""
    from agent.cli.check_kinds import describe, print_kinds

    found = describe(kind)
    if as_json:
        say_json({"kinds": found})
    else:
        print_kinds(console(), found, in_detail=kind is not None)


def _asked_of_agent(
    known: Session, name: str, host: str | None
) -> tuple[list[ObservationAnswer] | None, NoAgent | None]:
    """What the running agent was answered, or why there is no agent."""
    try:
        answer = known.agent.post("checks", name, "ask", body={"host": host}, within=_ASKED_WITHIN)
    except NoAgent as nobody:
        return None, nobody
    return answer["observations"], None


def _is_bad(subject: SubjectAnswer) -> bool:
    """An answer that nothing confirms yet is no news of an incident, but not well either."""
    states = (subject["status"], subject["last"])
    return any(state not in ("OK", None) for state in states) or subject["blind"] or subject["flapping"]


def _nothing_bad(found: Sequence[CheckAnswer]) -> str:
    """All is well only if every check has said so."""
    silent = sum(1 for check in found if not check["subjects"])
    unconfirmed = sum(1 for check in found for one in check["subjects"] if one["status"] is None)
    not_yet = [f"{unconfirmed} not confirmed"] * bool(unconfirmed) + [f"{silent} not asked"] * bool(silent)
    return f"nothing bad so far, but yet {' and '.join(not_yet)}" if not_yet else "all is well"


def _say_observations(found: Sequence[ObservationAnswer]) -> None:
    from rich.text import Text

    out = console()
    for one in found:
        text = Text(f"{one['verdict']:<9}", style.VERDICT.get(one["verdict"], ""))
        text.append(safe(one["subject"] or one["check"]), "bold")
        out.print(text.append(f"  {safe(one['message'])}", "default"))
    if not found:
        out.print("it answered, and reports no subject")
