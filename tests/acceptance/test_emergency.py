"""An emergency plan from its threshold to its review: half a group down, on booted hosts, with people who are told."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from agent.model.activation import ActionState, Activation, Stage
from agent.model.incident import Phase
from agent.model.plan import Level
from tests.acceptance.daemon import SOON, Daemon
from tests.acceptance.site import WEB_CHECK, Site, whats
from tests.acceptance.test_people import ME
from tests.acceptance.tickets import ticket_of
from tests.neighbours.http_site import Answer, HttpSite
from tests.neighbours.roundup import Roundup
from tests.neighbours.systemd_host import SystemdHost, SystemdHosts
from tests.neighbours.waiting import until

pytestmark = [pytest.mark.root, pytest.mark.xdist_group("systemd hosts 2")]

HELPS_NOBODY = """\
runbook: shake
steps:
  - name: shake
    run: echo "$(date +%s.%N) shake" >> LEDGER
verify: {within: 5s}
"""

ORDINARY = """\
runbook: ordinary-restart
steps:
  - run: echo "$(date +%s.%N) ordinary-restart" >> LEDGER; systemctl restart shop-web
    sudo: true
"""

RESTART = """\
runbook: emergency-restart
hosts: affected
steps:
  - name: restart
    run: |
      echo "$(date +%s.%N) recover begins" >> LEDGER
      GATE
      systemctl restart shop-web
      echo "$(date +%s.%N) recover ends" >> LEDGER
    sudo: true
    timeout: 90s
verify: {within: 30s}
"""

PLAN = """\
people:
  alice: {title: "Alice Adams, operations", notify: alice}
  DEPUTY: {notify: deputy}
  carol: {notify: carol}
messages:
  targets:
    alice: {url: alice-url}
    deputy: {url: deputy-url}
    carol: {url: carol-url}
secrets:
  alice-url: {file: alice-url}
  deputy-url: {file: deputy-url}
  carol-url: {file: carol-url}
plans:
  shop-down:
    title: The shop is down
    owner: operations
    scope: {services: [shop]}
    roles:
      commander: [alice, DEPUTY]
      technical_lead: [carol]
      liaison: [carol]
    levels:
      I: {title: nobody can buy}
      II: {any: [{hosts_healthy: below 60%, for: 2s}]}
    notification:
      - tell: commander
        within: 3s
        then: [{tell: liaison}]
    phases:
      contain:
        - name: close the gates
          hosts: group:web
          steps:
            - name: close
              run: |
                echo "$(date +%s.%N) contain begins" >> LEDGER
                GATE
                echo "$(date +%s.%N) contain ends" >> LEDGER
              timeout: 90s
      recover:
        - runbook: emergency-restart
      confirm:
        - name: look at it
          hosts: group:web
          steps:
            - name: look
              run: |
                echo "$(date +%s.%N) confirm begins" >> LEDGER
                GATE
                echo "$(date +%s.%N) confirm ends" >> LEDGER
              timeout: 90s
      communicate:
        - {name: tell the customers, by: liaison, do: Write what happened on the status page.}
    report_every: 5s
    stand_down: {for: 2s, confirmed_by: commander}
    targets: {declare: 1m, rto: 1h}
"""

GATES = {"contain begins": "contain", "recover begins": "recover", "confirm begins": "confirm"}
DONE = [f"{phase} {edge}" for phase in GATES.values() for edge in ("begins", "ends")]


class Receiver:
    """Where the messages to everybody arrive: a real server, asked by Apprise's json://."""

    def __init__(self, site: HttpSite) -> None:
        self._site = site
        for name in ("alice", "deputy", "carol"):
            site.answer(f"/{name}", Answer(200), method="POST")

    def of(self, name: str) -> list[tuple[str, str]]:
        """Subject and body of what arrived there, in order, doubles and all."""
        arrived = [request.json() for request in list(self._site.requests) if request.path == f"/{name}"]
        return [(one["title"], one["message"]) for one in arrived]

    def url(self, name: str) -> str:
        return f"json://127.0.0.1:{self._site.port}/{name}"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with HttpSite() as site:
        yield Receiver(site)


