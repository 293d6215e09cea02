"""The shipped drills pass on the demo site when the loop works, and a drill names what broke when it does not."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from agent.config.load import load
from agent.demo import sshd
from agent.demo.drill_site import DrillSite
from tests.functional.control_site import PARAMEDIC, short_folder
from tests.neighbours import available

pytestmark = [pytest.mark.xdist_group("drills"), pytest.mark.timeout(400)]

LIVE = ("web-down", "half-the-shop-down", "database-down", "logs-fill-the-disk", "ticket-desk-down", "bad-release")
ENDS_WITHIN = 380
"""Seconds on a machine that has other things to do."""

LOOP = """
plans:
  shop-ill:
    title: Something is wrong with the shop
    owner: operations
    scope: {services: [shop]}
    roles: {commander: ["team:operations"]}
    levels:
      III: {any: [{incidents: 1, priority: P5, within: 1m, for: 500ms}]}
    notification: [{tell: commander, within: 5m}]
    stand_down: {for: 1s}
drills:
  loop:
    title: The whole loop
    form: live
    plan: shop-ill
    deadline: 90s
    hosts: {allow: [group:web], most: 1}
    steady_state: {checks: [web]}
    objectives: {loop: Everything works together.}
    inject:
      - name: the web server is killed
        host: web1
        run: kill -9 $(cat ~/shop/pid)
        undo: sh ~/shop/start-web --unless-running
    expect:
      - {detected: web, within: 30s, objective: loop}
      - {treated_with: restart-web, within: 35s, objective: loop}
      - {plan: shop-ill, level: III, within: 35s, objective: loop}
      - {recovered: true, within: 45s, objective: loop}
      - {ticket: true, within: 45s, objective: loop}
      - {acknowledged: commander, within: 45s, objective: loop}
