"""The wall clock is set, the machine stands still: what is measured takes as long as ever, what is told is right."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.demo.web import Web
from tests.acceptance.daemon import Daemon
from tests.acceptance.site import Site, whats
from tests.neighbours.http_site import Answer, HttpSite
from tests.neighbours.notify_socket import NotifySocket
from tests.neighbours.sshd import Sshd
from tests.neighbours.waiting import until
from tests.neighbours.wall_clock import WallClock

HOUR, DAY = 3600.0, 86400.0
NEAR = 900.0
"""Seconds by which a time told may be off: far less than any jump."""

STAYS_WELL = """\
runbook: restart-shop
steps:
  - name: restart
    run: echo "$(date +%s.%N) restarts" >> LEDGER; RESTART
verify: {within: 12s, stable_for: 4s}
"""

STEADY = """\
checks:
  steady:
    kind: http
    url: URL/
    every: 500ms
    timeout: 2s
    confirm: 2
    unknown_after: 60s
"""


@pytest.fixture
def wall(tmp_path: Path, site: Site, daemon: Daemon) -> Iterator[WallClock]:
    """The daemon's, which the test sets."""
    wall = WallClock(tmp_path)
    site.environment |= wall.environment
    yield wall
    if daemon.process is not None:
        daemon.kill()


@pytest.fixture
def steady(site: Site, http_site: HttpSite) -> Iterator[HttpSite]:
    """Something else that is watched, and always well."""
    http_site.answer("/", Answer())
    site.write("steady.yaml", STEADY.replace("URL", http_site.url))
    return http_site


def now(by: float = 0.0) -> float:
    return time.time() + by


def until_asked_again(site: HttpSite, times: int = 6) -> None:
    asked = len(site.requests)
    until(lambda: len(site.requests) >= asked + times, within=45, what=f"{times} more questions")


def until_passed(seconds: float) -> None:
    over = time.monotonic() + seconds
    until(lambda: time.monotonic() >= over, within=seconds + 30, what=f"{seconds:g} s have passed")


@pytest.mark.parametrize("by", [HOUR, -DAY])
def test_a_wall_clock_that_is_set_makes_and_ends_nothing_and_is_told_by(
    site: Site, daemon: Daemon, sshd: Sshd, web: Web, wall: WallClock, steady: HttpSite, by: float
) -> None:
    site.on_loopback(sshd)
    site.restarts(web, STAYS_WELL)
    daemon.start()
    web.kill()
    daemon.until("step: restart: ok")
    wall.set_by(by)
    told = daemon.until("resolved")
    verified = told.the("verification: web1: recovered")
    assert 4 <= verified.data["seconds"] < NEAR
    assert told.the("resolved").data["seconds"] < NEAR

    # Times are told by the wall clock, those from before it was set as they were told then.
    direction = "forward by 1h" if by > 0 else "back by 1d"
    said = daemon.told("agent").the(f"agent: the wall clock was set {direction}: what is measured goes on as it was")
    assert abs(said.at - now(by)) < NEAR
    assert abs(told.the("opened").at - now()) < NEAR
    assert abs(verified.at - now(by)) < NEAR
    incident = daemon.incident()
    assert incident.resolved_at is not None
    assert abs(incident.opened_at - now(by)) < NEAR
    assert 0 < incident.resolved_at - incident.opened_at < NEAR
    status = daemon.json("status")
    assert abs(status["now"] - now(by)) < NEAR
    assert 0 < status["now"] - status["started_at"] < NEAR
    assert status["schedule"]["lag_worst"] < NEAR

    # And everything goes on.
    until_asked_again(steady)
    wall.set_by(0.0)
    daemon.until("agent: the wall clock was set", about="agent", times=2)
    until_asked_again(steady)
    assert [one.id for one in daemon.incidents()] == ["INC-1"]
    assert whats(site.done_here()) == ["restarts"]
    web.kill()
    daemon.until("resolved", times=2)


def test_a_start_behind_the_record_goes_by_the_wall_clock(
    site: Site, daemon: Daemon, sshd: Sshd, web: Web, wall: WallClock
) -> None:
    site.on_loopback(sshd)
    site.restarts(web, STAYS_WELL)
    wall.set_by(DAY)
    daemon.start()
    web.kill()
    daemon.until("step: restart: ok")
    daemon.kill()

    wall.set_by(0.0)
    daemon.start()
    told = daemon.until("resolved: recovered by restart-shop")
    daemon.told("agent").in_order("agent: the wall clock was set back by 23h", "agent: started")
    assert abs(told.the("resolved").at - now()) < NEAR
    incident = daemon.incident()
    assert abs(incident.opened_at - now()) < NEAR
    assert [record.seq for record in daemon.store.timeline()] == list(range(1, daemon.store.head()[0] + 1))
    assert whats(site.done_here()) == ["restarts"]
    daemon.kill()
    daemon.start()
    assert len(daemon.told("agent").of("agent: the wall clock was set")) == 1


def test_standing_still_fools_neither_checks_nor_verification_nor_watchdog(
    site: Site, daemon: Daemon, sshd: Sshd, web: Web, steady: HttpSite, systemd: NotifySocket
) -> None:
    """As a suspended machine, or one whose hypervisor has no time for it; systemd's limit is longer here."""
    site.on_loopback(sshd)
    site.restarts(web, STAYS_WELL)
    site.environment |= {"NOTIFY_SOCKET": str(systemd.path), "WATCHDOG_USEC": "30000000"}
    steady.answer("/", Answer(delay=0.4))  # one is most likely under way
    daemon.start()
    until_asked_again(steady)
    web.kill()
    daemon.until("step: restart: ok")
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGSTOP)
    asked = len(steady.requests)
    until_passed(15)  # longer than the verification may take, and than twice any time-out
    daemon.process.send_signal(signal.SIGCONT)

    told = daemon.until("resolved")
    assert told.the("verification").text.startswith("web1: recovered")
    assert daemon.told("agent").has("agent: nothing was decided for 1")
    assert len(steady.requests) - asked < 20  # 30 came due meanwhile
    assert "has not returned" not in daemon.journal()
    assert [one.id for one in daemon.incidents()] == ["INC-1"]
    systemd.until_heard("WATCHDOG=1", times=systemd.times("WATCHDOG=1") + 2)
