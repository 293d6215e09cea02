"""Drills from beginning to end, on hosts that are really broken over SSH."""

from collections.abc import Iterator

import pytest

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
