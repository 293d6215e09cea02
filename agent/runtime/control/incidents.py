"""Incidents: what there is, their stories, and what people do about them."""

from fastapi import APIRouter, Query, Response

from agent.model.access import Role
from agent.model.events import Acknowledge, AddNote, Approve, Assign, Close, Escalate, Reopen, Report, Resolve
from agent.model.priority import Priority, Urgency
from agent.runtime.control.admission import Responder, Viewer
from agent.runtime.control.answer import answer, refusal, told
from agent.runtime.control.body import Body, Hosts, Line, Prose, Written
from agent.runtime.control.port import Control, IncidentQuery


class Reason(Body):
    reason: Prose = ""


class Note(Body):
    text: Written


class Assignment(Body):
    to: Line


class Approval(Body):
    yes: bool
    reason: Prose = ""


class Fault(Body):
    title: Line
    description: Prose = ""
    service: Line | None = None
    hosts: Hosts = ()
    category: Line = "general"
    urgency: Urgency = Urgency.MEDIUM
    reporter: Line | None = None


def incidents(control: Control) -> APIRouter:
    """Questions about incidents, and reports of new ones."""
    router = APIRouter()

    @router.get("/incidents")
    def list_incidents(
        who: Viewer,
        all: bool = False,
        service: str | None = None,
        priority: Priority | None = None,
        since: float | None = None,
        limit: int = Query(100, ge=1, le=10_000),
    ) -> Response:
        return answer({"incidents": control.incidents(IncidentQuery(all, service, priority, since, limit))})

    @router.get("/stories/{about}")
    def read_story(about: str, who: Viewer) -> Response:
        found = control.story(about)
        return answer(found) if found else refusal(404, f"there is no incident, run or emergency called {about}")

    @router.post("/incidents")
    def report(fault: Fault, who: Responder) -> Response:
        return told(control.act(who.actor, Report(**fault.model_dump())))

    return router


def acts_on_incidents(control: Control) -> APIRouter:
    router = APIRouter(prefix="/incidents/{incident}")

    @router.post("/acknowledge")
    def acknowledge(incident: str, who: Responder) -> Response:
        return told(control.act(who.actor, Acknowledge(incident)))

    @router.post("/note")
    def note(incident: str, body: Note, who: Responder) -> Response:
        return told(control.act(who.actor, AddNote(incident, body.text)))

    @router.post("/assign")
    def assign(incident: str, body: Assignment, who: Responder) -> Response:
        return told(control.act(who.actor, Assign(incident, body.to)))

    @router.post("/escalate")
    def escalate(incident: str, body: Reason, who: Responder) -> Response:
        return told(control.act(who.actor, Escalate(incident, body.reason)))

    @router.post("/resolve")
    def resolve(incident: str, body: Reason, who: Responder) -> Response:
        return told(control.act(who.actor, Resolve(incident, body.reason)))

    @router.post("/close")
    def close(incident: str, body: Reason, who: Responder) -> Response:
        return told(control.act(who.actor, Close(incident, body.reason)))

    @router.post("/reopen")
    def reopen(incident: str, body: Reason, who: Responder) -> Response:
        return told(control.act(who.actor, Reopen(incident, body.reason)))

    return router


def approvals(control: Control) -> APIRouter:
    router = APIRouter()

    @router.post("/approvals/{about}")
    def approve(about: str, body: Approval, who: Responder) -> Response:
        if about.startswith("PLAN-"):
            who.must_be(Role.COMMANDER, f"answer for an emergency plan ({about})")
        return told(control.act(who.actor, Approve(about, body.yes, body.reason)))

    return router
