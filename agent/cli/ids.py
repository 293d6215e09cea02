"""Naming things on the command line: `INC-12`, `inc-12`, `12`; `RUN-7`; `PLAN-1`."""

import re
from typing import Annotated

import typer

from agent.cli.completion import activations, open_incidents

_INCIDENT = re.compile(r"(?:INC-)?(\d{1,12})")
_EXECUTION = re.compile(r"RUN-(\d{1,12})")
_ACTIVATION = re.compile(r"PLAN-(\d{1,12})")


def _incident(text: str) -> str:
    found = _INCIDENT.fullmatch(text.upper())
    if found is None:
        raise typer.BadParameter(f"{text!r} is no incident; one looks like INC-12")
    return f"INC-{int(found[1])}"


def _anything(text: str) -> str:
    if found := _ACTIVATION.fullmatch(text.upper()):
        return f"PLAN-{int(found[1])}"
    if found := _EXECUTION.fullmatch(text.upper()):
        return f"RUN-{int(found[1])}"
    if found := _INCIDENT.fullmatch(text.upper()):
        return f"INC-{int(found[1])}"
    if text.lower() == "agent":
        return "agent"
    raise typer.BadParameter(f"{text!r} is no incident, run or emergency (INC-12, RUN-7, PLAN-1), nor agent")


def _activation(text: str) -> str:
    number = text.upper().removeprefix("PLAN-")
    if not re.fullmatch(r"\d{1,12}", number):
        raise typer.BadParameter(f"{text!r} is no emergency; one looks like PLAN-1")
    return f"PLAN-{int(number)}"


def _some_activation(text: str | None) -> str | None:
    return None if text is None else _activation(text)


def _some_incident(text: str | None) -> str | None:
    return None if text is None else _incident(text)


IncidentId = Annotated[
    str,
    typer.Argument(metavar="INC-12", help="The incident.", callback=_incident, autocompletion=open_incidents),
]
About = Annotated[
    str,
    typer.Argument(
        metavar="INC-12|RUN-7|PLAN-1|agent",
        help="An incident, a run of a runbook, an emergency, or what concerns the agent itself.",
        callback=_anything,
        autocompletion=open_incidents,
    ),
]
SomeIncident = Annotated[
    str | None,
    typer.Option(
        "--incident", metavar="INC-12", help="On this incident.", callback=_some_incident, autocompletion=open_incidents
    ),
]
ActivationId = Annotated[
    str,
    typer.Argument(metavar="PLAN-1", help="The emergency.", callback=_activation, autocompletion=activations),
]
SomeActivation = Annotated[
    str | None,
    typer.Argument(
        metavar="[PLAN-1]", help="Only this emergency.", callback=_some_activation, autocompletion=activations
    ),
]
