"""Checks: what they last said, and asking one now."""

from fastapi import APIRouter, Response

from agent.runtime.control.admission import Responder, Viewer
from agent.runtime.control.answer import answer, refusal
from agent.runtime.control.body import Body, Line
from agent.runtime.control.port import Control


class Where(Body):
    host: Line | None = None


def checks(control: Control) -> APIRouter:
    router = APIRouter()

    @router.get("/checks")
    def list_checks(who: Viewer) -> Response:
        return answer({"checks": control.checks()})

    @router.post("/checks/{name}/ask")
    def ask(name: str, where: Where, who: Responder) -> Response:
        found = control.ask(name, where.host)
        if found is None:
            there = f" on {where.host}" if where.host else ""
            return refusal(404, f"there is no check {name}{there}")
        return answer({"observations": found})

    return router
