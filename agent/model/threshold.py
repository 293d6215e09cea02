"""Thresholds as the author says them: `used > 92%`, `latency > 2s or status != 200`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from agent.model.quantities import parse_duration, parse_size


class Unit(StrEnum):
    """The dimension of a reading; the number is always in the base unit."""

    PERCENT = "%"
    SECONDS = "s"
    BYTES = "B"
    NUMBER = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """A number that a check type reports: its dimension, the bounds it can take and what it means."""

    unit: Unit
    meaning: str
    low: float = 0.0
    high: float = float("inf")


@dataclass(frozen=True, slots=True)
class Comparison:
    """`reading operator bound`, with the bound in the base unit of `unit` (None: none was written)."""

    reading: str
    operator: str
    bound: float
    unit: Unit | None
    text: str

    def holds(self, readings: Mapping[str, float]) -> bool:
        """False when the reading is absent: what was not measured cannot breach."""
        value = readings.get(self.reading)
        if value is None:
            return False
        match self.operator:
            case ">":
                return value > self.bound
            case ">=":
                return value >= self.bound
            case "<":
                return value < self.bound
            case "<=":
                return value <= self.bound
            case "==":
                return value == self.bound
            case _:
                return value != self.bound


@dataclass(frozen=True, slots=True)
class Threshold:
    """Comparisons joined by one word, `and` or `or`."""

    comparisons: tuple[Comparison, ...]
    all_of: bool
    text: str

    def holds(self, readings: Mapping[str, float]) -> bool:
        """Whether the readings meet this threshold."""
        each = (comparison.holds(readings) for comparison in self.comparisons)
        return all(each) if self.all_of else any(each)

    def __str__(self) -> str:
        return self.text


_COMPARISON = re.compile(
    r"\s*([A-Za-z_][\w.:/-]{0,80})\s*(>=|<=|==|!=|>|<)\s*(-?[\w.%]{1,30}(?:\s?[A-Za-z%]{1,3})?)\s*"
)
_HINT = "write one such as: used > 92%, latency > 2s, value > 5, count < 1 or memory > 2GB"


def parse_threshold(text: object) -> Threshold:
    """Raises ValueError with what would be right."""
    if isinstance(text, Threshold):
        return text
    if not isinstance(text, str) or len(text) > 500:
        raise ValueError(f"{text!r} is not a threshold: {_HINT}")
    words = re.split(r"\s+(and|or)\s+", text.strip())
    joiners = set(words[1::2])
    if len(joiners) > 1:
        raise ValueError(f"{text!r} mixes 'and' with 'or': use one of them, or two checks")
    return Threshold(tuple(_comparison(part) for part in words[0::2]), joiners == {"and"}, text.strip())


def _comparison(text: str) -> Comparison:
    match = _COMPARISON.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is not a threshold: {_HINT}")
    bound, unit = _bound(match[3])
    return Comparison(match[1], match[2], bound, unit, text.strip())


def _bound(written: str) -> tuple[float, Unit | None]:
    text = written.replace(" ", "")
    if re.fullmatch(r"-?\d{1,30}(\.\d{1,15})?", text):
        return float(text), None
    if match := re.fullmatch(r"(-?\d{1,15}(?:\.\d{1,9})?)%", text):
        return float(match[1]), Unit.PERCENT
    if re.fullmatch(r"\d[\d.]*[kmgt]?i?b", text, re.IGNORECASE):
        return float(parse_size(text)), Unit.BYTES
    try:
        return parse_duration(text), Unit.SECONDS
    except ValueError:
        raise ValueError(f"{written!r} is not a number with a unit: {_HINT}") from None


Condition = Annotated[
    Threshold,
    BeforeValidator(parse_threshold),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "examples": ["used > 92%", "value > 5"]}),
]
