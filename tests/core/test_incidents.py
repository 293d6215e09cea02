"""From health changes to incidents: opened, joined, classified, assigned, told to the ticket system."""

import pytest

from agent.model import events
from agent.model.commands import Milestone
from agent.model.health import Key
from agent.model.incident import Phase
from agent.model.priority import Priority
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
    assert [update.text.splitlines()[0] for update in ward.updates] == [
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


def test_a_relapse_that_leans_on_what_is_ill_by_now_joins_that_and_is_not_treated() -> None:
    ward = Ward(shop())
    ward.sees("db", db1=OK)
    ward.falls_ill()
    ward.sees("db", db1=OK)
    ward.ends()
    ward.gets_well()
    assert ward.falls_ill("db", "db1").id == "INC-2"
    assert ward.falls_ill().id == "INC-2"
    ward.later(30)
    assert ward.under_way() == [("db1", "restart the database")]
    assert ward.incident("INC-1").phase is Phase.RESOLVED
    assert "shop depends on database" in ward.story(EntryKind.JOINED, about="INC-2")[0]


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


def test_a_ticket_is_opened_and_handed_over_with_everything_known_so_far() -> None:
    ward = Ward(shop())
    ward.falls_ill()
    opened = next(update for update in ward.updates if update.milestone is Milestone.OPENED)
    assert "Symptoms:\n- web on web1: CRITICAL" in opened.text
    assert "impact" in opened.text
    assert "Treatments so far" not in opened.text
    ward.ends(exit=1)
    handed_over = ward.updates[-1]
    assert handed_over.text.startswith("Handed to ")
    assert "Treatments so far:\n- restart-web (RUN-1): failed" in handed_over.text
