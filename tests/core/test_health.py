"""From answers to believed health: debounce, hysteresis, flapping, lasting UNKNOWN. Verification judges by the same."""

import pytest

from agent.core import recovery
from agent.core.health import CLEAR, CRITICAL, NOT_YET_CLEAR, WARNING, afresh, confirmed, forgotten, observe
from agent.model.check import CheckRules, Confirm, parse_confirm
from agent.model.execution import Outcome
from agent.model.health import Health, Key, Window
from agent.model.observation import Observation, Verdict
from tests.core.ward import check

KEY = Key("web", "web1")
LETTERS = {".": CLEAR, "o": NOT_YET_CLEAR, "w": WARNING, "C": CRITICAL}


@pytest.mark.parametrize(
    ("confirm", "status", "recent", "then"),
    [
        # going ill
        ("1", None, "C", Verdict.CRITICAL),
        ("2", None, "C", None),
        ("2", None, "CC", Verdict.CRITICAL),
        ("2", Verdict.OK, "C.", Verdict.OK),
        ("2", Verdict.OK, "wC", Verdict.WARNING),
        ("3 of 5", Verdict.OK, "C.C.", Verdict.OK),
        ("3 of 5", Verdict.OK, "C.C.C", Verdict.CRITICAL),
        ("3 of 5", Verdict.OK, "C.w.C", Verdict.WARNING),
        ("3 of 5", Verdict.OK, "wwCCC", Verdict.CRITICAL),
        # changing degree
        ("2", Verdict.WARNING, "wC", Verdict.WARNING),
        ("2", Verdict.WARNING, "CC", Verdict.CRITICAL),
        ("2", Verdict.CRITICAL, "Cw", Verdict.CRITICAL),
        ("2", Verdict.CRITICAL, "ww", Verdict.WARNING),
        # getting well
        ("2", Verdict.CRITICAL, "C.", Verdict.CRITICAL),
        ("2", Verdict.CRITICAL, "..", Verdict.OK),
        ("2", Verdict.CRITICAL, "oo", Verdict.CRITICAL),
        ("2", Verdict.CRITICAL, "o.", Verdict.CRITICAL),
        ("3 of 5", Verdict.CRITICAL, "C..w.", Verdict.OK),
        ("3 of 5", Verdict.CRITICAL, "CC..o", Verdict.CRITICAL),
        # the recover threshold matters only on the way back
        ("2", Verdict.OK, "oo", Verdict.OK),
        ("2", None, "oo", Verdict.OK),
        ("2", None, ".", None),
    ],
)
def test_what_the_recent_answers_establish(
    confirm: str, status: Verdict | None, recent: str, then: Verdict | None
) -> None:
    assert confirmed(tuple(LETTERS[letter] for letter in recent), parse_confirm(confirm), status) is then


def told(rules: CheckRules, answers: str, every: float = 1.0, *, health: Health | None = None) -> tuple[Health, Window]:
    """Health and window after these answers (`?` is UNKNOWN), one each `every` seconds from 0."""
    health = health or Health(KEY, "web1", None, 0.0)
    window = Window()
    for number, letter in enumerate(answers):
        verdict = {"w": Verdict.WARNING, "C": Verdict.CRITICAL, "?": Verdict.UNKNOWN}.get(letter, Verdict.OK)
        answer = Observation("web", "web1", "web1", verdict, number * every, cleared=letter == ".")
        health, window = observe(health, window, answer, rules)
    return health, window


@pytest.mark.parametrize(
    ("answers", "status", "blind_since"),
    [
        ("?" * 10, None, None),
        ("?" * 11, None, 0.0),
        ("?" * 10 + "." + "?" * 10, None, None),
        (".." + "?" * 11, Verdict.OK, 2.0),
        ("CC" + "?" * 20, Verdict.CRITICAL, 2.0),
        ("CC" + "?" * 20 + ".", Verdict.CRITICAL, None),
        ("C?C", Verdict.CRITICAL, None),
        (".?C?C", Verdict.CRITICAL, None),
        ("CC?.?.", Verdict.OK, None),
    ],
)
def test_unknown_is_neither_well_nor_ill_but_may_last_too_long(
    answers: str, status: Verdict | None, blind_since: float | None
) -> None:
    health, _ = told(check("web", unknown_after=10.0), answers)
    assert (health.status, health.blind_since) == (status, blind_since)


def test_unknown_is_by_default_borne_for_five_intervals_and_at_least_a_minute() -> None:
    assert check("web", every=2.0).unknown_limit == 60.0
    assert check("web", every=30.0).unknown_limit == 150.0


