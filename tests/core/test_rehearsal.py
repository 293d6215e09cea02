"""A runbook tried without hosts: what is given decides what happens, by the very decisions of the agent."""

import pytest

from agent.core.expectation import Expectation, differences
from agent.core.rehearsal import rehearse
from agent.core.scene import Answer, Course, Reaction, Recovery, Scene
from agent.model.execution import StepStatus
from agent.model.quantities import CountOrShare, Rate
from agent.model.runbook import Limits, Retry, Step, Variable, Verify
from tests.core.ward import approve, ask_check, run, runbook, wait

AFTER_RESTART = Recovery(Course.AFTER, "restart")
NEVER = Recovery(Course.NEVER)


def played(*steps: Step, rollback: tuple[Step, ...] = (), **scene: object) -> tuple[str, tuple[str, ...]]:
    found = rehearse(Scene(runbook("r", *steps, rollback=rollback), **scene))  # type: ignore[arg-type]
    return found.outcome, found.steps


def test_what_is_not_given_goes_well() -> None:
    assert played(run("look"), run("restart")) == ("recovered", ("look", "restart"))


@pytest.mark.parametrize(
    ("recovers", "outcome"),
    [
        (Recovery(), "recovered"),
        (NEVER, "not recovered"),
        (Recovery(Course.UNKNOWN), "undecidable"),
        (AFTER_RESTART, "recovered"),
        (Recovery(Course.AFTER, "look"), "recovered"),
    ],
)
def test_how_it_ends_is_said_by_when_the_check_is_well(recovers: Recovery, outcome: str) -> None:
    assert played(run("look"), run("restart"), recovers=recovers)[0] == outcome


def test_a_step_heals_only_when_it_ended_well() -> None:
    answers = {"restart": (Answer(exit=1),)}
    restart = run("restart", on_failure="continue")
    assert played(restart, recovers=AFTER_RESTART, answers=answers)[0] == "not recovered"


def test_each_host_heals_by_its_own_step() -> None:
    found = rehearse(
        Scene(
            runbook("r", run("restart", on_failure="continue"), serial=CountOrShare(count=1)),
            hosts=("web1", "web2"),
            answers={"restart on web2": (Answer(exit=1),)},
            recovers=AFTER_RESTART,
        )
    )
    assert (found.outcome, found.steps) == ("not recovered", ("restart on web1", "restart on web2"))
    assert "web1: recovered" in " ".join(entry.text for entry in found.entries)


def test_answers_by_step_by_command_and_attempt_by_attempt() -> None:
    patient = run("restart", "systemctl restart {{ host.name }}", retry=Retry(attempts=3, delay=1.0))
    bad, good = Answer(exit=1), Answer()
    for name in ("restart", "restart on host1", "systemctl restart host1"):
        assert played(patient, answers={name: (bad, good)})[1] == ("restart", "restart")
    assert played(patient, answers={"restart": (bad,)}) == ("failed", ("restart",) * 3)


def test_the_exit_statuses_that_a_step_takes_for_success_are_well() -> None:
    step = run("grep")
    lenient = step.model_copy(update={"action": step.action.model_copy(update={"ok_exit": (0, 1)})})
    assert played(lenient, answers={"grep": (Answer(exit=1),)})[0] == "recovered"


def test_what_a_step_printed_is_used_by_the_next() -> None:
    steps = (run("find", register="found"), run("kill", "kill {{ found.stdout }}"))
    found = rehearse(Scene(runbook("r", *steps), answers={"find": (Answer(stdout="42\n"),)}))
    assert found.commands == ("true", "kill 42")


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (Answer(status=StepStatus.UNREACHABLE), "unreachable"),
        (Answer(status=StepStatus.TIMED_OUT), "failed"),
        (Answer(takes=61.0), "failed"),
        (Answer(takes=60.0), "recovered"),
        (Answer(status=StepStatus.UNKNOWN), "outcome unknown"),
    ],
)
def test_a_step_may_end_in_other_ways_than_by_an_exit_status(answer: Answer, outcome: str) -> None:
    assert played(run("restart", timeout=60.0), answers={"restart": (answer,)})[0] == outcome


def test_a_rollback_is_told_as_such() -> None:
    undo = run("undo")
    assert played(run("restart"), rollback=(undo,), recovers=NEVER) == ("not recovered", ("restart", "rollback: undo"))


@pytest.mark.parametrize(
    ("reaction", "outcome", "steps"),
    [
        (None, "recovered", ("May I", "restart")),
        (Reaction.YES, "recovered", ("May I", "restart")),
        (Reaction.NO, "declined", ()),
        (Reaction.NOBODY, "declined", ()),
    ],
)
@pytest.mark.parametrize("asked_by", ["May I", "May I?"])
def test_people_answer_as_given(reaction: Reaction | None, outcome: str, steps: tuple[str, ...], asked_by: str) -> None:
    given = {asked_by: reaction} if reaction else {}
    assert played(approve("May I"), run("restart"), approvals=given) == (outcome, steps)


