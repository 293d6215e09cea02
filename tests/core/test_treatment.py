"""One host, one runbook: which step follows which result, how recovery is established, what comes after."""

from itertools import pairwise
from typing import Any

import pytest

from agent.model import events
from agent.model.execution import Outcome, StepOutcome, StepStatus
from agent.model.incident import Phase
from agent.model.quantities import Rate
from agent.model.runbook import Limits, Retry, Step, Variable
from agent.model.timeline import EntryKind
from tests.core.ward import (
    CRITICAL,
    OK,
    UNKNOWN,
    WARNING,
    Ward,
    ask_check,
    run,
    runbook,
    shop,
    wait,
)

ROLLBACK = (run("undo"),)


def test_the_loop_closes() -> None:
    ward = Ward(shop())
    ward.falls_ill()
    assert ward.incident().phase is Phase.TREATING
    ward.ends()
    assert not ward.under_way()
    ward.gets_well(times=1)
    assert ward.incident().phase is Phase.TREATING, "one good answer is not a verified recovery"
    ward.gets_well(times=1)
    assert ward.execution().outcome is Outcome.RECOVERED
    assert ward.incident().phase is Phase.RESOLVED
    assert ward.story(EntryKind.RESOLVED) == ["recovered by restart-web, verified"]
    assert [t.effective for t in ward.state.treatments] == [True]


def test_answers_from_before_the_end_of_the_treatment_prove_nothing() -> None:
    ward = Ward(shop())
    ward.falls_ill()
    early = [ward.answers("web", {"web1": OK}) for _ in range(3)]
    ward.at += 1
    ward.ends()
    for asked_before in early:
        ward.tell(events.Observed(ward.at, asked_before.passes))
    assert ward.incident().phase is Phase.TREATING
    ward.gets_well()
    assert ward.incident().phase is Phase.RESOLVED


def test_a_service_that_fails_again_at_once_is_noticed_again() -> None:
    ward = Ward(shop(web={"confirm": "2 of 5"}))
    ward.falls_ill()
    ward.ends()
    ward.gets_well()
    assert ward.incident().phase is Phase.RESOLVED
    ward.sees("web", 2, web1=CRITICAL)
    assert ward.incident().phase is Phase.TREATING
    assert ward.incident().reopened == 1


# failing steps


@pytest.mark.parametrize(
    ("policy", "rollback", "then"),
    [
        ("abort", (), None),
        ("abort", ROLLBACK, None),
        ("continue", (), "second"),
        ("continue", ROLLBACK, "second"),
        ("rollback", (), None),
        ("rollback", ROLLBACK, "undo"),
    ],
)
@pytest.mark.parametrize(
    "outcome",
    [
        {"exit": 1},
        {"status": StepStatus.TIMED_OUT},
        {"status": StepStatus.REFUSED},
        {"status": StepStatus.FAILED, "message": "no such kind"},
    ],
)
def test_what_a_failed_step_leads_to(
    policy: str, rollback: tuple[object, ...], then: str | None, outcome: dict[str, Any]
) -> None:
    ward = Ward(shop(runbook("r", run("first", on_failure=policy), run("second"), rollback=rollback)))
    ward.falls_ill()
    ward.ends(**outcome)
    assert ward.under_way() == ([("web1", then)] if then else [])
    if then is None:
        assert ward.execution().outcome is Outcome.FAILED
        assert ward.incident().phase is Phase.ESCALATED


def look(name: str) -> Step:
    return run(name, evidence=True, on_failure="continue", repeatable=True)


def test_a_host_that_cannot_be_reached_before_anything_was_done_is_not_rolled_back() -> None:
    ward = Ward(shop(runbook("r", run("first"), evidence=(look("log"), look("top")), rollback=ROLLBACK)))
    ward.falls_ill()
    ward.ends()
    ward.ends(status=StepStatus.UNREACHABLE)
    ward.ends(status=StepStatus.UNREACHABLE)
    assert ward.execution().outcome is Outcome.UNREACHABLE
    assert ward.incident().phase is Phase.ESCALATED
    assert not ward.under_way()


def test_a_host_that_cannot_be_reached_any_more_is_rolled_back() -> None:
    ward = Ward(shop(runbook("r", run("first"), run("second"), rollback=ROLLBACK)))
    ward.falls_ill()
    ward.ends()
    ward.ends(status=StepStatus.UNREACHABLE)
    assert ward.under_way() == [("web1", "undo")]


