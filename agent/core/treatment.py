"""One execution of a runbook over its hosts: batches, budgets, when to stop, what it all came to.

Each host has its own course (`agent.core.procedure`); a batch ends when all its hosts have ended.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from agent.core import approval, procedure, turns
from agent.core.case import case_of, with_runs
from agent.core.draft import Draft
from agent.core.variables import variables_for
from agent.model.execution import Execution, HostRun, Outcome, RunPhase, StepOutcome
from agent.model.health import Key
from agent.model.incident import Incident
from agent.model.quantities import say_duration
from agent.model.runbook import Runbook
from agent.model.text import some
from agent.model.timeline import AGENT, EntryKind

_LOOK_AGAIN = 2.0
"""Seconds until a host held back is considered again if nothing else happens before."""

_GRAVEST_FIRST = (
    Outcome.OUTCOME_UNKNOWN,
    Outcome.DECLINED,
    Outcome.UNDECIDABLE,
    Outcome.FAILED,
    Outcome.UNREACHABLE,
    Outcome.NOT_RECOVERED,
    Outcome.STOPPED,
    Outcome.REFUSED,
    Outcome.DONE,
)


def start(
    draft: Draft,
    runbook: Runbook,
    hosts: Sequence[str],
    verify: Mapping[str, tuple[Key, ...]],
    *,
    incident: Incident | None,
    actor: str = AGENT,
    variables: Mapping[str, object] | None = None,
    override: str | None = None,
    plan: str | None = None,
) -> Execution:
    """Start a runbook on hosts. `verify`: per host, what must be well afterwards. The guards have been asked.

    `plan`: the activation of an emergency plan that orders it.
    """
    values, _ = variables_for(runbook, variables or {})
    execution = Execution(
        id=f"RUN-{draft.count('execution')}",
        runbook=runbook.name,
        digest=runbook.digest,
        incident=incident.id if incident else None,
        started_at=draft.at,
        actor=actor,
        runs=tuple(HostRun(host, verify.get(host, ())) for host in hosts),
        batch=0,
        serial=runbook.batch_size(len(hosts)),
        variables=values,
        override=override,
        signed_by=runbook.signed_by,
        plan=plan,
    )
    signed = {"signed_by": runbook.signed_by} if runbook.signed_by else {}
    despite = f", guards overruled: {override}" if override else ""
    draft.record(
        execution.incident or execution.id,
        EntryKind.TREATMENT,
        f"{runbook.name} starts on {some(hosts)} ({execution.id}){despite}",
        actor=actor,
        execution=execution.id,
        runbook=runbook.name,
        digest=runbook.digest,
        hosts=list(hosts),
        serial=execution.serial,
        **signed,
    )
    return advance(draft, execution)


def advance(draft: Draft, execution: Execution) -> Execution:
    """Start every host whose turn has come, move to the next batch, or end; returns what was put into the draft."""
    before = draft.execution(execution.id)
    draft.put_execution(execution)  # the guards must see what has just ended
    declined = next((run for run in execution.runs if run.outcome is Outcome.DECLINED), None)
    if declined and not execution.stopped_because:
        return stop(draft, execution, declined.reason)  # the no is for the whole treatment
    while execution.is_running:
        low = execution.batch * execution.serial
        batch = execution.runs[low : low + execution.serial]
        if not batch:
            return _finish(draft, execution)
        if any(run.phase is RunPhase.WAITING for run in batch):
            execution = turns.start_batch(draft, turns.stop_if_failing(draft, execution), batch)
            batch = execution.runs[low : low + execution.serial]
        if any(run.phase is not RunPhase.ENDED for run in batch):
            break
        execution = replace(execution, batch=execution.batch + 1)
    approval.tell_questions(draft, before, execution)
    execution = turns.hold(draft, execution)
    dues = [run.due for run in execution.runs if run.due is not None]
    if execution.held_because and execution.is_running:
        dues.append(draft.at + _LOOK_AGAIN)
    return draft.put_execution(replace(execution, due=min(dues, default=None)))


def step_ended(draft: Draft, execution: Execution, run: HostRun, outcome: StepOutcome) -> Execution:
    """A performer reported."""
    return _moved(draft, execution, procedure.step_ended(case_of(draft, execution, run), run, outcome))


def time_passed(draft: Draft, execution: Execution) -> Execution:
    """Look at every host run that is due."""
    due = [run for run in execution.runs if run.due is not None and run.due <= draft.at]
    approval.tell_nobody_came(draft, execution, due)
    for run in due:
        execution = _replaced(execution, procedure.time_passed(case_of(draft, execution, run), replace(run, due=None)))
    return advance(draft, execution)


def observed(draft: Draft, execution: Execution, keys: frozenset[Key]) -> Execution:
    """Answers about these subjects came in; what waits for them may be decided."""
    changed = execution
    for run in execution.runs:
        waits = run.phase is RunPhase.ASKING or (run.phase is RunPhase.VERIFYING and not keys.isdisjoint(run.verify))
        if waits:
            changed = _replaced(changed, procedure.observed(case_of(draft, changed, run), run))
    return changed if changed is execution else advance(draft, changed)


def answered(draft: Draft, execution: Execution, *, yes: bool, actor: str, reason: str) -> Execution | None:
    """A person answered every host that waits for approval; None when none does."""
    waiting = [run for run in execution.runs if run.phase is RunPhase.APPROVAL]
    for run in waiting:
        case = case_of(draft, execution, run)
        execution = _replaced(execution, procedure.answered(case, run, yes=yes, actor=actor, reason=reason))
    if not waiting:
        return None
    approval.tell_answer(draft, execution, waiting, approval.say_answer(yes=yes, actor=actor, reason=reason))
    return advance(draft, execution)


def stop(draft: Draft, execution: Execution, because: str) -> Execution:
    """A person took over, or said no: nothing further starts; a step under way ends by itself."""
    execution = replace(execution, stopped_because=because)
    for run in execution.runs:
        if run.phase is not RunPhase.ENDED and run.pending is None:
            case = case_of(draft, execution, run)
            execution = _replaced(execution, procedure.end(case, run, Outcome.STOPPED, because))
    return advance(draft, execution)


def resumed(draft: Draft, execution: Execution, never_begun: Collection[str] | None) -> Execution:
    """The agent was away: what was being asked is asked anew, with the whole time for it. So is a person whose time
    to answer ran out meanwhile.

    A host that was not touched yet and whose next step comes later than by its `timeout` is left alone, and so are
    those whose turn had not come: nobody knows whether it is still needed. What was begun is finished.

    `never_begun`: see `Started`; None: the agent did not end, and the steps under way went on.
    """
    if draft.runbook(execution.digest) is None:
        return abandon(draft, execution, f"the text of {execution.runbook} can no longer be read")
    if never_begun is not None:
        late = [run for run in execution.runs if _comes_too_late(draft, execution, run, never_begun)]
        if late:
            ago = say_duration(draft.at - min(run.phase_since for run in late))
            because = f"nothing was changed yet when the agent went away, {ago} ago"
            execution = _given_up(draft, execution, late, because)
    for run in execution.runs:
        ran_out = run.phase is RunPhase.APPROVAL and run.due is not None and run.due <= draft.at
        if ran_out or run.phase in (RunPhase.ASKING, RunPhase.VERIFYING):
            execution = _replaced(execution, procedure.ask_anew(case_of(draft, execution, run), run))
    return advance(draft, execution)


def _comes_too_late(draft: Draft, execution: Execution, run: HostRun, never_begun: Collection[str]) -> bool:
    if run.touched or run.phase not in (RunPhase.RUNNING, RunPhase.PAUSED):
        return False
    if run.pending is not None and run.pending not in never_begun:
        return False  # what came of it is asked of the host, and belongs on the record
    return draft.at > (run.due or run.phase_since) + case_of(draft, execution, run).step(run).timeout


def _given_up(draft: Draft, execution: Execution, late: Collection[HostRun], because: str) -> Execution:
    """What was ordered for these hosts is not carried out."""
    for run in late:
        if run.pending is not None:
            draft.end_step(run.pending)
    left = [*late, *(run for run in execution.runs if run.phase is RunPhase.WAITING)]
    ended = [procedure.end(case_of(draft, execution, run), run, Outcome.STOPPED, because) for run in left]
    execution = with_runs(execution, ended)
    goes_on = any(run.phase is not RunPhase.ENDED for run in execution.runs)
    return execution if goes_on else replace(execution, stopped_because=because)


def abandon(draft: Draft, execution: Execution, because: str) -> Execution:
    """Nobody knows any more what was done, or what the next step would be: the rest is for a person."""
    for run in execution.runs:
        if run.pending is not None:
            draft.end_step(run.pending)
    runs = tuple(
        run
        if run.phase is RunPhase.ENDED
        else replace(run, phase=RunPhase.ENDED, outcome=Outcome.OUTCOME_UNKNOWN, reason=because, pending=None, due=None)
        for run in execution.runs
    )
    return _finish(draft, replace(execution, runs=runs))


def run_of_step(execution: Execution, step_id: str) -> HostRun | None:
    """The host run that waits for this command; None when it no longer does."""
    return next((run for run in execution.runs if run.pending == step_id), None)


def _moved(draft: Draft, execution: Execution, run: HostRun) -> Execution:
    return advance(draft, _replaced(execution, run))


def _replaced(execution: Execution, run: HostRun) -> Execution:
    return with_runs(execution, [run])


def _finish(draft: Draft, execution: Execution) -> Execution:
    outcomes = {run.outcome for run in execution.runs}
    outcome = next((found for found in _GRAVEST_FIRST if found in outcomes), Outcome.RECOVERED)
    known = {(treatment.execution, treatment.host): treatment for treatment in draft.treatments()}
    for run in execution.runs:
        treatment = known.get((execution.id, run.host))
        if treatment:
            helped = run.outcome in (Outcome.RECOVERED, Outcome.DONE)
            effective = None if run.outcome is Outcome.UNDECIDABLE else helped
            counts = run.touched or run.outcome not in (Outcome.UNREACHABLE, Outcome.STOPPED, Outcome.DECLINED)
            draft.put_treatment(replace(treatment, effective=effective, counts=counts))
    reasons = "; ".join(dict.fromkeys(run.reason for run in execution.runs if run.outcome is outcome and run.reason))
    draft.record(
        execution.incident or execution.id,
        EntryKind.TREATMENT,
        f"{execution.runbook} ended ({execution.id}): {outcome}" + (f": {reasons}" if reasons else ""),
        execution=execution.id,
        runbook=execution.runbook,
        outcome=str(outcome),
        hosts={run.host: str(run.outcome) for run in execution.runs},
    )
    return draft.put_execution(replace(execution, outcome=outcome, ended_at=draft.at, due=None, held_because=None))