def test_other_checks_are_well_unless_said_otherwise() -> None:
    steps = (ask_check("the replica is well", "replica"), run("restart"))
    assert played(*steps)[0] == "recovered"
    assert played(*steps, checks={"replica": NEVER}) == ("failed", ("the replica is well",))
    assert played(wait("breathe", 3600), *steps)[0] == "recovered"


def test_a_runbooks_own_limits_refuse_it() -> None:
    book = runbook("r", limits=Limits(per_host=Rate(2, 3600)))
    found = rehearse(Scene(book, earlier={"host1": (60.0, 600.0)}))
    assert (found.outcome, found.with_a_person, found.steps) == ("refused: rate limit", True, ())
    assert rehearse(Scene(book, earlier={"host1": (60.0, 4000.0)})).outcome == "recovered"


def test_variables_take_the_place_of_defaults() -> None:
    book = runbook("r", run("a", "restart {{ vars.unit }} {{ host.vars.port }}"), vars={"unit": Variable()})
    assert rehearse(Scene(book)).outcome == "refused: missing variable"
    found = rehearse(Scene(book, variables={"unit": "nginx"}, host_vars={"port": 80}))
    assert found.commands == ("restart nginx 80",)
    with pytest.raises(ValueError, match="has no variable"):
        rehearse(Scene(book, variables={"untt": "nginx"}))


@pytest.mark.parametrize("where", ["affected", "local", "host:db1", "group:web"])
def test_wherever_the_runbook_runs(where: str) -> None:
    found = rehearse(Scene(runbook("r", hosts=where), recovers=AFTER_RESTART, hosts=("web1", "web2")))
    assert found.outcome == "recovered"
    assert len(found.steps) == (1 if where in ("local", "host:db1") else 2)


def test_verified_by_another_check_that_never_gets_well() -> None:
    book = runbook("r", verify=Verify(checks=("orders",)))
    assert rehearse(Scene(book, checks={"orders": NEVER})).outcome == "not recovered"


def test_no_rehearsal_takes_real_time() -> None:
    found = rehearse(Scene(runbook("r", wait("a day", 86400), run("restart"))))
    assert found.seconds == 86400


# what is expected of it


def told(expected: Expectation, **scene: object) -> tuple[str, ...]:
    book = runbook("r", run("keep evidence"), run("configuration is sound"), run("restart"))
    return differences(expected, rehearse(Scene(book, **scene)))  # type: ignore[arg-type]


def test_nothing_expected_nothing_missed() -> None:
    assert told(Expectation()) == ()
    whole = Expectation("recovered", ("keep evidence", "configuration is sound", "restart"), ("true",) * 3)
    assert told(whole) == ()


def test_escalated_is_every_end_with_a_person() -> None:
    assert told(Expectation("escalated"), recovers=NEVER) == ()
    assert told(Expectation("escalated")) == (
        "outcome: expected escalated, got recovered (check on host1 answered well)",
    )


def test_another_order_is_shown_as_such() -> None:
    assert told(Expectation(steps=("configuration is sound", "keep evidence", "restart"))) == (
        "steps: the right ones, in another order\n"
        "  + keep evidence\n"
        "    configuration is sound\n"
        "  - keep evidence\n"
        "    restart",
    )


def test_what_is_missing_and_what_was_not_expected_is_named() -> None:
    (said,) = told(Expectation(steps=("keep evidence", "drain", "restart", "restart")))
    assert said.splitlines()[0] == (
        "steps: 'drain' and 'restart' did not happen, 'configuration is sound' was not expected"
    )


def test_a_yes_to_a_question_that_nobody_asks_is_probably_misspelt() -> None:
    book = runbook("r", approve("May I"), run("restart"))
    given = dict.fromkeys(("May I not?", "restart", "May I"), Reaction.YES)
    assert differences(Expectation(), rehearse(Scene(book, approvals=given))) == (
        "approve 'May I not?': no question to approve is worded so, and no step that asks is called so",
        "approve 'restart': no question to approve is worded so, and no step that asks is called so",
    )
    not_reached = runbook("r", run("restart"), approve("May I"))
    given = dict.fromkeys(("May I", "May I?"), Reaction.NO)
    failed = rehearse(Scene(not_reached, approvals=given, answers={"restart": (Answer(exit=1),)}))
    assert differences(Expectation(), failed) == ()


def test_an_answer_that_nobody_asks_for_is_probably_misspelt() -> None:
    given = {"restrat": (Answer(exit=1),), "restart": (Answer(),), "true": (Answer(),)}
    assert told(Expectation(), answers=given) == (
        "answer 'restrat': no step is called so, and no command like it was run",
    )
