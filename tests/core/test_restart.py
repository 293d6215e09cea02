"""The agent ends and starts, or gets a new configuration, in the middle of things."""

from dataclasses import replace

import pytest

from agent.core.restoration import SKIPPED
from agent.model import events
from agent.model.execution import Outcome
from agent.model.incident import Phase
from agent.model.runbook import Verify
from agent.model.service import Service
from agent.model.timeline import EntryKind
from tests.core.ward import (
    CRITICAL,
    OK,
    UNKNOWN,
    Ward,
    approve,
    ask_check,
    check,
    group,
    run,
    runbook,
    settings,
    shop,
    wait,
)


def test_a_repeatable_step_under_way_goes_on_and_the_loop_closes() -> None:
    ward = Ward(shop(runbook("r", run("first", repeatable=True), run("second"))))
    ward.falls_ill()
    ward.restarts(away=300.0)
    assert ward.story(EntryKind.AGENT) == ["goes on with r (RUN-1) after a restart of the agent"]
    assert ward.entries[-2].text == "started: paramedic 1 on here, open: INC-1"
    ward.ends()
    ward.ends()
    ward.gets_well()
    assert ward.incident().phase is Phase.RESOLVED
    assert [step.name for step in ward.steps] == ["first", "second"]


def test_a_step_that_must_not_be_repeated_is_for_a_person() -> None:
    ward = Ward(shop())
    ward.falls_ill()
    ward.restarts()
    assert ward.execution().outcome is Outcome.OUTCOME_UNKNOWN
    assert ward.incident().phase is Phase.ESCALATED


def test_a_verification_has_its_whole_time_again_however_long_the_agent_was_away() -> None:
    ward = Ward(shop(runbook("r", verify=Verify(within=60.0, stable_for=20.0))))
    ward.falls_ill()
    ward.ends()
    ward.gets_well()
    ward.restarts(away=3600.0)
    ward.later(59)
    assert ward.execution().is_running
    ward.gets_well()
    ward.later(20)
    assert ward.execution().outcome is Outcome.RECOVERED


def test_a_check_step_is_asked_again() -> None:
    ward = Ward(shop(runbook("r", ask_check("db is well", "db", 30), run("restart"))))
    ward.sees("db", db1=OK)
    ward.falls_ill()
    ward.sees("db", db1=OK)
    ward.at += 1
    ward.sees("db", db1=CRITICAL)
    ward.restarts(away=3600.0)
    ward.later(20)
    ward.sees("db", db1=OK)
    assert ward.under_way() == [("web1", "restart")]


def test_pauses_and_approvals_go_on_from_where_they_were() -> None:
    ward = Ward(shop(runbook("r", wait("breathe", 100), approve("Restart", within=900.0), run("restart"))))
    ward.falls_ill()
    ward.later(10)
    ward.restarts(away=10.0)
    ward.later(79)
    assert not ward.story(EntryKind.APPROVAL)
    ward.later(1)
    ward.restarts(away=10.0)
    assert ward.person(events.Approve("INC-1", yes=True))
    assert ward.under_way() == [("web1", "restart")]


@pytest.mark.parametrize("away", ["ended", "suspended"])
def test_a_question_that_ran_out_while_nobody_could_answer_is_put_again(away: str) -> None:
    """Silence is taken for a yes here: it must have been possible to say no."""
    ward = Ward(shop(runbook("r", approve("Restart", within=60.0, otherwise="continue"), run("restart"))))
    ward.falls_ill()
    if away == "ended":
        ward.restarts(away=3600.0)
    else:
        ward.at += 3600.0
        ward.tell(events.StoodStill(ward.at, 3600.0))
    ward.later(59)
    assert ward.under_way() == []
    assert ward.story(EntryKind.APPROVAL) == ["web1: waiting up to 1m for somebody to approve: Restart?"] * 2
    assert sum("waits for a yes: Restart?" in update.text for update in ward.updates) == 2
    ward.later(1)
    assert ward.under_way() == [("web1", "restart")]


def test_what_was_held_resolved_or_waiting_for_its_turn_is_not_forgotten() -> None:
    ward = Ward(shop(runbook("r", serial=1), close_after=100.0))
    ward.falls_ill("web", "web1", "web2")
    ward.ends()
    ward.person(events.Freeze("audit"))
    ward.gets_well("web", "web1")
    ward.restarts(away=10.0)
    ward.person(events.Unfreeze())
    assert ward.under_way() == [("web2", "restart")]
    ward.ends()
    ward.gets_well("web", "web2")
    ward.restarts(away=200.0)
    ward.later(0)
    assert ward.incident().phase is Phase.CLOSED


