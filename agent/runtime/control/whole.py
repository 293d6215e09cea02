"""The agent as a whole: its state, its record, its configuration, its figures, and this API's description."""

from dataclasses import replace

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from agent.model.access import Role
from agent.model.views import YouView
from agent.runtime.control.admission import Commander, Viewer
from agent.runtime.control.answer import answer, told
from agent.runtime.control.port import Control


def whole(control: Control) -> APIRouter:
    router = APIRouter()

    @router.get("/status")
    def see_status(who: Viewer) -> Response:
        return answer(replace(control.status(), you=YouView(who.actor, who.standing.role)))

    @router.get("/records/verify")
    def verify_records(who: Viewer) -> Response:
        return answer(control.verify_records())

    @router.post("/reload")
    def reload(who: Commander) -> Response:
        reply = control.reload(who.actor)
        now = who.standing_now()
        if now.role is not Role.COMMANDER:
            reply = replace(reply, text=f"{reply.text}; mind: {now} from now on")
        return told(reply)

    @router.get("/openapi.json", include_in_schema=False)
    def see_routes(request: Request, who: Viewer) -> Response:
        return answer(request.app.openapi())

    return router


def figures(registry: CollectorRegistry) -> APIRouter:
    """For Prometheus, in its text format."""
    router = APIRouter()

    @router.get("/metrics")
    def see_figures(who: Viewer) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return router
