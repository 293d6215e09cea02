"""After the steps: is it well? If not: rollback, ask again, the next rung, a person."""

import pytest

from agent.model.execution import Outcome
from agent.model.incident import Phase
from agent.model.observation import Verdict
from agent.model.runbook import Retry, Verify
from agent.model.timeline import EntryKind
from tests.core.ward import (
    CRITICAL,
    NOT_CLEARED,
    OK,
    UNKNOWN,
    Ward,
    approve,
    check,
    run,
    runbook,
    settings,
    shop,
    wait,
)

ROLLBACK = (run("undo"),)


def test_not_recovered_is_rolled_back_verified_again_and_the_next_rung_is_tried() -> None:
    ward = Ward(shop(runbook("light", rollback=ROLLBACK), runbook("strong", run("reinstall"))))
    ward.falls_ill()
    ward.ends()
    ward.sees("web", web1=CRITICAL)
    ward.later(60)
    assert ward.under_way() == [("web1", "undo")]
    ward.ends()
    assert ward.incident().phase is Phase.TREATING, "it is verified after the rollback too"
    ward.sees("web", web1=CRITICAL)
    ward.later(60)
    assert ward.execution("RUN-1").outcome is Outcome.NOT_RECOVERED
    assert ward.under_way() == [("web1", "reinstall")]
    ward.ends()
    ward.sees("web", web1=CRITICAL)
    ward.later(60)
    assert ward.incident().phase is Phase.ESCALATED
    assert "ladder used up" in ward.story(EntryKind.ESCALATED)[0]
    assert [attempt.outcome for attempt in ward.incident().attempts] == ["not recovered", "not recovered"]
    assert [t.effective for t in ward.state.treatments] == [False, False]
    assert ward.story(EntryKind.VERIFICATION) == [
        "web1: not recovered: web on web1: web1 says CRITICAL",
        "web1: after the rollback not recovered: web on web1: web1 says CRITICAL",
        "web1: not recovered: web on web1: web1 says CRITICAL",
    ]


def test_a_rollback_that_heals_ends_the_incident_but_not_in_the_runbooks_favour() -> None:
    ward = Ward(shop(runbook("light", rollback=ROLLBACK), runbook("strong")))
    ward.falls_ill()
    ward.ends(exit=1)
    ward.ends()
    ward.gets_well()
    assert ward.execution().outcome is Outcome.FAILED
    assert ward.incident().phase is Phase.RESOLVED
    assert ward.story(EntryKind.RESOLVED) == ["recovered, confirmed by its checks"]


def test_a_rollback_that_fails_is_told_and_not_rolled_back() -> None:
    ward = Ward(shop(runbook("light", rollback=(*ROLLBACK, run("undo more")))))
    ward.falls_ill()
    ward.ends(exit=1)
    ward.ends(exit=1)
    assert ward.execution().outcome is Outcome.FAILED
    assert "the rollback failed too: step 'undo' failed" in ward.execution().runs[0].reason


def test_what_cannot_be_asked_after_the_treatment_is_neither_well_nor_rolled_back() -> None:
    ward = Ward(shop(runbook("light", rollback=ROLLBACK), runbook("strong")))
    ward.falls_ill()
    ward.ends()
    ward.sees("web", web1=UNKNOWN)
    ward.later(60)
    assert ward.execution().outcome is Outcome.UNDECIDABLE
    assert ward.incident().phase is Phase.ESCALATED
    assert not ward.under_way()


def test_no_answer_at_all_is_undecidable_too_and_it_is_asked_again_and_again() -> None:
    ward = Ward(shop())
    ward.falls_ill()
    ward.ends()
    asked = len(ward.asked)
    ward.later(60)
    assert len(ward.asked) - asked > 10
    assert ward.execution().is_running, "the first question may still be hanging"
    ward.later(26)
    assert ward.execution().outcome is Outcome.UNDECIDABLE


def test_recovery_must_hold_for_as_long_as_the_runbook_says() -> None:
    ward = Ward(shop(runbook("r", verify=Verify(within=30.0, stable_for=20.0))))
    ward.falls_ill()
    ward.ends()
    ward.gets_well()
    ward.later(10)
    ward.sees("web", web1=CRITICAL)
    ward.gets_well()
    ward.later(19.9)
    assert ward.incident().phase is Phase.TREATING
    ward.later(0.1)
    assert ward.execution().outcome is Outcome.RECOVERED, "it is looked at the moment it has been stable long enough"


def test_getting_well_in_time_but_stable_only_after_the_deadline_is_recovered() -> None:
    ward = Ward(shop(runbook("r", verify=Verify(within=10.0, stable_for=20.0))))
    ward.falls_ill()
    ward.ends()
    ward.gets_well()
    ward.later(25)
    assert ward.execution().outcome is Outcome.RECOVERED


