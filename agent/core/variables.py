"""A runbook's variables: given values over defaults, in the type the runbook names."""

import math
from collections.abc import Mapping

from agent.model.pattern import Pattern, PatternTooSlow
from agent.model.runbook import Runbook, Variable

_TRUTH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def variables_for(runbook: Runbook, given: Mapping[str, object]) -> tuple[dict[str, object], list[str]]:
    """Values by name, and the names that have neither a given value nor a default."""
    values = {name: given.get(name, variable.default) for name, variable in runbook.vars.items()}
    return values, [name for name, value in values.items() if value is None]


def given_values(runbook: Runbook, given: Mapping[str, object]) -> dict[str, object]:
    """What a person gave (text from a command line, or values), as the runbook's types.

    Raises ValueError, with a sentence, for a name the runbook does not have and a value it does not take.
    """
    strangers = [name for name in given if name not in runbook.vars]
    if strangers:
        known = ", ".join(runbook.vars) or "none"
        raise ValueError(f"{runbook.name} has no variable {strangers[0]!r}; it has: {known}")
    return {name: _typed(name, runbook.vars[name], value) for name, value in given.items()}


def _typed(name: str, variable: Variable, value: object) -> object:
    try:
        typed = _converted(variable.type, value)
    except (ValueError, OverflowError):
        raise ValueError(f"{name}: {value!r} is not of type {variable.type}") from None
    if variable.pattern is not None and not _fits(variable.pattern, str(typed)):
        raise ValueError(f"{name}: {value!r} does not match the pattern {variable.pattern}")
    return typed


def _fits(pattern: str, text: str) -> bool:
    try:
        return Pattern(pattern).is_all_of(text)
    except PatternTooSlow as error:
        raise ValueError(str(error)) from None


def _converted(type_name: str, value: object) -> object:
    is_truth = isinstance(value, bool)
    match type_name:
        case "integer" if isinstance(value, int | str) and not is_truth:
            return int(value)
        case "number" if isinstance(value, int | float | str) and not is_truth:
            number = float(value) if isinstance(value, str) else value
            if math.isfinite(number):
                return number
        case "boolean" if is_truth or str(value).lower() in _TRUTH:
            return value if is_truth else _TRUTH[str(value).lower()]
        case "string" if isinstance(value, str | int | float):
            return str(value).lower() if is_truth else str(value)
    raise ValueError(value)
