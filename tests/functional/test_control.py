"""The control API on a real socket: answers, refusals, who spoke, what is too much."""

import errno
import http.client
import json
import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter

from agent.cli import answers
from agent.model import decision, execution, incident, priority, timeline, views
from agent.model.events import AddNote, Approve, Freeze, Report, RunByHand
from agent.model.observation import Observation
from agent.model.priority import Priority, Urgency
from agent.runtime.control.server import ControlServer
from agent.runtime.control.socket_file import SocketError
from tests.functional.control_site import ControlSite, control_site, short_folder
from tests.functional.fake_control import FakeControl
from tests.neighbours.waiting import until

_WITHIN = 30


@pytest.fixture(scope="module")
def _served() -> Iterator[ControlSite]:
    registry = CollectorRegistry()
    Counter("paramedic_decisions", "Decisions made.", registry=registry).inc(3)
    with control_site(registry) as site:
        yield site


@pytest.fixture
def site(_served: ControlSite) -> ControlSite:
    _served.control.__init__()  # type: ignore[misc]
    return _served


def request(
    path: Path, method: str, target: str, body: object = None, content: bytes | None = None, **headers: str
) -> tuple[int, Any]:
    """Status and JSON body (text where it is none)."""
    connection = http.client.HTTPConnection("paramedic", timeout=_WITHIN)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(_WITHIN)
    connection.sock.connect(os.fspath(path))
    content = content if content is not None else None if body is None else json.dumps(body).encode()
    sent = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, target, content, sent)
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    try:
        return response.status, json.loads(text)
    except ValueError:
        return response.status, text


def me() -> str:
    import pwd

    return pwd.getpwuid(os.geteuid()).pw_name


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

_NOTE_BY_RAW_SOCKET = """
import os, socket, sys
os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))
s = socket.socket(socket.AF_UNIX); s.settimeout(30); s.connect(sys.argv[1])
body = b'{"text": "hi"}'
s.sendall(b"POST /v1/incidents/INC-12/note HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n"
          b"Content-Type: application/json\\r\\nparamedic-for: alice\\r\\n"
          b"Content-Length: %d\\r\\n\\r\\n" % len(body) + body)
while data := s.recv(4096): sys.stdout.buffer.write(data)
"""


def note_as(path: Path, uid: int) -> None:
    """A note from a process that became another user."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", _NOTE_BY_RAW_SOCKET, path, str(uid)],
        capture_output=True,
        timeout=_WITHIN,
        check=True,
    )
    assert b"200 OK" in done.stdout, done.stdout


def _open_to_all(path: Path) -> None:
    for folder in (path.parent, path.parent.parent):
        folder.chmod(0o755)
    path.chmod(0o666)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="NOT RUN HERE: acting as another user, because that needs root")
@pytest.mark.parametrize(("uid", "actor"), [(65534, "nobody"), (54321, "uid 54321")])
def test_the_kernel_says_who_acts_and_a_claim_of_others_is_not_believed(
    site: ControlSite, uid: int, actor: str
) -> None:
    _open_to_all(site.socket)
    note_as(site.socket, uid)
    assert [who for who, _ in site.control.acts] == [actor]


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="NOT RUN HERE: acting as root, because that needs root")
@pytest.mark.parametrize(
    ("claim", "actor"),
    [("alice", "root (for alice)"), ("root", "root"), ("a b", "root"), ("x" * 65, "root"), ("a\x1b[31m", "root")],
)
def test_root_may_say_for_whom_it_acts(site: ControlSite, claim: str, actor: str) -> None:
    status, _ = request(site.socket, "POST", "/v1/incidents/INC-12/acknowledge", {}, paramedic_for=claim)
    assert status in (200, 400)  # h11 itself refuses an escape in a header
    assert [who for who, _ in site.control.acts] in ([actor], [])
    assert status == 400 or site.control.acts


# the socket as a file


def test_the_socket_is_private(site: ControlSite, tmp_path: Path) -> None:
    with short_folder() as folder:
        path = folder / "new" / "c.sock"
        before = os.umask(0o077)
        try:
            server = ControlServer(FakeControl(), path)
            server.start()
        finally:
            os.umask(before)
        assert path.stat().st_mode & 0o777 == 0o660
        assert path.parent.stat().st_mode & 0o007 == 0
        assert server.stop(_WITHIN)
        assert not path.exists()


def test_the_socket_of_a_dead_agent_is_replaced(site: ControlSite) -> None:
    with short_folder() as folder:
        path = folder / "c.sock"
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(os.fspath(path))
        server = ControlServer(FakeControl(), path)
        server.start()
        assert request(path, "GET", "/v1/status")[0] == 200
        assert server.stop(_WITHIN)


def test_the_socket_of_a_living_agent_is_refused_and_lives_on(site: ControlSite) -> None:
    with pytest.raises(SocketError, match=rf"another agent \(process {os.getpid()}\)"):
        ControlServer(FakeControl(), site.socket).start()
    assert request(site.socket, "GET", "/v1/status")[0] == 200


def test_a_socket_whose_owner_is_too_busy_to_answer_is_not_taken(site: ControlSite) -> None:
    with short_folder() as folder, ExitStack() as waiting:
        path = folder / "c.sock"
        busy = waiting.enter_context(socket.socket(socket.AF_UNIX))
        busy.bind(os.fspath(path))
        busy.listen(0)
        full = 0
        while full == 0:
            caller = waiting.enter_context(socket.socket(socket.AF_UNIX))
            caller.setblocking(False)
            full = caller.connect_ex(os.fspath(path))
        assert full == errno.EAGAIN
        with pytest.raises(SocketError, match="in the way"):
            ControlServer(FakeControl(), path).start()
        assert path.exists()


def test_a_file_in_the_way_is_left_alone(site: ControlSite) -> None:
    with short_folder() as folder:
        path = folder / "c.sock"
        path.write_text("precious")
        with pytest.raises(SocketError, match="no socket"):
            ControlServer(FakeControl(), path).start()
        assert path.read_text() == "precious"
        with pytest.raises(SocketError, match="107 bytes"):
            ControlServer(FakeControl(), folder / ("x" * 120)).start()


def test_a_socket_taken_over_by_another_is_not_removed(site: ControlSite) -> None:
    with short_folder() as folder:
        path = folder / "c.sock"
        server = ControlServer(FakeControl(), path)
        server.start()
        path.unlink()
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(os.fspath(path))
            assert server.stop(_WITHIN)
            assert path.exists()


def test_stopping_waits_for_the_answer_under_way(site: ControlSite) -> None:
    with short_folder() as folder:
        control, path = FakeControl(hold=threading.Event()), folder / "c.sock"
        server = ControlServer(control, path)
        server.start()
        answers_got: list[int] = []
        asking = threading.Thread(
            target=lambda: answers_got.append(request(path, "GET", "/v1/stories/INC-12")[0]), daemon=True
        )
        asking.start()
        # Stopping comes in mid-answer: the fake holds it until the listener is gone.
        stopping = threading.Thread(target=server.stop, args=(_WITHIN,), daemon=True)
        until(lambda: control.held, within=_WITHIN, what="the question is being answered")
        stopping.start()
        assert control.hold is not None
        control.hold.set()
        asking.join(_WITHIN)
        stopping.join(_WITHIN)
        assert answers_got == [200]
        assert not stopping.is_alive()


# what the command reads is what the model says

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
