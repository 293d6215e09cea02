"""The confirmed state of (check, subject), and the recent answers it is judged by."""

from dataclasses import dataclass

from agent.model.observation import Verdict


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """What health is about."""

    check: str
    subject: str

    def __str__(self) -> str:
        return f"{self.check} on {self.subject}" if self.subject else self.check


@dataclass(frozen=True, slots=True)
class Health:
    """Durable. `status` None: nothing confirmed yet (first start, or the counters were started afresh by a person).

    `blind_since`: UNKNOWN has lasted too long since then; the status is what was last known.
    `changes`: times of the latest confirmed changes between well and ill, for flap detection.
    `scope`: which asking reports this subject (see `Pass`). `well_until`: when it last fell ill, None if it never was
    well before.
    """

    key: Key
    host: str | None
    status: Verdict | None
    since: float
    message: str = ""
    value: float | None = None
    blind_since: float | None = None
    flapping: bool = False
    changes: tuple[float, ...] = ()
    scope: str = ""
    well_until: float | None = None

    @property
    def is_bad(self) -> bool:
        return self.status is not None and self.status.is_bad


@dataclass(frozen=True, slots=True)
class Window:
    """Volatile: the latest answers, newest last, at most as many as the debounce looks at.

    Each recent entry is 0 (clear), 1 (OK but not below the recover threshold), 2 (warning), 3 (critical).
    `missing_since`: the subject is not reported any more, since then; what `no_data` makes of that is in `recent`.
    `fresh_from`: answers asked before this time are ignored (the counters were started afresh then).
    """

    recent: tuple[int, ...] = ()
    asked_at: float = 0.0
    unknown_since: float | None = None
    fresh_from: float = 0.0
    last_verdict: Verdict | None = None
    message: str = ""
    missing_since: float | None = None
