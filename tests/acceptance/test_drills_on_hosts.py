"""Drills on booted hosts: a unit of systemd is stopped by `ops`, who may sudo, and started again whoever dies."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.daemon import PARAMEDIC, SOON, Daemon
from tests.acceptance.site import RESTART_WEB, WEB_CHECK, Site, whats
from tests.neighbours.systemd_host import SystemdHost, SystemdHosts
from tests.neighbours.waiting import until

pytestmark = [pytest.mark.root, pytest.mark.xdist_group("systemd hosts 2"), pytest.mark.timeout(400)]

ENDS_WITHIN = 180.0

DRILL = """\
drills:
  web-stopped:
    title: The web server of one host is stopped
    form: live
    deadline: 90s
    alone: 8s
    hosts: {allow: ["host:web1"], most: 1}
    steady_state: {checks: [web]}
    inject:
      - name: the unit is stopped
        host: web1
        run: systemctl stop shop-web
        undo: |
          echo "$(date +%s.%N) undone by $(id -un), umask $(umask)" >> LEDGER
          systemctl start shop-web
        sudo: true
"""
TREATED = """\
    expect:
      - {detected: web}
      - {treated_with: restart-web}
      - {recovered: true}
"""
HANGS = """\
      - name: nothing, whose undoing hangs
        host: web1
        run: "true"
        undo: sleep 6173; true
        sudo: true
        timeout: 2s
"""
NEVER = """\
    expect:
      - {classified: P1}
"""
UNDONE = "undone by root, umask 0022"


class Drilled:
    """The command, which may outlive its test: it is killed then."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._running: list[subprocess.Popen[str]] = []

    def configure(self, hosts: SystemdHosts, drill: str, ladder: str = "restart-web") -> None:
        self._site.booted(hosts)
        self._site.write("checks.yaml", WEB_CHECK.replace("[restart-web]", f"[{ladder}]" if ladder else "[]"))
        self._site.runbook(RESTART_WEB)
        self._site.write("drills.yaml", drill)

    def begin(self, *words: str) -> "subprocess.Popen[str]":
        command = [PARAMEDIC, "--socket", self._site.socket, "drill", "run", "web-stopped", *words]
        self._running.append(
            subprocess.Popen(
                [*command, "--config", self._site.config],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env={**os.environ, **self._site.environment, "NO_COLOR": "1"},
            )
        )
        return self._running[-1]

    def read(self, name: str) -> dict[str, Any]:
        """begun.json or result.json."""
        found: dict[str, Any] = json.loads(self.file(name).read_text())
        return found

    def file(self, name: str) -> Path:
        return self._site.state / "drills" / "DRILL-1" / name

    def kill(self) -> None:
        """The process that breaks and undoes; the host is the only one left."""
        os.kill(self.read("begun.json")["pid"], signal.SIGKILL)

    def close(self) -> None:
        for process in self._running:
            process.kill()
            process.communicate()


@pytest.fixture
def drilled(site: Site) -> Iterator[Drilled]:
    drilled = Drilled(site)
    yield drilled
    drilled.close()


@pytest.fixture
def web1(systemd_hosts: SystemdHosts) -> SystemdHost:
    return systemd_hosts["web1"]


def timers(host: SystemdHost) -> list[str]:
    """What is there of dead-man timers: their folders, and their processes."""
    said = host.run("ls -d /var/tmp/paramedic-drill-* 2>/dev/null; pgrep -f 'paramedic-drill-[0-9a-f]'", check=False)
    return said.stdout.split()


def is_(host: SystemdHost, state: str) -> Callable[[], bool]:
    return lambda: host.service("shop-web") == state


def test_a_unit_is_stopped_treated_and_nothing_is_left_of_it(
    site: Site, daemon: Daemon, drilled: Drilled, systemd_hosts: SystemdHosts, web1: SystemdHost
) -> None:
    drilled.configure(systemd_hosts, DRILL + TREATED)
    daemon.start()
    run = drilled.begin()
    said, _ = run.communicate(timeout=ENDS_WITHIN)
    assert run.returncode == 0, said
    assert whats(site.done_on(web1)) == ["restart-web begins", "restart-web ends", UNDONE]
    assert web1.service("shop-web") == "active"
    assert timers(web1) == []
    assert daemon.incidents() == []
    result = drilled.read("result.json")
    assert (result["rolled_back"], result["touched"]) == (True, ["web1"])


def test_kill_9_of_agent_and_drill_the_host_starts_the_unit_again(
    site: Site, daemon: Daemon, drilled: Drilled, systemd_hosts: SystemdHosts, web1: SystemdHost
) -> None:
    drilled.configure(systemd_hosts, DRILL + NEVER, ladder="")
    daemon.start()
    drilled.begin()
    until(is_(web1, "inactive"), within=ENDS_WITHIN, what="the unit is stopped")
    daemon.kill()
    drilled.kill()
    until(is_(web1, "active"), within=SOON, what="the host starts it again by itself")
    assert whats(site.done_on(web1)) == [UNDONE]
    assert timers(web1), "what it did is there to be asked for"

    daemon.start()
    until(drilled.file("result.json").exists, within=SOON, what="what was left half done is put back")
    result = drilled.read("result.json")
    assert result["rolled_back"] is True
    assert [each["by_host"] for each in result["undone"]] == [True]
    assert timers(web1) == []
    assert whats(site.done_on(web1)) == [UNDONE, UNDONE]


def test_an_undoing_by_root_that_hangs_is_ended_and_keeps_the_host_from_no_other(
    site: Site, drilled: Drilled, systemd_hosts: SystemdHosts, web1: SystemdHost
) -> None:
    drilled.configure(systemd_hosts, DRILL + HANGS + NEVER, ladder="")
    drilled.begin("--beside")
    until(is_(web1, "inactive"), within=ENDS_WITHIN, what="the unit is stopped")
    drilled.kill()
    until(is_(web1, "active"), within=SOON, what="the host starts it again by itself")
    assert whats(site.done_on(web1)) == [UNDONE]
    assert web1.run("pgrep -fx 'sleep 6173'", check=False).stdout == ""
    web1.run("rm -rf /var/tmp/paramedic-drill-*")
