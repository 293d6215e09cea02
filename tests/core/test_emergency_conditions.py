"""When an emergency begins, and when its level changes: every condition as a table, then hold times and restarts."""

from dataclasses import replace
from typing import Any

import pytest

from agent.model import events
from agent.model.activation import Stage
from agent.model.execution import Outcome, Treatment
from agent.model.plan import Condition, Level, LevelRules, Scope
from agent.model.priority import Priority
from agent.model.timeline import EntryKind
from tests.core.emergencies import HALF_ILL, HOSTS, activate, all_well, begun, condition, level, major, plan, site
from tests.core.ward import OK, UNKNOWN, WARNING, Ward, approve, runbook


def starts_when(*any_of: Condition, every: tuple[Condition, ...] = (), **more: Any) -> Ward:
    ward = Ward(site(plan(levels={Level.II: level(*any_of, every=every)}, **more)))
    all_well(ward)
    return ward


def is_active(ward: Ward) -> bool:
    return any(activation.stage.is_active for activation in ward.state.activations.values())


def test_levels_compare_by_gravity_in_every_way_of_comparing() -> None:
    """A str compares by its letters, under which IV lies between II and nothing."""
    assert Level.I > Level.II > Level.III > Level.IV
    assert Level.IV < Level.III <= Level.II <= Level.I
    assert Level.II >= Level.IV
    assert max(Level) is Level.I
    assert min(Level.IV, Level.II) is Level.IV


@pytest.mark.parametrize(
    ("share", "ill", "begins"),
    [("below 60%", 1, False), ("below 60%", 2, True), ("below 50%", 2, False), ("below 100%", 1, True)],
)
def test_share_of_healthy_hosts(share: str, ill: int, begins: bool) -> None:
    ward = starts_when(condition(hosts_healthy=share))
    ward.falls_ill("web", *HOSTS[:ill])
    assert is_active(ward) is begins


def test_a_host_is_ill_by_a_check_of_no_service_and_not_by_that_of_another() -> None:
    ward = starts_when(HALF_ILL.model_copy(update={"hold": 0.0}))
    ward.falls_ill("mail", "web1", "web2")
    assert not is_active(ward)
    ward.falls_ill("disk", "web1", "web2")
    assert is_active(ward)


def test_on_a_host_that_is_in_scope_by_itself_every_check_counts() -> None:
    ward = starts_when(condition(hosts_healthy="below 60%"), hosts=("db1",), scope=Scope(hosts=("db1",)))
    ward.falls_ill("mail", "db1")
    assert is_active(ward)


def test_of_a_named_group_or_service() -> None:
    of_service = condition(hosts_healthy="below 60%", of="service:post")
    ward = starts_when(of_service)
    ward.falls_ill("web", "web1", "web2")
    assert not is_active(ward)
    ward.gets_well("mail", "web1", "post1")
    assert not is_active(ward)
    ward.falls_ill("mail", "web1", "post1")
    assert is_active(ward)


@pytest.mark.parametrize("share", ["below 60%", "at least 60%"])
def test_what_cannot_be_asked_is_neither_healthy_nor_ill(share: str) -> None:
    """Two of four are blind: neither a failure nor a recovery follows from that."""
    ward = starts_when(condition(hosts_healthy=share), every=(condition(hosts_healthy="below 100%"),))
    ward.sees("web", 4, web1=UNKNOWN, web2=UNKNOWN)
    ward.later(600)
    ward.sees("web", 2, web1=UNKNOWN, web2=UNKNOWN)
    blind = [health for health in ward.state.health.values() if health.blind_since is not None]
    assert len(blind) == 2
    assert not is_active(ward)
    ward.falls_ill("web", "web3")
    assert not is_active(ward)
    ward.falls_ill("web", "web4")
    assert is_active(ward) is (share == "below 60%")


def test_hosts_that_no_check_looks_at_are_not_counted() -> None:
    ward = Ward(site(plan(levels={Level.II: level(condition(hosts_healthy="below 60%"))})))
    ward.gets_well("web", "web1")
    assert not is_active(ward)
    ward.falls_ill("web", "web1")
    assert is_active(ward)


