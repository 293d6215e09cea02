"""From health changes to incidents: opened, joined, classified, assigned, told to the ticket system."""

from dataclasses import replace

import pytest

from agent.model import events
from agent.model.commands import Milestone
from agent.model.health import Key
from agent.model.incident import Phase
from agent.model.observation import Pass
from agent.model.priority import Priority, Urgency
from agent.model.timeline import EntryKind
from tests.core.ward import CRITICAL, NOT_CLEARED, OK, UNKNOWN, WARNING, Ward, check, runbook, settings, shop


def test_a_confirmed_fault_opens_one_incident_with_its_reasons_on_record() -> None:
    ward = Ward(shop(), at=50.0)
    ward.sees("web", web1=CRITICAL)
    assert not ward.state.incidents
    incident = ward.falls_ill("web", "web1", times=1)
    assert incident.title == "web on web1 is CRITICAL: web1 says CRITICAL"
    assert incident.classification.priority is Priority.P2
    assert ward.story(EntryKind.CLASSIFIED) == [
        "impact significant: 1 of 3 hosts of shop (33%) × criticality high (3) × 200 users = 200, "
        "significant from 200; urgency high: web on web1 is critical; priority P2: impact significant × urgency high"
    ]
    assert ward.story(EntryKind.ASSIGNED) == ["assigned to operations: nobody owns category general, it is the default"]
    assert [(update.key, update.milestone) for update in ward.updates][:1] == [("INC-1/1", Milestone.OPENED)]
    ward.sees("web", 5, web1=CRITICAL)
    assert list(ward.state.incidents) == ["INC-1"]


def test_hosts_that_fail_in_one_pass_are_treated_in_one_execution() -> None:
    ward = Ward(shop(runbook("restart-web", serial=1)))
    ward.falls_ill("web", "web1", "web2")
    assert [run.host for run in ward.execution().runs] == ["web1", "web2"]
    assert ward.under_way() == [("web1", "restart")]
    assert [update.text for update in ward.updates] == [
        "P2: web on web1 is CRITICAL: web1 says CRITICAL",
        "Also: web on web2 is CRITICAL: web2 says CRITICAL",
        "Treatment: restart-web on web1, web2",
    ]


def test_a_host_that_fails_during_the_treatment_is_treated_right_after_it() -> None:
    ward = Ward(shop())
    ward.falls_ill("web", "web1")
    ward.falls_ill("web", "web2")
    assert ward.under_way() == [("web1", "restart")]
    ward.ends()
    ward.gets_well("web", "web1")
    assert ward.under_way() == [("web2", "restart")], "it has not been treated, so the first rung is its turn"
    ward.ends()
    ward.gets_well("web", "web2")
    assert ward.incident().phase is Phase.RESOLVED


def test_a_worse_priority_is_told_to_the_ticket_system() -> None:
    ward = Ward(shop())
    ward.sees("web", 2, web1=WARNING)
    told = len(ward.updates)
    ward.sees("web", 2, web1=CRITICAL)
    assert ward.incident().symptoms[0].status is CRITICAL
    assert [update.text for update in ward.updates[told:]] == ["Now P2: web on web1 is CRITICAL: web1 says CRITICAL"]


def test_a_symptom_that_changes_its_degree_is_ill_since_it_began() -> None:
    ward = Ward(shop())
    since = ward.falls_ill("web", "web1").symptoms[0].since
    ward.later(5)
    ward.sees("web", 2, web1=WARNING)
    assert ward.incident().symptoms[0].since == since


def test_recovery_by_itself_resolves_and_closes() -> None:
    ward = Ward(settings([check("disk", category="storage")], close_after=60.0))
    ward.falls_ill("disk", "web1")
    assert ward.incident().phase is Phase.ESCALATED
    assert ward.incident().team == "dba"
    ward.gets_well("disk", "web1")
    assert ward.incident().phase is Phase.RESOLVED
    assert ward.story(EntryKind.RESOLVED) == ["recovered, confirmed by its checks"]
    ward.later(59)
    assert ward.incident().phase is Phase.RESOLVED
    ward.later(1)
    assert ward.incident().phase is Phase.CLOSED
    assert [update.milestone for update in ward.updates][-2:] == [Milestone.RESOLVED, Milestone.CLOSED]
    assert not ward.state.homes_of(Key("disk", "web1"))


