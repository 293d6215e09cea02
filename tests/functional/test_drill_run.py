"""Drills from beginning to end, on hosts that are really broken over SSH."""

from collections.abc import Iterator

import pytest

from agent.drill.progress import Progress
from agent.drill.run import run
from agent.model.drill import MARK
from tests.functional.drill_site import DrillSite, drill_site


@pytest.fixture
def site() -> Iterator[DrillSite]:
    with drill_site() as site:
        yield site


def test_a_fault_is_made_treated_and_undone(site: DrillSite) -> None:
    configuration = site.write(down=site.drill())
    result = run(configuration, configuration.drills["down"], actor="alice")
    assert result.passed, result
    assert result.touched == ("web1",)
    assert site.ledger("web1").read_text() == "mend\n"
    assert not site.broken("web1").exists()
    assert [undone.ok for undone in result.undone] == [True]
    assert all(entry.text.startswith(MARK) for entry in result.entries)
    assert site.connections("web2") == site.connections("db1") == 0


def test_a_simulated_drill_runs_nothing_anywhere(site: DrillSite) -> None:
    says = {"check": "web", "host": "web1", "cleared_by": "mend"}
    drill = site.drill(form="simulate", hosts={"allow": ["group:web"]}, inject=[{"name": "ill", "answer": says}])
    configuration = site.write(down=drill)
    result = run(configuration, configuration.drills["down"], actor="alice")
    assert result.passed, result
    assert any("echo mend" in str(entry.data) + entry.text for entry in result.entries)
    assert [site.connections(host) for host in ("web1", "web2", "db1")] == [0, 0, 0]
    assert result.touched == ()


def test_whoever_watches_is_told_once_that_a_person_is_asked_and_what_to_type(site: DrillSite) -> None:
    asks = "  - approve: {question: May I?, within: 2s, otherwise: continue}\n"
    configuration = site.write(runbook=site.mends(steps=asks), down=site.drill())
    told: list[Progress] = []
    result = run(configuration, configuration.drills["down"], actor="alice", say=told.append)
    assert result.passed, result.judged
    (asked,) = [each.text for each in told if "May I?" in each.text]
    own = f"paramedic --socket {site.socket.parent / 'drill-1.sock'}"
    assert asked.endswith(f"to approve: May I? To answer: {own} approve INC-1, or {own} deny INC-1")