def test_what_never_reached_the_host_counts_toward_no_limit_and_is_tried_again_after_a_relapse() -> None:
    ward = Ward(shop(runbook("r", limits=Limits(per_host=Rate(1, 3600)))))
    ward.falls_ill()
    ward.ends(status=StepStatus.UNREACHABLE)
    assert ward.incident().phase is Phase.ESCALATED, "and not again and again while it is out of reach"
    ward.gets_well()
    ward.falls_ill()
    assert ward.under_way() == [("web1", "restart")]
    ward.ends()
    ward.gets_well()
    ward.falls_ill()
    assert ward.reasons() == ["rate limit"]


@pytest.mark.parametrize("policy", ["abort", "continue", "rollback"])
def test_a_step_nobody_knows_the_outcome_of_is_for_a_person(policy: str) -> None:
    ward = Ward(shop(runbook("r", run("first", on_failure=policy), rollback=ROLLBACK), runbook("stronger")))
    ward.falls_ill()
    ward.ends(status=StepStatus.UNKNOWN, message="the connection broke")
    assert ward.execution().outcome is Outcome.OUTCOME_UNKNOWN
    assert ward.incident().phase is Phase.ESCALATED
    assert not ward.under_way()
    assert "nobody can say what 'first' did: the connection broke" in ward.story(EntryKind.ESCALATED)[0]


def test_a_repeatable_step_of_unknown_outcome_is_tried_again() -> None:
    again = run("first", repeatable=True, retry=Retry(attempts=2, delay=1.0))
    ward = Ward(shop(runbook("r", again)))
    ward.falls_ill()
    ward.ends(status=StepStatus.UNKNOWN)
    ward.later(1)
    assert ward.under_way() == [("web1", "first")]


@pytest.mark.parametrize(("repeatable", "attempts"), [(False, 1), (True, 3)])
def test_a_step_that_timed_out_is_tried_again_only_if_it_is_repeatable(repeatable: bool, attempts: int) -> None:
    step = run("first", repeatable=repeatable, retry=Retry(attempts=3, delay=1.0))
    ward = Ward(shop(runbook("r", step)))
    ward.falls_ill()
    for _ in range(3):
        if ward.pending:
            ward.ends(status=StepStatus.TIMED_OUT)
        ward.later(10)
    assert len(ward.steps) == attempts


def test_retries_wait_longer_each_time_and_have_ids_of_their_own() -> None:
    ward = Ward(shop(runbook("r", run("first", retry=Retry(attempts=3, delay=2.0, backoff=3.0)))))
    ward.falls_ill()
    began = []
    for _ in range(3):
        began.append(ward.at)
        ward.ends(exit=1)
        ward.later(max(0.0, (ward.state.next_due() or ward.at) - ward.at))
    assert [step.id for step in ward.steps] == [f"RUN-1.web1.steps.1.{attempt}" for attempt in (1, 2, 3)]
    assert [after - before for before, after in pairwise(began)] == [2.0, 6.0]
    assert ward.execution().outcome is Outcome.FAILED


def test_a_late_or_doubled_report_changes_nothing() -> None:
    ward = Ward(shop(runbook("r", run("first"), run("second"))))
    ward.falls_ill()
    first = ward.ends()
    ward.tell(events.StepEnded(ward.at, first.id, StepOutcome(StepStatus.OK)))
    assert ward.under_way() == [("web1", "second")]
    decision = ward.tell(events.StepEnded(ward.at, "RUN-99.web1.steps.1.1", StepOutcome(StepStatus.OK)))
    assert not decision.entries


# when, register, templates


def test_a_later_step_uses_what_an_earlier_one_said() -> None:
    ward = Ward(
        shop(
            runbook(
                "r",
                run("find", "pgrep nginx", register="found", on_failure="continue"),
                run("kill", "kill {{ steps.found.stdout }}", when="found.ok and found.stdout != ''"),
                run("start", "start {{ host.name }} {{ vars.unit }}"),
                vars={"unit": Variable(default="nginx; reboot")},
            )
        )
    )
    ward.falls_ill()
    ward.ends(stdout="42; reboot\n")
    assert ward.steps[1].params == {"command": "kill '42; reboot'"}
    ward.ends()
    assert ward.steps[2].params == {"command": "start web1 'nginx; reboot'"}