def test_below_the_alarm_but_above_the_recover_threshold_is_not_well() -> None:
    ward = Ward(settings([check("disk")]))
    ward.falls_ill("disk", "web1")
    ward.sees("disk", 5, web1=NOT_CLEARED)
    assert ward.incident().phase is Phase.ESCALATED
    ward.gets_well("disk", "web1")
    assert ward.incident().phase is Phase.RESOLVED


def test_a_relapse_reopens_the_incident_and_is_treated() -> None:
    ward = Ward(shop())
    ward.falls_ill()
    ward.ends()
    ward.gets_well()
    assert ward.incident().phase is Phase.RESOLVED
    ward.falls_ill()
    incident = ward.incident()
    assert (incident.phase, incident.reopened, incident.resolved_at) == (Phase.TREATING, 1, None)
    assert ward.under_way() == [("web1", "restart")]
    assert ward.updates[-2].milestone is Milestone.REOPENED
    ward.later(10_000)
    assert ward.incident().phase is not Phase.CLOSED, "the old closing time must be forgotten"


def test_a_fault_after_the_end_is_a_new_incident() -> None:
    ward = Ward(shop(close_after=10.0))
    ward.falls_ill()
    ward.ends()
    ward.gets_well()
    ward.later(10)
    assert ward.falls_ill().id == "INC-2"
    assert ward.incident("INC-2").phase is Phase.TREATING


def test_an_incident_a_person_has_takes_no_new_fault_of_its_service() -> None:
    ward = Ward(shop())
    ward.falls_ill("web", "web1")
    ward.person(events.Escalate("INC-1", "mine"))
    ward.ends()
    assert ward.falls_ill("web", "web2").id == "INC-2"
    assert ward.under_way() == [("web2", "restart")]
    assert ward.incident("INC-1").phase is Phase.ESCALATED


# dependencies


def test_the_dependent_joins_the_incident_of_what_it_leans_on_and_is_not_treated() -> None:
    ward = Ward(shop())
    ward.falls_ill("db", "db1")
    ward.falls_ill("web", "web1", "web2")
    assert list(ward.state.incidents) == ["INC-1"]
    assert "part of this incident because shop depends on database" in ward.story(EntryKind.JOINED)[0]
    assert ward.under_way() == [("db1", "restart the database")]
    ward.ends()
    ward.gets_well("db", "db1")
    assert (ward.incident().phase, ward.incident().held_because) == (Phase.HELD, "settling")
    ward.gets_well("web", "web1", "web2")
    assert ward.incident().phase is Phase.RESOLVED
    assert {step.host for step in ward.steps} == {"db1"}
    assert ward.story(EntryKind.RESOLVED) == ["recovered by restart-db, verified"]


def test_what_does_not_come_back_with_its_cause_is_treated_itself_after_settling() -> None:
    ward = Ward(shop(dependency_wait=15.0))
    ward.falls_ill("db", "db1")
    ward.falls_ill("web", "web1", "web2")
    ward.ends()
    ward.gets_well("db", "db1")
    ward.gets_well("web", "web1")
    ward.later(10)
    assert not ward.under_way(), "the recovery of one does not end the settling of the other"
    ward.later(5)
    assert ward.under_way() == [("web2", "restart")]


def test_the_cause_may_show_itself_after_its_symptom() -> None:
    ward = Ward(shop())
    ward.sees("db", db1=OK)
    ward.falls_ill("web", "web1")
    assert ward.reasons() == ["dependency suspected"]
    assert Key("db", "db1") in ward.asked
    ward.falls_ill("db", "db1")
    assert "shop, already ill, depends on database" in ward.story(EntryKind.JOINED)[0]
    assert ward.under_way() == [("db1", "restart the database")]
    assert ward.incident().cause == "db"