class Shop:
    """Two hosts of a group, a plan for when half of it is down, and gates in its actions that the test opens."""

    def __init__(self, site: Site, daemon: Daemon, hosts: SystemdHosts, receiver: Receiver) -> None:
        self.site, self.daemon, self.receiver = site, daemon, receiver
        self.web1, self.web2, _ = hosts
        site.booted(hosts, treat_at_once=2)
        site.write("checks.yaml", WEB_CHECK.replace("[restart-web]", "[shake, ordinary-restart]"))
        for name in ("alice", "deputy", "carol"):
            secret = site.config / f"{name}-url"
            secret.touch(mode=0o600)
            secret.write_text(receiver.url(name))
        site.runbook(HELPS_NOBODY)
        site.runbook(ORDINARY)
        site.runbook(RESTART.replace("GATE", self._gate("recover")))
        plan = PLAN.replace("DEPUTY", ME)
        for phase in ("contain", "confirm"):
            plan = plan.replace("GATE", self._gate(phase), 1)
        site.write("emergency.yaml", plan)

    def _gate(self, name: str) -> str:
        return f"for _ in $(seq 900); do [ -e {self._gate_file(name)} ] && break; sleep 0.1; done"

    def _gate_file(self, name: str) -> str:
        return f"/run/gate-{self.site.prefix}-{name}"

    def open(self, name: str) -> None:
        for host in (self.web1, self.web2):
            host.run(f"touch {self._gate_file(name)}")

    def until_on(self, host: SystemdHost, what: str) -> None:
        until(lambda: what in whats(self.site.done_on(host)), within=SOON, what=f"{what} on {host.name}")

    def activation(self) -> Activation | None:
        return self.daemon.store.activation("PLAN-1")

    def until_plan(self, is_so: Callable[[Activation], object], what: str) -> Activation:
        def reached() -> Activation | None:
            found = self.activation()
            return found if found and is_so(found) else None

        self.daemon._until(lambda: reached() is not None, SOON, what)
        found = reached()
        assert found
        return found

    def until_current(self, number: int, state: ActionState) -> Activation:
        return self.until_plan(lambda plan: plan.actions[number - 1].state is state, f"action {number} is {state}")

    def ordered(self) -> list[dict[str, Any]]:
        """All messages on record, in the order in which they were ordered."""
        with closing(sqlite3.connect(f"file:{self.site.state}/paramedic.db?mode=ro", uri=True)) as record:
            rows = record.execute("SELECT payload, state FROM messages ORDER BY number").fetchall()
        return [{**json.loads(payload), "state": state} for payload, state in rows]

    def all_messages_arrived(self, *, kills: int = 0) -> None:
        """Each is delivered, in order for each target. With each kill one to each of them may come a second time."""
        until(lambda: all(one["state"] == "delivered" for one in self.ordered()), within=SOON, what="all are delivered")
        for name in ("alice", "deputy", "carol"):
            wanted = [(one["subject"], one["body"]) for one in self.ordered() if one["target"] == name]
            arrived = self.receiver.of(name)
            once = [each for number, each in enumerate(arrived) if number == 0 or arrived[number - 1] != each]
            assert once == wanted
            assert len(arrived) - len(once) <= kills


@pytest.fixture
def shop(site: Site, daemon: Daemon, systemd_hosts: SystemdHosts, receiver: Receiver) -> Shop:
    return Shop(site, daemon, systemd_hosts, receiver)


