"""What a drill says to anybody is marked, and its tickets are in a queue of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.drill.record import DrillRecord
from agent.drill.run import run
from agent.drill.tickets import MarkedTickets
from agent.model.decision import Decision
from agent.model.drill import MARK
from agent.model.drill_result import DrillResult
from agent.model.settings import Settings
from agent.runtime.control.told import default_store
from agent.runtime.store import Store
from tests.functional.drill_site import DrillSite, drill_site
from tests.functional.records import NOON, incident, update
from tests.functional.remembered_tickets import Ledger, RememberedTickets
from tests.neighbours.mail_server import MailServer
from tests.neighbours.roundup import Roundup


@pytest.fixture
def site() -> Iterator[DrillSite]:
    with drill_site() as site:
        yield site


def drilled(site: DrillSite, **changes: object) -> DrillResult:
    configuration = site.write(down=site.drill(**changes))
    return run(configuration, configuration.drills["down"], actor="alice")


def keeps_a_ticket_system(site: DrillSite, roundup: Roundup, **drill: object) -> None:
    password = site.folder / "password"
    password.touch(mode=0o600)
    password.write_text(roundup.password)
    login = {"user": roundup.user, "password": "tracker"}
    queue = {"drill": drill} if drill else {}
    site.settings["tickets"] = {"preset": "roundup", "url": roundup.url, "basic": login, "prefix": "real-", **queue}
    site.settings["secrets"] = {"tracker": {"file": str(password)}}


def test_every_entry_on_its_record(site: DrillSite) -> None:
    result = drilled(site)
    with Store.open(default_store(site.state / "drills" / result.id), read_only=True) as store:
        texts = [record.entry.text for record in store.timeline()]
    assert len(texts) > 10
    assert [text for text in texts if not text.startswith(MARK)] == []


def test_its_tickets_are_in_the_drill_queue(site: DrillSite, roundup: Roundup) -> None:
    prefix = f"queue-{site.folder.name}"[:30]
    keeps_a_ticket_system(site, roundup, prefix=prefix)
    result = drilled(site, expect=[{"ticket": True}, {"recovered": True}])
    assert result.passed, result.judged
    (filed,) = [issue for issue in roundup.issues() if issue["external_id"].startswith(prefix)]
    assert filed["external_id"] == f"{prefix}DRILL-1-INC-1"
    assert filed["title"].startswith(MARK)
    assert filed["messages"]
    assert [text for text in filed["messages"] if not text.startswith(MARK)] == []
    assert [issue for issue in roundup.issues() if issue["external_id"] == "real-INC-1"] == []


def test_its_ticket_system_settles_as_the_drill_queue_does() -> None:
    queue = RememberedTickets(ledger=Ledger(), settles_within=120.0)
    assert MarkedTickets(queue=queue, drill="DRILL-1").settles_within == 120


def test_without_a_drill_queue_no_ticket_is_filed(site: DrillSite, roundup: Roundup) -> None:
    before = len(roundup.issues())
    keeps_a_ticket_system(site, roundup)
    result = drilled(site, expect=[{"ticket": True, "within": "10s"}], deadline="12s")
    assert not result.passed
    assert len(roundup.issues()) == before
    (noted, *_) = [entry.text for entry in result.entries if "no ticket is filed" in entry.text]
    assert "it would have said" in noted
    assert "INC-1, opened" in noted


def test_a_ticket_says_at_which_agent_to_answer(tmp_path: Path) -> None:
    record = DrillRecord(Settings(), lambda: NOON, lambda runbook, host: None, Path("/run/drill-1.sock"))
    with Store.open(tmp_path / "drill.db") as store:
        told = Decision(
            incidents={"INC-1": incident(1)}, commands=(update("INC-1", 1, "To answer: paramedic approve INC-1"),)
        )
        record.over(store).commit([told], NOON)
        (queued,) = store.tickets.due(NOON, 1)
    assert queued.update.text == "To answer: paramedic --socket /run/drill-1.sock approve INC-1"


def test_its_messages(site: DrillSite) -> None:
    with MailServer() as mail:
        address = site.folder / "mail"
        address.touch(mode=0o600)
        address.write_text(mail.url)
        site.settings |= {
            "secrets": {"mail": {"file": str(address)}},
            "messages": {"targets": {"mail": {"url": "mail"}}},
            "people": {"ada": {"notify": ["mail"]}},
            "plans": {
                "down": {
                    "title": "The shop is down",
                    "owner": "operations",
                    "scope": {"services": ["shop"]},
                    "roles": {"commander": ["ada"]},
                    "levels": {"II": {"any": [{"check_critical": "web"}]}},
                    "notification": [{"tell": "commander", "within": "1m"}],
                }
            },
        }
        nobody_answers = {"acknowledged": "commander", "within": "15s"}
        hosts = {"allow": ["group:web"], "most": 1}
        result = drilled(site, plan="down", hosts=hosts, expect=[{"plan": "down", "level": "II"}, nobody_answers])
        assert [each.met for each in result.judged] == [True, False], result.judged
        assert mail.arrived
        for message in mail.arrived:
            assert str(message["subject"]).startswith(MARK)
            body = message.get_body(("plain", "html"))  # type: ignore[attr-defined]
            assert MARK in body.get_content()
        called = "".join(message.get_body(("plain", "html")).get_content().split())  # type: ignore[attr-defined]
        own = site.socket.parent / "drill-1.sock"
        assert f"paramedic--socket{own}planackPLAN-1" in called, "the agent may have a PLAN-1 of its own"
