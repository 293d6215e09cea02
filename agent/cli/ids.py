"""Naming incidents and executions on the command line: `INC-12`, `inc-12`, `12`; `RUN-7`."""

import re
from typing import Annotated

import typer

from agent.cli.completion import open_incidents

_INCIDENT = re.compile(r"(?:INC-)?(\d{1,12})")
_EXECUTION = re.compile(r"RUN-(\d{1,12})")


def _incident(text: str) -> str:
    found = _INCIDENT.fullmatch(text.upper())
    if found is None:
        raise typer.BadParameter(f"{text!r} is no incident; one looks like INC-12")
    return f"INC-{int(found[1])}"


def _incident_or_execution(text: str) -> str:
    if found := _EXECUTION.fullmatch(text.upper()):
        return f"RUN-{int(found[1])}"
    if found := _INCIDENT.fullmatch(text.upper()):
        return f"INC-{int(found[1])}"
    if text.lower() == "agent":
        return "agent"
    raise typer.BadParameter(f"{text!r} is neither an incident nor a run (INC-12, RUN-7), nor agent")


def _some_incident(text: str | None) -> str | None:
    return None if text is None else _incident(text)


IncidentId = Annotated[
    str,
    typer.Argument(metavar="INC-12", help="The incident.", callback=_incident, autocompletion=open_incidents),
]
About = Annotated[
    str,
    typer.Argument(
        metavar="INC-12|RUN-7|agent",
        help="An incident, a run of a runbook, or what concerns the agent itself.",
        callback=_incident_or_execution,
        autocompletion=open_incidents,
    ),
]
SomeIncident = Annotated[
    str | None,
    typer.Option(
        "--incident", metavar="INC-12", help="On this incident.", callback=_some_incident, autocompletion=open_incidents
    ),
]
