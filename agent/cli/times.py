"""Times as people read them, in the zone of this machine. All arguments in seconds."""

import re
import time
from typing import Final

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_AGO = re.compile(r"(\d{1,6})([smhdw])")
_DATES = ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S")


def now() -> float:
    """Seconds since the epoch. People compare it with the time on the record: nothing is decided by it."""
    return time.time()  # noqa: TID251


def day(at: float) -> str:
    """`Thu 20 Nov 2025`."""
    return time.strftime("%a %d %b %Y", time.localtime(at))


def clock(at: float) -> str:
    """`17:11:08`."""
    return time.strftime("%H:%M:%S", time.localtime(at))


def zone(at: float) -> str:
    """`CET`: what the clock's times are in."""
    return time.strftime("%Z", time.localtime(at))


def moment(at: float) -> str:
    """`Thu 20 Nov 2025 17:11:08 CET`."""
    return time.strftime("%a %d %b %Y %H:%M:%S %Z", time.localtime(at))


def span(seconds: float) -> str:
    """How long something took or lasts: `40 ms`, `2.5 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`."""
    if seconds < 0:
        return "-" + span(-seconds)
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    whole = round(seconds)
    for unit, size, lesser, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size} {unit}" + (f" {rest} {lesser}" if rest else "")
    raise AssertionError("a minute or more is one of the three")


def offset(seconds: float) -> str:
    """How long after the beginning: `+0.4s`, `+1m02s`, `+2h03m`, `+3d04h`. The clock beside it says the rest."""
    if seconds < 0:
        return f"{seconds:.1f}s"
    if seconds < 59.95:
        return f"+{seconds:.1f}s"
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return f"+{days}d{hour:02}h"
    return f"+{hour}h{minute:02}m" if hour else f"+{minute}m{second:02}s"


def parse_since(text: str, at: float) -> float:
    """Seconds since the epoch of `2h`, `3d` (before `at`) or `2025-11-20`, `2025-11-20 17:00`. Raises ValueError."""
    ago = _AGO.fullmatch(text.strip())
    if ago:
        return at - int(ago[1]) * _UNITS[ago[2]]
    for form in _DATES:
        try:
            return time.mktime(time.strptime(text.strip(), form))
        except (ValueError, OverflowError):
            continue
    raise ValueError(f"{text!r} is no time: write 2h, 3d, 2025-11-20 or '2025-11-20 17:00'")
