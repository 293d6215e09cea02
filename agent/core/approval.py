"""What a ticket is told of a step that waits for a person's yes: the question, and what came of it."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from agent.core.case import case_of
from agent.core.draft import Draft
from agent.core.templates import rendered
from agent.core.ticketing import as_it_stands, tell
from agent.model.execution import Execution, HostRun, RunPhase
from agent.model.incident import Incident
from agent.model.quantities import say_duration
from agent.model.runbook import AskPerson, Demand
from agent.model.text import one_line, some

_OTHERWISE = {
    "escalate": "a person takes over",
    "abort": "the step counts as failed",
    "continue": "it goes on as if approved",
}
_QUESTION = 1000
"""Characters told of a question: it may hold what a command printed."""


def say_answer(*, yes: bool, actor: str, reason: str) -> str:
    return f"{'approved' if yes else 'refused'} by {actor}" + (f": {reason}" if reason else "")


def tell_questions(draft: Draft, before: Execution | None, execution: Execution) -> None:
    """What is asked since `before`, or asked again: once for all hosts that have come to the same step."""
    incident = _incident(draft, execution)
    if incident is None or not any(_waits(run) for run in execution.runs):
        return
    known = {(run.host, _stands_at(run), run.due) for run in before.runs if _waits(run)} if before else set()
    asking = [run for run in execution.runs if _waits(run) and (run.host, _stands_at(run), run.due) not in known]
    for runs in _alike(asking):
        incident = tell(draft, incident, as_it_stands(incident), _question(draft, execution, incident, runs))


def tell_answer(draft: Draft, execution: Execution, runs: Sequence[HostRun], said: str) -> None:
    """Of these runs, which waited for it."""
    if incident := _incident(draft, execution):
        tell(draft, incident, as_it_stands(incident), f"{_what(execution, runs)}: {said}")


def tell_nobody_came(draft: Draft, execution: Execution, due: Iterable[HostRun]) -> None:
    """Of the runs whose time is up."""
    for runs in _alike(run for run in due if _waits(run)):
        asked = _asked(case_of(draft, execution, runs[0]).step(runs[0]).action.demand())
        said = f"nobody answered within {say_duration(asked.within)}, {_OTHERWISE[asked.otherwise]}"
        tell_answer(draft, execution, runs, said)


def _question(draft: Draft, execution: Execution, incident: Incident, runs: Sequence[HostRun]) -> str:
    cases = [(case_of(draft, execution, run), run) for run in runs]
    demands = [_asked(rendered(case.step(run).action, case.values(run)).demand()) for case, run in cases]
    questions = some(list(dict.fromkeys(one_line(demand.question, _QUESTION) for demand in demands)))
    asked = demands[0]
    until = datetime.fromtimestamp(draft.at + asked.within, UTC)
    about = execution.id if execution.plan else incident.id  # what a plan runs is not its incident's treatment
    return (
        f"{_what(execution, runs)} waits for a yes: {questions}\n"
        f"Asked: {asked.team or incident.assignee or incident.team}, "
        f"until {until:%Y-%m-%d %H:%M:%S} UTC ({say_duration(asked.within)})\n"
        f"To answer: paramedic approve {about}, or paramedic deny {about}\n"
        f"If nobody answers, {_OTHERWISE[asked.otherwise]}."
    )


def _alike(runs: Iterable[HostRun]) -> list[list[HostRun]]:
    """Those at the same step together."""
    at: dict[tuple[str, int], list[HostRun]] = {}
    for run in runs:
        at.setdefault(_stands_at(run), []).append(run)
    return list(at.values())


def _asked(demand: Demand) -> AskPerson:
    assert isinstance(demand, AskPerson), "only such a step waits for a person"
    return demand


def _incident(draft: Draft, execution: Execution) -> Incident | None:
    return draft.incident(execution.incident) if execution.incident else None


def _what(execution: Execution, runs: Sequence[HostRun]) -> str:
    return f"{execution.runbook} on {some([run.host for run in runs])}"


def _waits(run: HostRun) -> bool:
    return run.phase is RunPhase.APPROVAL


def _stands_at(run: HostRun) -> tuple[str, int]:
    return str(run.section), run.step
