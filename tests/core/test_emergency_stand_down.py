"""When an emergency is over: well for long enough, asked once more, confirmed; and what a relapse does to that."""

from dataclasses import replace
from typing import Any

import pytest

from agent.model import events
from agent.model.activation import Stage
from agent.model.commands import Milestone
from agent.model.health import Key
from agent.model.incident import Phase
from agent.model.plan import Level, PlanRole, StandDown
from agent.model.timeline import EntryKind
from tests.core.emergencies import (
    HALF_ILL,
    HOSTS,
    action,
    activate,
    all_well,
    begun,
    call,
    condition,
    level,
    major,
    phases,
    plan,
    site,
    told,
)
from tests.core.ward import CRITICAL, OK, UNKNOWN, Ward

CONFIRMED = StandDown.model_validate({"for": 30.0, "confirmed_by": "commander"})


def recovering(**more: Any) -> Ward:
    """All is well again since a moment ago."""
    ward = begun(plan(**more))
    ward.gets_well("web", "web1", "web2")
    return ward


def asked(**more: Any) -> Ward:
    """All has been well for 30 s, and everything is asked once more."""
    ward = recovering(**more)
    ward.asked.clear()
    ward.later(30)
    assert ward.plan().stage is Stage.STANDING_DOWN
    return ward


def answer_well(ward: Ward) -> None:
    ward.sees("web", **dict.fromkeys(HOSTS, OK))
    ward.sees("disk", **dict.fromkeys(HOSTS, OK))


def test_a_refused_act_during_the_full_check_changes_nothing_though_it_is_due() -> None:
    ward = asked()
    ward.at += 100
    assert not ward.person(events.Unfreeze())
    assert ward.plan().stage is Stage.STANDING_DOWN


def test_it_is_over_after_the_hold_time_and_a_full_check() -> None:
    ward = recovering()
    began = ward.at
    ward.later(29)
    assert ward.plan().stage is Stage.ACTIVE
    ward.asked.clear()
    ward.later(1)
    assert ward.plan().stage is Stage.STANDING_DOWN
    assert set(ward.asked) == {Key(check, host) for check in ("web", "disk") for host in HOSTS}
    ward.at += 1
    ward.sees("web", **dict.fromkeys(HOSTS, OK))
    assert ward.plan().stage is Stage.STANDING_DOWN, "the disks have not answered"
    ward.sees("disk", **dict.fromkeys(HOSTS, OK))
    assert ward.plan().stage is Stage.REVIEW
    assert ward.plan().marks.recovered == began
    assert ward.plan().marks.stood_down == ward.at
    assert major(ward).phase is Phase.RESOLVED
    assert [u.milestone for u in ward.updates if u.incident == "INC-2"][-1] is Milestone.RESOLVED


def test_answers_from_before_do_not_count() -> None:
    ward = recovering()
    ward.later(30)
    old = ward.answers("web", dict.fromkeys(HOSTS, OK))
    passes = tuple(
        replace(each, observations=tuple(replace(seen, at=ward.at - 1) for seen in each.observations))
        for each in old.passes
    )
    ward.tell(replace(old, passes=passes))
    ward.sees("disk", **dict.fromkeys(HOSTS, OK))
    assert ward.plan().stage is Stage.STANDING_DOWN


def test_every_break_begins_the_hold_time_anew() -> None:
    ward = recovering()
    ward.later(25)
    ward.falls_ill("disk", "web4")
    ward.gets_well("disk", "web4")
    ward.later(29)
    assert ward.plan().stage is Stage.ACTIVE
    ward.later(1)
    assert ward.plan().stage is Stage.STANDING_DOWN


@pytest.mark.parametrize("ill", ["mail", "web"])
def test_what_is_ill_out_of_scope_does_not_matter(ill: str) -> None:
    ward = recovering()
    ward.falls_ill(ill, "post1")
    ward.later(30)
    expected = Stage.STANDING_DOWN if ill == "mail" else Stage.ACTIVE
    assert ward.plan().stage is expected, "web is a check of the plan's service wherever it looks"


