"""What a check says: one answer about one subject at one time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum


class Verdict(IntEnum):
    """Exit codes of the Monitoring Plugins convention, so that a plugin's status is a verdict.

    UNKNOWN means that the question could not be asked; it is never a failure and never a recovery.
    """

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3

    @property
    def is_bad(self) -> bool:
        return self in (Verdict.WARNING, Verdict.CRITICAL)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a check type found, before the author's thresholds are applied.

    `subject` empty: the runtime names the subject after the target host. `readings` are the numbers
    thresholds speak of, in base units (percent 0..100, seconds, bytes, counts). `verdict` is what the
    check type itself concluded; the thresholds can only make it worse. `host`: the inventory name of
    the host that the answer is about, or an address from which the runtime may find it; None means
    the target that was asked.
    """

    readings: Mapping[str, float] = field(default_factory=dict)
    verdict: Verdict = Verdict.OK
    message: str = ""
    subject: str = ""
    host: str | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """One judged answer. `at` is when the question was asked (seconds since the epoch).

    `cleared`: the verdict is OK and the author's `recover` threshold, if there is one, holds too; only
    such an observation counts toward recovery.
    """

    check: str
    subject: str
    host: str | None
    verdict: Verdict
    at: float
    message: str = ""
    value: float | None = None
    cleared: bool = True


@dataclass(frozen=True, slots=True)
class Pass:
    """All answers of one asking of one check at one target, so that what is missing can be seen.

    `scope` identifies the asking (check and target); `complete` is false when the question could not
    be asked at all and the observations hold only the UNKNOWN that says so.
    """

    check: str
    scope: str
    at: float
    observations: tuple[Observation, ...]
    complete: bool = True
