"""What is read from outside ends: pipes, devices and endless files, expressions that never finish, answers too long."""

import contextlib
import math
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent.cli.agent_client import AgentClient
from agent.cli.exits import Failure
from agent.config.secret import SecretRef
from agent.config.source import read_text
from agent.drill import leave
from agent.errors import CannotAsk, HostKeyUnknown, LoginRefused, TicketError, UnknownSecret
from agent.model.commands import Milestone
from agent.model.pattern import PATIENCE, Pattern, PatternTooSlow
from agent.model.performance_data import parse_plugin_output
from agent.runtime.control.exchange import AnswerTooLong
from agent.runtime.secrets import Secrets
from agent.runtime.ssh import SshPool
from agent.testing import LOCAL, FakeCheckPorts
from checks.process import Process
from tests.functional.outbox_desk import Desk
from tests.functional.remembered_tickets import Ledger, RememberedTickets
from tests.functional.ssh_login import login_to
from tests.neighbours.sshd import Sshd
from tests.neighbours.waiting import until

pytestmark = pytest.mark.timeout(60)


def pipe(at: Path) -> None:
    os.mkfifo(at, 0o600)


def device(at: Path) -> None:
    at.symlink_to("/dev/zero")


def huge(at: Path) -> None:
    at.touch(0o600)
    os.truncate(at, 1 << 40)


def folder(at: Path) -> None:
    at.mkdir()


no_file = pytest.mark.parametrize(
    ("make", "says"),
    [(pipe, "not a regular file"), (device, "not a regular file"), (huge, "longer than"), (folder, "s a directory")],
)
"""What may stand where a small file is expected, and why it is not read."""


@no_file
def test_a_secret(tmp_path: Path, make: Callable[[Path], None], says: str) -> None:
    make(tmp_path / "x")
    secrets = Secrets({"x": SecretRef("file", str(tmp_path / "x"))}, {})
    with pytest.raises(UnknownSecret, match=says):
        secrets.secret("x")
    assert secrets.seen() == {}


@no_file
def test_a_key_and_the_known_hosts(tmp_path: Path, sshd: Sshd, make: Callable[[Path], None], says: str) -> None:
    make(tmp_path / "x")
    with closing(SshPool()) as pool:
        with pytest.raises(LoginRefused, match=f"(?i){says}"):
            pool.run("web1", login_to(sshd, key_file=str(tmp_path / "x")), "true", timeout=20)
        with pytest.raises(HostKeyUnknown, match=f"(?i){says}"):
            pool.run("web1", login_to(sshd, known_hosts=str(tmp_path / "x")), "true", timeout=20)


@no_file
def test_a_pid_file(tmp_path: Path, make: Callable[[Path], None], says: str) -> None:
    make(tmp_path / "x")
    with pytest.raises(CannotAsk, match=f"(?i){says}"):
        Process(pid_file=str(tmp_path / "x")).ask(LOCAL, FakeCheckPorts())


@no_file
def test_a_file_of_the_configuration(tmp_path: Path, make: Callable[[Path], None], says: str) -> None:
    make(tmp_path / "x")
    text, problem = read_text(tmp_path / "x")
    assert text == ""
    assert problem is not None
    assert "is larger than 1 MiB" in problem.what or says in problem.what.lower()


EVIL = "(a|aa)+$"
LONG = "a" * 5000 + "b"


def test_an_expression_that_never_finishes_is_given_up_and_holds_up_nobody() -> None:
    """The other thread is let run while one searches: with `re` it would stand still, for hours."""
    beats, over = [0], threading.Event()

    def beat() -> None:
        while not over.wait(0.005):
            beats[0] += 1

    other = threading.Thread(target=beat)
    other.start()
    try:
        for ask in (Pattern(EVIL).is_in, Pattern(EVIL).is_all_of, lambda text: Pattern(EVIL).replaced(text, str)):
            with pytest.raises(PatternTooSlow, match="takes too long"):
                ask(LONG)
    finally:
        over.set()
        other.join()
    assert beats[0] > 5
    assert PATIENCE < 1


@pytest.mark.parametrize("pattern", ["(", "[0-9", "a{2,1}", "(?P<a", "x" * 1001, "*"])
def test_what_is_no_expression_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="regular expression"):
        Pattern(pattern)


@pytest.mark.parametrize("output", ["x" * 65536, "|" + "x" * 65536, "|'" * 32768, "|" + "1" * 65536, "|a=1;" * 13000])
@pytest.mark.timeout(20)
def test_no_output_of_a_check_makes_its_reader_slow(output: str) -> None:
    """A word that was tried as a label from each of its letters took a minute, in which nothing else ran."""
    parse_plugin_output(f"x|{output}")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "record.sqlite")
    yield desk
    desk.close()


@pytest.mark.parametrize("asked", [math.inf, math.nan, -1.0, 1e12])
def test_a_ticket_system_cannot_put_its_tickets_off_for_ever(desk: Desk, asked: float) -> None:
    ledger = Ledger()
    ledger.failing = lambda call: (
        TicketError("later", retryable=True, retry_after=asked) if len(ledger.calls) < 2 else None
    )
    desk.outbox(RememberedTickets(ledger=ledger))
    desk.tell("INC-1", Milestone.OPENED)
    until(lambda: desk.store.tickets.waiting().last_error, within=20, what="the first try has failed")
    desk.clock.pass_by(3700)
    until(desk.delivered, within=20, what="it is told an hour later")


@pytest.mark.parametrize(
    "ask", [lambda path: AgentClient([path], within=50).get("status"), leave.given], ids=["a command", "a drill"]
)
def test_an_answer_without_end_is_not_read_to_its_end(tmp_path: Path, ask: Callable[[Path], object]) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        listening.listen()

        sent = 0  # MiB

        def flood() -> None:
            nonlocal sent
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                with contextlib.suppress(OSError):  # who asked has heard enough
                    for _ in range(300):  # some end there must be, lest a client that reads on uses up the machine
                        connection.sendall(b" " * (1 << 20))
                        sent += 1

        server = threading.Thread(target=flood)
        server.start()
        with pytest.raises((Failure, AnswerTooLong), match="longer than 256 MiB"):
            ask(tmp_path / "s")
        server.join()
    assert 256 <= sent < 300
