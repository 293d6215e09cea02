"""Subjects that come and go: nothing is kept of what is gone for good, and nothing is lost that is needed."""

import pytest

from agent.model import events
from agent.model.check import CheckRules
from agent.model.decision import Decision
from agent.model.health import Key
from agent.model.incident import Phase
from tests.core.ward import CRITICAL, OK, Ward, check, settings, shop


def ward_of(**rules: object) -> Ward:
    return Ward(settings([check("pods", **{"no_data": "ok", "forget_after": 100.0, **rules})]))


def whole(ward: Ward, **subjects: object) -> Decision:
    """One pass of all subjects that there are."""
    ward.at += 10
    return ward.tell(ward.answers("pods", subjects, whole=True))  # type: ignore[arg-type]


def nothing_is_left_of(ward: Ward, key: Key) -> bool:
    state = ward.state
    places = [state.health, state.windows, state._homes, *state._subjects.values(), *state._on_host.values()]
    return not any(key in place for place in places)


def test_a_pod_that_is_gone_is_forgotten_after_its_time() -> None:
    ward = ward_of()
    whole(ward, old=OK, new=OK)
    for _ in range(10):
        decision = whole(ward, new=OK)
        assert not decision.forgotten
    decision = whole(ward, new=OK)
    assert decision.forgotten == (Key("pods", "old"),)
    assert decision.is_durable
    assert nothing_is_left_of(ward, Key("pods", "old"))
    assert Key("pods", "new") in ward.state.health


def test_one_that_is_back_in_time_is_not_forgotten() -> None:
    ward = ward_of()
    whole(ward, old=OK, new=OK)
    for _ in range(8):
        whole(ward, new=OK)
    whole(ward, old=OK, new=OK)
    for _ in range(10):
        assert not whole(ward, new=OK).forgotten


def test_ten_thousand_short_lives_leave_nothing_behind() -> None:
    ward = ward_of()
    ward.copied_each = 10_000
    for number in range(1000):
        whole(ward, **{f"pod-{number}-{which}": OK if which else CRITICAL for which in range(10)})
    assert len(ward.state.health) <= 120
    assert len(ward.state.windows) <= 120
    assert len(ward.state._homes) <= 120


@pytest.mark.parametrize("no_data", ["critical", "unknown"])
def test_what_must_be_reported_has_its_incident_first_and_is_forgotten_when_a_person_says_that_it_is_well(
    no_data: str,
) -> None:
    """A machine taken out of service: its series never comes back, and its incident is closed once and for all."""
    ward = ward_of(no_data=no_data, unknown_after=20.0)
    whole(ward, old=OK, new=OK)
    for _ in range(30):
        assert not whole(ward, new=OK).forgotten
    assert ward.incident().phase is Phase.ESCALATED
    assert ward.person(events.Resolve("INC-1", "scrapped"))
    assert Key("pods", "old") not in ward.state.health
    for _ in range(30):
        whole(ward, new=OK)
    assert list(ward.state.incidents) == ["INC-1"]


def test_what_a_treatment_is_verified_by_is_not_forgotten() -> None:
    ward = Ward(shop(web={"no_data": "ok", "forget_after": 10.0}))
    ward.falls_ill("web", "web1")
    ward.tell(ward.answers("web", {"web2": OK}, whole=True))
    for _ in range(4):
        ward.at += 10
        ward.tell(ward.answers("web", {"web2": OK}, whole=True))
    assert ward.execution().is_running
    assert Key("web", "web1") in ward.state.health


def test_the_subjects_of_a_check_that_is_no_longer_configured_go_with_it() -> None:
    ward = ward_of()
    whole(ward, old=OK)
    ward.state.configure(settings([CheckRules(name="other", kind="fake")]))
    decision = ward.tell(events.Reloaded(ward.at, "root", "reloaded"))
    assert decision.forgotten == (Key("pods", "old"),)
    assert nothing_is_left_of(ward, Key("pods", "old"))