"""


@pytest.fixture(scope="module")
def site() -> Iterator[DrillSite]:
    available.require("a demo site", sshd.missing(), "apt-get install openssh-server openssh-client")
    with short_folder() as folder, DrillSite(folder) as started:
        yield started


def paramedic(site: DrillSite, *words: str | Path, config: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **site.environment, "PARAMEDIC_CONFIG": str(config or site.config)}
    return subprocess.run(
        [PARAMEDIC, *words], env=environment, capture_output=True, text=True, timeout=ENDS_WITHIN, check=False
    )


def run(site: DrillSite, name: str, config: Path | None = None) -> tuple[int, dict[str, Any]]:
    """Exit code and result."""
    done = paramedic(site, "drill", "run", name, "--beside", "--json", config=config)
    assert done.stdout.startswith("{"), done
    result: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, result


def unmet(result: dict[str, Any]) -> dict[str, str]:
    return {each["label"]: each["actual"] for each in result["judged"] if not each["met"]}


def test_there_are_six_live_ones_and_each_is_sound(site: DrillSite) -> None:
    drills = load(site.config, environ=site.environment).drills
    assert [name for name, drill in drills.items() if drill.form == "live"] == list(LIVE)


@pytest.mark.parametrize("name", [*LIVE, "web-said-down"])
def test_it_passes_where_the_loop_works(site: DrillSite, name: str) -> None:
    code, result = run(site, name)
    assert unmet(result) == {}, result["findings"]
    assert (code, result["stopped_because"], result["rolled_back"]) == (0, "", True)
    assert result["judged"]


@pytest.fixture
def config(site: DrillSite, tmp_path: Path) -> Path:
    """Of its own, to be spoiled; with a drill of the whole loop."""
    shutil.copytree(site.config, tmp_path / "config")
    (tmp_path / "config" / "loop.yaml").write_text(LOOP)
    return tmp_path / "config"


@contextmanager
def check_disabled(site: DrillSite, config: Path) -> Iterator[None]:
    _change(config / "checks.yaml", "/healthz\n    every: 1s", "/healthz\n    every: 1h")
    yield


@contextmanager
def wrong_runbook(site: DrillSite, config: Path) -> Iterator[None]:
    _change(config / "checks.yaml", "ladder: [restart-web]", "ladder: [redeploy-web]")
    yield


@contextmanager
def does_nothing(site: DrillSite, config: Path) -> Iterator[None]:
    _change(config / "runbooks" / "restart-web.yaml", "run: sh ~/shop/start-web", 'run: "true"')
    yield


@contextmanager
def tickets_off(site: DrillSite, config: Path) -> Iterator[None]:
    site.tickets.stop()
    try:
        yield
    finally:
        site.tickets.start()
        site.note_tracker()


@contextmanager
def never_acknowledges(site: DrillSite, config: Path) -> Iterator[None]:
    site.operator.awake = False
    try:
        yield
    finally:
        site.operator.awake = True


def _change(file: Path, before: str, after: str) -> None:
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after, 1))


def test_the_whole_loop_passes(site: DrillSite, config: Path) -> None:
    code, result = run(site, "loop", config)
    assert (code, unmet(result)) == (0, {}), result["findings"]


@pytest.mark.parametrize(
    ("sabotage", "broken", "actual"),
    [
        (wrong_runbook, "treated with restart-web", "redeploy-web was chosen first"),
        (does_nothing, "recovered", "restart-web: not recovered"),
        (tickets_off, "ticket", "no ticket was filed"),
        (never_acknowledges, "acknowledged commander", "called, nobody acknowledged"),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_what_is_broken_is_named_and_nothing_else(
    site: DrillSite, config: Path, sabotage: Callable[..., Any], broken: str, actual: str
) -> None:
    with sabotage(site, config):
        code, result = run(site, "loop", config)
    assert code == 1
    [(label, said)] = unmet(result).items()
    assert label == broken
    assert actual in said
    assert result["rolled_back"]


def test_a_check_that_is_disabled_is_the_first_of_what_fails(site: DrillSite, config: Path) -> None:
    """Nothing else can happen then, and the report says so."""
    with check_disabled(site, config):
        code, result = run(site, "loop", config)
    assert (code, result["rolled_back"]) == (1, True)
    assert next(iter(unmet(result).items())) == ("detected web", "no incident was opened")
    assert result["findings"][-1].startswith("The first of these is detected web;")


def test_reports_are_kept_and_pipelines_can_read_them(site: DrillSite, config: Path, tmp_path: Path) -> None:
    junit = tmp_path / "drill.xml"
    done = paramedic(site, "drill", "run", "web-said-down", "--beside", "--junit", junit)
    assert done.returncode == 0, done
    assert "✓ detected web" in done.stdout
    assert ElementTree.parse(junit).getroot().get("failures") == "0"
    listed = json.loads(paramedic(site, "drill", "list", "--json").stdout)["drills"]
    [mine] = [each for each in listed if each["name"] == "web-said-down"]
    assert (mine["passed"], mine["score"]) == (True, 1.0)
    latest = paramedic(site, "drill", "report").stdout
    assert latest.startswith(f"# 【演练】EXERCISE {mine['last']}")
    assert paramedic(site, "drill", "report", mine["last"], "--format", "junit").stdout == junit.read_text()


def test_a_tabletop_is_held_with_answers_from_a_file(site: DrillSite, tmp_path: Path) -> None:
    answers = tmp_path / "answers.yaml"
    answers.write_text("- {answer: The operator on duty, good: true}\n- {answer: Nobody so far, good: false}\n")
    done = paramedic(site, "drill", "run", "who-does-what", "--answers", answers)
    assert done.returncode == 1, "one answer was not good"
    assert "Level II: Half of the shop is gone" in done.stdout
    assert "sh ~/shop/start-web" in done.stdout, "what the plan would do"
    assert "failed: 1 of 2 (50%)" in done.stdout
    told = paramedic(site, "drill", "report").stdout
    assert "Nobody so far" in told


def test_it_says_why_it_does_not_start(site: DrillSite) -> None:
    without_agent = paramedic(site, "drill", "run", "web-down")
    assert without_agent.returncode == 1
    assert "no agent is running" in without_agent.stderr
    unknown = paramedic(site, "drill", "run", "web-dwn", "--beside")
    assert "did you mean 'web-down'?" in unknown.stderr
    site.web["web1"].kill()
    try:
        unsteady = paramedic(site, "drill", "run", "web-quick", "--beside", config=_impatient(site))
    finally:
        site.web["web1"].start()
    assert unsteady.returncode == 1
    assert "the steady state does not hold: web on web1 is CRITICAL" in unsteady.stderr


def _impatient(site: DrillSite) -> Path:
    config = site.folder / "impatient"
    shutil.copytree(site.config, config, dirs_exist_ok=True)
    text = (config / "drills.yaml").read_text().replace("  web-down:", "  web-quick:", 1)
    (config / "drills.yaml").write_text(text.replace("checks: [web, database]}", "checks: [web], within: 2s}", 1))
    return config


def test_a_new_one_runs_as_it_is_written(site: DrillSite, config: Path) -> None:
    done = paramedic(site, "drill", "new", "mine", "--check", "web", "--host", "web2", config=config)
    assert done.returncode == 0, done
    assert (config / "drill-mine.yaml").exists()
    code, result = run(site, "mine", config)
    assert (code, unmet(result)) == (0, {})
