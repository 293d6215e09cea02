"""Emergency plans: what there is, what is at work, what people do about it, and the reviews."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import AfterValidator, StringConstraints

from agent.model.events import AcknowledgeCall, ActivatePlan, CloseReview, EndEmergency, TickAction
from agent.model.plan import Level, PlanRole
from agent.model.text import printable_lines
from agent.runtime.control.admission import Commander, Responder, Viewer
from agent.runtime.control.answer import answer, refusal, told
from agent.runtime.control.body import Body, Line, Prose, Written
from agent.runtime.control.port import Control

Document = Annotated[str, StringConstraints(min_length=1, max_length=200_000), AfterValidator(printable_lines)]


class Declaration(Body):
    level: Level
    reason: Written


class Acknowledgement(Body):
    role: PlanRole | None = None
    whom: Line | None = None


class Tick(Body):
    number: int
    skip: bool = False
    note: Prose = ""


class End(Body):
    force: bool = False
    reason: Prose = ""


class Review(Body):
    text: Document


def emergencies(control: Control) -> APIRouter:
    """Questions."""
    router = APIRouter()

    @router.get("/plans")
    def list_plans(who: Viewer) -> Response:
        return answer({"plans": control.emergencies.plans()})

    @router.get("/activations")
    def list_activations(who: Viewer, all: bool = False, limit: int = Query(100, ge=1, le=10_000)) -> Response:
        return answer({"activations": control.emergencies.emergencies(all=all, limit=limit)})

    @router.get("/activations/{activation}")
    def see_activation(activation: str, who: Viewer) -> Response:
        found = control.emergencies.emergency(activation)
        return answer(found) if found else _unknown(activation)

    @router.get("/activations/{activation}/review")
    def read_review(activation: str, who: Viewer) -> Response:
        found = control.emergencies.review(activation)
        return answer(found) if found else _unknown(activation)

    @router.get("/resources")
    def list_resources(who: Viewer) -> Response:
        return answer({"resources": control.emergencies.resources()})

    return router


def acts_on_emergencies(control: Control) -> APIRouter:
    router = APIRouter()

    @router.post("/plans/{plan}/activate")
    def activate(plan: str, body: Declaration, who: Commander) -> Response:
        return told(control.act(who.actor, ActivatePlan(plan, body.level, body.reason)))

    @router.post("/activations/{activation}/acknowledge")
    def acknowledge_call(activation: str, body: Acknowledgement, who: Responder) -> Response:
        return told(control.act(who.actor, AcknowledgeCall(activation, body.role, body.whom)))

    @router.post("/activations/{activation}/tick")
    def tick(activation: str, body: Tick, who: Responder) -> Response:
        return told(control.act(who.actor, TickAction(activation, body.number, body.skip, body.note)))

    @router.post("/activations/{activation}/stand-down")
    def stand_down(activation: str, body: End, who: Commander) -> Response:
        return told(control.act(who.actor, EndEmergency(activation, body.reason, body.force)))

    @router.post("/activations/{activation}/review")
    def close_review(activation: str, body: Review, who: Responder) -> Response:
        return told(control.act(who.actor, CloseReview(activation, body.text)))

    return router


def _unknown(activation: str) -> Response:
    return refusal(404, f"no emergency is called {activation}: paramedic plan status --all lists them")