def test_unresolved_counts_from_the_opening_of_the_incident() -> None:
    ward = starts_when(condition(unresolved="P3", lasting=60.0))
    ward.falls_ill("web", "web1")
    assert ward.incident().classification.priority is Priority.P3
    opened = ward.incident().opened_at
    ward.later(opened + 59.5 - ward.at)
    assert not is_active(ward)
    ward.later(1)
    assert is_active(ward)
    assert ward.plan().activated_at == opened + 60
    assert "INC-1 (P3) is unresolved" in ward.plan().because


@pytest.mark.parametrize(("ill", "begins"), [(1, False), (2, True)])  # P3 and P2
def test_unresolved_asks_for_the_priority(ill: int, begins: bool) -> None:
    ward = starts_when(condition(unresolved="P2", lasting=60.0))
    ward.falls_ill("web", *HOSTS[:ill])
    ward.later(600)
    assert is_active(ward) is begins


def test_unresolved_after_a_relapse_counts_from_the_relapse() -> None:
    ward = starts_when(condition(unresolved="P3", lasting=60.0))
    ward.falls_ill("web", "web1")
    ward.gets_well("web", "web1")
    ward.person(events.Resolve("INC-1", "mended"))
    ward.later(100)
    ward.falls_ill("web", "web1")
    assert ward.incident().reopened == 1
    ward.later(50)
    assert not is_active(ward)
    ward.later(11)
    assert is_active(ward)


def test_so_many_incidents_within_a_time() -> None:
    wanted = condition(incidents=2, priority="P5", within=100.0)
    ward = starts_when(wanted, scope=Scope(hosts=HOSTS))
    ward.falls_ill("disk", "web1")
    ward.later(100)
    ward.falls_ill("disk", "web2")
    assert not is_active(ward)
    ward.falls_ill("disk", "db1")
    assert not is_active(ward), "it is not in scope"
    ward.falls_ill("disk", "web3")
    assert is_active(ward)


@pytest.mark.parametrize(
    "wanted", [condition(incidents=1, priority="P5"), condition(unresolved="P5")], ids=["incidents", "unresolved"]
)
def test_incidents_about_what_cannot_be_asked_or_another_service_do_not_count(wanted: Condition) -> None:
    ward = starts_when(wanted)
    ward.sees("web", web1=UNKNOWN)
    ward.later(100)
    ward.sees("web", web1=UNKNOWN)
    ward.falls_ill("mail", "web1")
    assert [incident.category for incident in ward.state.incidents.values()] == ["monitoring", "general"]
    ward.later(100)
    assert not is_active(ward)
    ward.falls_ill("web", "web2")
    assert is_active(ward)


def test_so_many_treatments_failed_within_a_time() -> None:
    ward = starts_when(condition(treatments_failed=2, within=100.0))

    def failed(number: int, host: str, ago: float, *, effective: bool = False) -> Treatment:
        return Treatment(f"RUN-9{number}", "revive", host, ward.at - ago, effective)

    def look(*treatments: Treatment) -> bool:
        ward.state.treatments = treatments
        ward.tell(events.Reloaded(ward.at, "anna", "look again"))
        return is_active(ward)

    assert not look(failed(1, "web1", 10), failed(2, "web2", 101))
    assert not look(failed(1, "web1", 10), failed(1, "web2", 10)), "one run on two hosts is one treatment"
    assert not look(failed(1, "web1", 10), failed(2, "db1", 10)), "it is not in scope"
    assert not look(failed(1, "web1", 10), failed(2, "web2", 10, effective=True))
    assert not look(failed(1, "web1", 10), replace(failed(2, "web2", 10), counts=False))
    assert look(failed(1, "web1", 10), failed(2, "web2", 99))


def test_a_treatment_that_a_person_declined_or_nobody_could_judge_has_not_failed() -> None:
    book = runbook("careful", approve("restart"))
    ward = Ward(
        site(plan(levels={Level.II: level(condition(treatments_failed=1))}), runbooks=(book,), ladder=(book.name,))
    )
    all_well(ward)
    ward.falls_ill("web", "web1")
    assert ward.person(events.Approve("RUN-1", yes=False, reason="not now"))
    ward.falls_ill("web", "web2")
    assert ward.person(events.Approve("RUN-2", yes=True))
    ward.sees("web", web2=UNKNOWN)
    ward.later(600)
    assert (ward.execution("RUN-1").outcome, ward.execution("RUN-2").outcome) == (Outcome.DECLINED, Outcome.UNDECIDABLE)
    assert not is_active(ward)


