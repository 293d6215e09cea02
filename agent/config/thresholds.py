"""Thresholds that cannot mean what their author wanted."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from agent.config.problem import Path, say_known
from agent.config.shape import Finding, Findings
from agent.model.check import CheckRules
from agent.model.quantities import say_duration
from agent.model.threshold import Comparison, Reading, Threshold, Unit

_UNITS = {
    Unit.PERCENT: ("a percentage", "%"),
    Unit.SECONDS: ("a time", "s"),
    Unit.BYTES: ("a size", "GiB"),
    Unit.NUMBER: ("a plain number", ""),
}
_GIB = 1 << 30
_RATHER_MILLISECONDS = 100
"""As a number of seconds it is hardly meant."""


@dataclass(frozen=True, slots=True)
class Span:
    """Numbers between two bounds; `closed`: whether each bound belongs to it."""

    low: float
    high: float
    low_closed: bool = True
    high_closed: bool = True

    @property
    def is_empty(self) -> bool:
        return self.low > self.high or (self.low == self.high and not (self.low_closed and self.high_closed))

    def meet(self, other: "Span") -> "Span":
        """What both hold."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        return Span(
            low,
            high,
            all(span.low_closed for span in (self, other) if span.low == low),
            all(span.high_closed for span in (self, other) if span.high == high),
        )

    def holds(self, other: "Span") -> bool:
        return self.meet(other) == other


def spans(comparison: Comparison) -> tuple[Span, ...]:
    """The numbers for which a comparison is true."""
    bound = comparison.bound
    match comparison.operator:
        case ">":
            return (Span(bound, inf, low_closed=False),)
        case ">=":
            return (Span(bound, inf),)
        case "<":
            return (Span(-inf, bound, high_closed=False),)
        case "<=":
            return (Span(-inf, bound),)
        case "==":
            return (Span(bound, bound),)
        case _:
            return (Span(-inf, bound, high_closed=False), Span(bound, inf, low_closed=False))


def check_thresholds(rules: CheckRules, readings: Mapping[str, Reading] | None, at: Path) -> Findings:
    """`readings` None: the kind's readings are known only at run time, so only the sides are looked at."""
    findings: Findings = []
    for key in ("warning", "critical", "recover"):
        threshold: Threshold | None = getattr(rules, key)
        if threshold is not None:
            findings += [Finding((*at, key), *said) for said in _check(threshold, readings)]
    if findings:
        return findings
    between = _opposed(rules)
    if between is not None and between.is_empty:  # whatever recover says is wrong until this is right
        what = f"warning '{rules.warning}' and critical '{rules.critical}' point in opposite directions"
        what += ", so that every number meets one of them"
        return [Finding((*at, "warning"), what, "write both with > or both with <")]
    if rules.warning and rules.critical and _hides(rules.critical, rules.warning):
        what = f"warning '{rules.warning}' can never be seen: critical '{rules.critical}' is met wherever it is"
        findings.append(Finding((*at, "warning"), what, "let the warning come first, or leave it out"))
    return findings + _check_recover(rules, at)


def _check(threshold: Threshold, readings: Mapping[str, Reading] | None) -> list[tuple[str, str]]:
    if readings is not None:
        wrong = [said for comparison in threshold.comparisons if (said := _check_comparison(comparison, readings))]
        if wrong:
            return wrong
    contradiction = threshold.all_of and any(
        all(one.meet(other).is_empty for one in spans(left) for other in spans(right))
        for left in threshold.comparisons
        for right in threshold.comparisons
        if left.reading == right.reading
    )
    return (
        [(f"'{threshold}' can never be true: its parts exclude each other", "did you mean 'or'?")]
        if contradiction
        else []
    )


def _check_comparison(comparison: Comparison, readings: Mapping[str, Reading]) -> tuple[str, str] | None:
    reading = readings.get(comparison.reading)
    if reading is None:
        return f"there is no reading '{comparison.reading}'", say_known(comparison.reading, readings)
    wanted = _UNITS[reading.unit][0]
    bare_is_fine = reading.unit in (Unit.NUMBER, Unit.PERCENT) or comparison.bound == 0
    if comparison.unit is not reading.unit and not (comparison.unit is None and bare_is_fine):
        given = f"compares with {_UNITS[comparison.unit][0]}" if comparison.unit is not None else "has no unit"
        left = f"{comparison.reading} {comparison.operator}"
        right = " or ".join(f"{left} {example}" for example in _examples(comparison, reading))
        return f"'{comparison.text}' {given}, but {comparison.reading} is {wanted}", f"write one such as {right}"
    bounds = Span(reading.low, reading.high)
    parts = [span.meet(bounds) for span in spans(comparison)]
    if all(part.is_empty for part in parts):
        return f"'{comparison.text}' can never be true", _say_bounds(comparison, reading)
    if bounds in parts:
        return f"'{comparison.text}' is always true", _say_bounds(comparison, reading)
    return None