def test_no_stand_down_while_something_is_to_be_done() -> None:
    ward = recovering(phases=phases(action("ring", do="ring them")))
    ward.later(300)
    assert ward.plan().stage is Stage.ACTIVE
    assert ward.person(events.TickAction("PLAN-1", 1), "tim")
    ward.later(30)
    assert ward.plan().stage is Stage.STANDING_DOWN


def test_the_plans_own_conditions_must_hold() -> None:
    """The emergency may begin by the one threshold and end by another."""
    rules = StandDown.model_validate({"for": 30.0, "all": [{"hosts_healthy": "at least 100%", "of": "service:post"}]})
    ward = recovering(stand_down=rules)
    ward.falls_ill("mail", "post1")
    ward.later(100)
    assert ward.plan().stage is Stage.ACTIVE
    ward.gets_well("mail", "post1")
    ward.later(30)
    assert ward.plan().stage is Stage.STANDING_DOWN


def test_no_stand_down_while_the_condition_of_any_level_is_met() -> None:
    lately = condition(incidents=1, priority="P5", within=200.0)
    ward = recovering(levels={Level.II: level(HALF_ILL), Level.III: level(lately)})
    ward.later(150)
    assert ward.plan().stage is Stage.ACTIVE
    ward.later(100)
    assert ward.plan().stage is Stage.STANDING_DOWN


@pytest.mark.parametrize("verdict", [CRITICAL, UNKNOWN])
def test_back_to_work_if_the_full_check_finds_something(verdict: Any) -> None:
    ward = asked(notification=(call("commander", None),))
    ward.sees("web", web3=verdict)
    answer = {host: OK for host in HOSTS if host != "web3"}
    ward.sees("web", **answer)
    ward.sees("disk", **dict.fromkeys(HOSTS, OK))
    ward.later(200)
    assert ward.plan().stage is Stage.ACTIVE
    assert any("does not stand down" in text and "web3" in text for text in ward.story(about="INC-2"))
    assert told(ward, "carla-phone")[-1].endswith("no stand-down yet")


def test_what_does_not_answer_is_asked_again_for_a_while() -> None:
    ward = asked()
    ward.sees("web", **dict.fromkeys(HOSTS, OK))
    ward.asked.clear()
    ward.later(6)
    assert set(ward.asked) == {Key("disk", host) for host in HOSTS}
    ward.later(120)
    assert ward.plan().stage is Stage.ACTIVE


def test_a_relapse_in_the_full_check() -> None:
    ward = asked()
    ward.falls_ill("web", "web1", "web2")
    assert ward.plan().stage is Stage.ACTIVE
    assert ward.plan().marks.recovered is None
    ward.gets_well("web", "web1", "web2")
    ward.later(30)
    ward.at += 1
    answer_well(ward)
    assert ward.plan().stage is Stage.REVIEW


# confirmation


def test_the_commander_confirms() -> None:
    ward = asked(stand_down=CONFIRMED, notification=(call("commander", 600.0),))
    answer_well(ward)
    assert ward.plan().stage is Stage.STANDING_DOWN
    assert "plan stand-down PLAN-1" in ward.messages[-1].body
    assert not ward.person(events.EndEmergency("PLAN-1"), "tim")
    assert "carla, dan" in ward.reply
    assert ward.person(events.EndEmergency("PLAN-1", "quiet"), "dan")
    assert ward.plan().stage is Stage.REVIEW
    assert ward.plan().confirmed_by == "dan"


def test_confirming_before_the_full_check_has_passed() -> None:
    ward = asked(stand_down=CONFIRMED)
    assert ward.person(events.EndEmergency("PLAN-1"), "carla")
    assert ward.plan().stage is Stage.STANDING_DOWN
    answer_well(ward)
    assert ward.plan().stage is Stage.REVIEW
    assert ward.plan().confirmed_by == "carla"