def test_half_a_group_down_is_an_emergency_that_is_declared_treated_told_and_reviewed(
    shop: Shop, daemon: Daemon, site: Site, receiver: Receiver, roundup: Roundup
) -> None:
    site.tickets(roundup)
    daemon.start()
    for host in ("web1", "web2"):
        daemon.until_health("web", host, "OK")

    shop.web1.kill_service("shop-web")
    plan = shop.until_plan(lambda plan: True, "the plan is at work")
    assert plan.level is Level.II
    assert 2 <= plan.activated_at - daemon.incident("INC-1").opened_at < 20
    shop.until_on(shop.web2, "contain begins")
    assert "emergency" in daemon.until("refused: emergency", about="INC-1").of("refused")[-1].text

    until(lambda: receiver.of("alice"), within=SOON, what="the commander is called")
    until(lambda: receiver.of("deputy"), within=SOON, what="the deputy is called")
    assert "did not acknowledge within 3s" in str(daemon.told(plan.incident))
    daemon.paramedic("plan", "ack", "PLAN-1")
    until(lambda: receiver.of("carol"), within=SOON, what="the liaison is told once somebody is there")
    assert "recover begins" not in whats(site.done_on(shop.web1))

    for phase in ("contain", "recover", "confirm"):
        shop.until_on(shop.web1, f"{phase} begins")
        shop.open(phase)
    shop.until_current(4, ActionState.TODO)
    daemon.paramedic("plan", "tick", "PLAN-1", "4", "--note", "it is written")
    shop.until_plan(lambda plan: plan.checked_at, "the full check passed")
    assert shop.until_plan(lambda plan: True, "at work").stage is Stage.STANDING_DOWN
    daemon.paramedic("plan", "stand-down", "PLAN-1")
    over = shop.until_plan(lambda plan: plan.stage is Stage.REVIEW, "the review is open")

    marks = over.marks
    moments = (marks.began, marks.noticed, marks.declared, marks.contained, marks.recovered, marks.stood_down)
    assert None not in moments
    assert list(moments) == sorted(moment for moment in moments if moment)
    assert over.reports >= 1
    assert whats(site.done_on(shop.web1)) == ["shake", *DONE]
    assert whats(site.done_on(shop.web2)) == [line for line in DONE if "recover" not in line]
    shop.all_messages_arrived()
    assert daemon.incident(over.incident).linked == ("INC-1",)
    daemon.until("resolved", about="INC-1")
    said = "\n".join(ticket_of(daemon, roundup, over.incident).messages)
    assert "Stands for INC-1" in said
    assert "Situation report 1" in said
    assert len(site.filed(roundup)) == 2

    document = site.folder / "review.md"
    document.write_text(daemon.paramedic("review", "show", "PLAN-1"), encoding="utf-8")
    assert "nothing is written" in daemon.paramedic("review", "close", "PLAN-1", str(document), status=1)
    text = document.read_text(encoding="utf-8")
    document.write_text(text.replace("## Root cause\n", "## Root cause\n\nSomebody killed it.\n"), encoding="utf-8")
    daemon.paramedic("review", "close", "PLAN-1", str(document))
    assert shop.until_plan(lambda plan: plan.stage is Stage.CLOSED, "the review is closed").reviewed_by == ME
    assert "Somebody killed it." in daemon.paramedic("review", "show", "PLAN-1")
    assert daemon.incident(over.incident).phase is Phase.CLOSED
    assert ticket_of(daemon, roundup, over.incident).status == "resolved"


def test_a_plan_survives_kill_9_in_each_phase_and_nothing_is_done_twice_or_left_unsaid(
    shop: Shop, daemon: Daemon, site: Site, receiver: Receiver
) -> None:
    kills = 0

    def killed() -> None:
        nonlocal kills
        kills += 1
        daemon.kill()
        daemon.start()

    daemon.start()
    for host in ("web1", "web2"):
        daemon.until_health("web", host, "OK")
    shop.web1.kill_service("shop-web")
    for number, phase in enumerate(("contain", "recover", "confirm"), 1):
        shop.until_current(number, ActionState.RUNNING)
        shop.until_on(shop.web1, f"{phase} begins")
        killed()
        shop.open(phase)
    shop.until_current(4, ActionState.TODO)
    killed()
    daemon.paramedic("plan", "ack", "PLAN-1")
    daemon.paramedic("plan", "tick", "PLAN-1", "4")
    shop.until_plan(lambda plan: plan.well_since, "all is well")
    killed()
    shop.until_plan(lambda plan: plan.checked_at, "the full check passed")
    killed()
    daemon.paramedic("plan", "stand-down", "PLAN-1")
    shop.until_plan(lambda plan: plan.stage is Stage.REVIEW, "the review is open")
    killed()

    assert [line for line in whats(site.done_on(shop.web1)) if line != "shake"] == DONE
    assert whats(site.done_on(shop.web1)).count("shake") <= 1
    assert whats(site.done_on(shop.web2)) == [line for line in DONE if "recover" not in line]
    shop.all_messages_arrived(kills=kills)
    assert [each.id for each in daemon.store.activations()] == ["PLAN-1"]
    told = daemon.told(shop.until_plan(lambda plan: True, "there").incident)
    assert len(told.of("plan: starts at level II")) == 1
    assert len(told.of("plan: the emergency is over")) == 1
