"""Runbooks that people run by hand, with an incident and without."""

import pytest

from agent.model import events
from agent.model.execution import Outcome, Treatment
from agent.model.incident import Phase
from agent.model.quantities import Rate
from agent.model.runbook import Limits, Variable, Verify
from agent.model.timeline import EntryKind
from tests.core.ward import CRITICAL, OK, Ward, group, run, runbook, shop


def by_hand(*hosts: str, **more: object) -> events.RunByHand:
    return events.RunByHand("restart-web", hosts or ("web1",), **more)  # type: ignore[arg-type]


def test_a_runbook_run_by_hand_without_an_incident() -> None:
    ward = Ward(shop())
    assert ward.person(by_hand("web1", "web1", "web2"))
    assert ward.under_way() == [("web1", "restart"), ("web2", "restart")]
    ward.ends()
    ward.ends()
    assert ward.execution().outcome is Outcome.DONE
    assert ward.story(EntryKind.TREATMENT, about="RUN-1")[0] == "restart-web starts on web1, web2 (RUN-1)"


def test_it_is_verified_when_the_runbook_says_by_what() -> None:
    ward = Ward(shop(runbook("restart-web", verify=Verify(checks=("web",)))))
    ward.sees("web", web1=OK, web2=CRITICAL)
    ward.person(by_hand("web1"))
    ward.ends()
    ward.gets_well("web", "web1")
    assert ward.execution().outcome is Outcome.RECOVERED


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        (events.RunByHand("nothing", ("web1",)), "there is no runbook 'nothing'; known: restart-db, restart-web"),
        (by_hand("web9", variables={"size": 5}), "there is no host 'web9' (did you mean web3?)"),
        (events.RunByHand("restart-web", (), {"size": 5}), "say on which hosts (--host)"),
        (by_hand(incident="INC-9"), "there is no incident INC-9"),
        (by_hand(variables={"untt": "x"}), "restart-web has no variable 'untt'; it has: unit, size"),
        (by_hand(variables={"size": "much"}), "size: 'much' is not of type integer"),
        (by_hand(variables={"size": 5, "unit": "a b"}), "unit: 'a b' does not match the pattern [a-z]+"),
        (by_hand(), "restart-web needs a value for size (--var NAME=VALUE)"),
    ],
)
def test_a_wish_that_cannot_be_met(wish: events.RunByHand, why: str) -> None:
    variables = {"unit": Variable(default="nginx", pattern="[a-z]+"), "size": Variable(type="integer")}
    ward = Ward(shop(runbook("restart-web", vars=variables)))
    assert not ward.person(wish)
    assert ward.reply == why


def test_a_number_that_no_float_holds_is_refused_as_such() -> None:
    ward = Ward(shop(runbook("restart-web", vars={"share": Variable(type="number")})))
    assert not ward.person(by_hand(variables={"share": 10**400}))
    assert ward.reply.endswith("is not of type number")


def test_values_given_on_the_command_line_take_the_types_of_the_runbook() -> None:
    variables = {
        "size": Variable(type="integer"),
        "share": Variable(type="number"),
        "hard": Variable(type="boolean", default=False),
        "unit": Variable(),
    }
    ward = Ward(shop(runbook("restart-web", vars=variables)))
    assert ward.person(by_hand(variables={"size": "5", "share": "0.5", "hard": "yes", "unit": 8080}))
    assert ward.execution().variables == {"size": 5, "share": 0.5, "hard": True, "unit": "8080"}


def test_a_guard_refuses_and_a_reason_overrules_it() -> None:
    ward = Ward(shop(runbook("restart-web", limits=Limits(per_host=Rate(1, 3600)))))
    ward.state.treatments = (Treatment("RUN-0", "restart-web", "web1", ward.at - 5),)
    assert not ward.person(by_hand())
    assert ward.reply.startswith("refused, rate limit: restart-web ran on web1 1 times")
    assert not ward.person(by_hand(override=" "))
    assert ward.person(by_hand(override="the limit was for the night"))
    assert ward.under_way() == [("web1", "restart")]
    assert "guards overruled: the limit was for the night" in ward.story(EntryKind.TREATMENT, about="RUN-1")[0]


def test_a_host_under_treatment_is_treated_by_nobody_else_whatever_the_order() -> None:
    ward = Ward(shop(runbook("restart-web", serial=1), groups=[group("web", "web1", "web2", "web3", at_once=2)]))
    ward.falls_ill("web", "web2")
    assert not ward.person(by_hand("web1", "web2", override="now"))
    assert "cannot be overruled" in ward.reply
    ward.gets_well("web", "web2")
    ward.ends()
    ward.gets_well("web", "web2")
    assert ward.person(by_hand("web1", "web2", override="now"))
    ward.falls_ill("web", "web2")
    assert ("web2", "restart") in ward.under_way()
    ward.ends(host="web1")
    assert ward.under_way() == [("web2", "restart")], "the second batch waits for the incident's own treatment"
    ward.ends(host="web2")
    ward.gets_well("web", "web2")
    assert ward.steps[-1].execution == "RUN-2"


def test_by_hand_on_an_escalated_incident_leaves_it_with_the_person_unless_it_helps() -> None:
    ward = Ward(shop(runbook("restart-web"), runbook("strong", run("reinstall"))))
    ward.falls_ill()
    ward.person(events.Escalate("INC-1", "mine"))
    ward.ends()
    ward.person(by_hand(incident="INC-1"))
    ward.ends(exit=1)
    assert ward.incident().phase is Phase.ESCALATED
    assert not ward.under_way(), "the agent does not take it back"
    ward.person(events.RunByHand("strong", ("web1",), incident="INC-1"))
    ward.ends()
    ward.gets_well()
    assert ward.incident().phase is Phase.RESOLVED
    assert ward.story(EntryKind.RESOLVED) == ["recovered by strong, verified"]


def test_by_hand_on_a_reported_incident_there_is_nothing_to_verify_by() -> None:
    ward = Ward(shop())
    ward.person(events.Report("checkout hangs", hosts=("web1",)))
    ward.person(by_hand(incident="INC-1"))
    ward.ends()
    assert ward.execution().outcome is Outcome.DONE
    assert ward.incident().phase is Phase.ESCALATED


def test_by_hand_while_held_by_a_freeze_and_held_again_afterwards_says_so_again() -> None:
    ward = Ward(shop(runbook("restart-web"), runbook("strong")))
    ward.person(events.Freeze("audit"))
    ward.falls_ill()
    ward.person(by_hand(incident="INC-1", override="it burns"))
    assert ward.incident().held_because is None
    ward.ends(exit=1)
    assert ward.incident().phase is Phase.ESCALATED
