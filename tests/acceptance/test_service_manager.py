"""What systemd hears of the daemon."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.demo.web import Web
from tests.acceptance.daemon import Daemon
from tests.acceptance.site import Site
from tests.neighbours.sshd import Sshd
from tests.neighbours.waiting import until


class NotifySocket:
    """The datagram socket that systemd listens on for one service; `heard` are the messages, in order."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.heard: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def until_heard(self, line: str, *, times: int = 1) -> None:
        until(lambda: self._times(line) >= times, within=45, what=f"systemd hears {line} {times} times: {self.heard}")

    def close(self) -> None:
        with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as goodbye:
            goodbye.sendto(b"", str(self.path))
        self._thread.join()
        self._socket.close()

    def _times(self, line: str) -> int:
        return sum(any(each.startswith(line) for each in message.splitlines()) for message in self.heard)

    def _listen(self) -> None:
        while message := self._socket.recv(65536):
            self.heard.append(message.decode())


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[NotifySocket]:
    with contextlib.closing(NotifySocket(tmp_path / "notify")) as listening:
        yield listening


def test_it_hears_ready_status_watchdog_reloading_and_stopping(
    site: Site, daemon: Daemon, sshd: Sshd, web: Web, systemd: NotifySocket
) -> None:
    site.on_loopback(sshd)
    site.restarts(web)
    site.environment |= {"NOTIFY_SOCKET": str(systemd.path), "WATCHDOG_USEC": "600000"}
    daemon.start()
    systemd.until_heard("READY=1")
    assert any(message.startswith("READY=1\nSTATUS=1 check") for message in systemd.heard)
    systemd.until_heard("WATCHDOG=1", times=5)

    daemon.reload()
    systemd.until_heard("RELOADING=1")
    systemd.until_heard("MONOTONIC_USEC=")
    systemd.until_heard("READY=1", times=2)

    assert daemon.stop() == 0
    systemd.until_heard("STOPPING=1")