def test_a_relapse_before_the_confirmation_takes_it_back() -> None:
    ward = asked(stand_down=CONFIRMED)
    answer_well(ward)
    ward.falls_ill("disk", "web4")
    assert ward.plan().stage is Stage.ACTIVE
    assert not ward.person(events.EndEmergency("PLAN-1"), "carla")
    assert "not well: disk on web4" in ward.reply
    ward.gets_well("disk", "web4")
    ward.later(31)
    answer_well(ward)
    assert ward.plan().stage is Stage.STANDING_DOWN, "it must be confirmed anew"


def test_not_before_it_is_well() -> None:
    ward = begun(plan(phases=phases(action("ring", do="ring them"))))
    assert not ward.person(events.EndEmergency("PLAN-1"), "carla")
    for part in ("action 1, ring", "2 of 4 hosts", "--force"):
        assert part in ward.reply


# by force


def test_by_force_with_a_reason() -> None:
    ward = begun(plan(phases=phases(action("restart", runbook="revive"))))
    assert ward.under_way()
    assert not ward.person(events.EndEmergency("PLAN-1", " ", force=True), "lea")
    assert ward.person(events.EndEmergency("PLAN-1", "false alarm", force=True), "lea")
    assert ward.plan().stage is Stage.REVIEW
    assert ward.plan().marks.recovered is None
    assert any("false alarm" in text for text in ward.story(EntryKind.RESOLVED, about="INC-2"))
    ward.ends()
    ward.ends()
    assert not ward.state.executions, "what the plan had begun is stopped"
    assert not ward.person(events.EndEmergency("PLAN-1", "again", force=True))


def test_what_still_holds_begins_no_new_emergency_until_it_has_ceased() -> None:
    ward = begun()
    assert ward.person(events.EndEmergency("PLAN-1", "we know", force=True))
    ward.later(600)
    ward.falls_ill("web", "web3")
    ward.later(600)
    ward.restarts()
    ward.later(600)
    assert len(ward.state.activations) == 1
    ward.gets_well("web", "web1", "web2", "web3")
    ward.falls_ill("web", "web1", "web2")
    ward.later(10)
    assert ward.plan("PLAN-2").stage is Stage.ACTIVE


def test_roles_are_told_that_it_is_over() -> None:
    ward = begun()
    assert ward.person(events.EndEmergency("PLAN-1", "over", force=True))
    for name in ("carla", "dan", "tim"):
        assert told(ward, f"{name}-phone") == ["PLAN-1 level II: The shop is down: over"]
    assert "review" in ward.messages[-1].body


def test_a_plan_that_is_no_longer_configured_only_a_person_ends() -> None:
    ward = recovering()
    ward.state.configure(replace(site(), plans={}))
    ward.tell(events.Reloaded(ward.at, "anna", "without plans"))
    ward.later(3000)
    assert ward.plan().stage is Stage.ACTIVE
    assert "plan stand-down PLAN-1 --force" in ward.story(EntryKind.PLAN, about="INC-2")[-1]
    assert not ward.person(events.EndEmergency("PLAN-1"))
    assert ward.person(events.EndEmergency("PLAN-1", "no longer ours", force=True))


def test_what_no_check_can_tell_to_be_over_speaks_against_it_until_a_person_resolves_it() -> None:
    ward = begun()
    settings = ward.state.settings
    ward.state.configure(replace(settings, checks={n: rules for n, rules in settings.checks.items() if n != "web"}))
    ward.tell(events.Reloaded(ward.at, "anna", "without web"))
    ward.later(600)
    assert ward.plan().stage is Stage.ACTIVE
    assert not ward.person(events.EndEmergency("PLAN-1"))
    assert "INC-1 is open, and no check can tell that it is over" in ward.reply
    assert ward.person(events.Resolve("INC-1", "I looked"))
    ward.later(30)
    assert ward.plan().stage is Stage.STANDING_DOWN


