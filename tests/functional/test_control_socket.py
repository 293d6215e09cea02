"""The control socket: who calls, who may have the file, and how it ends."""

import errno
import gc
import os
import select
import socket
import threading
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from agent.runtime.control.peer import PeerProtocol
from agent.runtime.control.server import ControlServer
from agent.runtime.control.socket_file import SocketError
from tests.functional.control_request import request
from tests.functional.control_site import ControlSite, short_folder
from tests.functional.fake_control import FakeControl
from tests.neighbours.waiting import until

_WITHIN = 30


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="NOT RUN HERE: acting as root, because that needs root")
@pytest.mark.parametrize(
    ("claim", "actor"),
    [("alice", "root (for alice)"), ("root", "root"), ("a b", "root"), ("x" * 65, "root"), ("a\x1b[31m", "root")],
)
def test_root_may_say_for_whom_it_acts(site: ControlSite, claim: str, actor: str) -> None:
    status, _ = request(site.socket, "POST", "/v1/incidents/INC-12/acknowledge", {}, paramedic_for=claim)
    assert status == 200
    assert [who for who, _ in site.control.acts] == [actor]


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


def test_whoever_has_no_answer_when_the_time_is_over_is_told_why(caplog: pytest.LogCaptureFixture) -> None:
    with short_folder() as folder:
        control, path = FakeControl(hold=threading.Event()), folder / "c.sock"
        server = ControlServer(control, path)
        server.start()
        got: list[tuple[int, object]] = []
        asking = threading.Thread(target=lambda: got.append(request(path, "GET", "/v1/stories/INC-12")), daemon=True)
        asking.start()
        until(lambda: control.held, within=_WITHIN, what="the question is being answered")
        stopping = threading.Thread(target=server.stop, args=(_WITHIN,), daemon=True)
        stopping.start()
        until(lambda: "graceful shutdown exceeded" in caplog.text, within=_WITHIN, what="the time is over")
        assert control.hold is not None
        control.hold.set()
        asking.join(_WITHIN)
        stopping.join(_WITHIN)
        assert got == [(503, {"error": "the agent is stopping; what was asked may still be done"})]
        assert "Traceback" not in caplog.text


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


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"GET /v1/st",
        b"GET /v1/status HTTP/1.1\r\nHost: paramedic\r\n\r\n",
        b"POST /v1/incidents HTTP/1.1\r\nHost: paramedic\r\nContent-Length: 1000\r\n\r\n{",
    ],
)
def test_of_callers_who_have_gone_nothing_is_kept(site: ControlSite, said: bytes) -> None:
    """Neither of those who got their answer nor of those who did not wait for it; at once, not half a minute later."""

    def kept() -> int:
        gc.collect()
        return sum(isinstance(each, PeerProtocol) for each in gc.get_objects())

    before = kept()
    for _ in range(10):
        with socket.socket(socket.AF_UNIX) as caller:
            caller.connect(os.fspath(site.socket))
            caller.sendall(said)
        assert request(site.socket, "GET", "/v1/status")[0] == 200
    until(lambda: kept() <= before, within=_WITHIN / 2, what="nothing is kept of them")


HEAD = b"Host: paramedic\r\n"
STATUS = b"GET /v1/status HTTP/1.1\r\n" + HEAD + b"\r\n"
SECOND = "never ends the head of a second request"
BEGUN = {
    "says nothing": b"",
    "never ends the head": b"GET /v1/st",
    "never takes the answer": b"GET /v1/stories/INC-12 HTTP/1.1\r\n" + HEAD + b"\r\n",
    "never ends the body": b"POST /v1/freeze HTTP/1.1\r\n" + HEAD + b"Content-Length: 1000\r\n\r\n{",
}


def test_nobody_keeps_a_place_by_not_ending_what_he_says(site: ControlSite) -> None:
    """There are a hundred places."""
    story = site.control.stories["INC-12"]
    site.control.stories["INC-12"] = replace(story, entries=story.entries * 5_000)
    with ExitStack() as stack:
        callers = {what: stack.enter_context(socket.socket(socket.AF_UNIX)) for what in [*BEGUN, SECOND]}
        for what, caller in callers.items():
            caller.connect(os.fspath(site.socket))
            caller.sendall(BEGUN.get(what, STATUS))
        assert callers[SECOND].recv(12) == b"HTTP/1.1 200"
        callers[SECOND].sendall(b"GET /v1/st")

        def still_there() -> list[str]:
            """Without reading: POLLHUP says that the other side is gone."""
            poll = select.poll()
            for caller in callers.values():
                poll.register(caller, 0)
            gone = {descriptor for descriptor, event in poll.poll(0) if event & select.POLLHUP}
            return [what for what, caller in callers.items() if caller.fileno() not in gone]

        with suppress(AssertionError):
            until(lambda: not still_there(), within=90, what="nobody is connected")
        assert still_there() == []