def test_blindness_is_remembered_and_its_clock_starts_afresh() -> None:
    ward = Ward(settings([check("disk", unknown_after=30.0)]))
    for seconds in (0, 30):
        ward.at += seconds
        ward.sees("disk", web1=UNKNOWN)
    ward.restarts(away=60.0)
    ward.sees("disk", web1=UNKNOWN)
    assert list(ward.state.incidents) == ["INC-1"]
    ward.sees("disk", web1=OK)
    assert ward.incident().phase is Phase.RESOLVED


def test_a_runbook_whose_text_can_no_longer_be_read_is_for_a_person() -> None:
    ward = Ward(shop(runbook("r", wait("breathe", 100))))
    ward.falls_ill()
    ward.state.settings = shop(runbook("other"))
    ward.state.library = {}
    ward.restarts()
    assert ward.execution().outcome is Outcome.OUTCOME_UNKNOWN
    assert "the text of r can no longer be read" in ward.story(EntryKind.ESCALATED)[0]


def test_every_text_that_may_be_needed_again_is_in_the_decision() -> None:
    light, strong = runbook("light"), runbook("strong", run("reinstall"))
    ward = Ward(shop(light, strong))
    ward.sees("web", web1=CRITICAL)
    assert ward.sees("web", web1=CRITICAL).runbooks == {book.digest: book.text for book in (light, strong)}


def test_the_budget_of_a_group_holds_over_a_restart() -> None:
    """It is spent by a host that was under treatment before."""
    two = settings(
        [check(name, service=name, ladder=("r",)) for name in ("web", "mail")],
        [runbook("r", run("restart", repeatable=True))],
        services=[Service(name="web", hosts=("web1",)), Service(name="mail", hosts=("web2",))],
        groups=[group("front", "web1", "web2", at_once=1)],
    )
    ward = Ward(two)
    ward.falls_ill("web", "web1")
    ward.restarts(away=10.0)
    ward.falls_ill("mail", "web2")
    assert ward.reasons("INC-2") == ["group budget spent"]
    assert ward.under_way() == [("web1", "restart")]
    ward.ends()
    ward.gets_well("web", "web1")
    assert ward.under_way() == [("web2", "restart")]


# new settings


def test_an_open_incident_keeps_the_text_it_began_with() -> None:
    ward = Ward(shop(runbook("light"), runbook("strong", run("reinstall"))))
    ward.falls_ill()
    ward.state.configure(shop(runbook("light"), runbook("strong", run("reboot"))))
    ward.ends(exit=1)
    assert ward.under_way() == [("web1", "reinstall")]
    ward.ends(exit=1)
    ward.gets_well()
    ward.later(3600)
    ward.state.configure(ward.state.settings)
    assert len(ward.state.library) == 3, "what nobody refers to any more is let go"
    ward.falls_ill()
    ward.ends(exit=1)
    assert ward.under_way() == [("web1", "reboot")]


def test_an_execution_goes_on_with_the_text_it_began_with() -> None:
    ward = Ward(shop(runbook("r", run("first"), run("second"))))
    ward.person(events.RunByHand("r", ("web1",)))
    ward.state.configure(shop(runbook("r", run("other"))))
    ward.ends()
    assert ward.under_way() == [("web1", "second")]


@pytest.mark.parametrize("phase", [Phase.TREATING, Phase.HELD, Phase.ESCALATED])
def test_a_check_that_is_taken_away_leaves_nothing_hanging(phase: Phase) -> None:
    ward = Ward(shop())
    if phase is Phase.HELD:
        ward.person(events.Freeze("audit"))
    ward.falls_ill()
    if phase is Phase.ESCALATED:
        ward.person(events.Escalate("INC-1", "mine"))
    without = ward.state.settings.checks
    ward.state.configure(settings([rules for name, rules in without.items() if name != "web"]))
    ward.tell(events.Reloaded(ward.at, "anna", "configuration of today"))
    ward.tell(ward.answers("web", {"web1": OK}))
    for _ in list(ward.pending):
        ward.ends()
    ward.later(1000)
    assert ward.incident().phase is Phase.ESCALATED
    assert ward.person(events.Resolve("INC-1", "the check is gone"))


