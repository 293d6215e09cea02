"""Steps that wait for a person's yes: who is asked, what is told of it, and what each answer leads to."""

import pytest

from agent.model import events
from agent.model.execution import Outcome
from agent.model.incident import Phase
from agent.model.quantities import CountOrShare
from agent.model.runbook import Limits
from agent.model.timeline import EntryKind
from tests.core.ward import (
    Ward,
    approve,
    run,
    runbook,
    shop,
)


def test_approval_lets_the_next_step_start() -> None:
    ward = Ward(shop(runbook("r", approve("Restart {{ host.name }}", within=60.0), run("restart"))))
    ward.falls_ill()
    assert "to approve: Restart web1?" in ward.story(EntryKind.APPROVAL)[0]
    assert not ward.person(events.Approve("INC-7", yes=True))
    assert ward.person(events.Approve("INC-1", yes=True, reason="go"))
    assert ward.under_way() == [("web1", "restart")]
    assert not ward.person(events.Approve("INC-1", yes=True)), "it is not asked any more"


def test_approval_may_be_given_to_the_execution() -> None:
    ward = Ward(shop(runbook("r", approve("Restart"), run("restart"))))
    ward.falls_ill()
    assert ward.person(events.Approve("RUN-1", yes=True))
    assert ward.under_way() == [("web1", "restart")]


def test_a_no_is_for_a_person_to_go_on_with() -> None:
    ward = Ward(shop(runbook("r", approve("Restart", on_failure="continue"), run("restart")), runbook("stronger")))
    ward.falls_ill()
    ward.person(events.Approve("INC-1", yes=False, reason="the month is being closed"), actor="bob")
    assert ward.execution().outcome is Outcome.DECLINED
    assert ward.incident().phase is Phase.ESCALATED
    assert "refused by bob: the month is being closed" in ward.story(EntryKind.ESCALATED)[0]


@pytest.mark.parametrize("answered", [True, False])
def test_a_no_ends_the_treatment_on_every_host(answered: bool) -> None:
    """One has its turn still to come, one is in the middle of a step before the question; nobody is asked twice."""
    steps = (run("look"), approve("Restart", within=60.0), run("restart"))
    ward = Ward(shop(runbook("r", *steps, serial=CountOrShare(count=2), limits=Limits(stop_after_failures=3))))
    ward.falls_ill("web", "web1", "web2", "web3")
    ward.ends(host="web1")
    if answered:
        assert ward.person(events.Approve("INC-1", yes=False))
    else:
        ward.later(60)
    assert ward.under_way() == [("web2", "look")], "what is under way ends by itself"
    assert ward.incident().phase is Phase.TREATING
    ward.ends()
    assert [run.outcome for run in ward.execution().runs] == [Outcome.DECLINED, Outcome.STOPPED, Outcome.STOPPED]
    assert ward.incident().phase is Phase.ESCALATED


@pytest.mark.parametrize(
    ("otherwise", "on_failure", "outcome", "under_way"),
    [
        ("escalate", "rollback", Outcome.DECLINED, []),
        ("abort", "rollback", None, [("web1", "undo")]),
        ("abort", "abort", Outcome.FAILED, []),
        ("abort", "continue", Outcome.FAILED, []),
        ("continue", "rollback", None, [("web1", "restart")]),
    ],
)
def test_when_nobody_answers(
    otherwise: str, on_failure: str, outcome: Outcome | None, under_way: list[tuple[str, str]]
) -> None:
    asked = approve("Restart", within=60.0, otherwise=otherwise, on_failure=on_failure)
    ward = Ward(shop(runbook("r", asked, run("restart"), rollback=(run("undo"),))))
    ward.falls_ill()
    ward.later(59.9)
    assert ward.execution().outcome is None
    ward.later(0.1)
    assert (ward.execution().outcome, ward.under_way()) == (outcome, under_way)


def told(ward: Ward, after: int = 0) -> list[str]:
    return [update.text for update in ward.updates[after:]]


def test_the_ticket_tells_who_is_asked_what_until_when_and_what_they_said() -> None:
    asked = approve("Restart {{ host.name }}", team="dba", within=20.0)
    ward = Ward(shop(runbook("r", asked, run("restart"), serial=2)))
    ward.falls_ill("web", "web1", "web2")
    assert told(ward)[-2:] == [
        "Treatment: r on web1, web2",
        "r on web1, web2 waits for a yes: Restart web1?, Restart web2?\n"
        "Asked: dba, until 1970-01-01 00:17:01 UTC (20s)\n"
        "To answer: paramedic approve INC-1, or paramedic deny INC-1\n"
        "If nobody answers, a person takes over.",
    ]
    before = len(ward.updates)
    ward.person(events.Approve("INC-1", yes=True, reason="go"), actor="bob")
    assert told(ward, before) == ["r on web1, web2: approved by bob: go"]


def test_the_ticket_tells_that_nobody_came_and_a_question_that_follows() -> None:
    first, then = approve("Go on", within=20.0, otherwise="continue"), approve("Really", within=30.0, otherwise="abort")
    ward = Ward(shop(runbook("r", first, then)))
    ward.falls_ill()
    before = len(ward.updates)
    ward.later(20)
    nobody, really = told(ward, before)
    assert nobody == "r on web1: nobody answered within 20s, it goes on as if approved"
    assert really.startswith("r on web1 waits for a yes: Really?\nAsked: operations, until")
    assert really.endswith("If nobody answers, the step counts as failed.")
    ward.restarts(away=5.0)
    assert len(ward.updates) == before + 2, "what was told is not told again"
    ward.person(events.Approve("INC-1", yes=False), actor="bob")
    assert told(ward, before + 2)[0] == "r on web1: refused by bob"


def test_nothing_goes_on_when_the_question_itself_cannot_be_put() -> None:
    asked = approve("Restart {{ steps.absent.stdout }}", on_failure="continue")
    ward = Ward(shop(runbook("r", asked, run("restart"))))
    ward.falls_ill()
    assert not ward.steps
    assert ward.incident().phase is Phase.ESCALATED
