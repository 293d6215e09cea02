"""What a drill showed, as facts; what follows from them is for people to say."""

from dataclasses import dataclass

from agent.model.drill_result import DrillResult, Judged
from agent.model.quantities import say_duration

_CLOSE = 0.8
"""Share of its time that a thing took, from which it is worth a word though it was in time."""


@dataclass(frozen=True, slots=True)
class Objective:
    """How many of the expectations that belong to it were met."""

    name: str
    text: str
    met: int
    of: int

    @property
    def score(self) -> float:
        return self.met / self.of if self.of else 0.0


def objectives(result: DrillResult) -> list[Objective]:
    """Each with its score, in the order in which they are written."""
    found: list[Objective] = []
    for name, text in result.objectives.items():
        mine = [each for each in result.judged if each.objective == name]
        found.append(Objective(name, text, sum(1 for each in mine if each.met), len(mine)))
    return found


def findings(result: DrillResult) -> list[str]:
    """At least one sentence."""
    found: list[str] = []
    if result.stopped_because:
        found.append(f"The drill was stopped before its end: {result.stopped_because}")
    unmet = [each for each in result.judged if not each.met]
    open_ = [each.label for each in unmet if each.met is None]
    if result.stopped_because and len(open_) > 1:  # nobody waited for them
        found.append(f"{len(open_)} expectations were still open when the drill ended: {'; '.join(open_)}")
        unmet = [each for each in unmet if each.met is not None]
    found += [_unmet(each) for each in unmet]
    if len(unmet) > 1:
        found.append(f"The first of these is {unmet[0].label}; what comes after it may only follow from it")
    found += [close for each in result.judged if (close := _close(each))]
    for undone in result.undone:
        if not undone.ok:
            found.append(f"{undone.name} on {undone.host} was not undone: {undone.text}")
        elif undone.by_host:
            found.append(f"{undone.host} itself undid {undone.name}, because the agent did not in time")
    found += [
        f"{each.check} on {each.subject or 'its subject'} is {each.verdict} after the drill: {each.message}"
        for each in result.steady_after
        if each.verdict.upper() != "OK"
    ]
    if not result.rolled_back and not any(not each.ok for each in result.undone):
        found.append("That everything was put back is not proved")
    return found or ["Everything that was expected happened in its time"]


def _unmet(each: Judged) -> str:
    state = "not met" if each.met is False else "still open when the drill ended"
    return f"{each.label} was {state}: expected {each.expected}; actual: {each.actual}"


def _close(each: Judged) -> str:
    if not each.met or each.seconds is None or not each.limit or each.seconds < _CLOSE * each.limit:
        return ""
    took, limit, spare = map(say_duration, (each.seconds, each.limit, each.limit - each.seconds))
    return f"{each.label} was only just in time: {took} of {limit}, {spare} to spare"
