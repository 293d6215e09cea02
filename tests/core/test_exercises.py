"""Drills that have leave: what is left to them, what they must give way to, and what is real again after them."""

from dataclasses import replace
from typing import Any

import pytest

from agent.model import events
from agent.model.incident import Phase
from agent.model.timeline import EntryKind
from tests.core.emergencies import HOSTS, activate, all_well, begun, plan, site
from tests.core.ward import CRITICAL, Ward, runbook

BOOKS: dict[str, Any] = {"runbooks": (runbook("green"),), "ladder": ("green",)}


def at_peace(**more: Any) -> Ward:
    ward = Ward(site(plan(), **{**BOOKS, **more}))
    all_well(ward)
    return ward


def begin(ward: Ward, id: str = "EX-1", lease: float = 60.0, **more: Any) -> bool:
    wish: dict[str, Any] = {"hosts": ("web1", "web2"), "checks": ("web",), "services": ("shop",), **more}
    return ward.person(events.BeginExercise(id, "half the shop", lease=lease, **wish), "drill")


def said(ward: Ward) -> list[str]:
    return ward.story(EntryKind.EXERCISE, about="agent")


def test_what_its_checks_say_of_its_hosts_opens_nothing_and_starts_no_plan() -> None:
    ward = at_peace()
    assert begin(ward)
    ward.sees("web", 2, web1="OK", web2="OK")
    ward.sees("web", 3, **dict.fromkeys(("web1", "web2"), CRITICAL))
    ward.later(30)
    assert not ward.state.incidents
    assert not ward.state.activations
    assert not ward.steps
    assert [text for text in said(ward) if "left to EX-1: web on web1 is CRITICAL" in text]
    assert ward.state.exercises["EX-1"].preempted_by is None


def test_hosts_left_to_it_are_neither_well_nor_ill_for_a_plan() -> None:
    """That one of the four is ill is no reason for the plan, and does not become one because three are exercised."""
    ward = Ward(site())
    ward.gets_well("web", *HOSTS)
    assert begin(ward, hosts=HOSTS[:3], lease=300.0)
    ward.falls_ill("web", "web4")
    ward.later(100)
    assert not ward.state.activations


def test_when_it_ends_what_is_still_ill_is_real_once_it_is_confirmed_anew() -> None:
    ward = at_peace()
    assert begin(ward)
    ward.sees("web", 2, web1=CRITICAL, web2=CRITICAL)
    ward.gets_well("web", "web2")
    assert ward.person(events.EndExercise("EX-1", "done"), "drill")
    assert not ward.state.incidents
    ward.falls_ill("web", "web1")
    assert [str(symptom.key) for symptom in ward.incident().symptoms] == ["web on web1"]
    assert ward.incident().phase is Phase.TREATING
    assert any("ill by now, and asked anew: web on web1" in text for text in said(ward))
    assert not ward.person(events.EndExercise("EX-1"), "drill")


def test_when_all_is_well_at_the_end_nothing_is_left() -> None:
    ward = at_peace()
    assert begin(ward)
    ward.sees("web", 2, web1=CRITICAL)
    ward.gets_well("web", "web1")
    assert ward.person(events.EndExercise("EX-1"), "drill")
    assert not ward.state.incidents


def test_its_leave_lapses_unless_it_is_renewed() -> None:
    ward = at_peace()
    assert begin(ward)
    ward.sees("web", 2, web1=CRITICAL)
    ward.later(50)
    assert begin(ward)
    ward.later(59)
    assert not ward.state.incidents
    ward.restarts(0)
    ward.later(1)
    assert not ward.state.exercises
    ward.falls_ill("web", "web1")
    assert ward.incident().phase is Phase.TREATING
    assert any("has not been heard of" in text for text in said(ward))


def test_what_it_left_ill_may_be_an_emergency() -> None:
    ward = at_peace(runbooks=(), ladder=())
    assert begin(ward)
    ward.sees("web", 2, web1=CRITICAL, web2=CRITICAL)
    assert ward.person(events.EndExercise("EX-1"), "drill")
    ward.falls_ill("web", "web1", "web2")
    ward.later(10)
    assert ward.plan().stage.is_active


def test_what_drills_break_does_not_come_and_go_by_itself() -> None:
    """Somebody who repeats a drill all morning must not lose the treatment of what is real."""
    ward = at_peace()
    for number in range(8):
        assert begin(ward, f"EX-{number}")
        ward.sees("web", 2, web1=CRITICAL)
        ward.gets_well("web", "web1")
        assert ward.person(events.EndExercise(f"EX-{number}"), "drill")
    ward.falls_ill("web", "web1")
    assert ward.incident().phase is Phase.TREATING


