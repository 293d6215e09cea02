"""Leave for drills."""

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import Field

from agent.model.events import BeginExercise, EndExercise
from agent.runtime.control.admission import Commander
from agent.runtime.control.answer import told
from agent.runtime.control.body import Body, Hosts, Line, Prose
from agent.runtime.control.port import Control

Lease = Annotated[float, Field(gt=0, le=600)]


class Wanted(Body):
    title: Line
    hosts: Hosts = ()
    checks: Hosts = ()
    services: Hosts = ()
    lease: Lease = 60.0


class Over(Body):
    reason: Prose = ""


def exercises(control: Control) -> APIRouter:
    router = APIRouter(prefix="/exercises/{exercise}")

    @router.post("")
    def begin_or_renew(exercise: str, body: Wanted, who: Commander) -> Response:
        return told(control.act(who.actor, BeginExercise(exercise, **body.model_dump())))

    @router.post("/end")
    def end(exercise: str, body: Over, who: Commander) -> Response:
        return told(control.act(who.actor, EndExercise(exercise, body.reason)))

    return router
