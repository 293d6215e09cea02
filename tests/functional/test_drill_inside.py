"""Drills inside the running agent: begun, followed and ended by the control socket."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from agent.config.load import load
from agent.demo.program import Program
from agent.drill.half_done import finish_half_done
from agent.model.drill import MARK
from tests.functional.drill_site import DrillSite, drill_site
from tests.neighbours.waiting import until

SOON = 60.0


@pytest.fixture
def site() -> Iterator[DrillSite]:
    with drill_site() as site:
        yield site


@pytest.fixture
def agent(site: DrillSite) -> Iterator[Program]:
    """The daemon, in a process of its own."""
    site.write(down=site.drill(), forever=site.drill(expect=[{"classified": "P1", "within": "60s"}]))
    words = [sys.executable, "-m", "agent", "run", site.config]
    agent = Program("agent", words, site.folder / "agent.log")
    agent.start(site.socket.exists)
    yield agent
    agent.stop()


def drill(site: DrillSite, *words: str) -> "subprocess.Popen[str]":
    """The command, as an operator types it."""
    command = [
        sys.executable,
        "-m",
        "agent",
        "--socket",
        str(site.socket),
        "drill",
        *words,
        "--config",
        str(site.config),
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_it_is_begun_and_followed(site: DrillSite, agent: Program) -> None:
    run = drill(site, "run", "down")
    said, _ = run.communicate(timeout=SOON)
    assert run.returncode == 0, said
    assert "the running agent gives leave" in said
    assert "recovered" in said
    assert "1 runbook, 2 drills;" in (site.folder / "agent.log").read_text()
    assert site.ledger("web1").read_text() == "mend\n"


def test_ctrl_c_ends_it_by_its_rollback(site: DrillSite, agent: Program) -> None:
    run = drill(site, "run", "forever")
    until(site.broken("web1").exists, within=SOON, what="the fault is there")
    run.send_signal(signal.SIGINT)
    said, _ = run.communicate(timeout=SOON)
    assert run.returncode == 1, said
    assert re.search(r"aborted by \S+: stopped by Ctrl-C", said)
    assert "SIGTERM" not in said
    assert not site.broken("web1").exists()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGPIPE], ids=lambda number: number.name)
def test_it_goes_on_when_only_its_watcher_is_lost(site: DrillSite, agent: Program, number: signal.Signals) -> None:
    run = drill(site, "run", "down")
    assert run.stdout is not None
    run.stdout.readline()
    if number is signal.SIGPIPE:
        run.stdout.close()
    else:
        run.send_signal(number)
    result = site.state / "drills" / "DRILL-1" / "result.json"
    until(result.exists, within=SOON, what="it goes on to its end")
    told = json.loads(result.read_text())
    assert (told["passed"], told["stopped_because"]) == (True, "")
    assert run.wait(SOON) != 0
    assert "Traceback" not in (site.folder / "agent.log").read_text()


def test_beside_the_agent_it_ends_by_its_rollback_without_a_watcher(site: DrillSite) -> None:
    site.write(forever=site.drill(expect=[{"classified": "P1", "within": "60s"}]))
    words = ["--socket", site.socket, "drill", "run", "forever", "--beside", "--config", site.config]
    errors = site.folder / "errors"
    with errors.open("w") as file:
        run = subprocess.Popen([sys.executable, "-m", "agent", *words], stdout=subprocess.PIPE, stderr=file, text=True)
    assert run.stdout is not None
    run.stdout.readline()
    run.stdout.close()
    assert run.wait(SOON) == 1
    said = errors.read_text()
    assert "Traceback" not in said
    assert said.count("whoever watches DRILL-1 cannot be told any more") == 1, "not a line for each thing it would say"
    assert "defect" not in said


def test_the_agent_that_stops_ends_it_by_its_rollback(site: DrillSite, agent: Program) -> None:
    run = drill(site, "run", "forever")
    until(site.broken("web1").exists, within=SOON, what="the fault is there")
    assert agent.pid is not None
    os.kill(agent.pid, signal.SIGTERM)
    run.communicate(timeout=SOON)
    until(lambda: not site.broken("web1").exists(), within=SOON, what="it is put back")
    until((site.state / "drills" / "DRILL-1" / "result.json").exists, within=SOON, what="it has ended")


@pytest.mark.parametrize("found_first", ["by the agent", "by another"])
def test_kill_9_of_agent_and_drill(site: DrillSite, agent: Program, found_first: str) -> None:
    """The host undoes the fault by itself; the agent that starts again finds what was left, and says so."""
    run = drill(site, "run", "forever")
    until(site.broken("web1").exists, within=SOON, what="the fault is there")
    agent.stop()  # with all its children, by SIGKILL
    said, _ = run.communicate(timeout=SOON)
    assert run.returncode == 3
    assert "each host undoes by itself when it has heard nothing of the drill for 5s" in said
    again = drill(site, "run", "forever")
    said, _ = again.communicate(timeout=SOON)
    assert "no agent is running" in said
    assert "--beside" in said
    until(lambda: not site.broken("web1").exists(), within=SOON, what="the host has undone it")
    result = site.state / "drills" / "DRILL-1" / "result.json"
    assert not result.exists()
    if found_first == "by another":
        finish_half_done(load(site.config))
    agent.start(site.socket.exists)
    until(result.exists, within=SOON, what="it is found half done, and its rollback is played")
    told = json.loads(result.read_text())
    assert told["rolled_back"] is True
    assert [undone["by_host"] for undone in told["undone"]] == [True]
    assert "it was interrupted" in told["stopped_because"]
    log = site.folder / "agent.log"
    until(lambda: "DRILL-1 is over" in log.read_text(), within=SOON, what="the host is no longer the drill's")
    assert "DRILL-1 is over: put back after it was interrupted" in log.read_text()
    assert "has not been heard of" not in log.read_text()


def test_kill_9_of_the_drill_alone(site: DrillSite, agent: Program) -> None:
    """The agent that goes on finds what was left, without being started anew."""
    run = drill(site, "run", "forever")
    until(site.broken("web1").exists, within=SOON, what="the fault is there")
    os.kill(json.loads((site.state / "drills" / "DRILL-1" / "begun.json").read_text())["pid"], signal.SIGKILL)
    run.communicate(timeout=SOON)
    until(lambda: not site.broken("web1").exists(), within=SOON, what="the host has undone it")
    result = site.state / "drills" / "DRILL-1" / "result.json"
    until(result.exists, within=SOON, what="the agent finds it half done")
    assert json.loads(result.read_text())["rolled_back"] is True


def test_what_it_says_in_the_journal_of_the_agent_is_marked(site: DrillSite, agent: Program) -> None:
    run = drill(site, "run", "down")
    said, _ = run.communicate(timeout=SOON)
    assert run.returncode == 0, said
    about_it = [line for line in (site.folder / "agent.log").read_text().splitlines() if "INC-1" in line]
    assert about_it
    assert [line for line in about_it if MARK not in line] == []


def test_an_agent_that_is_started_meanwhile_takes_nothing_of_it_for_real(site: DrillSite) -> None:
    site.write(late=site.drill(inject=[site.breaks("web1", at="15s")], expect=[{"recovered": True}]))
    run = drill(site, "run", "late", "--beside")
    until(lambda: list(site.state.glob("drills/DRILL-1/begun.json")), within=SOON, what="the drill has begun")
    agent = Program("agent", [sys.executable, "-m", "agent", "run", site.config], site.folder / "agent.log")
    agent.start(site.socket.exists)
    try:
        said, _ = run.communicate(timeout=SOON)
        assert run.returncode == 0, said
        log = (site.folder / "agent.log").read_text()
        assert "DRILL-1 begins" in log
        assert "INC-1" not in log
    finally:
        agent.stop()


def test_what_it_may_not_is_told(site: DrillSite, agent: Program) -> None:
    site.broken("web1").mkdir()  # which nothing here mends
    run = drill(site, "run", "down")
    said, _ = run.communicate(timeout=SOON)
    assert run.returncode != 0
    assert "steady state does not hold" in said or "is open there" in said
