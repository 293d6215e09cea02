"""The actions of a plan: in order, one at a time, with what becomes of those that fail."""

from dataclasses import replace
from typing import Any

import pytest

from agent.model import events
from agent.model.activation import ActionRun, ActionState
from agent.model.execution import StepStatus
from agent.model.plan import Level, LevelRules, PlanAction, PlanPhase, PlanRole
from agent.model.runbook import Limits, Verify
from agent.model.timeline import EntryKind
from tests.core.emergencies import action, activate, all_well, begun, major, phases, plan, site, told
from tests.core.ward import CRITICAL, Ward, run, runbook

REVIVE = runbook("revive")
RESTART = action("restart", runbook="revive", timeout=300.0)
RING = action("ring the supplier", do="ring 112", timeout=120.0)


def at_work(*contain: PlanAction, recover: tuple[PlanAction, ...] = (), **more: Any) -> Ward:
    return begun(plan(phases=phases(*contain, recover=recover)), **{"runbooks": (REVIVE,), **more})


def states(ward: Ward) -> list[ActionState]:
    return [each.state for each in ward.plan().actions]


def first(ward: Ward) -> ActionRun:
    return ward.plan().actions[0]


def cured(ward: Ward, *hosts: str) -> None:
    """The steps end well and so do the checks."""
    for host in hosts or ("web1", "web2"):
        ward.ends(host=host)
    ward.gets_well("web", *(hosts or ("web1", "web2")))


def test_a_runbook_treats_what_is_ill_in_scope_and_is_verified() -> None:
    ward = at_work(recover=(RESTART,))
    execution = ward.execution()
    assert ward.under_way() == [("web1", "restart"), ("web2", "restart")]
    assert (execution.plan, execution.incident, execution.actor) == ("PLAN-1", major(ward).id, "paramedic")
    ward.ends(host="web1")
    ward.ends(host="web2")
    assert states(ward) == [ActionState.RUNNING], "it is not known yet whether it helped"
    ward.gets_well("web", "web1", "web2")
    assert states(ward) == [ActionState.DONE]
    assert first(ward).result == "revive: recovered"


def test_what_contains_is_verified_by_its_runbook_alone() -> None:
    ward = at_work(RESTART)
    ward.ends()
    ward.ends()
    assert states(ward) == [ActionState.DONE], "it cures nothing, so what is ill may stay so"
    assert ward.plan().marks.contained == ward.at
    verified = at_work(RESTART, runbooks=(runbook("revive", verify=Verify.model_validate({"check": "web"})),))
    verified.ends()
    verified.ends()
    assert states(verified) == [ActionState.RUNNING]
    verified.gets_well("web", "web1", "web2")
    assert states(verified) == [ActionState.DONE]


def test_with_nothing_ill_it_is_skipped() -> None:
    ward = Ward(site(plan(phases=phases(RESTART)), runbooks=(REVIVE,)))
    all_well(ward)
    assert activate(ward)
    assert states(ward) == [ActionState.SKIPPED]
    assert first(ward).result == "none of its hosts is ill"


def test_hosts_that_are_named_are_treated_ill_or_not() -> None:
    ward = at_work(action("restart", runbook="revive", hosts="host:web4"))
    assert ward.under_way() == [("web4", "restart")]
    ward.ends()
    assert states(ward) == [ActionState.DONE]


def test_one_after_the_other_in_the_order_of_the_phases() -> None:
    recover = (action("again", runbook="revive", hosts="host:web3"),)
    ward = at_work(RESTART, RING, recover=recover)
    assert [each.name for each in ward.plan().actions] == ["restart", "ring the supplier", "again"]
    assert states(ward) == [ActionState.RUNNING, ActionState.WAITING, ActionState.WAITING]
    cured(ward)
    assert states(ward) == [ActionState.DONE, ActionState.TODO, ActionState.WAITING]
    assert ward.plan().marks.contained is None
    assert ward.person(events.TickAction("PLAN-1", 2, note="they come"), "tim")
    assert states(ward) == [ActionState.DONE, ActionState.DONE, ActionState.RUNNING]
    assert ward.plan().marks.contained == ward.at


