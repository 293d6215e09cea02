"""The agent as a whole: its state, its record, its configuration, its figures."""

from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from agent.runtime.control.answer import answer, told
from agent.runtime.control.peer import WhoCalls
from agent.runtime.control.port import Control


def whole(control: Control) -> APIRouter:
    router = APIRouter()

    @router.get("/status")
    def status() -> Response:
        return answer(control.status())

    @router.get("/records/verify")
    def verify() -> Response:
        return answer(control.verify_records())

    @router.post("/reload")
    def reload(who: WhoCalls) -> Response:
        return told(control.reload(who.actor))

    return router


def figures(registry: CollectorRegistry) -> APIRouter:
    """For Prometheus, in its text format."""
    router = APIRouter()

    @router.get("/metrics")
    def metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return router
