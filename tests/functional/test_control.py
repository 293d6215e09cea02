"""The control API on a real socket: answers, refusals, who spoke, what is too much."""

import os
import select
import socket
import threading
from dataclasses import fields
from typing import Any

import pytest

from agent.cli import answers
from agent.model import decision, execution, incident, priority, timeline, views
from agent.model.events import AddNote, Approve, Freeze, Report, RunByHand
from agent.model.observation import Observation
from agent.model.priority import Priority, Urgency
from tests.functional.control_request import me, request
from tests.functional.control_site import ControlSite

_WITHIN = 30


def test_questions_are_answered_with_the_words_of_the_model(site: ControlSite) -> None:
    status, answer = request(site.socket, "GET", "/v1/status")
    assert (status, answer["pid"], answer["tickets"]["last_error"]) == (200, 4711, "connection refused")
    status, answer = request(site.socket, "GET", "/v1/stories/INC-12")
    assert status == 200
    assert answer["incident"]["symptoms"][0]["status"] == "CRITICAL"
    assert answer["entries"][0]["entry"]["kind"] == "noticed"
    status, answer = request(site.socket, "GET", "/v1/checks")
    assert answer["checks"][0]["subjects"][0]["message"].endswith("INC-13")


def test_incidents_are_asked_for_with_a_filter(site: ControlSite) -> None:
    status, answer = request(
        site.socket, "GET", "/v1/incidents?all=true&service=shop&priority=P1&since=1763658668.5&limit=5"
    )
    assert status == 200
    assert answer["incidents"][0]["id"] == "INC-12"
    query = site.control.queries[-1]
    assert (query.all, query.service, query.priority, query.since, query.limit) == (
        True,
        "shop",
        Priority.P1,
        1763658668.5,
        5,
    )


@pytest.mark.parametrize(
    ("path", "body", "act"),
    [
        ("incidents/INC-12/note", {"text": " two\nlines "}, AddNote("INC-12", "two\nlines")),
        ("approvals/RUN-7", {"yes": False, "reason": "no"}, Approve("RUN-7", False, "no")),
        ("freeze", {"reason": "fire"}, Freeze("fire")),
        (
            "incidents",
            {"title": "slow", "hosts": ["web1"], "urgency": "high"},
            Report("slow", hosts=("web1",), urgency=Urgency.HIGH),
        ),
        (
            "executions",
            {"runbook": "restart-web", "hosts": ["web1"], "variables": {"n": 3, "force": True}},
            RunByHand("restart-web", ("web1",), {"n": 3, "force": True}),
        ),
    ],
)
def test_an_act_reaches_the_agent_with_who_did_it(site: ControlSite, path: str, body: object, act: object) -> None:
    status, answer = request(site.socket, "POST", f"/v1/{path}", body)
    assert (status, answer["ok"]) == (200, True)
    assert site.control.acts == [(me(), act)]


def test_an_act_that_is_not_possible_is_409_with_the_reason(site: ControlSite) -> None:
    site.control.refuse = "cannot close an incident that is new"
    status, answer = request(site.socket, "POST", "/v1/incidents/INC-12/close", {"reason": "done"})
    assert (status, answer) == (409, {"error": "cannot close an incident that is new", "about": "INC-12"})


