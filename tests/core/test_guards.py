"""What may forbid a treatment: the rules as a table, then how they act on incidents and executions."""

import pytest

from agent.core.guard import Circumstances, Reason, refuse_host, refuse_start
from agent.model import events
from agent.model.decision import GlobalFreeze
from agent.model.execution import Outcome, StepStatus, Treatment
from agent.model.incident import Phase
from agent.model.policy import TreatmentRules
from agent.model.quantities import Rate
from agent.model.runbook import Limits
from agent.model.service import Service
from agent.model.timeline import EntryKind
from tests.core.ward import CRITICAL, Ward, check, group, run, runbook, settings, shop

NOW = 10_000.0


def treated(host: str, ago: float, book: str = "r", execution: str = "") -> Treatment:
    return Treatment(execution or f"RUN-{host}-{ago}", book, host, NOW - ago)


@pytest.mark.parametrize(
    ("limits", "rules", "treatments", "busy", "reason", "until"),
    [
        ({}, {}, [], {}, None, None),
        ({}, {}, [], {"web1": "RUN-9"}, Reason.HOST_BUSY, None),
        ({}, {}, [], {"web2": "RUN-9"}, Reason.GROUP_BUDGET, None),
        ({}, {}, [], {"db1": "RUN-9"}, None, None),
        ({}, {"cooldown": 60.0}, [treated("web1", 59)], {}, Reason.COOLING_DOWN, NOW + 1),
        ({}, {"cooldown": 60.0}, [treated("web1", 60)], {}, None, None),
        ({}, {"cooldown": 60.0}, [treated("web2", 1)], {}, None, None),
        ({"per_host": Rate(2, 100)}, {}, [treated("web1", 99), treated("web1", 1)], {}, Reason.RATE_LIMIT, NOW + 1),
        ({"per_host": Rate(2, 100)}, {}, [treated("web1", 100), treated("web1", 1)], {}, None, None),
        ({"per_host": Rate(2, 100)}, {}, [treated("web1", 9, "other"), treated("web1", 1)], {}, None, None),
        ({"per_host": Rate(0, 100)}, {}, [], {}, Reason.RATE_LIMIT, None),
        (
            {},
            {"per_host": Rate(2, 100)},
            [treated("web1", 9, "other"), treated("web1", 1)],
            {},
            Reason.RATE_LIMIT,
            NOW + 91,
        ),
    ],
)
def test_may_this_host_be_treated_now(
    limits: dict[str, Rate],
    rules: dict[str, object],
    treatments: list[Treatment],
    busy: dict[str, str],
    reason: Reason | None,
    until: float | None,
) -> None:
    around = Circumstances(
        at=NOW,
        rules=TreatmentRules(**rules),
        treatments=tuple(treatments),
        under_treatment=busy,
        groups=dict.fromkeys(("web1", "web2"), (group("web", "web1", "web2"),)),
    )
    refused = refuse_host("web1", runbook("r", limits=Limits(**limits)), around)
    assert (refused and refused.reason, refused and refused.until) == (reason, until)


def test_a_runbook_has_a_limit_of_its_own_over_all_hosts() -> None:
    book = runbook("r", limits=Limits(per_runbook=Rate(2, 100)))
    one_execution = [treated("web1", 5, execution="RUN-1"), treated("web2", 5, execution="RUN-1")]
    around = Circumstances(NOW, TreatmentRules(), treatments=tuple(one_execution))
    assert refuse_start(book, around) is None
    around = Circumstances(NOW, TreatmentRules(), treatments=(*one_execution, treated("web3", 50)))
    refused = refuse_start(book, around)
    assert str(refused) == "rate limit: r ran 2 times, the limit is 2 per 1m40s"
    assert refused is not None
    assert refused.until == NOW + 50


def test_a_freeze_names_who_and_why() -> None:
    around = Circumstances(NOW, TreatmentRules(), freeze=GlobalFreeze("audit", "anna", 0.0))
    assert str(refuse_start(runbook("r"), around)) == "frozen: all treatment is frozen by anna: audit"
    refused = refuse_host("web1", runbook("r"), around)
    assert refused is not None
    assert refused.reason is Reason.FROZEN


# as they act


