"""The closed loop on real hosts: noticed, treated over SSH, verified, filed; and what follows when it does not help."""

import re
from collections.abc import Iterator

import pytest

from tests.acceptance.daemon import Daemon
from tests.acceptance.site import RESTART_WEB, WEB_CHECK, Site, whats
from tests.acceptance.tickets import ticket_of
from tests.neighbours.roundup import Roundup
from tests.neighbours.systemd_host import SystemdHost, SystemdHosts

pytestmark = [pytest.mark.root, pytest.mark.xdist_group("systemd hosts 1")]

ONCE = ["restart-web begins", "restart-web ends"]


@pytest.fixture
def web1(systemd_hosts: SystemdHosts) -> SystemdHost:
    return systemd_hosts["web1"]


def started(host: SystemdHost) -> int:
    """When the unit last became active, in microseconds since the host booted."""
    shown = host.run("systemctl show --property=ActiveEnterTimestampMonotonic --value shop-web").stdout
    return int(shown)


def test_a_killed_service_is_restarted_verified_and_filed(
    site: Site, daemon: Daemon, systemd_hosts: SystemdHosts, web1: SystemdHost, roundup: Roundup
) -> None:
    site.booted(systemd_hosts)
    site.write("checks.yaml", WEB_CHECK)
    site.runbook(RESTART_WEB)
    site.tickets(roundup)
    daemon.start()
    before, before_on_web2 = started(web1), started(systemd_hosts["web2"])

    web1.kill_service("shop-web")
    told = daemon.until("resolved")

    told.in_order(
        "noticed: web on web1 is CRITICAL: connection refused (confirmed: 2)",
        "opened: web on web1 is CRITICAL",
        "classified: impact",
        "assigned: assigned to web-team: it owns category web",
        "cause: web is taken as the cause: nothing else is ill",
        "treatment: restart-web starts on web1 (RUN-1)",
        "step: web1: who we are: ok",
        "step: web1: state of the unit: failed (exit 3)",
        "step: web1: restart: ok",
        "recovered: web on web1 is well again: status 200",
        "verification: web1: recovered: web on web1 answered well",
        "treatment: restart-web ended (RUN-1): recovered",
        "resolved: recovered by restart-web, verified",
    )
    assert told.the("step: who we are").data["stdout"] == "ops\n"
    assert "Active: failed" in str(told.the("step: state of the unit").data["stdout"])
    assert "1 of 2 hosts" in told.the("classified").text

    assert started(web1) > before
    assert started(systemd_hosts["web2"]) == before_on_web2
    assert whats(site.done_on(web1)) == ONCE
    assert site.done_on(systemd_hosts["web2"]) == []
    assert "ops : " in web1.run("journalctl --identifier=sudo --no-pager").stdout

    ticket = ticket_of(daemon, roundup)
    assert ticket.status == "resolved"
    assert "web on web1 is CRITICAL: connection refused" in ticket.told[0]
    assert ticket.told[1:] == ("Treatment: restart-web on web1", "recovered by restart-web, verified")
    assert ticket.numbers == ("INC-1/1", "INC-1/2", "INC-1/3")
    daemon.until(f"ticket: ticket {ticket.id} {roundup.url}issue{ticket.id}")
    assert [incident.id for incident in daemon.incidents()] == ["INC-1"]


NO_RESTART_HELPS = """\
runbook: restart-web
description: The light rung.
steps:
  - name: restart
    run: echo "$(date +%s.%N) restart" >> LEDGER; systemctl restart shop-web
    sudo: true
rollback:
  - name: put the old state back
    run: echo "$(date +%s.%N) roll back" >> LEDGER
    sudo: true
verify: {within: 1500ms}
"""

RESTORE_PAGE = """\
runbook: restore-page
description: The stronger rung.
steps:
  - name: restore
    run: echo "$(date +%s.%N) restore" >> LEDGER; echo ok > /srv/shop/PAGE
    sudo: true
verify: {within: PATIENCE}
"""


@pytest.fixture
def page_lost(web1: SystemdHost) -> Iterator[None]:
    """What no restart of the server can mend."""
    yield
    web1.write("/srv/shop/healthz", "ok\n")


@pytest.fixture
def ladder(site: Site, systemd_hosts: SystemdHosts, roundup: Roundup) -> None:
    site.booted(systemd_hosts)
    site.write("checks.yaml", WEB_CHECK.replace("[restart-web]", "[restart-web, restore-page]"))
    site.runbook(NO_RESTART_HELPS)
    site.tickets(roundup)