@pytest.mark.parametrize(
    ("check", "host", "real"),
    [
        ("disk", "web1", "disk on web1, and disk is not one of the drill's checks"),
        ("web", "web3", "web on web3, and web3 is not one of the drill's hosts"),
        ("disk", "db1", ""),
        ("mail", "post1", ""),
    ],
)
def test_it_must_give_way_to_what_is_real_on_its_hosts_or_services(check: str, host: str, real: str) -> None:
    ward = at_peace(runbooks=(), ladder=())
    assert begin(ward)
    ward.falls_ill(check, host)
    assert begin(ward) is not bool(real)
    if real:
        assert f"preempted by INC-1 ({real}): undo" in ward.reply
        assert ward.state.exercises["EX-1"].until == ward.at + 60, "it has time to undo what it did"
        assert len([text for text in said(ward) if "must give way to INC-1" in text]) == 1


def test_it_must_give_way_to_what_a_person_reports() -> None:
    ward = at_peace()
    assert begin(ward)
    assert ward.person(events.Report("slow", service="shop"))
    assert not begin(ward)
    assert "preempted by INC-1 (reported by a person): undo" in ward.reply


def test_it_must_give_way_to_a_plan() -> None:
    ward = at_peace()
    assert begin(ward)
    assert activate(ward)
    assert ward.state.exercises["EX-1"].preempted_by in ("PLAN-1", "INC-1")


def test_its_hosts_are_not_treated_meanwhile_and_are_afterwards() -> None:
    ward = at_peace()
    assert begin(ward)
    assert not ward.person(events.RunByHand("green", ("web1",)))
    assert "exercise under way: EX-1" in ward.reply
    assert ward.person(events.RunByHand("green", ("web3",)))


def test_an_incident_on_its_hosts_waits_for_its_end() -> None:
    settings = site(plan(), **BOOKS)
    treated = settings.checks["disk"].model_copy(update={"ladder": settings.checks["web"].ladder})
    checks = {**settings.checks, "disk": treated}
    ward = Ward(replace(settings, checks=checks))
    all_well(ward)
    assert begin(ward)
    incident = ward.falls_ill("disk", "web1")
    assert incident.phase is Phase.HELD
    assert ward.reasons() == ["exercise under way"]
    assert ward.person(events.EndExercise("EX-1"), "drill")
    assert ward.incident().phase is Phase.TREATING


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        ({"hosts": ("web4",), "checks": ("disk",), "services": ()}, "INC-1 is open there"),
        ({"hosts": ("web3",), "checks": ("disk",), "services": ("shop",)}, "INC-1 is open there"),
        ({"hosts": ("web3",), "checks": ("web",), "services": ()}, "INC-1 is open there"),
        ({"hosts": ("nowhere",), "checks": ("disk",), "services": ()}, "nothing is configured as nowhere"),
    ],
)
def test_it_may_not_begin_where_something_is_open(wish: dict[str, Any], why: str) -> None:
    ward = at_peace(runbooks=(), ladder=())
    ward.falls_ill("web", "web4")
    assert not begin(ward, **wish)
    assert why in ward.reply
    assert begin(ward, hosts=("db1",), checks=("disk",), services=())


def test_it_may_not_begin_where_a_plan_is_at_work() -> None:
    ward = begun()
    assert not begin(ward, hosts=("web3",), checks=("disk",), services=())
    assert "PLAN-1 is at work there" in ward.reply


def test_one_exercise_of_a_host_at_a_time_and_none_where_something_is_treated() -> None:
    ward = at_peace()
    assert ward.person(events.RunByHand("green", ("web4",)))
    assert not begin(ward, hosts=("web4",))
    assert "RUN-1 treats web4" in ward.reply
    assert begin(ward)
    assert not begin(ward, "EX-2", hosts=("web2", "db1"))
    assert "EX-1 has web2" in ward.reply
    assert begin(ward, "EX-2", hosts=("db1",))


def test_the_clock_is_set_meanwhile() -> None:
    ward = at_peace()
    assert begin(ward)
    ward.at += 3600
    ward.tell(events.ClockSet(ward.at, 3600.0))
    ward.later(59)
    assert ward.state.exercises
    ward.later(1)
    assert not ward.state.exercises