def test_flapping_begins_with_too_many_changes_and_ends_when_it_is_quiet() -> None:
    rules = check("web", confirm=1, flapping={"changes": 4, "within": 10.0, "settle": 5.0})
    assert not told(rules, ".C.C")[0].flapping, "the first good answer is no change"
    assert told(rules, ".C.C.")[0].flapping
    assert told(rules, ".C.C.....")[0].flapping
    assert not told(rules, ".C.C......")[0].flapping
    assert not told(rules, ".C.........C.........C.........C")[0].flapping, "never four within ten seconds"


def test_warning_and_critical_are_one_illness_to_the_count_of_changes() -> None:
    rules = check("web", confirm=1, flapping={"changes": 3, "within": 100.0, "settle": 5.0})
    assert not told(rules, ".CwCwCw")[0].flapping


def test_when_it_last_was_well_is_known_of_what_ever_was() -> None:
    rules = check("web", confirm=Confirm(1, 1))
    assert told(rules, "CC")[0].well_until is None
    assert told(rules, "..C")[0].well_until == 2.0
    assert told(rules, ".Cw.CC")[0].well_until == 4.0


def test_a_change_that_is_not_confirmed_gives_the_same_health_back() -> None:
    health, window = told(check("web"), "..")
    again, _ = observe(health, window, Observation("web", "web1", "web1", Verdict.CRITICAL, 9.0), check("web"))
    assert again is health


def test_counters_afresh_ignore_what_was_asked_before() -> None:
    health, window = told(check("web"), "CC")
    window = afresh(window, 10.0)
    assert (window.recent, window.last_verdict) == ((), None)
    old = Observation("web", "web1", "web1", Verdict.OK, 9.9)
    assert observe(health, window, old, check("web")) == (health, window)
    new = Observation("web", "web1", "web1", Verdict.OK, 10.0)
    assert observe(health, window, new, check("web"))[1].recent == (CLEAR,)


def test_forgetting_takes_everything_back_that_speaks_against_it() -> None:
    health, window = told(check("web", confirm=1, unknown_after=2.0, flapping={"changes": 2}), ".C.C???")
    assert health.flapping
    assert health.blind_since is not None
    health, window = forgotten(health, window, 20.0)
    assert (health.status, health.blind_since, health.flapping, health.changes) == (None, None, False, ())
    assert (window.recent, window.unknown_since, window.fresh_from) == ((), None, 20.0)


# verification


def evidence(answers: str, *, status: Verdict | None = Verdict.CRITICAL) -> recovery.Evidence:
    health, window = told(check("web"), answers, health=Health(KEY, "web1", status, 0.0))
    return recovery.Evidence(KEY, health, window, Confirm(2, 2))


@pytest.mark.parametrize(
    ("answers", "at", "stable_for", "stable_since", "outcome", "since"),
    [
        ((), 10, 0, None, Outcome.RECOVERED, 10),
        (("..",), 10, 0, None, Outcome.RECOVERED, 10),
        (("..",), 10, 5, None, None, 10),
        (("..",), 14, 5, 10, None, 10),
        (("..",), 15, 5, 10, Outcome.RECOVERED, 10),
        (("..",), 200, 5, 198, None, 198),
        (("..", "."), 10, 0, None, None, None),
        (("..", "C"), 15, 5, 10, None, None),
        (("..?",), 10, 0, None, None, None),
        (("..", "C"), 100, 0, None, Outcome.NOT_RECOVERED, None),
        (("oo",), 100, 0, None, Outcome.NOT_RECOVERED, None),
        (("?",), 100, 0, None, Outcome.UNDECIDABLE, None),
        (("",), 100, 0, None, Outcome.UNDECIDABLE, None),
        (("?", "C"), 100, 0, None, Outcome.NOT_RECOVERED, None),
        (("..", "?"), 100, 0, None, Outcome.UNDECIDABLE, None),
    ],
)
def test_verification_is_three_valued(
    answers: tuple[str, ...],
    at: float,
    stable_for: float,
    stable_since: float | None,
    outcome: Outcome | None,
    since: float | None,
) -> None:
    found = recovery.verify(
        [evidence(each) for each in answers], at=at, deadline=100, stable_for=stable_for, stable_since=stable_since
    )
    assert (found.outcome, found.stable_since) == (outcome, since)
    assert found.because


def test_asking_again_is_quick_at_first_and_never_slower_than_the_check_itself() -> None:
    waits = [recovery.ask_again_after(asks, every=3.0) for asks in range(50)]
    assert waits[0] == 0.05
    assert waits == sorted(waits)
    assert waits[-1] == 3.0
    assert recovery.ask_again_after(10**6, every=600.0) == 5.0
