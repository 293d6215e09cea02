"""Whether what was expected of a drill has happened, by what the drill's own record says. Pure."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from agent.model.activation import Activation, CallRun, CallState, Stage
from agent.model.drill import MARK, Drill, Expectation, Question
from agent.model.drill_result import Evidence, Judged
from agent.model.incident import Incident
from agent.model.quantities import say_duration
from agent.model.text import some
from agent.model.timeline import AGENT, Entry, EntryKind


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the record shows. `at`: when it happened, seconds since the epoch. `lost`: it cannot happen any more."""

    said: str
    at: float | None = None
    lost: bool = False


def judge(drill: Drill, evidence: Evidence) -> tuple[Judged, ...]:
    """Every expectation, or every question of a tabletop, in the order in which they are written.

    An expectation is met when it happened within its time. Until that time is over it is open, unless it cannot be
    met any more.
    """
    if drill.form == "tabletop":
        return tuple(_judge_answer(question, evidence) for question in drill.ask)
    record = _Record(drill, evidence)
    return tuple(_judge(expected, record) for expected in drill.expect)


def _judge_answer(question: Question, evidence: Evidence) -> Judged:
    said, good = evidence.answers.get(question.ask, ("not answered yet", None))
    expected = question.good or "a good answer"
    return Judged(question.ask, question.objective or "", good, expected, said)


def _judge(expected: Expectation, record: "_Record") -> Judged:
    limit = expected.within if expected.within is not None else record.drill.deadline
    seen = _LOOKS[expected.kind](record, expected)
    seconds = seen.at - record.began if seen.at is not None and record.began is not None else None
    met: bool | None = None
    if seconds is not None:
        met = seconds <= limit
    elif seen.lost or (record.began is not None and record.evidence.at >= record.began + limit):
        met = False
    when = f" after {say_duration(seconds)}" if seconds is not None else ""
    late = f", {say_duration(seconds - limit)} too late" if seconds is not None and not met else ""
    return Judged(
        label=label_of(expected),
        objective=expected.objective or "",
        met=met,
        expected=f"{_said_of(expected)} within {say_duration(limit)}",
        actual=f"{seen.said}{when}{late}",
        seconds=seconds,
        limit=limit,
    )


def label_of(expected: Expectation) -> str:
    """`detected web`, `recovered`, `plan shop-down II`: names the expectation."""
    value = getattr(expected, expected.kind)
    words = [expected.kind.replace("_", " "), *([] if value is True else [str(value)])]
    return " ".join([*words, *([str(expected.level)] if expected.level else [])])


def _said_of(expected: Expectation) -> str:
    value = getattr(expected, expected.kind)
    match expected.kind:
        case "detected":
            return f"an incident by check {value}"
        case "classified":
            return f"an incident of priority {value}"
        case "impact" | "urgency" | "category":
            return f"an incident of {expected.kind} {value}"
        case "assigned":
            return f"an incident assigned to {value}"
        case "treated_with":
            return f"treatment with {value}, before any other"
        case "refused":
            return f"treatment refused: {value}"
        case "plan":
            return f"emergency plan {value} starts" + (f" at level {expected.level}" if expected.level else "")
        case "acknowledged":
            return f"the {expected.acknowledged.said if expected.acknowledged else ''} acknowledges"
        case "recovered":
            return "every incident of the drill is resolved, verified"
        case "stood_down":
            return f"emergency plan {value} is over and its review is open"
        case _:
            return "a ticket is filed"


class _Record:
    """The evidence since the first fault; what was before it is not the drill's doing."""

    def __init__(self, drill: Drill, evidence: Evidence) -> None:
        self.drill = drill
        self.evidence = evidence
        self.began = evidence.injected_at
        self.incidents = tuple(each for each in evidence.incidents if self._is_since(each.opened_at))

    def _is_since(self, at: float) -> bool:
        return self.began is not None and at >= self.began

    def entries(self, *kinds: EntryKind) -> Iterator[Entry]:
        return (each for each in self.evidence.entries if each.kind in kinds and self._is_since(each.at))

    def activations(self, plan: str | None = None) -> tuple[Activation, ...]:
        mine = (each for each in self.evidence.activations if self._is_since(each.activated_at))
        return tuple(each for each in mine if plan in (None, each.plan))

    def nothing(self) -> str:
        """Why there is nothing to see yet."""
        if self.began is None:
            return "no fault was injected yet"
        return "no incident was opened" if not self.incidents else f"not seen on {some(_ids(self.incidents))}"


