"""What a drill expected, against what its record shows: met, not met, or still open, with the times."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from agent.drill.judging import judge, label_of
from agent.model.activation import Activation, CallRun, CallState, Marks, Stage
from agent.model.drill import MARK, Drill, Expectation
from agent.model.drill_result import Evidence, Judged
from agent.model.health import Key
from agent.model.incident import Attempt, Incident, Origin, Phase, Symptom
from agent.model.observation import Verdict
from agent.model.plan import Level, PlanRole
from agent.model.priority import Classification, Impact, Priority, Urgency
from agent.model.timeline import AGENT, Entry, EntryKind

BEGAN = 1000.0
DEADLINE = 60.0
P2 = Classification(Impact.SIGNIFICANT, Urgency.HIGH, Priority.P2, "wide", "soon", "matrix")

WEB_DOWN: dict[str, Any] = {"name": "web-down", "title": "Web down", "form": "live", "deadline": DEADLINE}


def entry(
    after: float, kind: EntryKind, text: str = "…", about: str = "INC-1", actor: str = AGENT, **data: Any
) -> Entry:
    return Entry(BEGAN + after, about, kind, text, actor, data)


NOTICED = entry(3, EntryKind.NOTICED, check="web", subject="web1")
CLASSIFIED = entry(3, EntryKind.CLASSIFIED, impact="significant", urgency="high", priority="P2")
ASSIGNED = entry(3, EntryKind.ASSIGNED, team="web-team")
TICKET = entry(4, EntryKind.TICKET, ticket="17")
STARTS = entry(5, EntryKind.TREATMENT, runbook="restart-web", hosts=["web1"])
ENDS = entry(12, EntryKind.TREATMENT, runbook="restart-web", outcome="recovered")
RESOLVED = entry(12, EntryKind.RESOLVED)
WHOLE = (NOTICED, CLASSIFIED, ASSIGNED, TICKET, STARTS, ENDS, RESOLVED)

OPEN = Incident(
    id="INC-1",
    origin=Origin.EXERCISE,
    phase=Phase.TREATING,
    title="web is down",
    category="web",
    opened_at=BEGAN + 3,
    classification=P2,
    team="web-team",
    symptoms=(Symptom(Key("web", "web1"), "web1", "shop", Verdict.CRITICAL, BEGAN + 1),),
)
WELL = replace(OPEN, phase=Phase.RESOLVED, resolved_at=BEGAN + 12)
ANSWERED = CallRun("commander", ("alice", "bob"), Level.IV, 30.0, PlanRole.COMMANDER, state=CallState.ACKNOWLEDGED)
ANSWERED = replace(ANSWERED, acknowledged_by="alice", acknowledged_at=BEGAN + 20)
SILENT = replace(ANSWERED, state=CallState.CALLED, turn=1, acknowledged_by=None, acknowledged_at=None)
PLAN = Activation(
    id="EMG-1",
    plan="shop-down",
    title="The shop is down",
    version="1",
    digest="",
    level=Level.II,
    stage=Stage.ACTIVE,
    incident="INC-2",
    activated_at=BEGAN + 10,
    actor=AGENT,
    because="half of it",
    hosts=("web1",),
    services=("shop",),
    marks=Marks(BEGAN),
    calls=(ANSWERED,),
)


def seen(after: float, *entries: Entry, incidents: tuple[Incident, ...] = (), **more: Any) -> Evidence:
    return Evidence(BEGAN + after, BEGAN, entries, incidents, **more)


def judged(expected: Mapping[str, Any], evidence: Evidence) -> Judged:
    [result] = judge(Drill(**WEB_DOWN, expect=(Expectation(**expected),)), evidence)
    return result


MET: list[tuple[dict[str, Any], Evidence, float, str]] = [
    ({"detected": "web"}, seen(5, NOTICED), 3, "INC-1 by web after 3s"),
    ({"detected": "web"}, seen(5, entry(2, EntryKind.JOINED, subjects=["web on a", "web on b"])), 2, "INC-1 by web"),
    ({"classified": "P2"}, seen(5, CLASSIFIED), 3, "INC-1 is priority P2 after 3s"),
    ({"impact": "significant"}, seen(5, CLASSIFIED), 3, "INC-1 is impact significant"),
    ({"urgency": "high"}, seen(5, CLASSIFIED), 3, "INC-1 is urgency high"),
    ({"category": "web"}, seen(5, incidents=(OPEN,)), 3, "INC-1 is web"),
    ({"assigned": "web-team"}, seen(5, ASSIGNED), 3, "INC-1 is assigned to web-team"),
    ({"treated_with": "restart-web"}, seen(6, STARTS), 5, "restart-web starts on INC-1 after 5s"),
    (
        {"refused": "frozen"},
        seen(6, entry(5, EntryKind.REFUSED, f"{MARK} not now", reason="frozen")),
        5,
        "INC-1: not now",
    ),
    ({"refused": "ladder used up"}, seen(6, entry(5, EntryKind.ESCALATED, reason="ladder used up")), 5, "INC-1: …"),
    ({"plan": "shop-down"}, seen(11, activations=(PLAN,)), 10, "EMG-1 starts at level II after 10s"),
    ({"plan": "shop-down", "level": "II"}, seen(11, activations=(PLAN,)), 10, "EMG-1 starts at level II"),
    ({"acknowledged": "commander"}, seen(30, activations=(PLAN,)), 20, "alice acknowledged after 20s"),
    ({"recovered": True}, seen(13, RESOLVED, incidents=(WELL,)), 12, "INC-1 resolved, verified after 12s"),
    ({"ticket": True}, seen(5, TICKET), 4, "ticket 17 for INC-1 after 4s"),
    (
        {"stood_down": "shop-down"},
        seen(50, activations=(replace(PLAN, stage=Stage.REVIEW, marks=Marks(BEGAN, stood_down=BEGAN + 45)),)),
        45,
        "EMG-1 is in review after 45s",
    ),
]


@pytest.mark.parametrize(("expected", "evidence", "seconds", "said"), MET, ids=lambda each: str(each)[:40])
def test_what_happened_in_time_is_met(expected: dict[str, Any], evidence: Evidence, seconds: float, said: str) -> None:
    result = judged(expected, evidence)
    assert result.met is True
    assert result.seconds == seconds
    assert result.actual.startswith(said)
    assert result.limit == DEADLINE
    assert result.expected.endswith("within 1m")


@pytest.mark.parametrize(("expected", "evidence", "seconds", "said"), MET, ids=lambda each: str(each)[:40])
def test_the_same_too_late_is_not_met(expected: dict[str, Any], evidence: Evidence, seconds: float, said: str) -> None:
    result = judged({**expected, "within": seconds - 1.0}, evidence)
    assert result.met is False
    assert result.actual.startswith(said)
    assert result.actual.endswith(", 1s too late")


@pytest.mark.parametrize("expected", [each[0] for each in MET], ids=str)
def test_nothing_at_all_is_open_until_its_time_is_over(expected: dict[str, Any]) -> None:
    assert judged({**expected, "within": 20.0}, seen(19)).met is None
    result = judged({**expected, "within": 20.0}, seen(20))
    assert result.met is False
    assert result.seconds is None
    assert result.actual


@pytest.mark.parametrize(("expected", "evidence", "seconds", "said"), MET, ids=lambda each: str(each)[:40])
def test_before_the_fault_nothing_counts(
    expected: dict[str, Any], evidence: Evidence, seconds: float, said: str
) -> None:
    assert judged(expected, replace(evidence, injected_at=None)).met is None
    early = replace(evidence, injected_at=BEGAN + 55, at=BEGAN + 56)
    assert judged(expected, early).met is None, "it happened before the fault, so the fault is not its cause"


@pytest.mark.parametrize(
    ("expected", "evidence", "said"),
    [
        ({"detected": "web"}, seen(9, entry(3, EntryKind.NOTICED, check="db")), "only db noticed anything"),
        ({"detected": "web"}, seen(9), "no incident was opened"),
        (
            {"classified": "P1"},
            seen(9, CLASSIFIED, entry(4, EntryKind.CLASSIFIED, priority="P3")),
            "INC-1 was priority P2, then P3",
        ),
        ({"category": "db"}, seen(9, incidents=(OPEN,)), "INC-1 is web"),
        ({"assigned": "db-team"}, seen(9, ASSIGNED), "INC-1 was assigned to web-team"),
        (
            {"treated_with": "restart-web"},
            seen(9, entry(4, EntryKind.REFUSED, "not treated for now: frozen", reason="frozen")),
            "no treatment started: not treated for now: frozen",
        ),
        (
            {"refused": "frozen"},
            seen(9, entry(4, EntryKind.REFUSED, reason="host busy")),
            "nothing was refused for that reason, only: host busy",
        ),
        ({"plan": "shop-down", "level": "I"}, seen(11, activations=(PLAN,)), "EMG-1 is at level II"),
        ({"plan": "other"}, seen(11, activations=(PLAN,)), "plan shop-down started instead"),
        (
            {"acknowledged": "commander"},
            seen(30, activations=(replace(PLAN, calls=(SILENT,)),)),
            "alice, bob called, nobody acknowledged",
        ),
        ({"acknowledged": "commander"}, seen(30), "no emergency plan started, so nobody was called"),
        (
            {"recovered": True},
            seen(30, incidents=(replace(OPEN, attempts=(Attempt("RUN-1", "restart-web", "not recovered", 0),)),)),
            "INC-1 is treating, restart-web: not recovered",
        ),
        ({"stood_down": "shop-down"}, seen(11, activations=(PLAN,)), "EMG-1 is active"),
        ({"ticket": True}, seen(11, incidents=(OPEN,)), "no ticket was filed for INC-1"),
    ],
    ids=str,
)
def test_what_is_there_instead_is_named(expected: dict[str, Any], evidence: Evidence, said: str) -> None:
    open_still = judged(expected, evidence)
    assert (open_still.met, open_still.actual) == (None, said)
    over = judged(expected, replace(evidence, at=BEGAN + DEADLINE))
    assert (over.met, over.actual) == (False, said)


@pytest.mark.parametrize(
    ("expected", "evidence", "said"),
    [
        (
            {"treated_with": "restart-web"},
            seen(6, replace(STARTS, data={"runbook": "reboot"}), replace(STARTS, at=BEGAN + 6)),
            "reboot was chosen first, on INC-1 after 5s",
        ),
        (
            {"recovered": True},
            seen(13, replace(RESOLVED, actor="mallory"), incidents=(WELL,)),
            "INC-1 was resolved by mallory, not by verification",
        ),
        (
            {"acknowledged": "commander"},
            seen(30, activations=(replace(PLAN, calls=(replace(SILENT, state=CallState.NOBODY),)),)),
            "alice, bob called, nobody acknowledged",
        ),
    ],
    ids=str,
)
def test_what_cannot_be_met_any_more_fails_at_once(expected: dict[str, Any], evidence: Evidence, said: str) -> None:
    result = judged(expected, evidence)
    assert (result.met, result.actual) == (False, said)


def test_a_level_counts_from_when_it_was_reached() -> None:
    raised = (
        entry(10, EntryKind.PLAN, plan="EMG-1", level="III"),
        entry(25, EntryKind.PLAN, plan="EMG-1", level="II"),
    )
    assert judged({"plan": "shop-down", "level": "II"}, seen(30, *raised, activations=(PLAN,))).seconds == 25
    assert judged({"plan": "shop-down", "level": "III"}, seen(30, *raised, activations=(PLAN,))).seconds == 10


def test_runbooks_of_a_ladder_may_follow_each_other() -> None:
    ladder = tuple(Expectation(treated_with=name) for name in ("reload-web", "restart-web"))
    drill = Drill(**WEB_DOWN, expect=ladder)
    reload = replace(STARTS, data={"runbook": "reload-web"})
    assert [each.met for each in judge(drill, seen(6, reload))] == [True, None]
    assert [each.met for each in judge(drill, seen(6, reload, replace(STARTS, at=BEGAN + 6)))] == [True, True]
    assert [each.met for each in judge(drill, seen(6, STARTS, reload))] == [False, True]


def test_one_incident_that_is_not_over_is_not_recovered() -> None:
    other = replace(OPEN, id="INC-2", phase=Phase.ESCALATED)
    result = judged({"recovered": True}, seen(20, RESOLVED, incidents=(WELL, other)))
    assert (result.met, result.actual) == (None, "INC-2 is escalated")
    major = replace(other, plan="EMG-1")
    assert judged({"recovered": True}, seen(20, RESOLVED, incidents=(WELL, major))).met is True


LOOP = (
    {"detected": "web", "within": 10.0},
    {"assigned": "web-team"},
    {"treated_with": "restart-web"},
    {"recovered": True},
    {"ticket": True},
    {"acknowledged": "commander"},
)
GOOD = seen(60, *WHOLE, incidents=(WELL,), activations=(PLAN,))
WRONG = replace(STARTS, at=BEGAN + 4, data={"runbook": "reboot"})
DID_NOTHING = replace(OPEN, phase=Phase.ESCALATED, attempts=(Attempt("RUN-1", "restart-web", "not recovered", 0),))


@pytest.mark.parametrize(
    ("evidence", "unmet"),
    [
        (GOOD, {}),
        (
            replace(GOOD, entries=tuple(each for each in WHOLE if each is not NOTICED)),
            {"detected web": "not seen on INC-1"},
        ),
        (
            replace(GOOD, entries=(*WHOLE[:4], WRONG, *WHOLE[4:])),
            {"treated with restart-web": "reboot was chosen first, on INC-1 after 4s"},
        ),
        (
            replace(GOOD, incidents=(DID_NOTHING,)),
            {"recovered": "INC-1 is escalated, restart-web: not recovered"},
        ),
        (
            replace(GOOD, entries=tuple(each for each in WHOLE if each is not TICKET)),
            {"ticket": "no ticket was filed for INC-1"},
        ),
        (
            replace(GOOD, activations=(replace(PLAN, calls=(SILENT,)),)),
            {"acknowledged commander": "alice, bob called, nobody acknowledged"},
        ),
    ],
    ids=["works", "check disabled", "wrong runbook", "does nothing", "tickets off", "never acknowledges"],
)
def test_each_sabotage_fails_what_it_breaks_and_names_it(evidence: Evidence, unmet: dict[str, str]) -> None:
    drill = Drill(**WEB_DOWN, expect=tuple(Expectation(**each) for each in LOOP))
    assert {each.label: each.actual for each in judge(drill, evidence) if not each.met} == unmet


def test_a_tabletop_is_judged_by_its_answers() -> None:
    asked = ({"ask": "Who decides?", "good": "the commander", "objective": "roles"}, {"ask": "Who is told?"})
    drill = Drill(name="t", title="t", form="tabletop", objectives={"roles": "…"}, ask=asked)  # type: ignore[arg-type]
    result = judge(drill, Evidence(BEGAN, None, answers={"Who decides?": ("Alice does", True)}))
    assert result[0] == Judged("Who decides?", "roles", True, "the commander", "Alice does")
    assert (result[1].met, result[1].actual) == (None, "not answered yet")


def test_labels_name_the_expectation() -> None:
    assert label_of(Expectation(plan="shop-down", level=Level.II)) == "plan shop-down II"
    assert label_of(Expectation(acknowledged=PlanRole.TECHNICAL_LEAD)) == "acknowledged technical_lead"
