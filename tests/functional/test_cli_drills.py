"""`drill new`, `drill show`, `drill list` and what is counted of drills, on a configuration without an agent."""

import json
import re
from pathlib import Path

import pytest

from agent.drill import archive
from agent.model.drill_result import DrillResult, Judged
from tests.functional.control_site import paramedic

CONFIG = """
agent: {state_dir: STATE}
login: {key_file: key, known_hosts: known_hosts}
hosts: {web1: {address: 127.0.0.1}, web2: {address: 127.0.0.2}}
groups: {web: {hosts: [web1, web2]}}
services: {shop: {title: The shop, on: "group:web", owner: web-team}}
teams: {web-team: {categories: [web]}, operations: {}}
checks:
  web: {kind: command, on: "group:web", run: "true", every: 5s, category: web, service: shop, ladder: [restart]}
"""
RUNBOOK = "runbook: restart\nhosts: affected\nsteps: [{run: 'true'}]\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    folder = tmp_path / "config"
    (folder / "runbooks").mkdir(parents=True)
    (folder / "all.yaml").write_text(CONFIG.replace("STATE", str(tmp_path / "state")))
    (folder / "runbooks" / "restart.yaml").write_text(RUNBOOK)
    return folder


def said(*words: str | Path) -> str:
    done = paramedic(*map(str, words))
    assert done.code == 0, done
    return done.out


def test_a_new_drill_is_sound_and_so_is_the_live_one_in_its_comment(config: Path) -> None:
    said("drill", "new", "web-down", "--config", config)
    file = config / "drill-web-down.yaml"
    assert json.loads(said("drill", "show", "web-down", "--json", "--config", config))["form"] == "simulate"
    before, mark, after = file.read_text().partition("  #\n")
    assert mark
    file.write_text(before + mark + re.sub("^  # ", "  ", after, flags=re.MULTILINE))
    said("check-config", config)
    live = json.loads(said("drill", "show", "web-down-live", "--json", "--config", config))
    assert (live["form"], live["steady_state"]["checks"], live["hosts"]["allow"]) == ("live", ["web"], ["host:web1"])
    assert [each["name"] for each in live["inject"]] == ["NAME.service stops"]


def test_what_a_drill_does_is_shown_line_by_line(config: Path) -> None:
    said("drill", "new", "web-down", "--unit", "nginx.service", "--config", config)
    shown = said("drill", "show", "web-down", "--config", config)
    assert "\\n" not in shown
    assert re.search(r"nginx.service stops\n +on web1: systemctl stop nginx.service\n +undone by: ", shown)


def test_drills_are_counted(config: Path) -> None:
    assert re.search(r"^  drills +0$", said("check-config", config), re.MULTILINE)
    said("drill", "new", "web-down", "--config", config)
    assert re.search(r"^  drills +1$", said("check-config", config), re.MULTILINE)


@pytest.mark.parametrize("outcome", ["failed", "stopped", "interrupted"])
def test_one_that_did_not_go_to_its_end_has_not_failed(config: Path, tmp_path: Path, outcome: str) -> None:
    said("drill", "new", "web-down", "--config", config)
    result = DrillResult(
        id="DRILL-1",
        drill="web-down",
        title="web fails",
        form="simulate",
        digest="",
        actor="alice",
        started_at=0.0,
        ended_at=1.0,
        judged=(Judged("detected web", "notice", False, "an incident", "none"),),
        stopped_because="" if outcome == "failed" else "aborted by alice",
        interrupted=outcome == "interrupted",
    )
    archive.keep(tmp_path / "state", result)
    assert f" {outcome} " in said("drill", "list", "--config", config)
    (listed,) = json.loads(said("drill", "list", "--json", "--config", config))["drills"]
    assert listed["outcome"] == outcome