def _ids(incidents: Iterable[Incident]) -> list[str]:
    return [incident.id for incident in incidents]


def _detected(record: _Record, expected: Expectation) -> _Seen:
    wanted = str(expected.detected)
    others: dict[str, None] = {}
    for entry in record.entries(EntryKind.NOTICED, EntryKind.JOINED):
        checks = _checks_of(entry)
        if wanted in checks:
            return _Seen(f"{entry.about} by {wanted}", entry.at)
        others |= dict.fromkeys(checks)
    return _Seen(f"only {some(list(others))} noticed anything" if others else record.nothing())


def _checks_of(entry: Entry) -> list[str]:
    """Names of the checks an entry speaks of; of many subjects at once it lists `CHECK on SUBJECT`."""
    subjects = entry.data.get("subjects")
    listed = [str(each).partition(" on ")[0] for each in subjects] if isinstance(subjects, list) else []
    return list(dict.fromkeys([*([str(entry.data["check"])] if "check" in entry.data else []), *listed]))


def _classified(record: _Record, expected: Expectation) -> _Seen:
    kind = "priority" if expected.kind == "classified" else expected.kind
    wanted = str(getattr(expected, expected.kind))
    values: dict[str, list[str]] = {}
    for entry in record.entries(EntryKind.CLASSIFIED):
        value = str(entry.data.get(kind))
        if value == wanted:
            return _Seen(f"{entry.about} is {kind} {value}", entry.at)
        values.setdefault(entry.about, []).append(value)
    said = [f"{about} was {kind} {', then '.join(found)}" for about, found in values.items()]
    return _Seen(some(said) if said else record.nothing())


def _category(record: _Record, expected: Expectation) -> _Seen:
    for incident in record.incidents:
        if incident.category == expected.category:
            return _Seen(f"{incident.id} is {incident.category}", incident.opened_at)
    said = [f"{incident.id} is {incident.category}" for incident in record.incidents]
    return _Seen(some(said) if said else record.nothing())


def _assigned(record: _Record, expected: Expectation) -> _Seen:
    others: list[str] = []
    for entry in record.entries(EntryKind.ASSIGNED):
        team = str(entry.data.get("team", entry.data.get("to")))
        if team == expected.assigned:
            return _Seen(f"{entry.about} is assigned to {team}", entry.at)
        others.append(f"{entry.about} was assigned to {team}")
    return _Seen(some(others) if others else record.nothing())


def _treated_with(record: _Record, expected: Expectation) -> _Seen:
    """Of several expected runbooks each may come before the next, as on a ladder; any other one is wrong."""
    ladder = [str(each.treated_with) for each in record.drill.expect if each.treated_with is not None]
    before = ladder[: ladder.index(str(expected.treated_with))]
    for entry in record.entries(EntryKind.TREATMENT):
        runbook = entry.data.get("runbook")
        if runbook in before or "outcome" in entry.data or runbook is None:
            continue
        if runbook == expected.treated_with:
            return _Seen(f"{runbook} starts on {entry.about}", entry.at)
        after = f" after {say_duration(entry.at - (record.began or entry.at))}"
        return _Seen(f"{runbook} was chosen first, on {entry.about}{after}", lost=True)
    refusals = [_plain(entry) for entry in record.entries(EntryKind.REFUSED, EntryKind.ESCALATED)]
    return _Seen(f"no treatment started: {some(refusals)}" if refusals else f"no treatment started; {record.nothing()}")


def _plain(entry: Entry) -> str:
    """Its sentence without the mark that every entry of a drill carries."""
    return entry.text.removeprefix(MARK).strip()


def _refused(record: _Record, expected: Expectation) -> _Seen:
    others: dict[str, None] = {}
    for entry in record.entries(EntryKind.REFUSED, EntryKind.ESCALATED):
        reason = entry.data.get("reason")
        if reason == expected.refused:
            return _Seen(f"{entry.about}: {_plain(entry)}", entry.at)
        if reason is not None:
            others[str(reason)] = None
    said = f"nothing was refused for that reason, only: {some(list(others))}" if others else "nothing was refused"
    return _Seen(said)


