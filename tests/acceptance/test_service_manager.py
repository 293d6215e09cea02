"""What systemd hears of the daemon."""

import contextlib
import fcntl
import os
import subprocess
import threading
from pathlib import Path

from agent.cli.agent_client import AgentClient
from agent.demo.web import Web
from agent.errors import ParamedicError
from tests.acceptance.daemon import PARAMEDIC, Daemon
from tests.acceptance.site import Site
from tests.neighbours.notify_socket import NotifySocket
from tests.neighbours.sshd import Sshd
from tests.neighbours.waiting import until


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
    systemd.until_heard("EXTEND_TIMEOUT_USEC=65000000")  # stop_within is 20s


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
