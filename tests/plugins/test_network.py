"""Connections with one deadline for all addresses, and whose fault it is when there is none."""

import socket
import time
from collections.abc import Iterator

import pytest

from agent.errors import CannotAsk
from agent.plugin.network import connect, connect_any
from tests.neighbours.ports import free_port


@pytest.fixture
def unanswering() -> Iterator[tuple[str, int]]:
    """An address whose queue of connections is full: the kernel drops every further attempt."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(listener.getsockname())
        yield listener.getsockname()
        for each in waiting:
            each.close()


def test_a_dead_address_leaves_time_for_the_next(unanswering: tuple[str, int]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as alive:
        addresses = [(socket.AF_INET, unanswering), (socket.AF_INET, alive.getsockname())]
        with connect_any(addresses, 1.0) as connection:
            assert connection.getpeername() == alive.getsockname()


def test_the_deadline_is_for_all_addresses_together(unanswering: tuple[str, int]) -> None:
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        connect_any([(socket.AF_INET, unanswering)] * 100, 0.5)
    assert time.monotonic() - began < 20, "100 addresses at 0.5 s each would be 50 s"


def test_an_address_we_cannot_reach_does_not_hide_what_the_other_said() -> None:
    closed = ("127.0.0.1", free_port())
    ours = ("255.255.255.255", 9)  # broadcast: refused by this machine's own kernel
    for addresses in ([closed, ours], [ours, closed]):
        with pytest.raises(ConnectionRefusedError):
            connect_any([(socket.AF_INET, each) for each in addresses], 5)


@pytest.mark.parametrize("name", ["no such host", "no-such-host.invalid", "a..b", "x" * 70])
def test_a_name_that_does_not_resolve_was_not_asked(name: str) -> None:
    with pytest.raises(CannotAsk, match="cannot resolve"):
        connect(name, 80, 5)


def test_no_way_out_of_this_machine_is_our_fault() -> None:
    with pytest.raises(CannotAsk, match="no way from here"):
        connect("255.255.255.255", 9, 5)