def test_cause_and_symptom_in_one_pass_in_the_wrong_order() -> None:
    ward = Ward(shop())
    for _ in range(2):
        ward.at += 1
        passes = [
            ward.answers("web", {"web1": CRITICAL}).passes[0],
            ward.answers("db", {"db1": CRITICAL}).passes[0],
        ]
        ward.tell(events.Observed(ward.at, tuple(passes)))
    assert list(ward.state.incidents) == ["INC-1"]
    assert ward.under_way() == [("db1", "restart the database")]


def test_a_healthy_dependency_lets_the_dependent_be_treated_at_once() -> None:
    ward = Ward(shop())
    ward.sees("db", db1=OK)
    ward.falls_ill("web", "web1")
    assert not ward.under_way()
    ward.sees("db", db1=OK)
    assert ward.under_way() == [("web1", "restart")]


@pytest.mark.parametrize("answer", [None, WARNING, UNKNOWN])
def test_a_dependency_that_does_not_decide_is_waited_for_only_so_long(answer: object) -> None:
    ward = Ward(shop(dependency_wait=15.0))
    ward.sees("db", db1=OK)
    ward.falls_ill("web", "web1")
    since = ward.incident().symptoms[0].since
    if answer is not None:
        ward.sees("db", db1=answer)  # type: ignore[arg-type]
    ward.later(since + 14.9 - ward.at)
    assert bool(ward.under_way()) is (answer is UNKNOWN)
    ward.later(0.2)
    assert ward.under_way() == [("web1", "restart")]


def test_the_dependency_is_asked_again_after_a_relapse() -> None:
    ward = Ward(shop())
    ward.sees("db", db1=OK)
    ward.falls_ill()
    ward.sees("db", db1=OK)
    ward.ends()
    ward.gets_well()
    ward.later(100)
    ward.falls_ill()
    assert ward.incident().held_because == "dependency suspected"
    ward.sees("db", 2, db1=CRITICAL)
    assert ward.under_way() == [("db1", "restart the database")]


# what cannot be asked


def test_unknown_that_lasts_is_an_incident_of_its_own_kind_and_ends_with_an_answer() -> None:
    ward = Ward(shop(web={"unknown_after": 30.0}))
    ward.sees("web", web1=UNKNOWN)
    ward.at += 29
    ward.sees("web", web1=UNKNOWN)
    assert not ward.state.incidents
    ward.at += 1
    ward.sees("web", web1=UNKNOWN)
    incident = ward.incident()
    assert (incident.category, incident.phase) == ("monitoring", Phase.ESCALATED)
    assert incident.classification.urgency is Urgency.LOW
    assert not ward.steps, "there is nothing to treat"
    ward.sees("web", web1=OK)
    assert ward.incident().phase is Phase.RESOLVED


def test_unknown_neither_confirms_nor_refutes() -> None:
    ward = Ward(shop())
    ward.sees("web", web1=CRITICAL)
    ward.sees("web", web1=UNKNOWN)
    ward.sees("web", web1=CRITICAL)
    assert ward.state.incidents
    ward.ends()
    ward.sees("web", 3, web1=UNKNOWN)
    assert ward.incident().phase is Phase.TREATING, "UNKNOWN never resolves"


def test_a_host_that_cannot_be_asked_is_one_incident_whatever_the_checks() -> None:
    ward = Ward(shop(web={"unknown_after": 5.0}, db={"unknown_after": 5.0}))
    for seconds in (0, 5):
        ward.at += seconds
        ward.sees("web", web1=UNKNOWN, web2=UNKNOWN)
        ward.sees("db", web1=UNKNOWN)
    assert list(ward.state.incidents) == ["INC-1"]
    assert len(ward.incident().symptoms) == 3


