"""What a runbook test expects, and how what happened differs from it, worded for the people who wrote it."""

from collections import Counter
from dataclasses import dataclass
from difflib import SequenceMatcher

from agent.core.rehearsal import Rehearsed

WITH_A_PERSON = "escalated"
"""Expected outcome that is met by every way in which the incident ends with a person."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """`steps` and `commands` None: not looked at."""

    outcome: str | None = None
    steps: tuple[str, ...] | None = None
    commands: tuple[str, ...] | None = None


def differences(expected: Expectation, found: Rehearsed) -> tuple[str, ...]:
    """One text for each difference, of several lines where a list is concerned; none: the test has passed."""
    told = []
    if expected.outcome is not None and not _is_met(expected.outcome, found):
        because = f" ({found.because})" if found.because else ""
        told.append(f"outcome: expected {expected.outcome}, got {found.outcome}{because}")
    if expected.steps is not None and expected.steps != found.steps:
        told.append(_lists("steps", expected.steps, found.steps))
    if expected.commands is not None and expected.commands != found.commands:
        told.append(_lists("commands", expected.commands, found.commands))
    told += [f"answer {name!r}: no step is called so, and no command like it was run" for name in found.unused]
    unasked = "no question to approve is worded so, and no step that asks is called so"
    told += [f"approve {name!r}: {unasked}" for name in found.not_asked]
    return tuple(told)


def _is_met(outcome: str, found: Rehearsed) -> bool:
    return found.with_a_person if outcome == WITH_A_PERSON else outcome == found.outcome


def _lists(what: str, expected: tuple[str, ...], found: tuple[str, ...]) -> str:
    """The sentence that sums it up, then both lists as one: `-` expected and missing, `+` not expected."""
    lines = [f"{what}: {_sum_up(expected, found)}"]
    for change, low, high, other_low, other_high in SequenceMatcher(None, expected, found, False).get_opcodes():
        if change == "equal":
            lines += [f"    {name}" for name in expected[low:high]]
        else:
            lines += [f"  - {name}" for name in expected[low:high]]
            lines += [f"  + {name}" for name in found[other_low:other_high]]
    return "\n".join(lines)


def _sum_up(expected: tuple[str, ...], found: tuple[str, ...]) -> str:
    missing, extra = Counter(expected) - Counter(found), Counter(found) - Counter(expected)
    if not missing and not extra:
        return "the right ones, in another order"
    told = []
    if missing:
        told.append(f"{_names(missing)} did not happen")
    if extra:
        told.append(f"{_names(extra)} was not expected")
    return ", ".join(told)


def _names(counted: Counter[str]) -> str:
    return " and ".join(f"'{name}'" + (f" ({count} times)" if count > 1 else "") for name, count in counted.items())