def test_the_group_budget_spans_incidents_and_the_next_starts_when_one_ends() -> None:
    books = [runbook("fix-a"), runbook("fix-b")]
    ward = Ward(
        settings(
            [check("a", ladder=("fix-a",)), check("b", ladder=("fix-b",))], books, groups=[group("web", "web1", "web2")]
        )
    )
    ward.falls_ill("a", "web1")
    ward.falls_ill("b", "web2")
    assert (ward.incident("INC-2").phase, ward.reasons("INC-2")) == (Phase.HELD, ["group budget spent"])
    ward.ends()
    ward.gets_well("a", "web1")
    assert ward.under_way() == [("web2", "restart")]
    assert ward.at < ward.incident("INC-1").opened_at + 10, "not after a while: at once"


def test_two_incidents_never_treat_one_host_at_the_same_time() -> None:
    books = [runbook("fix-a"), runbook("fix-b", run("other"))]
    ward = Ward(settings([check("a", ladder=("fix-a",)), check("b", ladder=("fix-b",))], books))
    ward.falls_ill("a", "web1")
    ward.falls_ill("b", "web1")
    assert ward.reasons("INC-2") == ["host busy"]
    ward.later(30)
    assert ward.reasons("INC-2") == ["host busy"], "named once, not at every look"
    ward.ends(exit=1)
    assert ward.under_way() == [("web1", "other")]


def test_serial_one_after_the_other() -> None:
    ward = Ward(shop(runbook("r", serial=1)))
    ward.falls_ill("web", "web1", "web2", "web3")
    for host in ("web1", "web2", "web3"):
        assert ward.under_way() == [(host, "restart")]
        ward.ends()
        ward.gets_well("web", host)
    assert ward.incident().phase is Phase.RESOLVED
    assert ward.execution().outcome is Outcome.RECOVERED


def test_a_share_of_the_hosts_at_a_time() -> None:
    ward = Ward(shop(runbook("r", serial="67%")))
    ward.falls_ill("web", "web1", "web2", "web3")
    assert ward.under_way() == [("web1", "restart"), ("web2", "restart")]


def test_the_budget_holds_within_an_execution_that_would_take_all_at_once() -> None:
    ward = Ward(shop(groups=[group("web", "web1", "web2", "web3", at_once=2)]))
    ward.falls_ill("web", "web1", "web2", "web3")
    assert ward.under_way() == [("web1", "restart"), ("web2", "restart")]
    assert ward.reasons() == ["group budget spent"]
    ward.ends()
    ward.gets_well("web", "web1")
    assert ward.under_way() == [("web2", "restart"), ("web3", "restart")]


@pytest.mark.parametrize("serial", [1, None])
@pytest.mark.parametrize(("allowed", "treated_hosts"), [(1, 1), (2, 2), (3, 3)])
def test_after_so_many_failures_the_rest_is_left_alone(serial: int | None, allowed: int, treated_hosts: int) -> None:
    """Also when they are not in later batches but wait for the group's budget."""
    book = runbook("r", serial=serial, limits=Limits(stop_after_failures=allowed))
    ward = Ward(shop(book, groups=[group("web", "web1", "web2", "web3")]))
    ward.falls_ill("web", "web1", "web2", "web3")
    while ward.pending:
        ward.ends(exit=1)
    assert len({step.host for step in ward.steps}) == treated_hosts
    assert ward.execution().outcome is Outcome.FAILED
    assert ("stop after failures" in ward.reasons()) is (treated_hosts < 3)
    assert ward.incident().phase is Phase.ESCALATED


def test_a_host_that_recovers_before_its_turn_is_left_alone() -> None:
    ward = Ward(shop(runbook("r", serial=1)))
    ward.falls_ill("web", "web1", "web2", "web3")
    ward.gets_well("web", "web2")
    ward.ends()
    ward.gets_well("web", "web1")
    assert ward.under_way() == [("web3", "restart")]
    assert "web2: well again before its turn came, left alone" in ward.story(EntryKind.TREATMENT)
    ward.ends()
    ward.gets_well("web", "web3")
    assert ward.incident().phase is Phase.RESOLVED
    assert {t.host for t in ward.state.treatments} == {"web1", "web3"}


@pytest.mark.parametrize("where", ["affected", "group:front"])
def test_a_host_on_which_only_another_check_is_ill_is_left_to_the_runbook_of_that(where: str) -> None:
    two = settings(
        [check(name, service="shop", ladder=(f"restart-{name}",)) for name in ("web", "queue")],
        [runbook("restart-web", run("restart web"), hosts=where), runbook("restart-queue", run("restart queue"))],
        services=[Service(name="shop", hosts=("web1", "web2"))],
        groups=[group("front", "web1", "web2", at_once=1)],
    )
    ward = Ward(two)
    ward.falls_ill("web", "web1", "web2")
    ward.falls_ill("queue", "web2")
    ward.gets_well("web", "web1", "web2")
    ward.ends()
    ward.gets_well("web", "web1")
    assert ward.under_way() == []
    assert "web2: well again before its turn came, left alone" in ward.story(EntryKind.TREATMENT)
    assert ward.incident().held_because == "settling"
    ward.sees("queue", 2, web2=CRITICAL)
    ward.later(20)
    assert ward.under_way() == [("web2", "restart queue")]