def test_a_fault_found_when_the_check_answers_again_is_an_incident_of_its_own_and_treated() -> None:
    ward = Ward(shop(web={"unknown_after": 5.0}))
    for seconds in (0, 5):
        ward.at += seconds
        ward.sees("web", web1=UNKNOWN, web2=UNKNOWN)
    ward.falls_ill("web", "web1")
    assert ward.incident("INC-1").phase is Phase.ESCALATED, "web2 still cannot be asked"
    assert ward.incident("INC-2").category == "general"
    assert ward.under_way() == [("web1", "restart")]
    ward.ends()
    ward.gets_well("web", "web1")
    assert ward.incident("INC-2").phase is Phase.RESOLVED
    ward.gets_well("web", "web2", times=1)
    assert ward.incident("INC-1").phase is Phase.RESOLVED


def test_one_answer_may_end_blindness_and_confirm_a_fault() -> None:
    ward = Ward(shop(web={"unknown_after": 5.0, "confirm": 1}))
    for seconds in (0, 5):
        ward.at += seconds
        ward.sees("web", web1=UNKNOWN)
    ward.sees("web", web1=CRITICAL)
    assert ward.incident("INC-1").phase is Phase.RESOLVED
    assert ward.incident("INC-2").phase is Phase.TREATING


def test_what_is_ill_and_then_cannot_be_asked_stays_one_incident() -> None:
    ward = Ward(settings([check("disk", unknown_after=5.0)]))
    ward.falls_ill("disk", "web1")
    for seconds in (0, 5):
        ward.at += seconds
        ward.sees("disk", web1=UNKNOWN)
    assert list(ward.state.incidents) == ["INC-1"]
    assert ward.story(EntryKind.NOTICED)[-1] == "disk on web1 cannot be asked: web1 says UNKNOWN"
    ward.sees("disk", web1=OK)
    assert ward.incident().phase is Phase.ESCALATED, "one answer is not a confirmed recovery"
    ward.sees("disk", web1=OK)
    assert ward.incident().phase is Phase.RESOLVED


def test_what_got_well_in_an_open_incident_and_then_cannot_be_asked_is_not_forgotten() -> None:
    ward = Ward(shop(web={"unknown_after": 5.0}))
    ward.falls_ill("web", "web1", "web2")
    ward.gets_well("web", "web1")
    for seconds in (0, 5):
        ward.at += seconds
        ward.sees("web", web1=UNKNOWN)
    assert [s.blind for s in ward.incident("INC-2").ill] == [True]
    ward.ends(host="web1")
    ward.ends(host="web2")
    ward.gets_well("web", "web2")
    assert ward.incident("INC-2").phase is Phase.ESCALATED


def test_an_old_incident_does_not_steal_the_recovery_from_a_new_one() -> None:
    ward = Ward(shop(web={"unknown_after": 5.0}))
    for seconds in (0, 5):
        ward.at += seconds
        ward.sees("web", web1=UNKNOWN)
    ward.sees("web", web1=OK)
    ward.falls_ill("web", "web1")
    assert set(ward.state.incidents) == {"INC-1", "INC-2"}
    ward.person(events.AddNote("INC-1", "the switch was replaced"))
    ward.ends()
    ward.gets_well("web", "web1")
    assert ward.incident("INC-2").phase is Phase.RESOLVED


# subjects that are no longer reported


@pytest.mark.parametrize(
    ("policy", "phases"), [("ok", [Phase.RESOLVED]), ("unknown", [Phase.ESCALATED]), ("critical", [Phase.ESCALATED])]
)
def test_a_subject_that_disappears_is_judged_by_no_data(policy: str, phases: list[Phase]) -> None:
    ward = Ward(settings([check("pods", no_data=policy, unknown_after=5.0)]))
    ward.falls_ill("pods", "web1")
    ward.sees("pods", web2=OK)
    for _ in range(4):
        ward.at += 2
        ward.tell(ward.answers("pods", {"web2": OK}, whole=True))
    assert [incident.phase for incident in ward.state.incidents.values()] == phases