def test_a_named_check_is_critical() -> None:
    ward = starts_when(condition(check_critical="disk", lasting=30.0))
    ward.sees("disk", 2, web1=WARNING)
    ward.later(100)
    assert not is_active(ward)
    ward.falls_ill("disk", "db1")
    ward.later(29)
    assert not is_active(ward)
    ward.later(1)
    assert is_active(ward)


def test_all_of_all_and_one_of_any() -> None:
    both = (condition(check_critical="disk"), condition(check_critical="mail"))
    ward = starts_when(condition(check_critical="web"), condition(hosts_healthy="below 20%"), every=both)
    ward.falls_ill("disk", "web1")
    ward.falls_ill("web", "web1")
    assert not is_active(ward)
    ward.falls_ill("mail", "web1")
    assert is_active(ward)


def test_a_hold_time_begins_anew_after_a_break() -> None:
    ward = starts_when(HALF_ILL)
    ward.falls_ill("web", "web1", "web2")
    ward.later(9)
    ward.gets_well("web", "web1")
    ward.falls_ill("web", "web1")
    ward.later(9)
    assert not is_active(ward)
    ward.later(1)
    assert is_active(ward)


def test_a_hold_time_goes_on_across_a_restart() -> None:
    ward = starts_when(HALF_ILL)
    ward.falls_ill("web", "web1", "web2")
    began = ward.at
    ward.later(4)
    ward.restarts(3)
    assert not is_active(ward)
    ward.later(10)
    assert ward.plan().activated_at == began + 10


def test_a_hold_time_that_ran_out_while_the_agent_was_away_is_over_when_it_starts() -> None:
    ward = starts_when(HALF_ILL)
    ward.falls_ill("web", "web1", "web2")
    ward.restarts(60)
    assert is_active(ward)


def test_a_hold_time_goes_on_when_the_clock_is_set() -> None:
    ward = starts_when(HALF_ILL)
    ward.falls_ill("web", "web1", "web2")
    ward.later(4)
    ward.at += 3600
    ward.tell(events.ClockSet(ward.at, 3600.0))
    ward.later(5)
    assert not is_active(ward)
    ward.later(1)
    assert is_active(ward)


@pytest.mark.parametrize("wanted", [HALF_ILL, condition(unresolved="P5", lasting=10.0)], ids=["hosts", "unresolved"])
def test_hold_times_begin_anew_in_a_restored_record(wanted: Condition) -> None:
    ward = starts_when(wanted)
    ward.falls_ill("web", "web1", "web2")
    ward.later(5)
    ward.at += 7200
    ward.tell(events.Restored(ward.at, "anna", "monday.db", 17, ward.at - 7200))
    ward.restarts()
    ward.later(9)
    assert not is_active(ward)
    ward.later(1)
    assert is_active(ward)


def test_time_in_which_nobody_looked_is_no_part_of_a_hold_time() -> None:
    """The machine was suspended, or the record could not be written."""
    ward = starts_when(HALF_ILL)
    ward.falls_ill("web", "web1", "web2")
    ward.later(4)
    ward.at += 600
    ward.tell(events.StoodStill(ward.at, 600.0))
    ward.later(5)
    assert not is_active(ward)
    ward.later(1)
    assert is_active(ward)


def test_conditions_of_another_text_begin_anew() -> None:
    ward = starts_when(HALF_ILL)
    ward.falls_ill("web", "web1", "web2")
    ward.later(9)
    ward.state.configure(site(plan(levels={Level.II: level(HALF_ILL)}, digest="another")))
    ward.tell(events.Reloaded(ward.at, "anna", "another text"))
    ward.later(9)
    assert not is_active(ward)
    ward.later(1)
    assert is_active(ward)


