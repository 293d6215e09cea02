"""What people tell a running daemon by `paramedic`, and that it is on the record under their names."""

import pwd
from pathlib import Path

from agent.demo.web import Web
from tests.acceptance.daemon import Daemon
from tests.acceptance.site import Site, whats
from tests.acceptance.tickets import ticket_of
from tests.neighbours.roundup import Roundup
from tests.neighbours.sshd import Sshd

ME = pwd.getpwuid(Path("/proc/self").stat().st_uid).pw_name

ASKS_FIRST = """\
runbook: restart-shop
steps:
  - name: a word from a person
    approve: {question: May the shop be restarted?, within: 10m}
  - name: restart
    run: |
      echo "$(date +%s.%N) restarts" >> LEDGER
      RESTART
verify: {within: 20s}
"""


def test_a_freeze_outlives_the_daemon_and_what_waited_is_treated_when_it_is_lifted(
    site: Site, daemon: Daemon, sshd: Sshd, web: Web
) -> None:
    site.on_loopback(sshd)
    site.restarts(web)
    daemon.start()
    daemon.paramedic("freeze", "release in progress")
    assert daemon.stop() == 0
    daemon.start()
    assert "release in progress" in daemon.paramedic("status")

    web.kill()
    told = daemon.until("refused: not treated for now: frozen")
    assert f"all treatment is frozen by {ME}: release in progress" in told.the("refused").text
    assert daemon.incident().phase == "held"
    assert site.done_here() == []
    assert daemon.stop() == 0
    daemon.start()

    daemon.paramedic("unfreeze", "release", "is", "done")
    told = daemon.until("resolved: recovered by restart-shop, verified")
    assert whats(site.done_here()) == ["restart-shop begins", "restart-shop ends"]
    about_agent = daemon.told("agent")
    about_agent.in_order(
        f"freeze: all treatment frozen by {ME}: release in progress", f"freeze: unfrozen by {ME}: release is done"
    )
    assert about_agent.of("freeze")[0].actor == ME


def test_an_approval_is_waited_for_over_a_restart(site: Site, daemon: Daemon, sshd: Sshd, web: Web) -> None:
    site.on_loopback(sshd)
    site.restarts(web, ASKS_FIRST)
    daemon.start()
    web.kill()
    daemon.until("approval: waiting up to 10m for somebody to approve: May the shop be restarted?")
    assert daemon.stop() == 0
    daemon.start()
    assert site.done_here() == []

    daemon.paramedic("approve", "INC-1", "the", "shop", "is", "empty")
    told = daemon.until("resolved")
    told.in_order(
        "approval: web1: waiting up to 10m",
        f"approval: web1: approved by {ME}: the shop is empty",
        "step: web1: a word from a person: ok",
        "step: web1: restart: ok",
        "resolved: recovered by restart-shop, verified",
    )
    assert told.of("approval")[-1].actor == ME
    assert whats(site.done_here()) == ["restarts"]


def test_a_denied_step_ends_the_treatment_and_leaves_it_to_the_person(
    site: Site, daemon: Daemon, sshd: Sshd, web: Web
) -> None:
    site.on_loopback(sshd)
    site.restarts(web, ASKS_FIRST)
    daemon.start()
    web.kill()
    daemon.until("approval")
    daemon.paramedic("deny", "INC-1", "not", "now")
    told = daemon.until("escalated")
    told.in_order(f"approval: web1: refused by {ME}: not now", "escalated: handed to web-team: restart-shop: declined")
    assert site.done_here() == []
    assert "nothing about INC-1 waits" in daemon.paramedic("approve", "INC-1", status=1)