def test_a_limit_reached_hands_over_to_the_next_rung_and_then_to_a_person() -> None:
    light = runbook("light", limits=Limits(per_host=Rate(1, 3600)))
    ward = Ward(shop(light, runbook("strong", run("reinstall"), limits=Limits(per_runbook=Rate(1, 3600)))))
    ward.falls_ill()
    ward.ends()
    ward.gets_well()
    ward.falls_ill()
    assert ward.reasons() == ["rate limit"]
    assert ward.under_way() == [("web1", "reinstall")]
    ward.ends()
    ward.gets_well()
    ward.falls_ill()
    assert ward.reasons()[1:] == ["rate limit", "rate limit"]
    assert ward.incident().phase is Phase.ESCALATED


def test_an_ineffective_treatment_counts_toward_the_limits() -> None:
    ward = Ward(shop(runbook("light", limits=Limits(per_host=Rate(1, 3600))), close_after=1.0))
    ward.falls_ill()
    ward.ends(exit=1)
    ward.gets_well()
    ward.later(2)
    ward.falls_ill()
    assert ward.reasons("INC-2") == ["rate limit"]


def test_the_limit_of_a_runbook_is_asked_for_again_when_the_first_host_had_to_wait() -> None:
    often = Limits(per_runbook=Rate(1, 3600))
    rules = [check(name, service=name, ladder=("r",)) for name in ("web", "mail")]
    books = [runbook("r", serial=1, limits=often), runbook("other")]
    ward = Ward(settings(rules, books))
    assert ward.person(events.RunByHand("other", ("web1",)))
    ward.falls_ill("web", "web1", "web2")
    assert ward.reasons() == ["host busy"]
    ward.falls_ill("mail", "web3")
    ward.ends(host="web1")
    assert ward.under_way() == [("web3", "restart")], "r runs already, for the mail"
    assert ward.reasons()[1] == "rate limit"
    assert ward.incident().phase is Phase.ESCALATED


def test_an_execution_that_has_begun_goes_on_whatever_ran_since() -> None:
    often = Limits(per_runbook=Rate(1, 60))
    rules = [check(name, service=name, ladder=("r",)) for name in ("web", "mail")]
    ward = Ward(settings(rules, [runbook("r", serial=1, limits=often)]))
    ward.falls_ill("web", "web1", "web2")
    ward.later(60)
    ward.falls_ill("mail", "web3")
    assert len(ward.pending) == 2
    ward.ends(host="web1")
    ward.gets_well("web", "web1")
    assert ("web2", "restart") in ward.under_way()


def test_the_limit_of_one_host_does_not_keep_the_others_from_treatment() -> None:
    ward = Ward(shop(runbook("light", limits=Limits(per_host=Rate(1, 3600))), close_after=1.0))
    ward.falls_ill("web", "web1")
    ward.ends()
    ward.gets_well("web", "web1")
    ward.later(2)
    ward.falls_ill("web", "web1", "web2")
    assert ward.under_way() == [("web2", "restart")]
    ward.ends()
    ward.gets_well("web", "web2")
    assert ward.incident("INC-2").phase is Phase.ESCALATED, "web1 is still ill and may not be treated"


def test_a_rung_that_was_refused_on_one_host_is_still_there_for_another() -> None:
    ward = Ward(shop(runbook("light", limits=Limits(per_host=Rate(1, 3600))), close_after=1.0))
    ward.falls_ill("web", "web1")
    ward.ends()
    ward.gets_well("web", "web1")
    ward.later(2)
    ward.falls_ill("web", "web1", "web2")
    ward.falls_ill("web", "web3")
    ward.ends()
    ward.gets_well("web", "web2")
    assert ward.incident("INC-2").attempts[-1].outcome == "refused"
    assert ward.under_way() == [("web3", "restart")]


def test_cooling_down_is_waited_for() -> None:
    ward = Ward(shop(cooldown=100.0))
    ward.falls_ill()
    ward.ends()
    ward.gets_well()
    ward.falls_ill()
    assert (ward.incident().phase, ward.reasons()) == (Phase.HELD, ["cooling down"])
    ward.later(200)
    assert len(ward.steps) == 2
    assert ward.reasons() == ["cooling down"]


