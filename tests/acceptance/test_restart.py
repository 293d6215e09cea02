"""The daemon stopped, started and killed in the middle of an incident."""

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
    deadline = daemon.executions()[0].run_on("web1").deadline
    assert deadline is not None
    until(lambda: time.time() > deadline, within=20, what="the deadline of the verification has passed")
    daemon.start()
    told = daemon.until("resolved")
    told.in_order("agent: goes on with restart-shop", "verification: web1: recovered", "resolved: recovered by")
    assert told.the("verification").at - told.the("agent: goes on").at >= 4
    assert whats(site.done_here()) == ["restarts"]


def test_a_stop_waits_no_longer_than_it_may_and_what_is_not_known_goes_to_a_person(
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

        daemon.start()
        told = daemon.until("escalated")
        told.in_order(
            "step: web1: restart: outcome unknown: the agent ended while the step was under way",
            "treatment: restart-shop ended (RUN-1): outcome unknown",
            "escalated: handed to web-team: restart-shop: outcome unknown: nobody can say what 'restart' did",
        )
        assert whats(site.done_here()) == ["begins"]
    finally:
        daemon.clean_up()


def test_killed_in_a_step_that_may_not_be_repeated_it_does_not_repeat_it(
    site: Site, daemon: Daemon, sshd: Sshd, web: Web
) -> None:
    site.on_loopback(sshd)
    site.restarts(web, RESTART_AT_THE_GATE)
    daemon.start()
    web.kill()
    until_done(site, "begins")
    daemon.kill()

    daemon.start()
    told = daemon.until("escalated")
    told.in_order(
        "agent: goes on with restart-shop",
        "step: web1: restart: outcome unknown",
        "escalated: handed to web-team: restart-shop: outcome unknown",
    )
    assert daemon.incident().phase == "escalated"

    # The command itself knows nothing of this and goes on. What came of it is noticed.
    site.open_gate()
    told = daemon.until("resolved: recovered, confirmed by its checks")
    assert whats(site.done_here()) == ["begins", "ends"]
    assert len(daemon.executions()) == 1


def test_killed_in_a_step_that_may_be_repeated_it_repeats_it(site: Site, daemon: Daemon, sshd: Sshd, web: Web) -> None:
    site.on_loopback(sshd)
    site.restarts(web, PREPARE_AT_THE_GATE)
    daemon.start()
    web.kill()
    until_done(site, "prepares")
    daemon.kill()

    daemon.start()
    until_done(site, "prepares", "prepares")
    site.open_gate()
    told = daemon.until("resolved")
    told.in_order("step: web1: prepare: ok", "step: web1: restart: ok", "resolved: recovered by restart-shop")
    assert whats(site.done_here()) == ["prepares", "prepares", "restarts"]
