"""Hosts that cannot be reached or that are not who they were."""

import math
import time

import pytest

from tests.acceptance.daemon import Daemon
from tests.acceptance.site import RESTART_WEB, WEB_CHECK, Site, whats
from tests.acceptance.tickets import ticket_of
from tests.neighbours.roundup import Roundup
from tests.neighbours.systemd_host import SystemdHosts
from tests.neighbours.waiting import until

pytestmark = [pytest.mark.root, pytest.mark.xdist_group("systemd hosts 2")]

UNIT_CHECK = """\
  unit:
    kind: command
    on: group:web
    run: systemctl is-active shop-web
    every: 500ms
    timeout: 2s
    unknown_after: 3s
    category: web
    ladder: [restart-web]
"""


def test_a_host_that_cannot_be_reached_is_left_to_a_person_and_nothing_is_closed_by_not_knowing(
    site: Site, daemon: Daemon, systemd_hosts: SystemdHosts, roundup: Roundup
) -> None:
    web1 = systemd_hosts["web1"]
    site.booted(systemd_hosts)
    site.write("checks.yaml", WEB_CHECK + UNIT_CHECK)
    site.runbook(RESTART_WEB)
    site.tickets(roundup)
    daemon.start()
    daemon.until_health("unit", "web1", "OK")

    web1.network_down()
    told = daemon.until("escalated", within=60)

    told.in_order(
        "noticed: web on web1 is CRITICAL: no answer",
        "treatment: restart-web starts on web1 (RUN-1)",
        "step: web1: who we are: unreachable",
        "step: web1: restart: unreachable",
        "treatment: restart-web ended (RUN-1): unreachable",
        "escalated: handed to web-team: ladder used up: restart-web: ineffective before: unreachable in RUN-1",
    )
    assert f"{web1.address} port 22 does not answer within 3 s" in told.the("step: web1: restart: unreachable").text

    blind = daemon.until("escalated", about="INC-2", within=60)
    blind.in_order("opened: unit on web1 cannot be asked", "escalated: ")
    assert daemon.incident("INC-2").category == "monitoring"
    # Neither was anything recovered by not being asked, nor was the blind check's runbook run.
    assert not told.has("recovered")
    assert {daemon.incident(id).phase for id in ("INC-1", "INC-2")} == {"escalated"}
    assert len(daemon.executions("INC-1")) == 1
    assert daemon.executions("INC-2") == []

    web1.network_up()
    daemon.until("resolved: recovered, confirmed by its checks")
    daemon.until("resolved: recovered, confirmed by its checks", about="INC-2")
    assert site.done_on(web1) == []
    for incident in ("INC-1", "INC-2"):
        assert ticket_of(daemon, roundup, incident).status == "resolved"


def test_a_host_with_another_key_is_not_logged_in_to(site: Site, daemon: Daemon, systemd_hosts: SystemdHosts) -> None:
    web1 = systemd_hosts["web1"]
    site.booted(systemd_hosts)
    site.write("checks.yaml", WEB_CHECK)
    site.runbook(RESTART_WEB)
    daemon.start()

    web1.change_host_key()
    began = math.ceil(time.time())  # the test before may just have been logged in
    web1.kill_service("shop-web")
    told = daemon.until("escalated")

    refused = told.the("step: web1: restart")
    assert refused.data["status"] == "unreachable"
    assert f"web1: {web1.address} port 22 answers with the ssh-ed25519 key SHA256:" in refused.text
    assert f"{systemd_hosts.known_hosts} holds another key for it" in refused.text
    assert "another machine answers in its place" in refused.text
    assert f"ssh-keygen -R {web1.address} -f {systemd_hosts.known_hosts}" in refused.text
    assert site.done_on(web1) == []
    assert web1.service("shop-web") == "failed"
    assert web1.run(f"journalctl --unit=ssh --no-pager --since=@{began}").stdout.count("Accepted publickey") == 0


SLOW = """\
runbook: restart-web
hosts: affected
steps:
  - name: restart
    run: echo "$(date +%s.%N) restart" >> LEDGER; sleep MUCH; systemctl restart shop-web
    sudo: true
    timeout: 3s
rollback:
  - name: put the old state back
    run: echo "$(date +%s.%N) roll back" >> LEDGER
    sudo: true
verify: {within: 20s}
"""


def test_a_power_cut_in_a_step_costs_that_step_and_the_next_connection_is_a_new_one(
    site: Site, daemon: Daemon, systemd_hosts: SystemdHosts
) -> None:
    web1, web2 = systemd_hosts["web1"], systemd_hosts["web2"]
    site.booted(systemd_hosts)
    site.write("checks.yaml", WEB_CHECK)
    site.runbook(SLOW.replace("MUCH", "$([ $(hostname) = web1 ] && echo 30 || echo 0)"))
    daemon.start()
    web1.kill_service("shop-web")
    until(lambda: site.done_on(web1), within=45, what="the step has begun on web1")
    web1.network_down()  # no word of farewell from its kernel
    web1.power_cut()

    web1.power_on()
    web1.wait_until_up()
    # Its own services come up with it, and that is noticed: there is nothing left for a person to do.
    told = daemon.until("resolved: recovered, confirmed by its checks")
    told.in_order(
        "step: web1: restart: outcome unknown",
        "treatment: restart-web ended (RUN-1): outcome unknown: nobody can say what 'restart' did",
    )
    assert "the host was restarted" in told.the("step: web1: restart").text

    # Another host does not suffer from it.
    web2.kill_service("shop-web")
    daemon.until("resolved: recovered by restart-web, verified", about="INC-2")
    assert whats(site.done_on(web1)) == ["restart"]

    site.runbook(SLOW.replace("MUCH", "0"))
    daemon.reload()
    daemon.until("agent: configuration reloaded", about="agent")
    daemon.paramedic("runbook", "run", "restart-web", "--host", "web1")
    told = daemon.until("treatment: restart-web ended", about="RUN-3")
    told.in_order("step: web1: restart: ok", "treatment: restart-web ended (RUN-3): done")
