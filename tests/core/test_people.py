"""What people may do to an incident in each of its phases, and to the agent."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from agent.model import events
from agent.model.commands import Milestone
from agent.model.execution import Outcome
from agent.model.health import Key
from agent.model.incident import Origin, Phase
from agent.model.people import Person
from agent.model.policy import Team
from agent.model.priority import Priority, Urgency
from agent.model.runbook import Retry
from agent.model.timeline import EntryKind
from tests.core.ward import CRITICAL, OK, UNKNOWN, Ward, run, runbook, shop


def treating(ward: Ward) -> None:
    ward.falls_ill()


def held(ward: Ward) -> None:
    ward.person(events.Freeze("audit"))
    ward.falls_ill()


def escalated(ward: Ward) -> None:
    ward.falls_ill()
    ward.ends(exit=1)


def resolved(ward: Ward) -> None:
    ward.falls_ill()
    ward.ends()
    ward.gets_well()


def closed(ward: Ward) -> None:
    resolved(ward)
    ward.later(3600)


IN_PHASE: dict[Phase, Callable[[Ward], None]] = {
    Phase.TREATING: treating,
    Phase.HELD: held,
    Phase.ESCALATED: escalated,
    Phase.RESOLVED: resolved,
    Phase.CLOSED: closed,
}
ACTS: dict[str, events.Act] = {
    "ack": events.Acknowledge("INC-1"),
    "note": events.AddNote("INC-1", "I am looking at it"),
    "assign": events.Assign("INC-1", "dba"),
    "escalate": events.Escalate("INC-1", "mine"),
    "resolve": events.Resolve("INC-1", "fixed by hand"),
    "close": events.Close("INC-1", "done"),
    "reopen": events.Reopen("INC-1", "users still complain"),
    "approve": events.Approve("INC-1", yes=True),
    "run": events.RunByHand("restart-web", ("web1",), incident="INC-1", override="I know"),
}
AFTER = """
            ack        note       assign     escalate   resolve   close    reopen     approve  run