def _plan(record: _Record, expected: Expectation) -> _Seen:
    mine = record.activations(expected.plan)
    for activation in mine:
        for at, level in _levels(record, activation):
            if expected.level in (None, level):
                return _Seen(f"{activation.id} starts at level {level}", at)
    if mine:
        return _Seen(some([f"{each.id} is at level {each.level}" for each in mine]))
    others = [f"plan {each.plan} started instead" for each in record.activations()]
    return _Seen(some(others) if others else f"plan {expected.plan} did not start")


def _levels(record: _Record, activation: Activation) -> list[tuple[float, str]]:
    """Which level it had from when on, the first first."""
    said = [
        (entry.at, str(entry.data["level"]))
        for entry in record.entries(EntryKind.PLAN)
        if entry.data.get("plan") == activation.id and "level" in entry.data
    ]
    return said or [(activation.activated_at, str(activation.level))]


def _acknowledged(record: _Record, expected: Expectation) -> _Seen:
    role = expected.acknowledged
    calls = [call for each in record.activations() for call in each.calls if role is not None and call.role is role]
    done = [call for call in calls if call.acknowledged_at is not None]
    if done:
        first = min(done, key=lambda call: call.acknowledged_at or 0.0)
        return _Seen(f"{first.acknowledged_by} acknowledged", first.acknowledged_at)
    if calls:
        nobody = all(call.state is CallState.NOBODY for call in calls)
        return _Seen(some([_called(call) for call in calls]), lost=nobody)
    return _Seen("nobody was called" if record.activations() else "no emergency plan started, so nobody was called")


def _called(call: CallRun) -> str:
    """Who was called so far, and that nobody answered."""
    if call.state is CallState.WAITING:
        return "the call has not been made"
    whom = call.whom if call.state is CallState.NOBODY else call.whom[: call.turn + 1]
    return f"{some(list(whom))} called, nobody acknowledged"


def _recovered(record: _Record, expected: Expectation) -> _Seen:
    mine = [incident for incident in record.incidents if incident.plan is None]
    if not mine:
        return _Seen(record.nothing())
    by_hand = {entry.about: entry for entry in record.entries(EntryKind.RESOLVED) if entry.actor != AGENT}
    for incident in mine:
        if incident.id in by_hand:
            return _Seen(f"{incident.id} was resolved by {by_hand[incident.id].actor}, not by verification", lost=True)
    still = [incident for incident in mine if incident.phase.is_open]
    if still:
        return _Seen(some([f"{incident.id} is {incident.phase}{_tried(incident)}" for incident in still]))
    said = f"{some(_ids(mine))} resolved, verified"
    return _Seen(said, max(incident.resolved_at or record.evidence.at for incident in mine))


def _tried(incident: Incident) -> str:
    return "".join(f", {attempt.runbook}: {attempt.outcome}" for attempt in incident.attempts[-1:])


def _stood_down(record: _Record, expected: Expectation) -> _Seen:
    mine = record.activations(expected.stood_down)
    for activation in mine:
        if activation.stage in (Stage.REVIEW, Stage.CLOSED):
            return _Seen(f"{activation.id} is {activation.stage}", activation.marks.stood_down or record.evidence.at)
    said = [f"{each.id} is {each.stage}" for each in mine]
    return _Seen(some(said) if said else f"plan {expected.stood_down} did not start")


def _ticket(record: _Record, expected: Expectation) -> _Seen:
    for entry in record.entries(EntryKind.TICKET):
        if "ticket" in entry.data:
            return _Seen(f"ticket {entry.data['ticket']} for {entry.about}", entry.at)
    if record.incidents:
        return _Seen(f"no ticket was filed for {some(_ids(record.incidents))}")
    return _Seen(f"no ticket was filed; {record.nothing()}")


_LOOKS: dict[str, Callable[[_Record, Expectation], _Seen]] = {
    "detected": _detected,
    "classified": _classified,
    "impact": _classified,
    "urgency": _classified,
    "category": _category,
    "assigned": _assigned,
    "treated_with": _treated_with,
    "refused": _refused,
    "plan": _plan,
    "acknowledged": _acknowledged,
    "recovered": _recovered,
    "stood_down": _stood_down,
    "ticket": _ticket,
}
