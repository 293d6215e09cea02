"""What systemd hears of the daemon."""

import contextlib
import fcntl
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.cli.agent_client import AgentClient
from agent.demo.web import Web
from agent.errors import ParamedicError
from tests.acceptance.daemon import PARAMEDIC, Daemon
from tests.acceptance.site import Site
from tests.neighbours.sshd import Sshd
from tests.neighbours.waiting import until


class NotifySocket:
    """The datagram socket that systemd listens on for one service; `heard` are the messages, in order."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.heard: list[str] = []
        self._heard_at = time.monotonic()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def until_heard(self, line: str, *, times: int = 1) -> None:
        until(lambda: self.times(line) >= times, within=45, what=f"systemd hears {line} {times} times: {self.heard}")

    def silent_for(self) -> float:
        """Seconds."""
        return time.monotonic() - self._heard_at

    def close(self) -> None:
        with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as goodbye:
            goodbye.sendto(b"", str(self.path))
        self._thread.join()
        self._socket.close()

    def times(self, line: str) -> int:
        return sum(any(each.startswith(line) for each in message.splitlines()) for message in self.heard)

    def _listen(self) -> None:
        while message := self._socket.recv(65536):
            self.heard.append(message.decode())
            self._heard_at = time.monotonic()


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


def test_a_deciding_loop_that_stands_still_kicks_no_watchdog(
    site: Site, sshd: Sshd, web: Web, systemd: NotifySocket
) -> None:
    """Everything else goes on meanwhile. What holds it up here is a journal that takes no more lines."""
    site.on_loopback(sshd)
    site.restarts(web)
    environment = {**os.environ, **site.environment, "NOTIFY_SOCKET": str(systemd.path), "WATCHDOG_USEC": "600000"}
    command = [PARAMEDIC, "run", "--config", site.config]
    agent = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
    assert agent.stderr
    over = threading.Event()
    telling = threading.Thread(target=tell_much, args=(site.socket, over), daemon=True)
    reading = threading.Thread(target=agent.stderr.read, daemon=True)
    try:
        fcntl.fcntl(agent.stderr, fcntl.F_SETPIPE_SZ, 4096)
        systemd.until_heard("WATCHDOG=1", times=5)
        telling.start()
        until(lambda: systemd.silent_for() > 3, within=45, what="silence where WATCHDOG was to be said in 0.6 s")
        assert agent.poll() is None
        over.set()
        reading.start()
        systemd.until_heard("WATCHDOG=1", times=systemd.times("WATCHDOG=1") + 3)
        telling.join(60)
        agent.terminate()
        assert agent.wait(60) == 0
    finally:
        over.set()
        agent.kill()
        agent.wait()


def tell_much(control: Path, over: threading.Event) -> None:
    """Each report is some lines in the journal."""
    while not over.is_set():
        with contextlib.suppress(ParamedicError):
            AgentClient([control]).post("incidents", body={"title": "x" * 200})