def test_what_recovers_while_it_is_held_is_not_treated_and_no_earlier_treatment_takes_the_credit() -> None:
    ward = Ward(shop())
    ward.falls_ill()
    ward.ends()
    ward.gets_well()
    ward.person(events.Freeze("audit"))
    ward.falls_ill()
    ward.gets_well()
    assert ward.incident().phase is Phase.RESOLVED
    assert ward.story(EntryKind.RESOLVED) == [
        "recovered by restart-web, verified",
        "recovered, confirmed by its checks",
    ]
    ward.person(events.Unfreeze())
    assert len(ward.steps) == 1


# freeze


def test_a_freeze_holds_and_the_unfreeze_lets_go_at_once() -> None:
    ward = Ward(shop())
    assert ward.person(events.Freeze("audit"))
    ward.falls_ill()
    assert ward.incident().phase is Phase.HELD
    assert ward.story(EntryKind.REFUSED) == ["not treated for now: frozen: all treatment is frozen by anna: audit"]
    ward.later(10_000)
    assert not ward.steps
    ward.restarts()
    ward.later(10)
    assert not ward.steps, "it survives the restart"
    assert ward.person(events.Unfreeze())
    assert ward.under_way() == [("web1", "restart")]


def test_a_freeze_in_mid_execution_lets_a_begun_host_end_and_no_other_start() -> None:
    ward = Ward(shop(runbook("r", run("first"), run("second"), serial=1)))
    ward.falls_ill("web", "web1", "web2")
    ward.person(events.Freeze("audit"))
    ward.ends()
    assert ward.under_way() == [("web1", "second")]
    ward.ends()
    ward.gets_well("web", "web1")
    ward.later(100)
    assert not ward.under_way()
    assert ward.execution().held_because == "frozen"
    ward.person(events.Unfreeze())
    assert ward.under_way() == [("web2", "first")]


def test_a_freeze_keeps_the_next_rung_back() -> None:
    ward = Ward(shop(runbook("light"), runbook("strong", run("reinstall"))))
    ward.falls_ill()
    ward.person(events.Freeze("audit"))
    ward.ends(exit=1)
    assert (ward.incident().phase, ward.incident().held_because) == (Phase.HELD, "frozen")
    ward.person(events.Unfreeze())
    assert ward.under_way() == [("web1", "reinstall")]


def test_freezing_needs_a_reason_and_can_be_done_once() -> None:
    ward = Ward(shop())
    assert not ward.person(events.Freeze("  "))
    assert not ward.person(events.Unfreeze())
    assert ward.person(events.Freeze("audit"))
    assert not ward.person(events.Freeze("again"))
    assert ward.reply == "frozen already by anna: audit"


def test_the_next_rung_is_for_the_hosts_that_are_still_ill() -> None:
    ward = Ward(shop(runbook("light"), runbook("strong", run("reinstall"))))
    ward.falls_ill("web", "web1", "web2")
    ward.ends(host="web1")
    ward.ends(host="web2", exit=1)
    ward.gets_well("web", "web1")
    assert ward.execution("RUN-1").outcome is Outcome.FAILED
    assert ward.under_way() == [("web2", "reinstall")]


def test_a_host_that_could_not_be_reached_was_not_treated_and_does_not_count() -> None:
    ward = Ward(shop(runbook("restart-web", limits=Limits(per_host=Rate(1, 3600.0)), rollback=(run("undo"),))))
    ward.falls_ill()
    ward.ends(status=StepStatus.UNREACHABLE, message="web1: no route")
    assert ward.execution("RUN-1").outcome is Outcome.UNREACHABLE, "there was nothing to roll back"
    assert ward.incident().phase is Phase.ESCALATED
    ward.gets_well()
    ward.falls_ill()
    assert ward.under_way() == [("web1", "restart")], "it was neither ineffective before nor is the limit reached"


def test_a_host_lost_after_something_was_done_counts_and_is_rolled_back() -> None:
    book = runbook("two", run("stop"), run("start"), limits=Limits(per_host=Rate(1, 3600.0)), rollback=(run("undo"),))
    ward = Ward(shop(book))
    ward.falls_ill()
    ward.ends()
    ward.ends(status=StepStatus.UNREACHABLE, message="web1: no route")
    assert ward.under_way() == [("web1", "undo")]
