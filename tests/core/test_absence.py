"""The agent was away for long: what has not touched its host is asked anew first, what has is finished."""

import pytest

from agent.model import events
from agent.model.execution import Outcome, StepStatus
from agent.model.incident import Phase
from agent.model.observation import Verdict
from agent.model.quantities import Rate
from agent.model.runbook import Limits, Retry, Runbook
from agent.model.timeline import EntryKind
from tests.core.ward import CRITICAL, OK, Ward, run, runbook, shop, wait


def test_a_step_nobody_began_is_carried_out_when_the_agent_is_soon_back() -> None:
    ward = Ward(shop())
    ward.falls_ill()
    ward.restarts(away=50.0, begun=False)
    assert ward.under_way() == [("web1", "restart")]
    ward.ends()
    ward.gets_well()
    assert ward.incident().phase is Phase.RESOLVED


def test_a_treatment_that_nobody_began_for_long_is_given_up_and_what_is_well_by_now_is_left_alone() -> None:
    ward = Ward(shop())
    ward.falls_ill()
    ward.restarts(away=7200.0, begun=False)
    assert ward.execution().outcome is Outcome.STOPPED
    assert ward.under_way() == []
    assert ward.incident().held_because == "settling"
    assert "nothing was changed yet when the agent went away, 2h ago" in ward.story(EntryKind.REFUSED)[-1]
    ward.gets_well()
    ward.later(60)
    assert ward.incident().phase is Phase.RESOLVED
    assert len(ward.steps) == 1


def test_what_is_still_ill_after_a_long_absence_is_treated_once_its_check_had_time_to_answer() -> None:
    """The treatment that was never begun counts against no limit and not as tried in vain."""
    ward = Ward(shop(runbook("r", limits=Limits(per_host=Rate(1, 86400.0)))))
    ward.falls_ill()
    ward.restarts(away=7200.0, begun=False)
    ward.sees("web", 2, web1=CRITICAL)
    ward.later(20)
    assert ward.under_way() == [("web1", "restart")]
    assert [step.id.split(".")[0] for step in ward.steps] == ["RUN-1", "RUN-2"]


@pytest.mark.parametrize("away", ["ended", "suspended"])
@pytest.mark.parametrize("now", [OK, CRITICAL])
def test_what_was_held_until_a_time_that_passed_while_the_agent_was_away_is_asked_before_it_is_treated(
    now: Verdict, away: str
) -> None:
    ward = Ward(shop(runbook("light"), runbook("strong", run("reinstall")), cooldown=300.0))
    ward.falls_ill()
    ward.ends(exit=1)
    assert ward.incident().held_because == "cooling down"
    if away == "ended":
        ward.restarts(away=7200.0)
    else:
        ward.at += 7200.0
        ward.tell(events.StoodStill(ward.at, 7200.0))
    ward.later(0)
    assert ward.under_way() == [], "somebody may have mended it meanwhile"
    assert ward.incident().held_because == "settling"
    ward.sees("web", 2, web1=now)
    ward.later(20)
    assert ward.under_way() == ([("web1", "reinstall")] if now is CRITICAL else [])
    assert ward.incident().phase is (Phase.TREATING if now is CRITICAL else Phase.RESOLVED)


def test_what_is_frozen_is_held_as_before_when_the_agent_comes_back() -> None:
    ward = Ward(shop())
    ward.person(events.Freeze("audit"))
    ward.falls_ill()
    ward.restarts(away=7200.0)
    ward.later(60)
    assert ward.reasons() == ["frozen"]


def test_what_was_begun_on_a_host_is_finished_however_late() -> None:
    """Half a treatment may be worse than none: the service is stopped, and the step that starts it is next."""
    ward = Ward(shop(runbook("r", run("stop"), run("start"))))
    ward.falls_ill()
    ward.ends()
    ward.restarts(away=7200.0, begun=False)
    assert ward.under_way() == [("web1", "start")]


@pytest.mark.parametrize(
    "book",
    [
        runbook("r", wait("breathe", 5), run("restart")),
        runbook("r", run("restart", retry=Retry(attempts=2, delay=5.0))),
    ],
    ids=["paused", "not reached"],
)
def test_what_was_not_touched_before_a_long_absence_is_asked_before_it_is_treated(book: Runbook) -> None:
    ward = Ward(shop(book))
    ward.falls_ill()
    if book.steps[0].retry.attempts > 1:
        ward.ends(status=StepStatus.UNREACHABLE)
    ward.restarts(away=7200.0)
    ward.later(0)
    assert ward.under_way() == []
    assert ward.incident().held_because == "settling"
    ward.gets_well()
    assert ward.incident().phase is Phase.RESOLVED


def test_a_step_under_way_when_the_agent_went_away_is_heard_of_however_late() -> None:
    """Evidence too: the host has it, and it belongs on the record."""
    ward = Ward(shop(runbook("r", run("restart"), evidence=(run("look", evidence=True, repeatable=True),))))
    ward.falls_ill()
    ward.restarts(away=7200.0)
    assert ward.under_way() == [("web1", "look")]


def test_what_was_not_touched_goes_on_when_the_agent_is_soon_back() -> None:
    ward = Ward(shop(runbook("r", wait("breathe", 5), run("restart"))))
    ward.falls_ill()
    ward.restarts(away=50.0)
    ward.later(0)
    assert ward.under_way() == [("web1", "restart")]


def test_a_treatment_given_up_leaves_hosts_alone_whose_turn_had_not_come() -> None:
    ward = Ward(shop(runbook("r", serial=1)))
    ward.falls_ill("web", "web1", "web2")
    ward.restarts(away=7200.0, begun=False)
    assert {run.outcome for run in ward.execution().runs} == {Outcome.STOPPED}
    assert ward.under_way() == []


def test_a_host_in_the_middle_is_finished_though_another_one_comes_too_late() -> None:
    ward = Ward(shop(runbook("r", run("stop"), wait("breathe", 5), run("start"))))
    ward.falls_ill("web", "web1", "web2")
    ward.ends(host="web1")
    ward.restarts(away=7200.0, begun=False)
    ward.later(0)
    assert ward.under_way() == [("web1", "start")]
    ward.ends()
    ward.gets_well("web", "web1")
    assert [run.outcome for run in ward.execution().runs] == [Outcome.RECOVERED, Outcome.STOPPED]