def test_hosts_that_are_well_before_their_turn_are_left_alone() -> None:
    one_by_one = runbook("revive", serial=1)
    ward = at_work(RESTART, runbooks=(one_by_one,))
    assert ward.under_way() == [("web1", "restart")]
    ward.gets_well("web", "web2")
    cured(ward, "web1")
    assert states(ward) == [ActionState.DONE]
    assert len(ward.steps) == 1


def test_the_major_incident_has_no_ill_host_and_all_the_same_the_second_batch_is_treated() -> None:
    ward = at_work(RESTART, runbooks=(runbook("revive", serial=1),))
    cured(ward, "web1")
    assert ward.under_way() == [("web2", "restart")]


# what a person does


def test_a_person_is_told_what_to_do_and_reminded_once() -> None:
    ward = at_work(RING)
    assert told(ward, "tim-phone") == ["PLAN-1 level II: The shop is down: contain 1, ring the supplier"]
    assert "ring 112" in ward.messages[-1].body
    assert "paramedic plan tick PLAN-1 1" in ward.messages[-1].body
    ward.later(120)
    assert len(told(ward, "tim-phone")) == 2
    assert any("still to be done, after 2m" in text for text in ward.story(EntryKind.PLAN, about="INC-2"))
    ward.later(500)
    assert len(told(ward, "tim-phone")) == 2
    assert states(ward) == [ActionState.TODO]


def test_ticking() -> None:
    ward = at_work(RING, RESTART)
    assert not ward.person(events.TickAction("PLAN-1", 7))
    assert "1 ring the supplier" in ward.reply
    assert not ward.person(events.TickAction("PLAN-1", 2)), "its turn has not come"
    assert ward.person(events.TickAction("PLAN-1", 1, skip=True, note="closed on Sundays"), "tim")
    assert (first(ward).state, first(ward).actor) == (ActionState.SKIPPED, "tim")
    assert first(ward).result == "closed on Sundays"
    assert ward.person(events.TickAction("PLAN-1", 1), "tim")
    assert "already" in ward.reply
    assert not ward.person(events.TickAction("PLAN-1", 2, skip=True))
    assert "being carried out as RUN-1" in ward.reply


def test_what_waits_can_be_skipped_beforehand() -> None:
    ward = at_work(RING, RESTART)
    assert ward.person(events.TickAction("PLAN-1", 2, skip=True), "tim")
    assert ward.person(events.TickAction("PLAN-1", 1), "tim")
    assert states(ward) == [ActionState.DONE, ActionState.SKIPPED]
    assert not ward.steps


# approval

ASKED = action("restart", runbook="revive", approve=PlanRole.COMMANDER, timeout=300.0)


def test_an_action_waits_for_the_yes_of_its_role() -> None:
    ward = at_work(ASKED)
    assert states(ward) == [ActionState.APPROVAL]
    assert "approve PLAN-1" in ward.messages[-1].body
    assert not ward.person(events.Approve("PLAN-1", True), "tim")
    assert "carla, dan" in ward.reply
    assert ward.person(events.Approve("PLAN-1", True, "go"), "dan")
    assert states(ward) == [ActionState.RUNNING]
    assert "contain 1, restart: approved by dan: go" in ward.story(EntryKind.APPROVAL, about="INC-2")
    assert not ward.person(events.Approve("PLAN-1", True), "dan")


@pytest.mark.parametrize("late", [False, True])
def test_without_a_yes_people_take_over(late: bool) -> None:
    ward = at_work(ASKED)
    if late:
        ward.later(300)
    else:
        assert ward.person(events.Approve("PLAN-1", False, "not now"), "carla")
    assert states(ward) == [ActionState.TODO]
    assert ("nobody approved" if late else "refused by carla: not now") in first(ward).result
    assert not ward.steps


# failure


def fails(ward: Ward) -> None:
    ward.ends(host="web1", exit=1)
    ward.ends(host="web2", exit=1)


def test_when_it_fails_people_get_the_fallback_and_the_plan_waits_for_them() -> None:
    ward = at_work(RESTART, RING)
    fails(ward)
    assert states(ward) == [ActionState.TODO, ActionState.WAITING]
    assert "failed" in first(ward).result
    assert "switch to the static page by hand" in ward.messages[-1].body
    assert ward.person(events.TickAction("PLAN-1", 1, note="did it by hand"), "tim")
    assert states(ward) == [ActionState.DONE, ActionState.TODO]
    assert first(ward).result.endswith("did it by hand")