def test_where_no_check_looks_only_a_person_ends_it() -> None:
    ward = Ward(site())
    assert activate(ward)
    ward.later(600)
    assert ward.plan().stage is Stage.ACTIVE
    assert not ward.person(events.EndEmergency("PLAN-1"))
    assert "no check looks at anything in scope" in ward.reply
    assert ward.person(events.EndEmergency("PLAN-1", "the fire is out", force=True))


@pytest.mark.parametrize("force", [False, True])
def test_a_person_who_treats_the_major_incident_by_hand_does_not_hold_it_up(force: bool) -> None:
    ward = recovering()
    assert ward.person(events.RunByHand("revive", ("db1",), incident=major(ward).id))
    if force:
        assert ward.person(events.EndEmergency("PLAN-1", "enough", force=True))
    else:
        ward.later(30)
        answer_well(ward)
    assert ward.plan().stage is Stage.REVIEW
    assert major(ward).phase is Phase.RESOLVED
    ward.ends()
    assert major(ward).execution is None


# restarts


def test_the_hold_time_goes_on_across_a_restart() -> None:
    ward = recovering()
    ward.later(20)
    ward.restarts(5)
    ward.later(4)
    assert ward.plan().stage is Stage.ACTIVE
    ward.later(1)
    assert ward.plan().stage is Stage.STANDING_DOWN


def test_the_full_check_begins_again_after_a_restart() -> None:
    ward = asked()
    ward.sees("web", **dict.fromkeys(HOSTS, OK))
    ward.asked.clear()
    ward.restarts(500)
    assert ward.plan().stage is Stage.STANDING_DOWN
    assert len(ward.asked) == 8
    ward.sees("disk", **dict.fromkeys(HOSTS, OK))
    assert ward.plan().stage is Stage.STANDING_DOWN, "what web said before is forgotten"
    ward.sees("web", **dict.fromkeys(HOSTS, OK))
    assert ward.plan().stage is Stage.REVIEW


def test_the_confirmation_is_waited_for_across_a_restart() -> None:
    ward = asked(stand_down=CONFIRMED)
    answer_well(ward)
    sent = len(ward.messages)
    ward.restarts(100)
    assert len(ward.messages) == sent
    assert ward.person(events.EndEmergency("PLAN-1"), "carla")
    assert ward.plan().stage is Stage.REVIEW


def test_the_clock_is_set_while_it_is_well() -> None:
    ward = recovering()
    ward.later(20)
    ward.at -= 86400
    ward.tell(events.ClockSet(ward.at, -86400.0))
    ward.later(9)
    assert ward.plan().stage is Stage.ACTIVE
    ward.later(1)
    assert ward.plan().stage is Stage.STANDING_DOWN


def test_declared_by_hand_with_nothing_ill() -> None:
    ward = Ward(site(plan(stand_down=CONFIRMED)))
    all_well(ward)
    assert activate(ward, Level.I)
    ward.later(31)
    answer_well(ward)
    assert ward.plan().stage is Stage.STANDING_DOWN
    assert ward.plan().roles[PlanRole.COMMANDER] == ("carla", "dan")


def test_in_a_restored_record_it_must_be_well_for_the_whole_time_again() -> None:
    ward = asked(stand_down=CONFIRMED)
    answer_well(ward)
    assert ward.plan().checked_at is not None
    ward.at += 7200
    ward.tell(events.Restored(ward.at, "anna", "monday.db", 17, ward.at - 7200))
    assert ward.plan().stage is Stage.ACTIVE
    assert not ward.person(events.EndEmergency("PLAN-1"), "carla")
    ward.later(30)
    assert ward.plan().stage is Stage.STANDING_DOWN
    assert ward.plan().checked_at is None
