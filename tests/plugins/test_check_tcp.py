"""tcp: real sockets, friendly and hostile."""

import socket
import threading
from typing import Any

import pytest
from pydantic import ValidationError

from agent.errors import CannotAsk
from agent.model.inventory import Host
from agent.model.observation import Answer, Verdict
from agent.testing import FakeCheckPorts, check_contract
from checks.tcp import Tcp
from tests.neighbours.ports import free_port
from tests.neighbours.scripted_server import ScriptedServer, drips, floods, sends, silent

HERE = Host(name="shop1", address="127.0.0.1")


def ask(port: int, timeout: float = 10, **settings: Any) -> Answer:
    [answer] = Tcp(port=port, **settings).ask(HERE, FakeCheckPorts(timeout=timeout))
    return answer


def echo(connection: socket.socket, over: threading.Event) -> None:
    connection.sendall(b"got " + connection.recv(100))


def test_connects_to_the_target() -> None:
    with ScriptedServer(silent) as server:
        [answer] = check_contract(Tcp, {"port": server.port}, target=HERE)
    assert answer.verdict is Verdict.OK
    assert 0 < answer.readings["latency"] < 10
    assert f"port {server.port} answers" in answer.message


def test_connects_to_another_host_where_told() -> None:
    with ScriptedServer(silent) as server:
        [answer] = Tcp(host="127.0.0.1", port=server.port).ask(Host(name="no such host"), FakeCheckPorts())
    assert answer.verdict is Verdict.OK


def test_refused_is_critical() -> None:
    answer = ask(free_port())
    assert (answer.verdict, dict(answer.readings)) == (Verdict.CRITICAL, {})
    assert "connection refused" in answer.message


def test_a_name_that_does_not_resolve_was_not_asked() -> None:
    with pytest.raises(CannotAsk, match="cannot resolve"):
        Tcp(port=80).ask(Host(name="no such host"), FakeCheckPorts())


def test_sends_and_finds_what_it_expects() -> None:
    with ScriptedServer(echo) as server:
        assert ask(server.port, send="PING\r\n", expect="^got PING\r\n$").verdict is Verdict.OK
        wrong = ask(server.port, send="PING\r\n", expect="PONG")
    assert wrong.verdict is Verdict.CRITICAL
    assert "expected 'PONG', got 'got PING" in wrong.message


def test_an_answer_in_pieces_is_put_together() -> None:
    def pieces(connection: socket.socket, over: threading.Event) -> None:
        for piece in (b"220 ma", b"il rea", b"dy\r\n"):
            connection.sendall(piece)
            over.wait(0.02)

    with ScriptedServer(pieces) as server:
        assert ask(server.port, expect="mail ready").verdict is Verdict.OK


def test_silence_where_an_answer_is_expected_is_critical() -> None:
    with ScriptedServer(silent) as server:
        answer = ask(server.port, timeout=0.2, expect="220")
    assert answer.verdict is Verdict.CRITICAL
    assert "got in time only nothing" in answer.message


def test_a_slow_drip_does_not_outlast_the_deadline() -> None:
    with ScriptedServer(drips(b"", b"x")) as server:
        answer = ask(server.port, timeout=0.3, expect="220")
    assert answer.verdict is Verdict.CRITICAL
    assert "expected '220', got in time only 'x" in answer.message


def test_a_drip_that_comes_while_the_expression_is_at_work_does_not_outlast_the_deadline() -> None:
    """There is always something to read, so that no read ever waits."""

    def drips_and_hangs_up(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(b"x" * 4000)
        for _ in range(100):
            over.wait(0.02)
            connection.sendall(b"x")

    with ScriptedServer(drips_and_hangs_up) as server:
        answer = ask(server.port, timeout=0.3, expect="x*[yz]")
    assert "got in time only 'x" in answer.message


def test_a_flood_is_read_no_further_than_64_kib() -> None:
    with ScriptedServer(floods(b"")) as server:
        answer = ask(server.port, send="go", expect="220")
    assert answer.verdict is Verdict.CRITICAL
    assert len(answer.message) <= 300


def test_hostile_bytes_do_not_reach_the_message() -> None:
    with ScriptedServer(sends(b"\x1b[2J\xff\xfe\r\n\x00")) as server:
        answer = ask(server.port, send="go", expect="220")
    assert answer.message.isprintable()


@pytest.mark.parametrize("settings", [{}, {"port": 0}, {"port": 65536}, {"port": 80, "expect": "("}])
def test_refuses_what_cannot_be(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Tcp.model_validate(settings)
