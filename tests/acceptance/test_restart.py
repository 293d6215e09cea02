"""The daemon stopped, started and killed in the middle of an incident."""

import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.demo.web import Web
from tests.acceptance.daemon import Daemon
from tests.acceptance.site import Site, whats
from tests.neighbours.sshd import Sshd
from tests.neighbours.waiting import until

RESTART_AT_THE_GATE = """\
runbook: restart-shop
steps:
  - name: restart
    run: |
      echo "$(date +%s.%N) begins" >> LEDGER
      AT_THE_GATE
      RESTART
      echo "$(date +%s.%N) ends" >> LEDGER
verify: {within: 20s}
"""

PREPARE_AT_THE_GATE = """\
runbook: restart-shop
steps:
  - name: prepare
    run: |
      echo "$(date +%s.%N) prepares" >> LEDGER
      AT_THE_GATE
    repeatable: true
  - name: restart
    run: echo "$(date +%s.%N) restarts" >> LEDGER; RESTART
verify: {within: 20s}
"""

STAYS_WELL = """\
runbook: restart-shop
steps:
  - name: restart
    run: echo "$(date +%s.%N) restarts" >> LEDGER; RESTART
verify: {within: 6s, stable_for: 4s}
"""


@pytest.fixture
def impatient_site(tmp_path: Path) -> Iterator[Site]:
    """Whose daemon does not wait for steps when it is stopped."""
    folder = tmp_path / "impatient"
    folder.mkdir()
    site = Site(folder, stop_within="1s")
    yield site
    site.open_gate()
    site.ledger.unlink(missing_ok=True)


def until_done(site: Site, *expected: str) -> None:
    until(lambda: whats(site.done_here()) == list(expected), within=45, what=f"the ledger says {expected}")


def test_a_stop_waits_for_the_step_and_a_start_goes_on_after_it(
    site: Site, daemon: Daemon, sshd: Sshd, web: Web
) -> None:
    site.on_loopback(sshd)
    site.restarts(web, RESTART_AT_THE_GATE)
    daemon.start()
    web.kill()
    until_done(site, "begins")

    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGTERM)
    daemon.until_said(" stopping")
    assert daemon.process.poll() is None
    site.open_gate()
    assert daemon.ended() == 0

    told = daemon.told()
    assert told.the("step").data["status"] == "ok"
    assert not told.has("verification")
    assert daemon.incident().phase == "treating"

    daemon.start()
    told = daemon.until("resolved")
    told.in_order(
        "step: web1: restart: ok",
        "agent: goes on with restart-shop (RUN-1) after a restart of the agent",
        "verification: web1: recovered",
        "resolved: recovered by restart-shop, verified",
    )
    assert whats(site.done_here()) == ["begins", "ends"]
    assert len(told.of("noticed")) == 1


def test_a_stop_during_verification_verifies_anew(site: Site, daemon: Daemon, sshd: Sshd, web: Web) -> None:
    site.on_loopback(sshd)
    site.restarts(web, STAYS_WELL)
    daemon.start()
    web.kill()
    daemon.until("step: restart: ok")
    assert daemon.stop() == 0
    assert not daemon.told().has("verification")

    # The time for the verification runs out while nobody can verify: that must not count.
    deadline = daemon.executions()[0].runs[0].deadline
    assert deadline is not None
    until(lambda: time.time() > deadline, within=20, what="the deadline of the verification has passed")
    daemon.start()
    told = daemon.until("resolved")
    told.in_order("agent: goes on with restart-shop", "verification: web1: recovered", "resolved: recovered by")
    assert told.the("verification").at - told.the("agent: goes on").at >= 4
    assert whats(site.done_here()) == ["restarts"]


def test_a_stop_waits_no_longer_than_it_may_and_the_next_start_learns_what_came_of_the_step(
    impatient_site: Site, sshd: Sshd, web: Web
) -> None:
    site, daemon = impatient_site, Daemon(impatient_site)
    site.on_loopback(sshd)
    site.restarts(web, RESTART_AT_THE_GATE)
    try:
        daemon.start()
        web.kill()
        until_done(site, "begins")
        assert daemon.stop(within=20) == 0
        daemon.until_said("step RUN-1.web1.steps.1.1 is still under way")

        site.open_gate()
        until_done(site, "begins", "ends")  # while nobody is there to see it
        daemon.start()
        told = daemon.until("resolved")
        told.in_order("agent: goes on with restart-shop", "step: web1: restart: ok", "resolved: recovered by")
        assert whats(site.done_here()) == ["begins", "ends"]
    finally:
        daemon.clean_up()


@pytest.mark.parametrize("runbook", [RESTART_AT_THE_GATE, PREPARE_AT_THE_GATE], ids=["once", "repeatable"])
def test_killed_in_a_step_it_goes_on_waiting_for_that_step(
    site: Site, daemon: Daemon, sshd: Sshd, web: Web, runbook: str
) -> None:
    site.on_loopback(sshd)
    site.restarts(web, runbook)
    daemon.start()
    web.kill()
    until(lambda: len(site.done_here()) == 1, within=45, what="the step has begun")
    daemon.kill()

    daemon.start()
    daemon.until("agent: goes on with restart-shop")
    site.open_gate()
    told = daemon.until("resolved")
    told.in_order("agent: goes on with restart-shop", "verification: web1: recovered", "resolved: recovered by")
    assert whats(site.done_here()) in (["begins", "ends"], ["prepares", "restarts"])
    assert len(daemon.executions()) == 1


def test_killed_in_a_step_of_which_the_host_keeps_no_record_a_person_decides(
    site: Site, daemon: Daemon, sshd: Sshd, web: Web
) -> None:
    site.on_loopback(sshd)
    site.restarts(web, RESTART_AT_THE_GATE)
    daemon.start()
    web.kill()
    until_done(site, "begins")
    daemon.kill()
    shutil.rmtree(sshd.folder / "home" / ".paramedic")

    daemon.start()
    told = daemon.until("escalated")
    told.in_order(
        "agent: goes on with restart-shop",
        "step: web1: restart: outcome unknown",
        "escalated: handed to web-team: restart-shop: outcome unknown: nobody can say what 'restart' did",
    )
    assert daemon.incident().phase == "escalated"

    # The command itself knows nothing of this and goes on. What came of it is noticed.
    site.open_gate()
    daemon.until("resolved: recovered, confirmed by its checks")
    assert whats(site.done_here()) == ["begins", "ends"]
    assert len(daemon.executions()) == 1
