"""What keeps the agent from treating the same thing for ever."""

from collections.abc import Iterator

import pytest

from agent.demo.web import Web
from tests.acceptance.daemon import Daemon
from tests.acceptance.site import RESTART_SHOP, RESTART_WEB, WEB_CHECK, Site, whats
from tests.neighbours.sshd import Sshd
from tests.neighbours.systemd_host import SystemdHost, SystemdHosts

DIES_YOUNG = "/run/systemd/system/shop-web.service.d/dies-young.conf"


@pytest.fixture
def sick(systemd_hosts: SystemdHosts) -> Iterator[SystemdHost]:
    """web1, whose web server dies a second after every start."""
    web1 = systemd_hosts["web1"]
    web1.write(DIES_YOUNG, "[Service]\nRuntimeMaxSec=1\n")
    web1.run("systemctl daemon-reload")
    yield web1
    web1.run(f"rm -f {DIES_YOUNG}; systemctl daemon-reload")


@pytest.mark.root
@pytest.mark.xdist_group("systemd hosts 2")
def test_what_comes_and_goes_is_left_to_a_person_until_it_has_been_quiet(
    site: Site, daemon: Daemon, systemd_hosts: SystemdHosts, sick: SystemdHost
) -> None:
    site.booted(systemd_hosts)
    site.write("checks.yaml", WEB_CHECK + "    flapping: {changes: 4, within: 5m, settle: 3s}\n")
    site.runbook(RESTART_WEB)
    daemon.start()

    sick.run("systemctl restart shop-web")
    told = daemon.until("escalated: flapping")

    told.in_order(
        "treatment: restart-web starts on web1 (RUN-1)",
        "resolved: recovered by restart-web",
        "reopened: the fault is back",
        "treatment: restart-web starts on web1 (RUN-2)",
        "flapping: web on web1 comes and goes: 4 changes within 5m",
        "escalated: handed to web-team: flapping: web on web1 comes and goes, ",
    )
    assert told.the("escalated").data["reason"] == "flapping"

    # It dies once more; that is noticed, and nothing is done.
    noticed = len(told.of("noticed"))
    told = daemon.until("noticed", times=noticed + 1)
    assert len(told.of("treatment: starts")) == 2
    assert whats(site.done_on(sick)) == ["restart-web begins", "restart-web ends"] * 2
    assert daemon.incident().phase == "escalated"

    # A person mends it. One good answer is not believed any more, a quiet while is.
    sick.run(f"rm {DIES_YOUNG}; systemctl daemon-reload; systemctl restart shop-web")
    told = daemon.until("resolved", times=2)
    told.in_order(
        "recovered: web on web1 is well again",
        "flapping: web on web1 no longer comes and goes, quiet for 3s",
        "resolved: recovered, confirmed by its checks",
    )
    assert len(told.of("treatment: starts")) == 2


def test_a_runbook_that_has_used_up_its_limit_is_refused(site: Site, daemon: Daemon, sshd: Sshd, web: Web) -> None:
    site.on_loopback(sshd)
    site.restarts(web, RESTART_SHOP + "limits: {per_host: 2 per hour}\n")
    daemon.start()
    for times in (1, 2):
        web.kill()
        daemon.until("resolved", times=times)

    web.kill()
    told = daemon.until("escalated")

    told.in_order(
        "reopened",
        "reopened",
        "refused: restart-shop refused: rate limit: restart-shop ran on web1 2 times, the limit is 2 per hour",
        "escalated: handed to web-team: ladder used up: restart-shop: rate limit",
    )
    assert told.the("refused").data["reason"] == "rate limit"
    assert whats(site.done_here()) == ["restart-shop begins", "restart-shop ends"] * 2
    assert web.pid is None


def test_a_limit_that_is_used_up_stays_so_over_a_restart(site: Site, daemon: Daemon, sshd: Sshd, web: Web) -> None:
    """And what comes after the restart is numbered on."""
    site.on_loopback(sshd)
    site.restarts(web, RESTART_SHOP + "limits: {per_host: 1 per hour}\n")
    daemon.start()
    web.kill()
    daemon.until("resolved")
    assert daemon.stop() == 0
    daemon.start()

    web.kill()
    told = daemon.until("escalated")

    told.in_order(
        "reopened",
        "refused: restart-shop refused: rate limit: restart-shop ran on web1 1 times, the limit is 1 per hour",
    )
    assert whats(site.done_here()) == ["restart-shop begins", "restart-shop ends"]
    daemon.paramedic("report", "the printer is on fire")
    assert [incident.id for incident in daemon.incidents()] == ["INC-1", "INC-2"]
    assert daemon.incident("INC-2").title == "the printer is on fire"