def _examples(comparison: Comparison, reading: Reading) -> tuple[str, ...]:
    unit = _UNITS[reading.unit][1]
    if comparison.unit is not None:
        return ({"%": "90", "s": "2", "B": "2", "": "5"}[reading.unit] + unit,)
    number = f"{comparison.bound:g}"
    many = reading.unit is Unit.SECONDS and comparison.bound >= _RATHER_MILLISECONDS
    return (f"{number}ms", f"{number}{unit}") if many else (number + unit,)


def _say_bounds(comparison: Comparison, reading: Reading) -> str:
    if reading.high == inf:
        return f"{comparison.reading} is never below {_say(reading.low, reading.unit)}"
    return f"{comparison.reading} lies between {_say(reading.low, reading.unit)} and {_say(reading.high, reading.unit)}"


def _say(number: float, unit: Unit) -> str:
    if unit is Unit.SECONDS:
        return say_duration(number)
    if unit is Unit.BYTES and number >= _GIB:
        return f"{number / _GIB:g}GiB"
    return f"{number:g}{unit.value}"


def _hides(critical: Threshold, warning: Threshold) -> bool:
    """Whether the warning is met only where the critical threshold is, for one comparison each."""
    if len(critical.comparisons) != 1 or len(warning.comparisons) != 1:
        return False
    hiding, hidden = critical.comparisons[0], warning.comparisons[0]
    if hiding.reading != hidden.reading:
        return False
    return all(any(one.holds(other) for one in spans(hiding)) for other in spans(hidden))


def _opposed(rules: CheckRules) -> Span | None:
    """What lies between warning and critical, of one comparison each, where these point in opposite directions."""
    if not rules.warning or not rules.critical:
        return None
    both = (*rules.warning.comparisons, *rules.critical.comparisons)
    towards = {comparison.operator[0]: comparison for comparison in both}
    above, below = towards.get(">"), towards.get("<")
    if len(both) != 2 or above is None or below is None or above.reading != below.reading:
        return None
    return Span(below.bound, above.bound, below.operator == "<", above.operator == ">")


def _check_recover(rules: CheckRules, at: Path) -> Findings:
    """`recover` must lie apart from every breach of the same reading, else it parts nothing."""
    breaches = [(key, threshold) for key in ("warning", "critical") if (threshold := getattr(rules, key))]
    if rules.recover is None or not breaches:
        return []
    path = (*at, "recover")
    compared = {comparison.reading for _, threshold in breaches for comparison in threshold.comparisons}
    for comparison in rules.recover.comparisons:
        if comparison.reading not in compared:
            words = " and ".join(f"'{threshold}'" for _, threshold in breaches)
            what = f"'{comparison.text}' speaks of another reading than {words}"
            return [Finding(path, what, f"compare {' or '.join(sorted(compared))}")]
        for key, threshold in breaches:
            for breach in threshold.comparisons:
                if breach.reading == comparison.reading and _overlap(comparison, breach):
                    what = f"'{comparison.text}' overlaps with {key} '{breach.text}'"
                    turned = "warning and critical point in opposite directions: leave recover out"
                    return [Finding(path, what, turned if _opposed(rules) else _right_side(breach))]
    return []


def _overlap(one: Comparison, other: Comparison) -> bool:
    return any(not left.meet(right).is_empty for left in spans(one) for right in spans(other))


def _right_side(breach: Comparison) -> str:
    bound = breach.text.split(breach.operator, 1)[1].strip()
    match breach.operator:
        case ">" | ">=":
            return f"it must lie below that: write {breach.reading} <= {bound} or lower"
        case "<" | "<=":
            return f"it must lie above that: write {breach.reading} >= {bound} or higher"
        case "==":
            return f"write {breach.reading} != {bound}, or leave recover out"
        case _:
            return f"write {breach.reading} == {bound}, or leave recover out"