def test_a_check_that_is_taken_away_while_the_agent_was_away_is_treated_no_more() -> None:
    ward = Ward(shop(runbook("light"), runbook("strong", run("reinstall")), cooldown=300.0))
    ward.falls_ill()
    ward.ends(exit=1)
    assert ward.incident().held_because == "cooling down"
    without = ward.state.settings.checks
    ward.state.configure(settings([rules for name, rules in without.items() if name != "web"]))
    ward.restarts(away=10.0)
    ward.later(1000)
    assert ward.under_way() == []
    assert ward.incident().phase is Phase.ESCALATED
    assert "no longer in the configuration" in ward.story(EntryKind.ESCALATED)[0]


def test_a_check_that_is_taken_away_during_the_treatment_of_another_is_treated_no_more() -> None:
    names = ("web", "queue")
    books = [runbook(f"restart-{name}", run(name)) for name in names]
    rules = [check(name, service="shop", ladder=(f"restart-{name}",)) for name in names]
    ward = Ward(settings(rules, books))
    ward.falls_ill("web")
    ward.falls_ill("queue")
    ward.state.configure(settings(rules[:1], books))
    ward.tell(events.Reloaded(ward.at, "anna", "configuration of today"))
    ward.ends()
    ward.gets_well("web")
    ward.later(1000)
    assert ward.under_way() == []
    assert ward.incident().phase is Phase.ESCALATED
    assert "no longer in the configuration" in ward.story(EntryKind.ESCALATED)[0]


def test_a_host_taken_out_of_the_inventory_is_no_longer_treated() -> None:
    ward = Ward(shop(runbook("light"), runbook("strong", run("reinstall"))))
    ward.falls_ill()
    ward.state.configure(shop(runbook("light"), runbook("strong", run("reinstall")), hosts=["web2"]))
    ward.ends(exit=1)
    assert not ward.under_way()
    assert ward.reasons() == ["no host known"]


def restored(ward: Ward, ago: float = 7200.0) -> None:
    """What is on record now was a backup; two hours later it takes the record's place."""
    ward.at += ago
    ward.tell(events.Restored(ward.at, "anna", "monday.db", 17, ward.at - ago))
    ward.tell(events.Started(ward.at, "paramedic 1 on here"))


def test_nothing_that_was_under_way_in_a_restored_backup_goes_on() -> None:
    """The first step may be repeated; the second, which it would lead to, has perhaps been carried out since."""
    ward = Ward(shop(runbook("r", run("first", repeatable=True), run("second"))))
    ward.falls_ill()
    restored(ward)
    assert [step.name for step in ward.steps] == ["first"]
    assert not ward.state.executions
    assert ward.execution().outcome is Outcome.OUTCOME_UNKNOWN
    assert ward.incident().phase is Phase.ESCALATED
    assert ward.story(about="agent")[0] == (
        "the record was restored from monday.db, which ends with record 17: "
        "what happened in the 2h since then is not known"
    )
    ward.later(7200)
    assert [step.name for step in ward.steps] == ["first"]
    ward.gets_well()
    assert ward.incident().phase is Phase.RESOLVED


def test_what_waited_for_its_treatment_in_a_restored_backup_waits_for_a_person() -> None:
    ward = Ward(shop())
    assert ward.person(events.Freeze("the storm"))
    ward.falls_ill()
    assert ward.incident().phase is Phase.HELD
    restored(ward)
    assert ward.incident().phase is Phase.ESCALATED
    assert ward.story(EntryKind.ESCALATED)[-1].endswith("what was done about it in the 2h since is not known")
    assert ward.person(events.Unfreeze())
    ward.later(600)
    assert ward.steps == []


def test_no_number_that_may_have_been_given_since_the_backup_is_given_again() -> None:
    """Ticket systems know incidents and updates by them, hosts know steps."""
    ward = Ward(shop())
    ward.falls_ill()
    ward.ends()
    ward.gets_well()
    before = max(update.number for update in ward.updates)
    assert ward.incident().phase is Phase.RESOLVED
    restored(ward)
    assert ward.incident().phase is Phase.RESOLVED
    ward.later(3600)
    assert [update.number for update in ward.updates][-1] == before + SKIPPED + 1
    assert ward.falls_ill("web", "web2").id == f"INC-{SKIPPED + 2}"
    assert ward.steps[-1].execution == f"RUN-{SKIPPED + 2}"


def test_the_step_of_a_runbook_that_can_no_longer_be_read_is_settled() -> None:
    ward = Ward(shop(runbook("r")))
    ward.falls_ill()
    ward.state.settings = shop(runbook("other"))
    ward.state.library = {}
    before = ward.state
    ward.state = replace(before)
    decision = ward.tell(events.Started(ward.at, "paramedic"))
    assert decision.ended_steps == (ward.steps[0].id,)
