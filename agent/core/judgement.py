"""From a check type's answer to an observation: the author's thresholds applied, with the reason as a sentence.

The thresholds can only make the check type's own verdict worse. What cannot be decided because a number
is missing is UNKNOWN, unless what is there already tells that something is wrong.
"""

from collections.abc import Mapping

from agent.model.check import CheckRules
from agent.model.observation import Answer, Observation, Verdict
from agent.model.quantities import say_duration
from agent.model.threshold import Comparison, Reading, Threshold, Unit

_SIZES = ("KiB", "MiB", "GiB", "TiB")


def judge(
    rules: CheckRules,
    answer: Answer,
    *,
    default_critical: Threshold | None,
    subject: str,
    host: str | None,
    at: float,
    readings: Mapping[str, Reading] | None = None,
) -> Observation:
    """`default_critical` applies when the author wrote neither threshold; `readings`: what the kind declares.

    `at` in seconds since the epoch: when the question was asked.
    """
    warning, critical = rules.warning, rules.critical
    if warning is None and critical is None:
        critical = default_critical
    verdict, breached = _verdict(answer, warning, critical)
    message, value = answer.message, None
    cleared = False
    if verdict is Verdict.OK:
        thresholds = [threshold for threshold in (critical, warning, rules.recover) if threshold]
        missing = [name for threshold in thresholds for name in _missing(threshold, answer.readings)]
        if missing:
            verdict, message = Verdict.UNKNOWN, _say_missing(missing, answer)
        else:
            cleared = rules.recover is None or rules.recover.holds(answer.readings)
            value = _value(answer, thresholds)
            message = _say_well(answer, thresholds, rules.recover if not cleared else None, readings)
    elif verdict.is_bad:
        value = _value(answer, [threshold for threshold in (breached, critical, warning) if threshold])
        message = _say_bad(answer, breached, readings)
    return Observation(rules.name, subject, host, verdict, at, message, value, cleared)


def say_reading(name: str, value: float, unit: Unit) -> str:
    """`used 95.2 %`, `latency 2.5s`, `memory 1.5 GiB`, `count 3`."""
    match unit:
        case Unit.PERCENT:
            return f"{name} {value:.1f} %"
        case Unit.SECONDS:
            return f"{name} {say_duration(value)}"
        case Unit.BYTES:
            return f"{name} {_say_size(value)}"
        case _:
            return f"{name} {value:.0f}" if value.is_integer() and abs(value) < 1e15 else f"{name} {value:.4g}"


def _verdict(answer: Answer, warning: Threshold | None, critical: Threshold | None) -> tuple[Verdict, Threshold | None]:
    """The worst of what the check type concluded and what the thresholds say, and the threshold that was breached."""
    if answer.verdict is Verdict.UNKNOWN:
        return Verdict.UNKNOWN, None
    if critical is not None and critical.holds(answer.readings):
        return Verdict.CRITICAL, critical
    if warning is not None and warning.holds(answer.readings):
        return max(answer.verdict, Verdict.WARNING), warning
    return answer.verdict, None


def _missing(threshold: Threshold, readings: Mapping[str, float]) -> list[str]:
    """Names without which a threshold that does not hold is undecided.

    `a or b` is decided by what is there: not every file system has inodes. `a and b` is decided when one
    of them is there and false.
    """
    absent = [each.reading for each in threshold.comparisons if each.reading not in readings]
    if not absent:
        return []
    present = [each for each in threshold.comparisons if each.reading in readings]
    if threshold.all_of:
        return [] if any(not each.holds(readings) for each in present) else absent
    return [] if present else absent


def _value(answer: Answer, thresholds: list[Threshold]) -> float | None:
    """The number a person would look at: what the gravest threshold speaks of, else the only one there is."""
    for threshold in thresholds:
        for comparison in threshold.comparisons:
            if comparison.holds(answer.readings):
                return answer.readings[comparison.reading]
        for comparison in threshold.comparisons:
            if comparison.reading in answer.readings:
                return answer.readings[comparison.reading]
    return next(iter(answer.readings.values())) if len(answer.readings) == 1 else None


def _breaches(threshold: Threshold, answer: Answer) -> tuple[Comparison, ...]:
    return tuple(each for each in threshold.comparisons if each.holds(answer.readings))


def _say_missing(missing: list[str], answer: Answer) -> str:
    names = " and ".join(repr(name) for name in dict.fromkeys(missing))
    there = ", ".join(sorted(answer.readings)[:10]) or "no number at all"
    said = f"; it said: {answer.message}" if answer.message else ""
    return f"the answer has no reading {names} to compare: there is {there}{said}"


def _say_bad(answer: Answer, breached: Threshold | None, readings: Mapping[str, Reading] | None) -> str:
    if breached is None:
        return answer.message
    told = dict.fromkeys(_say(each, answer, readings) for each in _breaches(breached, answer))
    because = f"{', '.join(told)} breaches {breached}"
    return f"{answer.message}; {because}" if answer.message else because


def _say_well(
    answer: Answer, thresholds: list[Threshold], not_met: Threshold | None, readings: Mapping[str, Reading] | None
) -> str:
    if answer.message and not_met is None:
        return answer.message
    told = answer.message or ", ".join(
        dict.fromkeys(
            _say(each, answer, readings)
            for threshold in thresholds
            for each in threshold.comparisons
            if each.reading in answer.readings
        )
    )
    if not_met is None:
        return told
    return f"{told}; no breach, but recovery asks for {not_met}"


def _say(comparison: Comparison, answer: Answer, readings: Mapping[str, Reading] | None) -> str:
    declared = readings.get(comparison.reading) if readings else None
    unit = declared.unit if declared else comparison.unit or Unit.NUMBER
    return say_reading(comparison.reading, answer.readings[comparison.reading], unit)


def _say_size(value: float) -> str:
    size, said = value, f"{value:.0f} B"
    for unit in _SIZES:
        if abs(size) < 1024:
            break
        size /= 1024
        said = f"{size:.1f} {unit}"
    return said