def test_or_it_goes_on_where_the_plan_says_so() -> None:
    ward = at_work(action("restart", runbook="revive", on_failure="continue"), RING)
    fails(ward)
    assert states(ward) == [ActionState.FAILED, ActionState.TODO]


def test_what_did_not_help_has_failed() -> None:
    ward = at_work(recover=(RESTART,), runbooks=(runbook("revive", verify=Verify(within=20.0)),))
    ward.ends()
    ward.ends()
    ward.sees("web", 3, web1=CRITICAL, web2=CRITICAL)
    ward.later(30)
    assert states(ward) == [ActionState.TODO]


def test_when_its_time_is_up_it_is_stopped() -> None:
    two = runbook("revive", run("restart"), run("warm up"))
    ward = at_work(RESTART, RING, runbooks=(two,))
    ward.later(300)
    assert states(ward)[0] is ActionState.TODO
    assert first(ward).result == "not done within 5m"
    ward.ends()
    ward.ends()
    assert not ward.under_way(), "the second step is not begun any more"
    assert states(ward)[0] is ActionState.TODO


@pytest.mark.parametrize(
    ("wrong", "because"),
    [
        (action("x", runbook="nowhere"), "the text of nowhere is not known"),
        (action("x", runbook="revive", vars={"size": 3}), "has no variable 'size'"),
        (action("x", runbook="revive", hosts="group:nowhere"), "there are no hosts group:nowhere"),
    ],
)
def test_what_cannot_be_begun_is_said(wrong: PlanAction, because: str) -> None:
    assert because in first(at_work(wrong)).result


@pytest.mark.parametrize("limit", ["per_host", "per_runbook"])
def test_the_guards_hold_for_plans_too(limit: str) -> None:
    book = runbook("revive", limits=Limits.model_validate({limit: "1 per hour"}))
    ward = at_work(RESTART, RESTART, runbooks=(book,))
    fails(ward)
    assert ward.person(events.TickAction("PLAN-1", 1, skip=True), "tim")
    assert states(ward) == [ActionState.SKIPPED, ActionState.TODO]
    assert "rate limit" in ward.plan().actions[1].result


# levels, texts, restarts


def test_a_graver_level_does_more() -> None:
    ward = at_work(RING, action("cut the wire", do="cut", level=Level.I))
    assert ward.person(events.TickAction("PLAN-1", 1), "tim")
    assert states(ward) == [ActionState.DONE, ActionState.WAITING]
    assert activate(ward, Level.I)
    assert states(ward) == [ActionState.DONE, ActionState.TODO]


def test_what_a_graver_level_adds_waits_for_what_is_under_way() -> None:
    ward = at_work(action("cut the wire", do="cut", level=Level.I), RING, action("look", do="look"))
    assert states(ward) == [ActionState.WAITING, ActionState.TODO, ActionState.WAITING]
    assert activate(ward, Level.I)
    assert states(ward) == [ActionState.WAITING, ActionState.TODO, ActionState.WAITING]
    assert ward.person(events.TickAction("PLAN-1", 2), "tim")
    assert states(ward) == [ActionState.TODO, ActionState.DONE, ActionState.WAITING]


def test_what_was_begun_is_brought_to_its_end_when_the_level_comes_down() -> None:
    levels = {Level.I: LevelRules(), Level.III: LevelRules()}
    cut = action("cut the wire", runbook="revive", hosts="host:db1", level=Level.I)
    ward = Ward(site(plan(levels=levels, phases=phases(cut, RING)), runbooks=(REVIVE,)))
    all_well(ward)
    assert activate(ward, Level.I)
    assert activate(ward, Level.III)
    assert states(ward) == [ActionState.RUNNING, ActionState.WAITING]
    ward.ends()
    assert states(ward) == [ActionState.DONE, ActionState.TODO]


