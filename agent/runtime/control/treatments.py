"""Runbooks, running one by hand, and the global stop."""

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import Field

from agent.model.access import Role
from agent.model.events import Freeze, RunByHand, Unfreeze
from agent.runtime.control.admission import Commander, Responder, Viewer
from agent.runtime.control.answer import answer, told
from agent.runtime.control.body import Body, Hosts, Line, Prose, Written
from agent.runtime.control.port import Control

Value = str | int | float | bool
Values = Annotated[dict[Line, Value], Field(max_length=1000)]


class Run(Body):
    runbook: Line
    hosts: Hosts = ()
    variables: Values = {}
    incident: Line | None = None
    override: Written | None = None


class Stop(Body):
    reason: Written


class Lift(Body):
    reason: Prose = ""


def treatments(control: Control) -> APIRouter:
    router = APIRouter()

    @router.get("/runbooks")
    def list_runbooks(who: Viewer) -> Response:
        return answer({"runbooks": control.runbooks()})

    @router.post("/executions")
    def run_a_runbook(body: Run, who: Responder) -> Response:
        if body.override is not None:
            who.must_be(Role.COMMANDER, "overrule guards")
        return told(control.act(who.actor, RunByHand(**body.model_dump())))

    @router.post("/freeze")
    def freeze(body: Stop, who: Commander) -> Response:
        return told(control.act(who.actor, Freeze(body.reason)))

    @router.post("/unfreeze")
    def unfreeze(body: Lift, who: Commander) -> Response:
        return told(control.act(who.actor, Unfreeze(body.reason)))

    return router
