"""A backup of the running daemon, and the way back: nothing is done twice, nothing is told twice."""

import pytest

from agent.demo.web import Web
from tests.acceptance.daemon import Daemon
from tests.acceptance.site import Site, whats
from tests.acceptance.tickets import ticket_of
from tests.neighbours.roundup import Roundup
from tests.neighbours.waiting import until

PROCESS = """\
checks:
  shop:
    kind: process
    pid_file: PID_FILE
    every: 500ms
    confirm: 2
    ladder: [restart-here]
"""

PREPARE_AND_RESTART = """\
runbook: restart-here
hosts: local
steps:
  - name: prepare
    run: |
      echo "$(date +%s.%N) prepare" >> LEDGER
      AT_THE_GATE
    repeatable: true
  - name: restart
    run: echo "$(date +%s.%N) restart" >> LEDGER; RESTART
verify: {within: 20s}
"""


@pytest.fixture
def shop(site: Site, web: Web, roundup: Roundup) -> Site:
    site.write("checks.yaml", PROCESS.replace("PID_FILE", str(web.pid_file)))
    site.runbook(PREPARE_AND_RESTART.replace("RESTART", web.restart_command))
    site.tickets(roundup)
    return site


def test_what_was_under_way_in_the_backup_is_not_done_again(
    shop: Site, daemon: Daemon, web: Web, roundup: Roundup
) -> None:
    backup = shop.folder / "backups" / "monday.db"
    daemon.start()
    web.kill()
    until(lambda: whats(shop.done_here()) == ["prepare"], within=45, what="the first step is under way")
    daemon.paramedic("records", "backup", str(backup))
    shop.open_gate()
    daemon.until("resolved")
    daemon.paramedic("report", "only the replaced record knows this")
    before = ticket_of(daemon, roundup)
    daemon.until_delivered()
    assert "stop it first" in daemon.paramedic("records", "restore", str(backup), status=1)
    assert daemon.stop() == 0

    said = daemon.paramedic("records", "restore", str(backup), "--store", str(shop.state))
    assert "What happened since then is not known to it" in said
    daemon.read_anew()
    daemon.start()
    told = daemon.until("resolved: recovered, confirmed by its checks")
    told.in_order(
        "treatment: restart-here starts on localhost (RUN-1)",
        "treatment: restart-here ended (RUN-1): outcome unknown: it was under way in the backup",
        "escalated: handed to operations: the record was restored from a backup",
        "resolved: recovered, confirmed by its checks",
    )
    assert daemon.told("agent").has("agent: the record was restored from monday.db")
    assert whats(shop.done_here()) == ["prepare", "restart"]

    after = ticket_of(daemon, roundup)
    assert after.id == before.id
    assert after.messages[: len(before.messages)] == before.messages
    assert len(set(after.numbers)) == len(after.numbers)
    assert any("the record was restored from a backup" in told for told in after.told)
    assert after.status == "resolved"

    daemon.paramedic("report", "something else")
    assert daemon.incidents()[-1].id == "INC-1002"
    assert daemon.json("records", "verify")["intact"]


def test_a_restart_after_a_restoration_is_like_any_other(shop: Site, daemon: Daemon) -> None:
    backup = shop.folder / "monday.db"
    daemon.start()
    daemon.paramedic("records", "backup", str(backup))
    assert daemon.stop() == 0
    daemon.paramedic("records", "restore", str(backup), "--store", str(shop.state))
    daemon.read_anew()
    daemon.start()
    assert daemon.stop() == 0
    daemon.start()
    daemon.paramedic("report", "the first since")
    assert len(daemon.told("agent").of("agent: the record was restored")) == 1
    assert daemon.incidents()[-1].id == "INC-1001"
