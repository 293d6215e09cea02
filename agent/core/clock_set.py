"""The wall clock was set: whatever is measured from a time is set by as much, so that it takes no more and no less.

A time is a field whose name says so; whoever adds one to the model calls it likewise. A test goes through them all.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import TypeVar

from agent.core.draft import Draft
from agent.model.activation import Marks
from agent.model.events import ClockSet
from agent.model.quantities import say_duration
from agent.model.timeline import EntryKind

T = TypeVar("T")

_NAMES = frozenset({"at", "since", "due", "deadline", "changes", "until"})
_MARKS = frozenset(field.name for field in fields(Marks))
_ENDINGS = ("_at", "_since", "_from", "_until", "_before", "_due")


def is_a_time(name: str) -> bool:
    """Whether a field of this name holds seconds since the epoch."""
    return name in _NAMES or name in _MARKS or name.endswith(_ENDINGS)


def shifted(value: T, by: float) -> T:
    """The dataclass with every time in it, and in the dataclasses it holds, `by` seconds later."""
    assert is_dataclass(value)
    changes = {}
    for field in fields(value):
        there = getattr(value, field.name)
        moved = _moved(there, by) if is_a_time(field.name) else _descended(there, by)
        if moved is not there:
            changes[field.name] = moved
    return replace(value, **changes) if changes else value  # type: ignore[type-var]


def _moved(there: object, by: float) -> object:
    if isinstance(there, float | int):
        return there + by
    if isinstance(there, Mapping):
        return {name: each + by for name, each in there.items()}
    return tuple(each + by for each in there) if isinstance(there, tuple) and there else there


def _descended(there: object, by: float) -> object:
    """Into what it consists of; not into mappings, which hold what people wrote."""
    if is_dataclass(there) and not isinstance(there, type):
        return shifted(there, by)
    if isinstance(there, tuple) and any(is_dataclass(each) for each in there):
        return tuple(_descended(each, by) for each in there)
    return there


def clock_set(draft: Draft, event: ClockSet) -> None:
    """`event.at` is by the clock as it is now."""
    by, state = event.by, draft.state
    direction = "forward" if by > 0 else "back"
    draft.record(
        "agent",
        EntryKind.AGENT,
        f"the wall clock was set {direction} by {say_duration(abs(by))}: what is measured goes on as it was",
        by=round(by, 3),
    )
    for health in state.health.values():
        draft.put_health(shifted(health, by))
    for key, window in state.windows.items():
        draft.put_window(key, shifted(window, by))
    for incident in state.incidents.values():
        draft.put_incident(shifted(incident, by))
    for execution in state.executions.values():
        draft.put_execution(shifted(execution, by))
    for treatment in state.treatments:
        draft.put_treatment(shifted(treatment, by))
    for activation in state.activations.values():
        draft.put_activation(shifted(activation, by))
    for watch in state.watches.values():
        draft.put_watch(shifted(watch, by))
    for exercise in state.exercises.values():
        draft.put_exercise(exercise.id, shifted(exercise, by))
    if state.freeze:
        draft.put_freeze(shifted(state.freeze, by))
