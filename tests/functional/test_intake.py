"""What waits to be decided: nothing is lost but answers that a newer one has overtaken."""

import threading

from agent.model.events import Freeze, Observed, PersonActed, TimePassed
from agent.model.observation import Observation, Pass, Verdict
from agent.runtime.intake import Answers, Intake, together


def answer(scope: str, at: float, *subjects: str, complete: bool = True) -> Observed:
    found = tuple(Observation("web", subject, None, Verdict.OK, at) for subject in subjects)
    return Observed(at, (Pass("web", scope, at, found, complete=complete),))


def taken(intake: Intake[str]) -> list[object]:
    return list(intake.take(0.0, 1000).items)


def test_of_the_answers_to_one_question_the_newest_waits_in_the_place_of_the_oldest() -> None:
    intake: Intake[str] = Intake()
    for at in (1.0, 2.0, 3.0):
        intake.put(answer("web@a", at, "a"))
        intake.put(answer("web@b", at, "b"))
    assert taken(intake) == [answer("web@a", 3.0, "a"), answer("web@b", 3.0, "b")]
    assert intake.superseded == 4


def test_what_was_taken_is_not_superseded_any_more() -> None:
    intake: Intake[str] = Intake()
    intake.put(answer("web@a", 1.0, "a"))
    assert taken(intake) == [answer("web@a", 1.0, "a")]
    intake.put(answer("web@a", 2.0, "a"))
    assert taken(intake) == [answer("web@a", 2.0, "a")]
    assert intake.superseded == 0


def test_that_nothing_could_be_asked_does_not_hide_what_was_seen_before() -> None:
    """The newest word on each subject is kept: on those of the first pass that is the first pass."""
    intake: Intake[str] = Intake()
    seen = answer("web", 1.0, "a", "b")
    intake.put(seen)
    for at in (2.0, 3.0):
        intake.put(answer("web", at, "", complete=False))
    assert taken(intake) == [seen, answer("web", 3.0, "", complete=False)]
    assert intake.superseded == 1


def test_a_host_that_could_not_be_asked_overtakes_its_own_older_answer() -> None:
    intake: Intake[str] = Intake()
    intake.put(answer("web@a", 1.0, "a"))
    intake.put(answer("web@a", 2.0, "a", complete=False))
    assert taken(intake) == [answer("web@a", 2.0, "a", complete=False)]


def test_events_of_other_kinds_are_never_dropped_and_stay_in_order() -> None:
    intake: Intake[str] = Intake()
    people = [PersonActed(float(at), "ada", Freeze(f"{at}")) for at in range(1000)]
    for person in people:
        intake.put(person)
        intake.put(answer("web@a", person.at, "a"))
    intake.put("a question")
    assert intake.waiting == 1002
    found = [item for _ in range(5) for item in taken(intake)]
    assert [item for item in found if not isinstance(item, Observed)] == [*people, "a question"]
    assert [item for item in found if isinstance(item, Observed)] == [answer("web@a", 999.0, "a")]


def test_many_threads_lose_nothing() -> None:
    """Each asks for itself, all the while somebody takes: the last word of each is heard in the end."""
    intake: Intake[str] = Intake()
    heard: dict[str, float] = {}
    done = threading.Event()

    def ask(name: str) -> None:
        for at in range(2000):
            intake.put(answer(name, float(at), name))

    def listen() -> None:
        while not (done.is_set() and not intake.waiting):
            for item in intake.take(0.01, 50).items:
                assert isinstance(item, Observed)
                assert heard.get(item.passes[0].scope, -1.0) < item.at
                heard[item.passes[0].scope] = item.at

    threads = [threading.Thread(target=ask, args=(f"web@{number}",)) for number in range(4)]
    listener = threading.Thread(target=listen)
    for thread in (*threads, listener):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    listener.join()
    assert heard == {f"web@{number}": 1999.0 for number in range(4)}


def test_answers_that_follow_each_other_are_decided_together_up_to_a_limit() -> None:
    a, b, c = (answer(f"web@{name}", at, name) for name, at in (("a", 3.0), ("b", 2.0), ("c", 4.0)))
    between = TimePassed(2.0, "INC-1")
    found = together([a, b, between, c], limit=100)
    assert found == [Answers((a, b)), between, Answers((c,))]
    both = found[0]
    assert isinstance(both, Answers)
    assert both.as_one() == Observed(3.0, (*a.passes, *b.passes))
    assert together([a, b, c], limit=2) == [Answers((a, b)), Answers((c,))]
