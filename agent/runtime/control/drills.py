"""Drills inside the agent."""

from fastapi import APIRouter, Query, Response

from agent.runtime.control.admission import Commander, Viewer
from agent.runtime.control.answer import answer, told
from agent.runtime.control.body import Body, Line, Prose
from agent.runtime.control.port import Control


class Wanted(Body):
    drill: Line


class Why(Body):
    reason: Prose = ""


def drills(control: Control) -> APIRouter:
    router = APIRouter(prefix="/drills")

    @router.post("")
    def begin_a_drill(body: Wanted, who: Commander) -> Response:
        return told(control.drills.start(body.drill, who.actor))

    @router.get("")
    def follow_the_drill(who: Viewer, after: int = Query(0, ge=0)) -> Response:
        last, lines, over = control.drills.told(after)
        return answer({"last": last, "told": lines, "over": over})

    @router.post("/abort")
    def abort_the_drill(who: Commander, body: Why | None = None) -> Response:
        reason = f": {body.reason}" if body and body.reason else ""
        return told(control.drills.abort(f"aborted by {who.actor}{reason}"))

    return router
