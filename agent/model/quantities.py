"""Durations, sizes and shares as people write them: `30s`, `1h30m`, `64KiB`, `25%`, `3 per hour`."""

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_BYTES = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_BYTES |= {"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}
_PERIODS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0, "week": 604800.0}
LONGEST_PERIOD = _PERIODS["week"]
"""Seconds a rate may look back; what is remembered of treatments (`agent.core.state`) reaches a little further."""
LONGEST = 520 * _SECONDS["w"]
"""Seconds of a duration: ten years. Calendars and sockets end in errors of their own somewhat later."""

_NUMBER = r"\d{1,15}(?:\.\d{1,9})?"


def parse_duration(text: object) -> float:
    """Seconds from `250ms`, `30s`, `5m`, `1h30m`, `2d`; a bare number is refused because its unit is a guess.

    Raises ValueError.
    """
    if isinstance(text, float):  # already parsed: models are also built from their own dump
        return text
    if text == 0 and not isinstance(text, bool):
        return 0.0
    hint = "write a duration such as 30s, 5m or 1h30m"
    if not isinstance(text, str):
        raise ValueError(f"{text!r} has no unit: {hint}")
    parts = re.findall(rf"({_NUMBER})\s*(ms|s|m|h|d|w)", text)
    if not parts or re.sub(rf"({_NUMBER})\s*(ms|s|m|h|d|w)", "", text).strip():
        raise ValueError(f"{text!r} is not a duration: {hint}")
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    if seconds > LONGEST:
        raise ValueError(f"{text!r} is longer than ten years (520w): {hint}")
    return seconds


def say_duration(seconds: float) -> str:
    """The inverse of `parse_duration` for people: two units at most, `1h 30m`, `2.5s`, `40ms`."""
    if seconds < 0:
        return "-" + say_duration(-seconds)
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 60:
        return f"{seconds:.1f}".rstrip("0").rstrip(".") + "s"
    whole = round(seconds)
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, whole = divmod(whole, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2])


def parse_size(text: object) -> int:
    """Bytes from `64KiB`, `10 MB`, `1024`. Raises ValueError."""
    if isinstance(text, int) and not isinstance(text, bool) and text >= 0:
        return text
    match = re.fullmatch(rf"\s*({_NUMBER})\s*([kmgt]?i?b)\s*", str(text), re.IGNORECASE)
    if not match or match[2].lower() not in _BYTES:
        raise ValueError(f"{text!r} is not a size: write one such as 64KiB or 10MB")
    return int(float(match[1]) * _BYTES[match[2].lower()])


def parse_share(text: object) -> float:
    """A fraction 0..1 from `25%`. Raises ValueError."""
    if isinstance(text, float) and 0 <= text <= 1:
        return text
    match = re.fullmatch(rf"\s*({_NUMBER})\s*%\s*", str(text))
    if not match or float(match[1]) > 100:
        raise ValueError(f"{text!r} is not a share: write a percentage such as 25%")
    return float(match[1]) / 100


@dataclass(frozen=True, slots=True)
class CountOrShare:
    """`2` hosts or `25%` of them."""

    count: int | None = None
    share: float | None = None

    def of(self, total: int) -> int:
        """How many of `total` this allows: at least one, so that a small group can be treated at all."""
        if self.count is not None:
            return max(1, self.count)
        return max(1, int(total * (self.share or 0.0)))

    def __str__(self) -> str:
        return str(self.count) if self.count is not None else f"{(self.share or 0) * 100:g}%"


def parse_count_or_share(value: object) -> CountOrShare:
    """Raises ValueError."""
    if isinstance(value, CountOrShare):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return CountOrShare(count=value)
    if isinstance(value, str):
        if re.fullmatch(r"\s*\d{1,9}\s*", value) and int(value) >= 1:
            return CountOrShare(count=int(value))
        share = parse_share(value)
        if share > 0:
            return CountOrShare(share=share)
    raise ValueError(f"{value!r} is neither a number of hosts (2) nor a share of them (25%)")


@dataclass(frozen=True, slots=True)
class Rate:
    """`3 per hour`: at most `count` within any `seconds`."""

    count: int
    seconds: float

    def __str__(self) -> str:
        for name, size in _PERIODS.items():
            if size == self.seconds:
                return f"{self.count} per {name}"
        return f"{self.count} per {say_duration(self.seconds).replace(' ', '')}"


def parse_rate(value: object) -> Rate:
    """`3 per hour`, `10 per 24h`. Raises ValueError."""
    if isinstance(value, Rate):
        return value
    match = re.fullmatch(r"\s*(\d{1,9})\s+(?:per|in|each)\s+(.{1,40}?)\s*", str(value))
    if not match:
        raise ValueError(f"{value!r} is not a rate: write one such as 3 per hour or 10 per 24h")
    period = match[2]
    seconds = _PERIODS.get(period)
    rate = Rate(int(match[1]), seconds if seconds is not None else parse_duration(period))
    if rate.seconds > LONGEST_PERIOD:
        raise ValueError(f"{value!r} looks back further than the agent remembers: write a period of a week at most")
    return rate


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    WithJsonSchema({"type": "string", "examples": ["30s", "5m", "1h30m"]}),
]
Size = Annotated[
    int, BeforeValidator(parse_size), WithJsonSchema({"type": ["string", "integer"], "examples": ["64KiB"]})
]
HostCount = Annotated[
    CountOrShare,
    BeforeValidator(parse_count_or_share),
    PlainSerializer(str),
    WithJsonSchema({"type": ["integer", "string"], "examples": [1, "25%"]}),
]
RateLimit = Annotated[
    Rate,
    BeforeValidator(parse_rate),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "examples": ["3 per hour"]}),
]