@pytest.mark.parametrize(
    ("target", "body", "status", "said"),
    [
        ("/v1/incidents/INC-12/note", {"txt": "hi"}, 422, "body.text: Field required"),
        ("/v1/incidents/INC-12/note", {"text": "  "}, 422, "at least 1 character"),
        ("/v1/incidents/INC-12/note", {"text": "x" * 20_001}, 422, "at most 20000 characters"),
        ("/v1/incidents/INC-12/assign", {"to": "team", "as": "root"}, 422, "Extra inputs"),
        ("/v1/freeze", {"reason": ""}, 422, "at least 1 character"),
        ("/v1/incidents", {"title": "x", "urgency": "now"}, 422, "body.urgency"),
        ("/v1/executions", {"runbook": "x", "variables": {"a": {"b": 1}}}, 422, "variables"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_in_one_sentence(
    site: ControlSite, target: str, body: object, status: int, said: str
) -> None:
    got, answer = request(site.socket, "POST", target, body)
    assert got == status
    assert said in answer["error"]
    assert "\n" not in answer["error"]
    assert site.control.acts == []


def test_what_is_not_there_is_404(site: ControlSite) -> None:
    assert request(site.socket, "GET", "/v1/stories/INC-99")[0] == 404
    assert request(site.socket, "POST", "/v1/checks/nope/ask", {})[0] == 404
    assert request(site.socket, "GET", "/v1/stories/..%2Fetc")[0] == 404
    assert "error" in request(site.socket, "GET", "/nothing")[1]


def test_a_busy_agent_and_a_full_disk_are_503_and_say_so(site: ControlSite) -> None:
    site.control.busy = True
    status, answer = request(site.socket, "POST", "/v1/freeze", {"reason": "fire"})
    assert (status, answer) == (503, {"error": "the agent has not answered in time"})
    site.control.busy, site.control.full = False, True
    status, answer = request(site.socket, "GET", "/v1/stories/INC-12")
    assert (status, answer) == (503, {"error": "no space left on the disk of the record"})


def test_a_defect_tells_no_insides(site: ControlSite) -> None:
    site.control.broken = True
    status, answer = request(site.socket, "GET", "/v1/status")
    assert status == 500
    assert "ZeroDivisionError" in answer["error"]
    assert "inside" not in answer["error"]


def test_a_body_beyond_the_limit_is_refused(site: ControlSite) -> None:
    status, _ = request(site.socket, "POST", "/v1/incidents/INC-12/note", {"text": "x" * 300_000})
    assert status == 413
    assert site.control.acts == []


def test_an_endless_body_is_cut_off(site: ControlSite) -> None:
    """Without a Content-Length the limit holds while it arrives, and no more is taken from the caller."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(os.fspath(site.socket))
        connection.sendall(
            b"POST /v1/incidents/INC-12/note HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        chunk = b"%x\r\n" % 0x1000 + b"x" * 0x1000 + b"\r\n"
        sent = 0
        readable: list[socket.socket] = []
        while not readable and sent < 10_000_000:
            readable, writable, _ = select.select([connection], [connection], [], _WITHIN)
            assert readable or writable, "neither an answer nor room for more"
            sent += connection.send(chunk) if writable and not readable else 0
        assert b" 413 " in connection.recv(64)
        assert sent < 10_000_000


def test_figures_are_there_where_a_registry_was_given(site: ControlSite) -> None:
    status, text = request(site.socket, "GET", "/metrics")
    assert status == 200
    assert "paramedic_decisions_total 3.0" in text


def test_questions_do_not_wait_for_acts(site: ControlSite) -> None:
    site.control.hold = threading.Event()
    waiting = threading.Thread(
        target=request, args=(site.socket, "POST", "/v1/freeze", {"reason": "fire"}), name="waits", daemon=True
    )
    waiting.start()
    try:
        assert request(site.socket, "GET", "/v1/status")[0] == 200
        assert waiting.is_alive()
    finally:
        site.control.hold.set()
        waiting.join(_WITHIN)


# who speaks

_ANSWERED = {
    answers.IncidentAnswer: incident.Incident,
    answers.SymptomAnswer: incident.Symptom,
    answers.AttemptAnswer: incident.Attempt,
    answers.TicketAnswer: incident.TicketRef,
    answers.ClassificationAnswer: priority.Classification,
    answers.ExecutionAnswer: execution.Execution,
    answers.RunAnswer: execution.HostRun,
    answers.EntryAnswer: timeline.Entry,
    answers.StoredEntryAnswer: views.StoredEntry,
    answers.StoryAnswer: views.Story,
    answers.StatusAnswer: views.Status,
    answers.TicketsAnswer: views.TicketsView,
    answers.ScheduleAnswer: views.ScheduleView,
    answers.FreezeAnswer: decision.GlobalFreeze,
    answers.CheckAnswer: views.CheckView,
    answers.SubjectAnswer: views.SubjectView,
    answers.ObservationAnswer: Observation,
    answers.RunbookAnswer: views.RunbookView,
    answers.ChainAnswer: views.ChainView,
    answers.ReplyAnswer: decision.Reply,
}


@pytest.mark.parametrize(("read", "answered"), _ANSWERED.items(), ids=lambda kind: kind.__name__)
def test_the_command_reads_keys_that_are_answered(read: Any, answered: Any) -> None:
    assert set(read.__annotations__) <= {field.name for field in fields(answered)}
