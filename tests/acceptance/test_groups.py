"""Faults that come together: hosts of a group, and services that lean on one another."""

import pytest

from tests.acceptance.daemon import Daemon
from tests.acceptance.site import RESTART_WEB, WEB_CHECK, Site, whats
from tests.acceptance.tickets import ticket_of
from tests.neighbours.roundup import Roundup
from tests.neighbours.systemd_host import SystemdHosts

pytestmark = [pytest.mark.root, pytest.mark.xdist_group("systemd hosts 2")]

ONE_AFTER_THE_OTHER = (
    RESTART_WEB.replace("verify: {within: 20s}", "verify: {within: 20s, stable_for: 1s}") + "serial: 1\n"
)


def test_two_hosts_that_fail_at_once_are_one_incident_and_are_treated_one_after_the_other(
    site: Site, daemon: Daemon, systemd_hosts: SystemdHosts, roundup: Roundup
) -> None:
    web1, web2 = systemd_hosts["web1"], systemd_hosts["web2"]
    site.booted(systemd_hosts, treat_at_once=2)  # only `serial: 1` stands between them
    site.write("checks.yaml", WEB_CHECK)
    site.runbook(ONE_AFTER_THE_OTHER)
    site.tickets(roundup)
    daemon.start()
    daemon.paramedic("freeze", "both are to be seen before either is treated")

    web1.kill_service("shop-web")
    web2.kill_service("shop-web")
    daemon.until("joined: is CRITICAL")
    assert daemon.until("refused: not treated for now: frozen").of("treatment") == []
    daemon.paramedic("unfreeze")
    told = daemon.until("resolved")

    begun = told.the("treatment: restart-web starts on")
    assert begun.data["serial"] == 1
    hosts = begun.data["hosts"]
    assert isinstance(hosts, list)
    assert sorted(hosts) == ["web1", "web2"]
    first, second = hosts
    told.in_order(
        f"step: {first}: restart: ok",
        f"verification: {first}: recovered",
        f"step: {second}: who we are",
        f"step: {second}: restart: ok",
        f"verification: {second}: recovered",
        "resolved: recovered by restart-web, verified",
    )
    of_first, of_second = site.done_on(systemd_hosts[first]), site.done_on(systemd_hosts[second])
    assert whats(of_first) == whats(of_second) == ["restart-web begins", "restart-web ends"]
    verified = told.the(f"verification: {first}: recovered").at
    assert of_first[1].at + 1 <= verified <= of_second[0].at

    assert [incident.id for incident in daemon.incidents()] == ["INC-1"]
    assert "2 of 2 hosts" in told.of("classified")[-1].text
    assert ticket_of(daemon, roundup).status == "resolved"
    assert len(site.filed(roundup)) == 1


DEPENDENT = """\
checks:
  orders:
    kind: tcp
    on: group:db
    port: 5432
    expect: ready
    every: 500ms
    timeout: 2s
    confirm: 3
    category: data
    service: shop-data
    ladder: [restart-db]
  checkout:
    kind: command
    description: Whether the shop can take an order, which needs the database.
    on: group:web
    run: timeout 1 bash -c '</dev/tcp/DB1/5432' || exit 2
    every: 500ms
    timeout: 3s
    confirm: 2
    category: web
    service: shop
    ladder: [restart-web]
"""

RESTART_DB = """\
runbook: restart-db
hosts: affected
steps:
  - name: let everything be noticed that will be
    on: local
    run: AT_THE_GATE
  - name: restart
    run: echo "$(date +%s.%N) restart-db" >> LEDGER; systemctl restart shop-db
    sudo: true
verify: {within: 20s}
"""


def test_what_fails_because_of_a_dependency_is_not_treated_itself(
    site: Site, daemon: Daemon, systemd_hosts: SystemdHosts, roundup: Roundup
) -> None:
    web1, web2, db1 = systemd_hosts
    site.booted(systemd_hosts)
    site.write("checks.yaml", DEPENDENT.replace("DB1", db1.address))
    site.runbook(RESTART_DB)
    site.runbook(RESTART_WEB)
    site.tickets(roundup)
    daemon.start()
    for host in ("web1", "web2"):
        daemon.until_health("checkout", host, "OK")

    db1.kill_service("shop-db")
    daemon.until("joined", times=2)
    site.open_gate()
    told = daemon.until("resolved", within=60)

    told.in_order("cause: orders is taken as the cause", "treatment: restart-db starts on db1", "resolved: recovered")
    assert [entry.data["runbook"] for entry in told.of("treatment: starts")] == ["restart-db"]
    assert whats(site.done_on(db1)) == ["restart-db"]
    assert site.done_on(web1) == site.done_on(web2) == []
    symptoms = {str(symptom.key): symptom for symptom in daemon.incident().symptoms}
    assert set(symptoms) == {"orders on db1", "checkout on web1", "checkout on web2"}
    assert all(symptom.cleared_at for symptom in symptoms.values())
    assert [incident.id for incident in daemon.incidents()] == ["INC-1"]
    assert ticket_of(daemon, roundup).status == "resolved"
    assert len(site.filed(roundup)) == 1
