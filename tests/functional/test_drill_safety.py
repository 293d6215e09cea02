"""Every safety rule of drills, broken on purpose. Hosts are addresses of a real sshd, whose log is the witness."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.app import App
from agent.cli.agent_client import AgentClient
from agent.config.load import load
from agent.drill import begun
from agent.drill.begun import DrillRefused
from agent.drill.half_done import finish_half_done
from agent.drill.progress import Progress, Stage, Stop
from agent.drill.report import verdict
from agent.drill.run import abort, run
from agent.model.drill_result import DrillResult
from agent.runtime.control.told import default_store
from agent.runtime.service_manager import ServiceManager
from agent.runtime.store import Store
from tests.functional.drill_site import DrillSite, drill_site
from tests.neighbours.waiting import until

SOON = 60.0


@pytest.fixture
def site() -> Iterator[DrillSite]:
    with drill_site() as site:
        yield site


@contextmanager
def running_agent(site: DrillSite) -> Iterator[AgentClient]:
    app = App(load(site.config), ServiceManager({}))
    app.start()
    try:
        yield AgentClient([site.socket])
    finally:
        app.stop()


class Watcher:
    """Calls `act` once the fault is there."""

    def __init__(self, site: DrillSite, act: Callable[[], object]) -> None:
        self._site = site
        self._act: Callable[[], object] | None = act
        self.texts: list[str] = []

    def __call__(self, progress: Progress) -> None:
        self.texts += [progress.text] if progress.text else []
        if self._act and progress.stage is Stage.RUNNING and self._site.broken("web1").exists():
            act, self._act = self._act, None
            act()


def never_mends(site: DrillSite) -> str:
    """And would not believe for a long time that anything is well."""
    return "runbook: mend\nsteps:\n  - run: 'true'\nverify: {within: 2m, stable_for: 1m}\n"


def held(site: DrillSite, *, act: Callable[[], object], stop: Stop | None = None, **drill: object) -> DrillResult:
    """A drill whose fault nobody mends, and into which something comes; everything must be put back."""
    configuration = site.write(runbook=never_mends(site), down=site.drill(**drill))
    result = run(configuration, configuration.drills["down"], actor="alice", say=Watcher(site, act), stop=stop)
    assert not site.broken("web1").exists()
    assert result.rolled_back
    assert result.stopped_because
    assert not result.passed
    assert not timer_of(site, result.id).exists(), "nothing is left on the host"
    return result


def timer_of(site: DrillSite, id: str) -> Path:
    """Its folder on web1, which is broken in these."""
    begun = json.loads((site.state / "drills" / id / "begun.json").read_text())
    return Path("/var/tmp") / f"{begun['timer']}-web1"


# it does not start


def test_refused_while_a_real_incident_is_open(site: DrillSite) -> None:
    configuration = site.write(down=site.drill())
    with running_agent(site) as agent:
        agent.post("incidents", body={"title": "the shop is slow", "service": "shop"})
        with pytest.raises(DrillRefused, match="INC-1 is open"):
            run(configuration, configuration.drills["down"], actor="alice")
    assert not site.broken("web1").exists()
    assert not list((site.state / "drills").glob("DRILL-*"))


def test_refused_while_the_steady_state_does_not_hold(site: DrillSite) -> None:
    site.broken("web1").touch()
    configuration = site.write(down=site.drill(steady_state={"checks": ["web"], "within": "1s"}))
    with pytest.raises(DrillRefused, match="steady state does not hold: web on web1 is CRITICAL"):
        run(configuration, configuration.drills["down"], actor="alice")
    assert not site.ledger("web1").exists()


def test_refused_where_the_checks_of_the_steady_state_ask_none_of_its_hosts(site: DrillSite) -> None:
    """Nobody would have said that all is well, neither before nor after. The configuration refuses such a drill."""
    configuration = site.write(down=site.drill(steady_state={"checks": ["web"], "within": "1s"}))
    drill = configuration.drills["down"]
    elsewhere = drill.hosts.model_copy(update={"names": ("db1",)})
    with pytest.raises(DrillRefused, match="web on nothing is UNKNOWN: it asks none of the hosts"):
        run(configuration, drill.model_copy(update={"hosts": elsewhere, "inject": ()}), actor="alice")
    assert site.connections("web1") == site.connections("db1") == 0


def test_refused_while_another_drill_is_under_way(site: DrillSite) -> None:
    configuration = site.write(down=site.drill())
    one = begun.OneAtATime(site.state / "drills")
    one.named("DRILL-3")
    with pytest.raises(DrillRefused, match="another drill is under way: DRILL-3"):
        run(configuration, configuration.drills["down"], actor="alice")
    one.close()


def test_refused_if_its_own_faults_are_on_more_hosts_than_it_may_touch(site: DrillSite) -> None:
    both = [site.breaks("web1"), site.breaks("web2")]
    configuration = site.write(down=site.drill(hosts={"allow": ["group:web"], "most": 2}, inject=both))
    drill = configuration.drills["down"]
    drill = drill.model_copy(update={"hosts": drill.hosts.model_copy(update={"most": 1})})
    with pytest.raises(DrillRefused, match="may touch 1 hosts at the most"):
        run(configuration, drill, actor="alice")
    assert [site.connections(host) for host in ("web1", "web2")] == [0, 0]


# it ends, by its rollback


def test_a_real_incident_comes_first(site: DrillSite) -> None:
    site.write(down=site.drill())
    with running_agent(site) as agent:
        result = held(site, act=lambda: agent.post("incidents", body={"title": "really slow", "service": "shop"}))
        assert "preempted by INC-1" in result.stopped_because
        assert [each["id"] for each in agent.get("incidents")["incidents"]] == ["INC-1"]


def test_the_agents_own_record_knows_only_that_there_was_an_exercise(site: DrillSite) -> None:
    configuration = site.write(down=site.drill())
    with running_agent(site) as agent:
        result = run(configuration, configuration.drills["down"], actor="alice")
        assert result.passed, result
        assert agent.get("incidents", all=True)["incidents"] == []
        assert agent.get("status")["executions"] == []
    with Store.open(default_store(site.state), read_only=True) as store:
        kinds = [record.entry.kind for record in store.timeline()]
    assert kinds.count("exercise") in (2, 3)  # it began, it ended; and what was seen of it meanwhile was left to it
    assert not {"opened", "treatment", "step", "resolved"} & set(kinds)


def test_ctrl_c(site: DrillSite) -> None:
    result = held(site, act=lambda: os.kill(os.getpid(), signal.SIGINT))
    assert result.stopped_because == "stopped by Ctrl-C"


def test_ctrl_c_again_in_the_rollback_stops_nothing(site: DrillSite) -> None:
    interrupts = iter(range(100))

    def interrupt(progress: Progress) -> None:
        if site.broken("web1").exists() and next(interrupts) < 50:
            os.kill(os.getpid(), signal.SIGINT)

    slowly = site.breaks("web1")
    slowly["undo"] = f"sleep 2; {slowly['undo']}"
    configuration = site.write(runbook=never_mends(site), down=site.drill(inject=[slowly]))
    result = run(configuration, configuration.drills["down"], actor="alice", say=interrupt)
    assert result.rolled_back
    assert not site.broken("web1").exists()


def test_sigterm(site: DrillSite) -> None:
    assert held(site, act=lambda: os.kill(os.getpid(), signal.SIGTERM)).stopped_because == "stopped by SIGTERM"


def test_abort(site: DrillSite) -> None:
    result = held(site, act=lambda: abort(load(site.config), "bob", "enough"))
    assert result.stopped_because == "aborted by bob: enough"


def test_the_deadline(site: DrillSite) -> None:
    late = [{"detected": "web"}, {"recovered": True}]
    result = held(site, act=lambda: None, deadline="6s", expect=late, inject=[site.breaks("web1", at="2s")])
    assert result.stopped_because == "its deadline of 6s has passed"
    assert [each.met for each in result.judged] == [True, None]


def test_a_stop_condition(site: DrillSite) -> None:
    result = held(site, act=lambda: None, stop_if=[{"check_critical": "web", "for": "1s"}])
    assert result.stopped_because.startswith("stop condition: web on web1")


def test_a_fault_that_cannot_be_made(site: DrillSite) -> None:
    broken = site.breaks("web1")
    broken["run"] += "; echo no such thing >&2; exit 7"
    result = held(site, act=lambda: None, inject=[broken])
    assert result.stopped_because == "break web1 on web1: exit status 7: no such thing"


def test_it_does_not_end_before_its_latest_fault_could_be_seen(site: DrillSite) -> None:
    """All that was expected had happened after the first one."""
    later = site.breaks("web2", at="15s")
    drill = site.drill(hosts={"allow": ["group:web"], "most": 2}, inject=[site.breaks("web1"), later])
    configuration = site.write(down=drill)
    result = run(configuration, configuration.drills["down"], actor="alice")
    assert result.passed, result
    assert site.ledger("web2").read_text() == "mend\n"


# the fence


def test_a_host_that_is_not_on_the_list_is_never_touched_whatever_a_runbook_says(site: DrillSite) -> None:
    hosts = {"allow": ["host:web1"], "most": 3}
    drill = site.drill(hosts=hosts, expect=[{"treated_with": "mend"}, {"recovered": True}], deadline="15s")
    configuration = site.write(runbook=site.mends(hosts="group:db"), down=drill)
    result = run(configuration, configuration.drills["down"], actor="alice")
    assert any("refused: db1 is not touched: it is none of the hosts" in entry.text for entry in result.entries)
    assert site.connections("db1") == 0
    assert not site.ledger("db1").exists()
    assert result.touched == ("web1",)


def test_nor_is_this_machine(site: DrillSite) -> None:
    here = f"  - run: touch {site.folder}/here\n    on: local\n    timeout: 5s\n"
    hosts = {"allow": ["host:web1"], "most": 3}
    drill = site.drill(hosts=hosts, expect=[{"treated_with": "mend"}, {"recovered": True}], deadline="15s")
    configuration = site.write(runbook=site.mends(steps=here), down=drill)
    result = run(configuration, configuration.drills["down"], actor="alice")
    assert any("refused: localhost is not touched" in entry.text for entry in result.entries)
    assert not (site.folder / "here").exists()


def test_no_more_hosts_than_it_may(site: DrillSite) -> None:
    """The runbook treats the whole group, of which all is allowed; the fault has used up the one host."""
    configuration = site.write(
        runbook=site.mends(hosts="group:web"),
        down=site.drill(
            hosts={"allow": ["group:web"], "most": 1},
            expect=[{"treated_with": "mend"}, {"recovered": True}],
            deadline="15s",
        ),
    )
    result = run(configuration, configuration.drills["down"], actor="alice")
    assert not site.ledger("web2").exists()
    assert result.touched == ("web1",)
    assert any("may touch 1 hosts at the most" in entry.text for entry in result.entries)


# nobody is left to put things back


def killed_after_the_fault(site: DrillSite) -> None:
    """A drill in a process of its own, which gets SIGKILL once the fault is there."""
    program = (
        "import sys; from pathlib import Path; from agent.config.load import load; from agent.drill.run import run\n"
        "configuration = load(Path(sys.argv[1])); run(configuration, configuration.drills['down'], actor='alice')\n"
    )
    drill = subprocess.Popen([sys.executable, "-c", program, site.config])
    try:
        until(site.broken("web1").exists, within=SOON, what="the fault is there")
    finally:
        drill.kill()
        drill.wait()


def test_a_host_undoes_the_fault_by_itself_when_the_drill_was_killed(site: DrillSite) -> None:
    site.write(runbook=never_mends(site), down=site.drill())
    killed_after_the_fault(site)
    assert site.broken("web1").exists()
    until(lambda: not site.broken("web1").exists(), within=SOON, what="the dead-man timer undoes the fault")


def test_what_was_left_half_done_is_put_back_first(site: DrillSite) -> None:
    """Before the host would do it, and with all it told."""
    configuration = site.write(runbook=never_mends(site), down=site.drill(alone="10m"))
    killed_after_the_fault(site)
    (result,) = finish_half_done(configuration)
    assert not site.broken("web1").exists()
    assert result.rolled_back
    assert "was interrupted" not in result.title
    assert "it was interrupted" in result.stopped_because
    assert [(each.label, each.met, each.actual) for each in result.judged] == [
        ("detected web", None, "not reached"),
        ("treated with mend", None, "not reached"),
        ("recovered", None, "not reached"),
    ]
    assert verdict(result) == "interrupted: 0 of 3 (0%)"
    assert any("injecting on web1" in entry.text for entry in result.entries)
    assert not timer_of(site, "DRILL-1").exists()
    assert finish_half_done(configuration) == (), "it is done"


def test_the_next_drill_puts_it_back_before_it_begins(site: DrillSite) -> None:
    site.write(runbook=never_mends(site), down=site.drill(alone="10m"))
    killed_after_the_fault(site)
    configuration = site.write(down=site.drill())
    result = run(configuration, configuration.drills["down"], actor="alice")
    assert result.passed
    assert result.id == "DRILL-2"
    assert json.loads((site.state / "drills" / "DRILL-1" / "result.json").read_text())["rolled_back"] is True


def test_one_that_cannot_be_read_keeps_no_other_from_being_put_back(site: DrillSite) -> None:
    configuration = site.write(runbook=never_mends(site), down=site.drill(alone="10m"))
    killed_after_the_fault(site)
    torn = site.state / "drills" / "DRILL-0"
    torn.mkdir()
    (torn / "begun.json").write_bytes(b'{"id": "\xff')
    (result,) = finish_half_done(configuration)
    assert (result.id, result.rolled_back) == ("DRILL-1", True)
    assert not site.broken("web1").exists()


def test_what_was_undone_is_not_undone_again_because_something_else_is_wrong(site: DrillSite) -> None:
    steady = {"checks": ["web"], "within": "1s"}
    undone_in_vain = site.breaks("web1", undo=f"echo undone >> {site.ledger('web1')}")
    drill = site.drill(alone="10m", steady_state=steady, inject=[undone_in_vain])
    configuration = site.write(runbook=never_mends(site), down=drill)
    killed_after_the_fault(site)
    (result,) = finish_half_done(configuration)
    assert [each.ok for each in result.undone] == [True]
    assert not result.rolled_back
    assert finish_half_done(configuration) == ()
    assert site.ledger("web1").read_text() == "undone\n"


def test_what_could_not_be_undone_is_tried_again_and_nothing_else(site: DrillSite) -> None:
    here = site.breaks("web1", at="1s")
    here["undo"] += f"; echo undone >> {site.ledger('web1')}"
    there = site.breaks("web2", undo=f"test -e {site.folder}/now && rm -f {site.broken('web2')}")
    both = {"allow": ["group:web"], "most": 2}
    steady = {"checks": ["web"], "within": "1s"}
    drill = site.drill(alone="10m", hosts=both, inject=[here, there], steady_state=steady)
    configuration = site.write(runbook=never_mends(site), down=drill)
    killed_after_the_fault(site)
    for _ in range(2):
        (result,) = finish_half_done(configuration)
        assert not result.rolled_back
    (site.folder / "now").touch()
    (result,) = finish_half_done(configuration)
    assert [(each.host, each.ok) for each in result.undone] == [("web2", True)]
    assert site.ledger("web1").read_text() == "undone\n"
    assert finish_half_done(configuration) == ()


def test_what_a_host_undid_by_itself_is_told_by_the_next(site: DrillSite) -> None:
    configuration = site.write(runbook=never_mends(site), down=site.drill())
    killed_after_the_fault(site)
    until(lambda: not site.broken("web1").exists(), within=SOON, what="the dead-man timer undoes the fault")
    (result,) = finish_half_done(configuration)
    assert [(each.ok, each.by_host) for each in result.undone] == [(True, True)]


def test_a_drill_under_way_is_not_half_done(site: DrillSite) -> None:
    left: list[object] = []
    late = site.breaks("web1", at="1s")
    result = held(site, act=lambda: left.append(finish_half_done(load(site.config))), deadline="10s", inject=[late])
    assert left == [()]
    assert "deadline" in result.stopped_because


def test_a_drill_ends_when_a_host_did_not_wait_for_it(site: DrillSite) -> None:
    def kill_the_timer() -> None:
        os.kill(int((timer_of(site, "DRILL-1") / "pid").read_text()), signal.SIGTERM)

    result = held(site, act=kill_the_timer)
    assert result.stopped_because == "web1 has undone the fault by itself: it was told to end"
    assert [each.by_host for each in result.undone] == [True]


def test_a_terminal_that_is_gone_leaves_no_fault_behind(site: DrillSite) -> None:
    def gone() -> None:
        raise BrokenPipeError

    result = held(site, act=gone)
    assert result.stopped_because == "whoever watched it cannot be told any more"
