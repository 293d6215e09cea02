"""What systemd is told, at a socket such as its own."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.runtime.service_manager import ServiceManager
from tests.functional.control_site import short_folder


@pytest.fixture
def address() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder / "notify"


@pytest.fixture
def listening(address: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
        ours.bind(str(address))
        ours.settimeout(10)
        yield ours


def manager(address: Path, watchdog: float = 30.0) -> ServiceManager:
    return ServiceManager({"NOTIFY_SOCKET": str(address), "WATCHDOG_USEC": str(int(watchdog * 1e6))})


def test_a_busy_loop_does_not_flood_systemd(address: Path, listening: socket.socket) -> None:
    ours = manager(address)
    for _ in range(200):
        ours.alive()
    ours.ready("well")
    assert listening.recv(100) == b"WATCHDOG=1"
    assert listening.recv(100) == b"READY=1\nSTATUS=well"


def test_alive_is_said_again_in_time(address: Path, listening: socket.socket) -> None:
    ours = manager(address, watchdog=0.5)
    over = threading.Event()

    def rounds() -> None:
        while not over.wait(0.01):
            ours.alive()

    loop = threading.Thread(target=rounds)
    loop.start()
    try:
        assert [listening.recv(100) for _ in range(5)] == [b"WATCHDOG=1"] * 5
    finally:
        over.set()
        loop.join()


def test_a_systemd_that_does_not_listen_holds_up_nobody(address: Path, listening: socket.socket) -> None:
    """Its queue is full after some datagrams; how many is the kernel's business."""
    ours = manager(address)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.connect(str(address))
        other.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while other.send(b"x"):
                continue
    saying = threading.Thread(target=ours.ready, args=("well",), daemon=True)
    saying.start()
    saying.join(20)
    assert not saying.is_alive()
