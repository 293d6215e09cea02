"""Verification: recovered, not recovered, or undecidable. Only the first resolves anything.

What is verified has been asked with fresh counters since the treatment ended, so the usual debounce
and recover threshold apply; there is no second notion of health.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from agent.core.health import confirms_well
from agent.model.check import Confirm
from agent.model.execution import Outcome
from agent.model.health import Health, Key, Window
from agent.model.observation import Verdict
from agent.model.quantities import say_duration

_FIRST_ASK_AFTER = 0.05
_SLOWEST_ASK = 5.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one subject under verification.

    `patience`: seconds that the check may take to answer at all; a host that hangs answers by not doing so.
    """

    key: Key
    health: Health | None
    window: Window
    confirm: Confirm
    patience: float = 0.0

    @property
    def is_well(self) -> bool:
        """Confirmed by answers since the treatment, and not blind."""
        return (
            self.health is not None
            and not self.health.is_bad
            and self.window.unknown_since is None
            and confirms_well(self.window, self.confirm)
        )

    @property
    def is_unanswered(self) -> bool:
        return self.window.last_verdict in (None, Verdict.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Verification:
    """`outcome` None: not decided yet. `stable_since`: since when everything has been well."""

    outcome: Outcome | None
    stable_since: float | None
    because: str


def verify(
    evidence: Iterable[Evidence], *, at: float, deadline: float, stable_for: float, stable_since: float | None
) -> Verification:
    """Judge the evidence at a time. `deadline` is for getting well; `stable_for` is waited out after it if need be."""
    subjects = tuple(evidence)
    unwell = [subject for subject in subjects if not subject.is_well]
    if not unwell:
        since = at if stable_since is None else stable_since
        if at - since >= stable_for:
            names = ", ".join(str(subject.key) for subject in subjects)
            held = f" and stayed so for {say_duration(stable_for)}" if stable_for else ""
            return Verification(Outcome.RECOVERED, since, f"{names} answered well{held}")
        return Verification(None, since, "well, waiting to see whether it stays so")
    if at < deadline:
        return Verification(None, None, "not well yet")
    if any(subject.window.last_verdict is None and at < deadline + subject.patience for subject in unwell):
        return Verification(None, None, "the first question has not been answered yet")
    bad = [subject for subject in unwell if not subject.is_unanswered]
    if bad:
        said = "; ".join(f"{subject.key}: {subject.window.message or 'not well'}" for subject in bad)
        return Verification(Outcome.NOT_RECOVERED, None, said)
    said = "; ".join(f"{subject.key}: {subject.window.message or 'no answer'}" for subject in unwell)
    return Verification(Outcome.UNDECIDABLE, None, f"the check could not be asked: {said}")


def ask_again_after(asks: int, every: float) -> float:
    """Seconds until the next asking: quickly at first, never slower than the check's own interval."""
    return float(min(_FIRST_ASK_AFTER * 1.7 ** min(asks, 20), every, _SLOWEST_ASK))