treating    treating   treating   treating   escalated  -         -        -          -        -
held        held       held       held       escalated  resolved  -        -          -        treating
escalated   escalated  escalated  escalated  escalated  resolved  -        -          -        treating
resolved    -          resolved   resolved   -          -         closed   escalated  -        -
closed      -          closed     -          -          -         -        escalated  -        -
"""


def cells() -> list[tuple[Phase, str, str]]:
    header, *rows = [line.split() for line in AFTER.strip().splitlines()]
    return [(Phase(row[0]), act, cell) for row in rows for act, cell in zip(header, row[1:], strict=True)]


@pytest.mark.parametrize(("phase", "act", "cell"), cells())
def test_every_act_in_every_phase(phase: Phase, act: str, cell: str) -> None:
    ward = Ward(shop())
    IN_PHASE[phase](ward)
    before = ward.incident()
    assert before.phase is phase
    done = ward.person(ACTS[act], closed=ward.closed.get("INC-1"))
    assert done is (cell != "-"), ward.reply
    assert ward.reply
    assert ward.incident().phase is (Phase(cell) if done else phase)
    if not done:
        assert ward.incident() == before


def test_there_must_be_such_an_incident() -> None:
    ward = Ward(shop())
    assert not ward.person(events.AddNote("INC-7", "hello"))
    assert ward.reply == "there is no incident INC-7"


@pytest.mark.parametrize(
    ("phase", "act", "milestone"),
    [
        (Phase.ESCALATED, "note", Milestone.UPDATED),
        (Phase.ESCALATED, "assign", Milestone.UPDATED),
        (Phase.RESOLVED, "note", Milestone.RESOLVED),
        (Phase.RESOLVED, "assign", Milestone.RESOLVED),
        (Phase.CLOSED, "note", Milestone.CLOSED),
    ],
)
def test_what_is_said_of_a_solved_incident_leaves_its_ticket_solved(
    phase: Phase, act: str, milestone: Milestone
) -> None:
    ward = Ward(shop())
    IN_PHASE[phase](ward)
    assert ward.person(ACTS[act], closed=ward.closed.get("INC-1"))
    assert ward.updates[-1].milestone is milestone


def test_acknowledging_is_done_once_and_told() -> None:
    ward = Ward(shop())
    escalated(ward)
    ward.person(events.Acknowledge("INC-1"), actor="bob")
    ward.person(events.Acknowledge("INC-1"), actor="eve")
    assert ward.incident().acknowledged_by == "bob"
    assert ward.story(EntryKind.ACKNOWLEDGED) == ["acknowledged by bob"]


def test_assigning_to_a_team_or_a_person() -> None:
    ward = Ward(shop())
    escalated(ward)
    ward.person(events.Assign("INC-1", "bob"))
    assert (ward.incident().team, ward.incident().assignee) == ("operations", "bob")
    ward.person(events.Assign("INC-1", "dba"))
    assert (ward.incident().team, ward.incident().assignee) == ("dba", None)
    assert not ward.person(events.Assign("INC-1", " "))


def test_nobody_is_assigned_what_is_closed() -> None:
    ward = Ward(shop())
    closed(ward)
    assert not ward.person(events.Assign("INC-1", "bob"), closed=ward.closed["INC-1"])
    assert ward.reply == "INC-1 is closed: reopen it first if it is not solved"


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ("dba", "dba"),
        ("DBBA", "the person DBBA: no team is called so (did you mean dba?)"),
        ("nobodyteam", "the person nobodyteam: no team is called so"),
        ("dbo", "the person dbo"),
        ("dbe", "the person dbe"),
    ],
)
def test_a_name_that_nobody_is_known_by_may_be_that_of_a_team_misspelt(to: str, said: str) -> None:
    teams = {"dba": Team(name="dba", members=("dbe",))}
    ward = Ward(replace(shop(), teams=teams, people={"dbo": Person(name="dbo")}))
    escalated(ward)
    assert ward.person(events.Assign("INC-1", to))
    assert ward.reply == f"INC-1 is assigned to {said}"


# taking over


def test_taking_over_stops_what_has_not_begun_and_lets_the_step_under_way_end() -> None:
    ward = Ward(shop(runbook("r", run("first"), run("second"), serial=1)))
    ward.falls_ill("web", "web1", "web2")
    ward.person(events.Escalate("INC-1", "mine"))
    assert ward.execution().is_running
    ward.ends()
    assert ward.execution().outcome is Outcome.STOPPED
    assert not ward.under_way()
    assert ward.incident().phase is Phase.ESCALATED


def test_a_failing_step_is_not_tried_again_once_a_person_took_over() -> None:
    ward = Ward(shop(runbook("r", run("first", retry=Retry(attempts=3, delay=1.0)), rollback=(run("undo"),))))
    ward.falls_ill()
    ward.person(events.Escalate("INC-1", "mine"))
    ward.ends(exit=1)
    ward.later(100)
    assert len(ward.steps) == 1
    assert ward.execution().outcome is Outcome.STOPPED


def test_taking_over_during_the_verification_ends_it_and_recovery_still_resolves() -> None:
    ward = Ward(shop())
    ward.falls_ill()
    ward.ends()
    ward.person(events.Escalate("INC-1", "mine"))
    assert ward.execution().outcome is Outcome.STOPPED
    ward.gets_well()
    assert ward.incident().phase is Phase.RESOLVED


def test_being_stopped_does_not_speak_against_the_runbook() -> None:
    ward = Ward(shop())
    ward.falls_ill()
    ward.person(events.Escalate("INC-1", "mine"))
    ward.ends()
    ward.person(events.Resolve("INC-1", "done"))
    ward.falls_ill()
    assert ward.under_way() == [("web1", "restart")]


def test_resolved_while_a_step_was_still_under_way_closes_all_the_same() -> None:
    ward = Ward(shop())
    ward.falls_ill()
    ward.person(events.Escalate("INC-1", "mine"))
    ward.person(events.Resolve("INC-1", "done"))
    ward.later(10)
    ward.ends()
    assert ward.incident().phase is Phase.RESOLVED
    assert ward.updates[-1].milestone is Milestone.RESOLVED
    ward.later(3600)
    assert ward.incident().phase is Phase.CLOSED


def test_back_again_while_a_stopped_step_is_still_under_way_is_treated_when_that_ends() -> None:
    ward = Ward(shop())
    ward.falls_ill()
    ward.person(events.Escalate("INC-1", "mine"))
    ward.person(events.Resolve("INC-1", "done"))
    ward.falls_ill()
    assert ward.incident().phase is Phase.NEW
    ward.ends()
    assert ward.execution("RUN-2").is_running


# resolving


def test_what_a_person_resolved_must_be_confirmed_anew_to_come_back() -> None:
    ward = Ward(shop())
    escalated(ward)
    ward.person(events.Resolve("INC-1", "fixed by hand"))
    assert not ward.incident().ill
    ward.sees("web", web1=CRITICAL)
    assert ward.incident().phase is Phase.RESOLVED
    ward.sees("web", web1=CRITICAL)
    assert (ward.incident().phase, ward.incident().reopened) == (Phase.ESCALATED, 1)
    assert ward.updates[-2].milestone is Milestone.REOPENED


def test_one_symptom_coming_back_does_not_bring_back_the_others() -> None:
    ward = Ward(shop())
    ward.falls_ill("web", "web1", "web2")
    ward.person(events.Escalate("INC-1", "mine"))
    ward.ends()
    ward.ends()
    ward.person(events.Resolve("INC-1", "done"))
    ward.falls_ill("web", "web1")
    assert [symptom.host for symptom in ward.incident().ill] == ["web1"]
    ward.ends()
    ward.gets_well("web", "web1")
    assert ward.incident().phase is Phase.RESOLVED


def test_resolving_what_cannot_be_asked_gives_it_the_whole_time_again() -> None:
    ward = Ward(shop(web={"unknown_after": 30.0}))
    for seconds in (0, 30):
        ward.at += seconds
        ward.sees("web", web1=UNKNOWN)
    ward.person(events.Resolve("INC-1", "firewall opened"))
    for _ in range(3):
        ward.at += 10
        ward.sees("web", web1=UNKNOWN)
    assert ward.incident().phase is Phase.RESOLVED
    ward.at += 10
    ward.sees("web", web1=UNKNOWN)
    assert ward.incident().phase is Phase.ESCALATED


# reopening


@pytest.mark.parametrize("phase", [Phase.RESOLVED, Phase.CLOSED])
def test_reopened_by_a_person_only_a_person_resolves_it(phase: Phase) -> None:
    ward = Ward(shop())
    IN_PHASE[phase](ward)
    ward.person(events.Reopen("INC-1", "users still complain"), closed=ward.closed.get("INC-1"))
    assert ward.updates[-2].milestone is Milestone.REOPENED
    ward.falls_ill()
    ward.gets_well()
    assert ward.incident().phase is Phase.ESCALATED, "the checks were well before, too"
    ward.person(events.RunByHand("restart-web", ("web1",), incident="INC-1"))
    ward.ends(exit=1)
    assert ward.incident().phase is Phase.ESCALATED, "a failed treatment resolves nothing"
    assert ward.person(events.Resolve("INC-1", "cache emptied"))
    ward.later(3600)
    assert ward.incident().phase is Phase.CLOSED


def test_a_closed_incident_reopened_beside_its_successor_leaves_the_symptom_with_that() -> None:
    ward = Ward(shop())
    closed(ward)
    old = ward.closed["INC-1"]
    ward.falls_ill()
    ward.person(events.Reopen("INC-1", "that one too"), closed=old)
    ward.ends()
    ward.gets_well()
    assert ward.incident("INC-2").phase is Phase.RESOLVED
    assert ward.incident("INC-1").phase is Phase.ESCALATED


def test_resolving_the_old_one_leaves_what_is_ill_in_its_successor_alone() -> None:
    ward = Ward(shop())
    closed(ward)
    old = ward.closed["INC-1"]
    ward.falls_ill()
    ward.person(events.Reopen("INC-1", "that one too"), closed=old)
    ward.person(events.Resolve("INC-1", "done"))
    assert ward.state.health[Key("web", "web1")].is_bad
    ward.ends()
    ward.gets_well()
    assert ward.incident("INC-2").phase is Phase.RESOLVED


def test_closed_while_a_stopped_step_was_under_way_and_reopened_it_can_be_treated_again() -> None:
    ward = Ward(shop())
    ward.falls_ill()
    ward.person(events.Escalate("INC-1", "mine"))
    ward.person(events.Resolve("INC-1", "done"))
    ward.person(events.Close("INC-1", "done"))
    ward.ends()
    ward.person(events.Reopen("INC-1", "not done"), closed=ward.closed["INC-1"])
    assert ward.person(events.RunByHand("restart-web", ("web1",), incident="INC-1")), ward.reply


# reporting


def test_a_reported_fault_becomes_the_same_kind_of_incident() -> None:
    ward = Ward(shop())
    ward.sees("db", db1=OK)
    ward.at += 1
    assert ward.person(
        events.Report("checkout hangs", "since noon", service="shop", urgency=Urgency.HIGH, reporter="Eve of sales")
    )
    incident = ward.incident()
    assert (incident.origin, incident.phase, incident.reporter) == (Origin.PERSON, Phase.ESCALATED, "Eve of sales")
    assert incident.classification.priority is Priority.P2
    assert [update.milestone for update in ward.updates] == [Milestone.OPENED, Milestone.UPDATED]
    assert ward.person(events.Resolve("INC-1", "restarted the queue"))
    ward.later(3600)
    assert ward.incident().phase is Phase.CLOSED


def test_a_report_about_a_service_with_an_open_incident_is_added_to_it() -> None:
    ward = Ward(shop())
    ward.falls_ill("db", "db1")
    ward.falls_ill("web", "web1")
    assert ward.person(events.Report("checkout hangs", service="shop"))
    assert list(ward.state.incidents) == ["INC-1"]
    assert ward.story(EntryKind.NOTE) == ["also reported by anna: checkout hangs"]


@pytest.mark.parametrize(
    ("report", "why"),
    [
        (events.Report("x", service="shoop"), "there is no service 'shoop' (did you mean shop?)"),
        (events.Report("x", hosts=("web9",)), "there is no host 'web9' (did you mean web3?)"),
    ],
)
def test_a_report_about_what_does_not_exist(report: events.Report, why: str) -> None:
    ward = Ward(shop())
    assert not ward.person(report)
    assert ward.reply == why


def test_reports_about_several_hosts_and_monitoring_do_not_mix() -> None:
    ward = Ward(shop())
    ward.person(events.Report("slow", hosts=("web1", "web2")))
    ward.falls_ill()
    assert ward.incident("INC-2").phase is Phase.TREATING