def test_a_host_that_a_reload_has_taken_away_is_not_treated() -> None:
    ward = at_work(RING, RESTART)
    settings = ward.state.settings
    ward.state.configure(replace(settings, hosts={name: h for name, h in settings.hosts.items() if name != "web1"}))
    ward.tell(events.Reloaded(ward.at, "anna", "without web1"))
    assert ward.person(events.TickAction("PLAN-1", 1), "tim")
    assert ward.under_way() == [("web2", "restart")]


def test_the_texts_are_those_the_plan_started_with() -> None:
    steps = runbook("shop-down.contain.1", run("flush"))
    ward = begun(plan(phases={PlanPhase.CONTAIN: (RING, action("flush", inline=steps))}))
    assert ward.plan().actions[1].digest == steps.digest
    ward.state.configure(site(plan(phases={}, digest="another")))
    ward.restarts()
    assert ward.person(events.TickAction("PLAN-1", 1), "tim")
    assert ward.under_way() == [("web1", "flush"), ("web2", "flush")]


def test_a_decision_carries_the_texts_of_the_plan() -> None:
    steps = runbook("shop-down.contain.1", run("flush"))
    ward = Ward(site(plan(phases=phases(action("flush", inline=steps)))))
    decision = ward.tell(events.PersonActed(ward.at, "carla", events.ActivatePlan("shop-down", Level.II, "smoke")))
    assert decision.runbooks[steps.digest] == steps.text


def test_a_restart_while_a_runbook_is_carried_out() -> None:
    ward = at_work(RESTART, runbooks=(runbook("revive", run("restart", repeatable=True)),))
    ward.restarts(5)
    assert states(ward) == [ActionState.RUNNING]
    cured(ward)
    assert states(ward) == [ActionState.DONE]


def test_a_restart_in_the_verification() -> None:
    ward = at_work(recover=(RESTART,))
    ward.ends()
    ward.ends()
    ward.restarts(200)
    assert states(ward) == [ActionState.RUNNING]
    ward.gets_well("web", "web1", "web2")
    assert (first(ward).state, first(ward).execution) == (ActionState.DONE, "RUN-1")


def test_what_was_ordered_and_not_begun_before_a_long_absence_is_begun_anew() -> None:
    ward = at_work(RESTART)
    ward.restarts(200, begun=False)
    assert states(ward) == [ActionState.RUNNING]
    assert first(ward).execution == "RUN-2"
    assert ward.under_way() == [("web1", "restart"), ("web2", "restart")]


@pytest.mark.parametrize("contain", [RING, ASKED])
def test_a_restart_while_a_person_is_waited_for(contain: PlanAction) -> None:
    ward = at_work(contain)
    before, sent = ward.plan(), len(ward.messages)
    ward.restarts(10)
    assert ward.plan().actions == before.actions
    assert len(ward.messages) == sent, "nobody is asked twice"


def test_an_unknown_outcome_is_for_people() -> None:
    ward = at_work(RESTART)
    ward.ends(status=StepStatus.UNKNOWN)
    ward.ends(status=StepStatus.UNKNOWN)
    assert states(ward) == [ActionState.TODO]
    assert "outcome unknown" in first(ward).result


@pytest.mark.parametrize("goes_on", ["people", "continue"])
def test_after_a_restoration_people_do_what_the_agent_was_to_do(goes_on: str) -> None:
    """It may have been done since the backup was made."""
    contain = [action(name, runbook="revive", hosts=f"host:{name}", on_failure=goes_on) for name in ("db1", "web3")]
    ward = at_work(*contain)
    assert ward.under_way() == [("db1", "restart")]
    ward.at += 7200
    ward.messages.clear()
    ward.tell(events.Restored(ward.at, "anna", "monday.db", 17, ward.at - 7200))
    ward.pending.clear()
    ward.restarts()
    ward.later(7200)
    assert len(ward.steps) == 1
    left = ward.plan().actions[0 if goes_on == "people" else 1]
    assert left.state is ActionState.TODO
    assert "the record was restored from a backup" in ward.messages[0].body
    assert ward.messages[0].subject.endswith("left to people")
    for number in (1, 2):
        assert ward.person(events.TickAction("PLAN-1", number), "tim")
    assert all(each.is_settled for each in ward.plan().actions)
    assert len(ward.steps) == 1
