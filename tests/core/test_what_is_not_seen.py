"""What cannot be asked, is no longer reported, or comes and goes."""

from dataclasses import replace

import pytest

from agent.model import events
from agent.model.health import Key
from agent.model.incident import Phase
from agent.model.observation import Pass
from agent.model.priority import Urgency
from agent.model.timeline import EntryKind
from tests.core.ward import CRITICAL, OK, UNKNOWN, Ward, check, settings, shop


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
    assert "no runbook is run for what cannot be asked" in ward.story(EntryKind.ESCALATED)[0]
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