def test_a_person_takes_an_incident_over_mends_it_and_says_so(
    site: Site, daemon: Daemon, sshd: Sshd, web: Web, roundup: Roundup
) -> None:
    site.on_loopback(sshd)
    site.restarts(web, ASKS_FIRST)
    site.tickets(roundup)
    daemon.start()
    web.kill()
    daemon.until("approval")

    daemon.paramedic("ack", "INC-1")
    daemon.paramedic("note", "INC-1", "the disk of the shop is being replaced")
    daemon.paramedic("assign", "INC-1", "alice")
    assert "is being treated" in daemon.paramedic("resolve", "INC-1", "done", status=1)
    daemon.paramedic("escalate", "INC-1", "I do it myself")
    assert daemon.incident().phase == "escalated"
    assert daemon.executions()[0].outcome == "stopped"

    # Said to be solved while it is not: the check is believed, not the person.
    daemon.paramedic("resolve", "INC-1", "plugged in again")
    told = daemon.until("reopened: the fault is back")
    told.in_order(
        f"acknowledged: acknowledged by {ME}",
        "note: the disk of the shop is being replaced",
        f"assigned: assigned to alice by {ME}",
        "escalated: handed to alice: I do it myself",
        "treatment: restart-shop ended (RUN-1): stopped",
        "resolved: plugged in again",
        "reopened: the fault is back",
    )
    daemon.until("approval: waiting up to", times=2)
    daemon.paramedic("escalate", "INC-1")
    web.start()
    daemon.until("resolved: recovered, confirmed by its checks")
    assert site.done_here() == []

    daemon.paramedic("reopen", "INC-1", "customers still complain")
    assert daemon.incident().phase == "escalated"
    daemon.paramedic("resolve", "INC-1", "they are content")
    daemon.paramedic("close", "INC-1")
    assert daemon.incident().phase == "closed"
    ticket = ticket_of(daemon, roundup)
    assert ticket.status == "resolved"
    assert f"{ME}: the disk of the shop is being replaced" in ticket.told
    assert ticket.told[-1] == f"closed by {ME}"
    assert ticket.numbers == tuple(f"INC-1/{number}" for number in range(1, daemon.incident().updates + 1))


def test_a_fault_that_a_person_reports_is_an_incident_like_any_other(
    site: Site, daemon: Daemon, sshd: Sshd, web: Web, roundup: Roundup
) -> None:
    site.on_loopback(sshd)
    site.restarts(web)
    site.tickets(roundup)
    daemon.start()

    said = daemon.paramedic("report", "orders", "get", "lost", "--service", "shop", "--urgency", "high")
    assert "INC-1" in said
    told = daemon.until("escalated")
    told.in_order(
        f"noticed: reported by {ME}: orders get lost",
        "opened: orders get lost",
        "classified: impact extensive",
        "assigned: assigned to web-team: it owns service shop",
        "escalated: handed to web-team: no runbook",
    )
    assert told.the("opened").actor == ME
    daemon.paramedic("runbook", "run", "restart-shop", "--host", "web1", "--incident", "INC-1")
    told = daemon.until("treatment: restart-shop ended")
    assert told.the("treatment: restart-shop starts on web1").actor == ME
    assert whats(site.done_here()) == ["restart-shop begins", "restart-shop ends"]

    # No check speaks for what a person saw: only a person can say that it is over.
    assert daemon.incident().phase == "escalated"
    daemon.paramedic("resolve", "INC-1", "orders arrive")
    assert ticket_of(daemon, roundup).status == "resolved"


def test_a_wrong_word_is_answered_and_changes_nothing(site: Site, daemon: Daemon, sshd: Sshd, web: Web) -> None:
    site.on_loopback(sshd)
    site.restarts(web)
    daemon.start()
    for words, answer in (
        (("ack", "INC-9"), "there is no incident INC-9"),
        (("report", "it is slow", "--service", "shoop"), "there is no service 'shoop'"),
        (("runbook", "run", "restart-shop", "--host", "web9"), "there is no host 'web9'"),
        (("unfreeze",), "nothing is frozen"),
    ):
        assert answer in daemon.paramedic(*words, status=1)
    assert daemon.json("incidents", "--all") == {"incidents": []}
    assert [entry.text for entry in daemon.told("agent") if entry.kind != "agent"] == []


def test_a_story_can_be_read_from_a_running_and_from_a_stopped_daemon(
    site: Site, daemon: Daemon, sshd: Sshd, web: Web
) -> None:
    site.on_loopback(sshd)
    site.restarts(web)
    daemon.start()
    web.kill()
    daemon.until("resolved")
    shown = daemon.paramedic("show", "INC-1")
    for words in ("INC-1", "connection refused", "1 of 1 hosts", "restart-shop", "recovered by restart-shop, verified"):
        assert words in shown
    story = daemon.json("show", "INC-1")
    assert [entry["entry"]["kind"] for entry in story["entries"]] == [entry.kind for entry in daemon.told()]

    assert daemon.stop() == 0
    store = str(site.state / "paramedic.db")
    assert daemon.json("show", "INC-1", "--store", store)["incident"]["phase"] == "resolved"
    assert daemon.json("records", "verify", "--store", store)["intact"] is True
    assert "no running agent" in daemon.paramedic("ack", "INC-1", status=3).lower()