def test_with_no_plans_nothing_is_judged() -> None:
    ward = Ward(replace(site(), plans={}))
    ward.falls_ill("web", *HOSTS)
    assert ward.state.watches == {}


def test_what_changes_nothing_is_not_committed() -> None:
    ward = begun()
    ward.at += 1
    assert not ward.tell(ward.answers("web", {"web3": OK})).is_durable


# levels


GRAVE = condition(hosts_healthy="below 30%")


def test_of_several_levels_the_gravest_counts() -> None:
    ward = Ward(site(plan(levels={Level.III: level(condition(hosts_healthy="below 90%")), Level.I: level(GRAVE)})))
    all_well(ward)
    ward.falls_ill("web", *HOSTS)
    assert ward.plan().level is Level.I


def test_rising_conditions_raise_the_level_and_falling_ones_do_not_lower_it() -> None:
    ward = begun(plan(levels={Level.III: level(HALF_ILL), Level.I: level(GRAVE)}))
    assert ward.plan().level is Level.III
    assert major(ward).classification.priority is Priority.P2, "that of the gravest incident in scope"
    reports = ward.plan().reports
    ward.falls_ill("web", "web3")
    assert ward.plan().level is Level.I
    assert major(ward).classification.priority is Priority.P1
    assert major(ward).title.startswith("Emergency, level I:")
    assert ward.plan().reports == reports + 1, "everybody is told at once how it stands"
    assert any("raised from level III to I" in text for text in ward.story(EntryKind.PLAN, about="INC-2"))
    ward.gets_well("web", "web3")
    ward.later(3600)
    assert ward.plan().level is Level.I


def test_the_stated_rule_lowers() -> None:
    ward = begun(plan(levels={Level.III: level(HALF_ILL), Level.I: level(GRAVE)}, lower_after=100.0))
    ward.falls_ill("web", "web3")
    ward.gets_well("web", "web3")
    ward.later(60)
    ward.falls_ill("web", "web3")
    ward.gets_well("web", "web3")
    ward.restarts(50)
    ward.later(49)
    assert ward.plan().level is Level.I, "there was a break"
    ward.later(2)
    assert ward.plan().level is Level.III
    assert any("lowered from level I to III" in text for text in ward.story(EntryKind.PLAN, about="INC-2"))


def test_a_level_that_only_a_person_can_declare_only_a_person_lowers() -> None:
    ward = begun(plan(levels={Level.II: level(HALF_ILL), Level.I: LevelRules()}, lower_after=100.0))
    assert activate(ward, Level.I)
    ward.later(1000)
    assert ward.plan().level is Level.I
    assert activate(ward, Level.II)
    ward.later(1000)
    assert ward.plan().level is Level.II


def test_a_person_lowers_it_in_spite_of_the_conditions_until_they_break_and_come_back() -> None:
    ward = begun(plan(levels={Level.III: level(condition(hosts_healthy="below 90%")), Level.I: level(GRAVE)}))
    ward.falls_ill("web", "web3")
    assert ward.plan().level is Level.I
    assert activate(ward, Level.III)
    ward.falls_ill("web", "web4")
    assert ward.plan().level is Level.III
    ward.gets_well("web", "web3", "web4")
    ward.falls_ill("web", "web3")
    assert ward.plan().level is Level.I


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (events.ActivatePlan("shop-down", Level.II, " "), "say why"),
        (events.ActivatePlan("nowhere", Level.II, "smoke"), "known: shop-down"),
        (events.ActivatePlan("shop-down", Level.IV, "smoke"), "it has I, II"),
    ],
)
def test_a_person_is_told_what_is_wrong_with_the_wish(act: events.ActivatePlan, said: str) -> None:
    ward = Ward(site())
    assert not ward.person(act)
    assert said in ward.reply


def test_by_hand_with_nothing_ill() -> None:
    ward = Ward(site())
    assert activate(ward, Level.II)
    assert ward.plan().actor == "carla"
    assert ward.plan().stage is Stage.ACTIVE
    assert major(ward).classification.priority is Priority.P2
    assert "an emergency of level II is no less" in major(ward).classification.priority_because
    assert activate(ward, Level.II)
    assert "already" in ward.reply
    assert len(ward.state.activations) == 1
