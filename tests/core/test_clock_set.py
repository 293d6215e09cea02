"""The wall clock is set while the agent measures: nothing takes more or less time for it."""

import typing
from collections.abc import Iterator
from dataclasses import fields, is_dataclass

import pytest

from agent.core.clock_set import is_a_time, shifted
from agent.model import events
from agent.model.activation import Activation, PlanWatch
from agent.model.decision import GlobalFreeze
from agent.model.execution import Execution, Outcome, Treatment
from agent.model.exercise import Exercise
from agent.model.health import Health, Window
from agent.model.incident import Incident, Phase
from agent.model.runbook import Verify
from tests.core.ward import CRITICAL, OK, UNKNOWN, Ward, check, run, runbook, settings, shop, wait

HOUR, DAY = 3600.0, 86400.0
JUMPS = pytest.mark.parametrize("by", [HOUR, -DAY])
NO_TIMES = {"value", "seconds", "message", "within", "timeout", "report_every"}
"""Numbers of the model that are no times, and stay as they are."""


def set_by(ward: Ward, by: float) -> None:
    ward.at += by
    ward.tell(events.ClockSet(ward.at, by))


def numbers(kind: type) -> Iterator[tuple[str, str]]:
    """Every field of this dataclass and of those it holds that is a float, or holds floats."""
    hints = typing.get_type_hints(kind)
    for field in fields(kind):
        parts = {hints[field.name], *_parts(hints[field.name])}
        if float in parts:
            yield kind.__name__, field.name
        for part in parts:
            if is_dataclass(part):
                yield from numbers(typing.cast(type, part))


def _parts(hint: object) -> set[object]:
    if typing.get_origin(hint) not in (tuple, type(int | None), typing.Union):
        return set()
    return {deeper for part in typing.get_args(hint) for deeper in (part, *_parts(part))}


@pytest.mark.parametrize(
    "kind", [Health, Window, Incident, Execution, Treatment, GlobalFreeze, Activation, Exercise, events.Observed]
)
def test_every_number_of_the_model_is_known_to_be_a_time_or_not(kind: type) -> None:
    found = set(numbers(kind))
    assert found
    assert {field for field in found if not is_a_time(field[1]) and field[1] not in NO_TIMES} == set()


def test_since_when_conditions_hold_is_set_too() -> None:
    assert shifted(PlanWatch("p", {"II.any.1": 5.0}, 9.0), HOUR) == PlanWatch("p", {"II.any.1": 5.0 + HOUR}, 9.0 + HOUR)


def test_what_people_wrote_is_no_time() -> None:
    ward = Ward(shop())
    ward.falls_ill()
    execution = ward.execution()
    assert shifted(execution, HOUR).variables == execution.variables
    assert shifted(execution, HOUR).started_at == execution.started_at + HOUR


@JUMPS
def test_a_verification_takes_as_long_as_without(by: float) -> None:
    ward = Ward(shop(runbook("r", verify=Verify(within=60.0, stable_for=20.0))))
    ward.falls_ill()
    ward.ends()
    ward.gets_well()
    ward.later(10)
    set_by(ward, by)
    assert ward.execution().is_running
    ward.later(9)
    assert ward.execution().is_running
    ward.later(1.5)
    assert ward.execution().outcome is Outcome.RECOVERED
    assert ward.incident().phase is Phase.RESOLVED


@JUMPS
def test_a_pause_and_the_closing_take_as_long_as_without(by: float) -> None:
    ward = Ward(shop(runbook("r", wait("calm down", 30.0), run("restart")), close_after=600.0))
    ward.falls_ill()
    ward.later(20)
    set_by(ward, by)
    ward.later(9)
    assert ward.steps == []
    ward.later(1.5)
    assert ward.under_way() == [("web1", "restart")]
    ward.ends()
    ward.gets_well()
    ward.later(300)
    set_by(ward, by)
    ward.later(290)
    assert ward.incident().phase is Phase.RESOLVED
    ward.later(11)
    assert ward.incident().phase is Phase.CLOSED


@JUMPS
def test_a_fault_half_confirmed_is_confirmed_as_without_and_none_is_made_or_ended(by: float) -> None:
    ward = Ward(settings([check("web")]))
    ward.sees("web", web1=CRITICAL)
    set_by(ward, by)
    assert ward.state.incidents == {}
    ward.sees("web", web1=CRITICAL)
    assert ward.incident().phase is not Phase.RESOLVED
    set_by(ward, by)
    ward.sees("web", web1=OK)
    assert ward.incident().phase is not Phase.RESOLVED


@JUMPS
def test_what_cannot_be_asked_is_blind_no_sooner(by: float) -> None:
    ward = Ward(settings([check("web", unknown_after=120.0)]))
    ward.sees("web", 2, web1=OK)
    ward.sees("web", web1=UNKNOWN)
    ward.later(60)
    set_by(ward, by)
    ward.sees("web", web1=UNKNOWN)
    assert ward.state.incidents == {}
    ward.later(60)
    ward.sees("web", web1=UNKNOWN)
    assert len(ward.state.incidents) == 1


@JUMPS
def test_cooling_down_takes_as_long_as_without(by: float) -> None:
    ward = Ward(shop(runbook("r"), cooldown=600.0))
    ward.falls_ill()
    ward.ends()
    ward.gets_well()
    set_by(ward, by)
    ward.later(100)
    ward.falls_ill()
    assert ward.incident().held_because == "cooling down"
    treated = ward.state.treatments[-1].at
    ward.later(600 - (ward.at - treated) - 1)
    assert len(ward.steps) == 1
    ward.later(3)
    assert len(ward.steps) == 2


def test_it_is_on_record_and_times_told_to_people_are_by_the_new_clock() -> None:
    ward = Ward(shop())
    ward.falls_ill()
    opened = ward.incident().opened_at
    set_by(ward, -DAY)
    said = "the wall clock was set back by 1d: what is measured goes on as it was"
    assert ward.entries[-1].text == said
    assert ward.entries[-1].at == ward.at
    assert ward.incident().opened_at == opened - DAY


def test_after_standing_still_a_verification_has_its_whole_time_again() -> None:
    ward = Ward(shop(runbook("r", verify=Verify(within=60.0))))
    ward.falls_ill()
    ward.ends()
    ward.at += HOUR
    ward.tell(events.StoodStill(ward.at, HOUR))
    assert ward.entries[-1].text == "nothing was decided for 1h: it was suspended, stopped or starved"
    ward.later(59)
    assert ward.execution().is_running
    ward.gets_well()
    assert ward.execution().outcome is Outcome.RECOVERED