def test_a_step_whose_condition_is_false_is_skipped_and_that_is_on_record() -> None:
    ward = Ward(
        shop(
            runbook(
                "r", run("find", register="found", on_failure="continue"), run("kill", when="found.ok"), run("start")
            )
        )
    )
    ward.falls_ill()
    ward.ends(exit=1)
    assert ward.under_way() == [("web1", "start")]
    assert "web1: kill: skipped: when: found.ok" in ward.story(EntryKind.STEP)


def test_hundreds_of_skipped_steps_are_no_trouble() -> None:
    ward = Ward(shop(runbook("r", *[run(f"s{n}", when="false") for n in range(600)], run("last"))))
    ward.falls_ill()
    assert ward.under_way() == [("web1", "last")]


def test_a_template_that_cannot_be_rendered_fails_its_step_and_nothing_is_run() -> None:
    ward = Ward(shop(runbook("r", run("first", "kill {{ steps.absent.stdout }}"))))
    ward.falls_ill()
    assert not ward.steps
    assert ward.incident().phase is Phase.ESCALATED
    assert "cannot be rendered" in ward.story(EntryKind.STEP)[0]


def test_a_ladder_without_a_value_for_a_variable_is_refused_by_name() -> None:
    ward = Ward(shop(runbook("r", vars={"size": Variable(type="integer")}), runbook("stronger")))
    ward.falls_ill()
    assert ward.reasons() == ["missing variable"]
    assert ward.execution().runbook == "stronger"


def test_evidence_comes_first_and_its_failure_stops_nothing() -> None:
    evidence = run("keep the log", evidence=True, on_failure="continue", repeatable=True)
    ward = Ward(shop(runbook("r", run("restart"), evidence=(evidence,))))
    ward.falls_ill()
    assert ward.under_way() == [("web1", "keep the log")]
    ward.ends(exit=1, stdout="x" * 10_000)
    kept = next(entry for entry in ward.entries if entry.kind is EntryKind.STEP)
    assert len(str(kept.data["stdout"])) == 10_000
    assert ward.under_way() == [("web1", "restart")]


# waiting, asking, approving


def test_a_pause_takes_its_time() -> None:
    ward = Ward(shop(runbook("r", wait("breathe", 5), run("restart"))))
    ward.falls_ill()
    ward.later(4.9)
    assert not ward.under_way()
    ward.later(0.1)
    assert ward.under_way() == [("web1", "restart")]


def test_a_check_step_goes_on_when_the_check_says_ok() -> None:
    ward = Ward(shop(runbook("r", ask_check("db is well", "db", 30), run("restart"), hosts="host:web1")))
    ward.sees("db", db1=OK)
    ward.falls_ill()
    ward.sees("db", db1=OK)
    ward.sees("db", db1=UNKNOWN)
    assert not ward.under_way()
    ward.sees("db", db1=OK)
    assert ward.under_way() == [("web1", "restart")]


@pytest.mark.parametrize(("answer", "said"), [(WARNING, "db1 says WARNING"), (UNKNOWN, "db1 says UNKNOWN")])
def test_a_check_step_fails_when_the_check_does_not_get_there(answer: object, said: str) -> None:
    ward = Ward(shop(runbook("r", ask_check("db is well", "db", 30), run("restart"))))
    ward.sees("db", db1=OK)
    ward.falls_ill()
    ward.sees("db", db1=OK)
    ward.at += 1
    ward.sees("db", db1=answer)  # type: ignore[arg-type]
    ward.later(30)
    assert ward.execution().outcome is Outcome.FAILED
    assert said in ward.story(EntryKind.STEP)[0]


def test_a_check_step_about_a_check_that_never_answered() -> None:
    ward = Ward(shop(runbook("r", ask_check("disk is well", "disk", 30))))
    ward.falls_ill()
    ward.later(31)
    assert "the check has never answered" in ward.story(EntryKind.STEP)[0]


def test_a_ladder_gives_values_to_a_runbook_and_other_values_are_another_treatment() -> None:
    book = runbook("unit", run("restart", "systemctl restart {{ vars.unit }}"), vars={"unit": Variable()})
    rungs = [{"runbook": "unit", "vars": {"unit": "nginx"}}, {"runbook": "unit", "vars": {"unit": "a b"}}]
    ward = Ward(shop(book, web={"ladder": rungs}))
    ward.falls_ill()
    assert ward.ends(status=StepStatus.FAILED).params == {"command": "systemctl restart nginx"}
    assert ward.ends(status=StepStatus.FAILED).params == {"command": "systemctl restart 'a b'"}
    assert ward.incident().phase is Phase.ESCALATED