@pytest.mark.usefixtures("page_lost", "ladder")
def test_what_does_not_help_is_rolled_back_and_the_next_rung_is_tried(
    site: Site, daemon: Daemon, web1: SystemdHost, roundup: Roundup
) -> None:
    site.runbook(RESTORE_PAGE.replace("PAGE", "healthz").replace("PATIENCE", "20s"))
    daemon.start()

    web1.run("rm /srv/shop/healthz")
    told = daemon.until("resolved")

    told.in_order(
        "noticed: web on web1 is CRITICAL: expected status 2xx, got 404",
        "treatment: restart-web starts on web1 (RUN-1)",
        "step: web1: restart: ok",
        "verification: web1: not recovered: web on web1: expected status 2xx, got 404",
        "rollback: web1: rolling back, not recovered",
        "step: web1: put the old state back: ok",
        "verification: web1: after the rollback not recovered",
        "treatment: restart-web ended (RUN-1): not recovered",
        "treatment: restore-page starts on web1 (RUN-2)",
        "step: web1: restore: ok",
        "verification: web1: recovered",
        "treatment: restore-page ended (RUN-2): recovered",
        "resolved: recovered by restore-page, verified",
    )
    assert whats(site.done_on(web1)) == ["restart", "roll back", "restore"]
    ticket = ticket_of(daemon, roundup)
    assert ticket.status == "resolved"
    assert "restart-web: not recovered" in ticket.told


@pytest.mark.usefixtures("page_lost", "ladder")
def test_when_nothing_helps_a_person_gets_it_with_all_that_was_tried(
    site: Site, daemon: Daemon, web1: SystemdHost, roundup: Roundup
) -> None:
    site.runbook(RESTORE_PAGE.replace("PAGE", "elsewhere").replace("PATIENCE", "1500ms"))
    daemon.start()

    web1.run("rm /srv/shop/healthz")
    told = daemon.until("escalated")

    handed_over = told.the("escalated")
    assert handed_over.text.startswith("handed to web-team: ladder used up: ")
    assert re.search(r"restart-web: .*not recovered in RUN-1.*restore-page: .*not recovered in RUN-2", handed_over.text)
    assert whats(site.done_on(web1)) == ["restart", "roll back", "restore"]
    incident = daemon.incident()
    assert incident.phase == "escalated"
    assert [attempt.runbook for attempt in incident.attempts] == ["restart-web", "restore-page"]
    ticket = ticket_of(daemon, roundup)
    assert ticket.told[-1].startswith("Handed to web-team: ladder used up")
    for known in ("- web on web1: CRITICAL: expected", "- restart-web (RUN-1): not recovered", "1 of 2 hosts of shop"):
        assert known in ticket.messages[-1]
    assert ticket.status == "in-progress"

    # A person mends it; the agent notices and closes what it handed over.
    web1.write("/srv/shop/healthz", "ok\n")
    daemon.until("resolved: recovered, confirmed by its checks")
    assert ticket_of(daemon, roundup).status == "resolved"
    assert whats(site.done_on(web1)) == ["restart", "roll back", "restore"]


def test_what_fails_again_at_once_is_noticed_again_and_treated_again(
    site: Site, daemon: Daemon, systemd_hosts: SystemdHosts, web1: SystemdHost, roundup: Roundup
) -> None:
    site.booted(systemd_hosts)
    site.write("checks.yaml", WEB_CHECK)
    site.runbook(RESTART_WEB)
    site.tickets(roundup)
    daemon.start()
    web1.kill_service("shop-web")
    daemon.until("resolved")

    web1.kill_service("shop-web")
    told = daemon.until("resolved", times=2)

    told.in_order(
        "resolved: recovered by restart-web, verified",
        "noticed: web on web1 is CRITICAL",
        "reopened: the fault is back: web on web1 is CRITICAL",
        "treatment: restart-web starts on web1 (RUN-2)",
        "step: web1: restart: ok",
        "verification: web1: recovered",
        "resolved: recovered by restart-web, verified",
    )
    assert whats(site.done_on(web1)) == ONCE * 2
    assert daemon.incident().reopened == 1
    ticket = ticket_of(daemon, roundup)
    assert ticket.status == "resolved"
    assert ticket.told[3].startswith("The fault is back: web on web1 is CRITICAL")
    assert ticket.told[2] == ticket.told[5] == "recovered by restart-web, verified"