def test_a_healthy_subject_that_disappears_is_noticed_when_told_so() -> None:
    ward = Ward(settings([check("pods", no_data="critical")]))
    ward.sees("pods", 2, web1=OK, web2=OK)
    for _ in range(2):
        ward.at += 1
        ward.tell(ward.answers("pods", {"web2": OK}, whole=True))
    assert ward.incident().symptoms[0].message == "no longer reported"


def test_a_check_that_could_not_be_asked_says_nothing_of_its_subjects() -> None:
    ward = Ward(settings([check("pods", no_data="critical", unknown_after=5.0)]))
    ward.sees("pods", 2, web1=OK)
    for seconds in (0, 3, 3):
        ward.at += seconds
        ward.tell(ward.answers("pods", {"": UNKNOWN}))
    assert [s.key for s in ward.incident().symptoms] == [Key("pods", "")]
    ward.tell(ward.answers("pods", {"web1": OK}, whole=True))
    assert ward.incident().phase is Phase.RESOLVED


def test_a_subject_that_moved_to_another_asking_is_not_missed_by_the_old_one() -> None:
    ward = Ward(settings([check("pods", no_data="critical")]))
    ward.sees("pods", 2, web1=OK)
    moved = ward.answers("pods", {"web1": OK}).passes[0]
    ward.tell(events.Observed(ward.at, (Pass("pods", "elsewhere", ward.at, moved.observations),)))
    for _ in range(3):
        ward.at += 1
        ward.tell(ward.answers("pods", {"web2": OK}, whole=True))
    assert not ward.state.incidents


def test_an_answer_that_names_no_host_leaves_the_subject_on_its_host() -> None:
    ward = Ward(shop())
    ward.sees("web", web1=OK)
    (seen,) = ward.answers("web", {"web1": UNKNOWN}).passes[0].observations
    ward.tell(events.Observed(ward.at, (Pass("web", "web", ward.at, (replace(seen, host=None),), complete=False),)))
    assert ward.state.health[Key("web", "web1")].host == "web1"


# flapping


def test_what_comes_and_goes_is_handed_over_and_believed_when_it_is_quiet() -> None:
    rules = {"flapping": {"changes": 4, "within": 600.0, "settle": 60.0}}
    ward = Ward(shop(web=rules))
    for _ in range(2):
        ward.falls_ill()
        ward.ends()
        ward.gets_well()
    assert ward.incident().phase is Phase.ESCALATED
    assert ward.story(EntryKind.FLAPPING) == ["web on web1 comes and goes: 4 changes within 10m"]
    ward.falls_ill()
    assert not ward.under_way()
    ward.gets_well()
    ward.at += 59
    ward.sees("web", web1=OK)
    assert ward.incident().phase is Phase.ESCALATED
    ward.at += 1
    ward.sees("web", web1=OK)
    assert ward.incident().phase is Phase.RESOLVED
    assert ward.story(EntryKind.FLAPPING)[-1] == "web on web1 no longer comes and goes, quiet for 1m"


def test_a_person_taking_over_what_flaps_does_not_keep_it_open_for_ever() -> None:
    ward = Ward(shop(web={"flapping": {"changes": 2, "within": 600.0, "settle": 60.0}}))
    ward.falls_ill()
    ward.ends()
    ward.gets_well()
    assert ward.incident().phase is Phase.ESCALATED
    ward.person(events.Escalate("INC-1", "mine"))
    ward.at += 60
    ward.sees("web", web1=OK)
    assert ward.incident().phase is Phase.RESOLVED


def test_after_a_person_resolved_it_past_changes_do_not_count() -> None:
    ward = Ward(shop(web={"flapping": {"changes": 3, "within": 600.0, "settle": 60.0}}))
    ward.falls_ill()
    ward.ends()
    ward.gets_well()
    ward.falls_ill()
    assert ward.incident().phase is Phase.ESCALATED
    ward.person(events.Resolve("INC-1", "replaced the disk"))
    ward.falls_ill()
    assert ward.incident().phase is Phase.TREATING