@pytest.mark.parametrize(("then", "outcome"), [(OK, Outcome.RECOVERED), (CRITICAL, Outcome.NOT_RECOVERED)])
def test_what_two_hosts_are_verified_by_may_be_asked_anew_for_the_second_while_the_first_waits(
    then: Verdict, outcome: Outcome
) -> None:
    """The counters start afresh for both: that they do says nothing against the first."""
    book = runbook("r", verify=Verify(checks=("front",), within=5.0, stable_for=20.0), rollback=ROLLBACK)
    front = check("front", service="shop", ladder=("r",))
    ward = Ward(settings([front, check("web", service="shop", ladder=("r",))], [book]))
    ward.sees("front", db1=OK)
    ward.falls_ill("web", "web1", "web2")
    ward.ends(host="web1")
    ward.gets_well("front", "db1")
    ward.later(10)
    ward.ends(host="web2")
    ward.sees("front", db1=then)
    ward.later(1)
    assert ward.under_way() == [], "it is not rolled back for want of answers"
    ward.sees("front", 2, db1=then)
    ward.gets_well("web", "web1", "web2")
    ward.later(20)
    while ward.pending:
        ward.ends()
    ward.sees("front", 2, db1=then)
    ward.later(20)
    assert [run.outcome for run in ward.execution().runs] == [outcome] * 2


def test_the_recover_threshold_decides_the_verification_too() -> None:
    ward = Ward(shop())
    ward.falls_ill()
    ward.ends()
    for _ in range(5):
        ward.sees("web", web1=NOT_CLEARED)
    ward.later(60)
    assert ward.execution().outcome is Outcome.NOT_RECOVERED


def test_a_short_stability_is_not_waited_for_longer_because_askings_have_become_rare() -> None:
    ward = Ward(shop(runbook("r", verify=Verify(within=60.0, stable_for=1.0))))
    ward.falls_ill()
    ward.ends()
    ward.later(30)
    ward.sees("web", web1=CRITICAL)
    ward.gets_well()
    ward.later(1)
    assert ward.execution().outcome is Outcome.RECOVERED


def test_what_cannot_even_be_asked_or_waited_for_is_not_tried_again() -> None:
    again = Retry(attempts=3, delay=10.0)
    for step in (wait("breathe", 5, when="steps.absent.ok", retry=again), approve("May {{ absent }}", retry=again)):
        ward = Ward(shop(runbook("r", step)))
        ward.falls_ill()
        assert ward.incident().phase is Phase.ESCALATED


@pytest.mark.parametrize("where", ["affected", "host:db1"])
def test_verified_by_another_check_but_still_ill_is_tried_once_only(where: str) -> None:
    ward = Ward(shop(runbook("light", verify=Verify(checks=("disk",)), hosts=where)))
    ward.sees("disk", web1=OK)
    ward.falls_ill()
    ward.ends()
    ward.gets_well("disk")
    assert ward.execution().outcome is Outcome.RECOVERED
    ward.later(1000)
    assert len(ward.steps) == 1
    assert ward.incident().phase is Phase.ESCALATED


def test_verify_by_a_check_that_has_no_subject_falls_back_on_what_is_ill() -> None:
    ward = Ward(shop(runbook("light", verify=Verify(checks=("disk",)))))
    ward.falls_ill()
    ward.ends()
    assert ward.execution().runs[0].verify == tuple(s.key for s in ward.incident().symptoms)


def test_recovery_during_the_treatment_ends_it_well() -> None:
    ward = Ward(shop(runbook("r", run("first"), run("second"))))
    ward.falls_ill()
    ward.gets_well()
    assert ward.incident().phase is Phase.TREATING, "what was begun is not left half done"
    ward.ends()
    ward.ends()
    ward.gets_well()
    assert ward.incident().phase is Phase.RESOLVED


def test_a_rung_without_a_host_is_refused_by_name() -> None:
    ward = Ward(shop(hosts=["web2"]))
    ward.falls_ill("web", "web1")
    assert ward.reasons() == ["no host known"]
    assert ward.incident().phase is Phase.ESCALATED


def test_a_ladder_is_climbed_from_where_it_stood_when_the_fault_comes_back() -> None:
    ward = Ward(shop(runbook("light"), runbook("strong", run("reinstall"))))
    ward.falls_ill()
    ward.ends(exit=1)
    ward.ends()
    ward.gets_well()
    ward.falls_ill()
    assert ward.under_way() == [("web1", "reinstall")], "the light one did not help this incident before"


def test_an_asking_that_hangs_at_the_deadline_is_waited_for_before_anything_is_concluded() -> None:
    """A hung service answers the check by its time-out, which may be longer than the verification."""
    ward = Ward(shop(runbook("light", verify=Verify(within=8.0)), runbook("strong", run("reinstall"))))
    ward.falls_ill()
    ward.ends()
    ward.later(10)
    assert ward.incident().phase is Phase.TREATING
    ward.sees("web", web1=CRITICAL)
    assert ward.execution("RUN-1").outcome is Outcome.NOT_RECOVERED
    assert ward.under_way() == [("web1", "reinstall")]


def test_an_asking_that_never_ends_is_not_waited_for_for_ever() -> None:
    ward = Ward(shop(runbook("light", verify=Verify(within=8.0))))
    ward.falls_ill()
    ward.ends()
    ward.later(8 + 2.5 * 10 + 5)
    assert ward.execution("RUN-1").outcome is Outcome.UNDECIDABLE
    assert ward.incident().phase is Phase.ESCALATED
