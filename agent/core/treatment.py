"""One execution of a runbook over its hosts: batches, budgets, when to stop, what it all came to.

Each host has its own course (`agent.core.procedure`); a batch ends when all its hosts have ended.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from agent.core import guard, procedure
from agent.core.case import Case
from agent.core.guard import Circumstances, Refused
from agent.core.state import Draft
from agent.core.variables import variables_for
from agent.model.execution import Execution, HostRun, Outcome, RunPhase, StepOutcome, Treatment
from agent.model.health import Key
from agent.model.incident import Incident
from agent.model.inventory import Host
from agent.model.runbook import Runbook
from agent.model.settings import LOCALHOST
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
_COUNTS_AS_FAILURE = frozenset(_GRAVEST_FIRST) - {Outcome.DONE, Outcome.REFUSED, Outcome.STOPPED}


def circumstances(draft: Draft) -> Circumstances:
    """What the guards look at, now: to be asked for again when an execution has changed."""
    if draft.circumstances is None:
        draft.circumstances = _look_around(draft)
    return draft.circumstances


def _look_around(draft: Draft) -> Circumstances:
    return Circumstances(
        at=draft.at,
        rules=draft.settings.policy.treatment,
        freeze=draft.freeze,
        treatments=tuple(treatment for treatment in draft.treatments() if treatment.counts),
        under_treatment={
            run.host: execution.id
            for execution in draft.executions()
            for run in execution.runs
            if run.phase not in (RunPhase.WAITING, RunPhase.ENDED)
        },
        groups=draft.settings.groups_of_hosts,
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
) -> Execution:
    """Start a runbook on hosts. `verify`: per host, what must be well afterwards. The guards have been asked."""
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
    draft.put_execution(execution)  # the guards must see what has just ended
    while execution.is_running:
        low = execution.batch * execution.serial
        batch = execution.runs[low : low + execution.serial]
        if not batch:
            return _finish(draft, execution)
        if any(run.phase is RunPhase.WAITING for run in batch):
            execution = _start_batch(draft, _stop_if_failing(draft, execution), batch)
            batch = execution.runs[low : low + execution.serial]
        if any(run.phase is not RunPhase.ENDED for run in batch):
            break
        execution = replace(execution, batch=execution.batch + 1)
    execution = _hold(draft, execution)
    dues = [run.due for run in execution.runs if run.due is not None]
    if execution.held_because and execution.is_running:
        dues.append(draft.at + _LOOK_AGAIN)
    return draft.put_execution(replace(execution, due=min(dues, default=None)))


def step_ended(draft: Draft, execution: Execution, run: HostRun, outcome: StepOutcome) -> Execution:
    """A performer reported."""
    return _moved(draft, execution, procedure.step_ended(case_of(draft, execution, run), run, outcome))


def time_passed(draft: Draft, execution: Execution) -> Execution:
    """Look at every host run that is due."""
    for run in execution.runs:
        if run.due is not None and run.due <= draft.at:
            execution = _replaced(
                execution, procedure.time_passed(case_of(draft, execution, run), replace(run, due=None))
            )
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
    return advance(draft, execution) if waiting else None


def stop(draft: Draft, execution: Execution, because: str) -> Execution:
    """A person took over: nothing further starts; a step under way ends by itself."""
    execution = replace(execution, stopped_because=because)
    for run in execution.runs:
        if run.phase is not RunPhase.ENDED and run.pending is None:
            case = case_of(draft, execution, run)
            execution = _replaced(execution, procedure.end(case, run, Outcome.STOPPED, because))
    return advance(draft, execution)


def resumed(draft: Draft, execution: Execution) -> Execution:
    """The agent was away: what was being asked is asked anew, with the whole time for it."""
    if draft.runbook(execution.digest) is None:
        return abandon(draft, execution, f"the text of {execution.runbook} can no longer be read")
    for run in execution.runs:
        if run.phase in (RunPhase.ASKING, RunPhase.VERIFYING):
            execution = _replaced(execution, procedure.ask_anew(case_of(draft, execution, run), run))
    return advance(draft, execution)


def abandon(draft: Draft, execution: Execution, because: str) -> Execution:
    """Nobody knows any more what was done, or what the next step would be: the rest is for a person."""
    runs = tuple(
        run
        if run.phase is RunPhase.ENDED
        else replace(run, phase=RunPhase.ENDED, outcome=Outcome.OUTCOME_UNKNOWN, reason=because, pending=None, due=None)
        for run in execution.runs
    )
    return _finish(draft, replace(execution, runs=runs))


def case_of(draft: Draft, execution: Execution, run: HostRun) -> Case:
    """What a host's steps can see."""
    runbook = draft.runbook(execution.digest)
    assert runbook is not None, f"the text of {execution.runbook} is kept as long as {execution.id} runs"
    incident = draft.incident(execution.incident) if execution.incident else None
    known = draft.settings.hosts.get(run.host)
    local = run.host == LOCALHOST
    host = known or Host(name=run.host, connection="local" if local else "ssh")
    return Case(draft, execution, runbook, incident, host)


def run_of_step(execution: Execution, step_id: str) -> HostRun | None:
    """The host run that waits for this command; None when it no longer does."""
    return next((run for run in execution.runs if run.pending == step_id), None)


def _moved(draft: Draft, execution: Execution, run: HostRun) -> Execution:
    return advance(draft, _replaced(execution, run))


def _replaced(execution: Execution, run: HostRun) -> Execution:
    return replace(execution, runs=tuple(run if other.host == run.host else other for other in execution.runs))


def _start_batch(draft: Draft, execution: Execution, batch: Sequence[HostRun]) -> Execution:
    """Begin on every host of the batch that still waits and that nothing forbids."""
    around, needed, is_budgeted = circumstances(draft), _needed(draft, execution), execution.override is None
    runs = {run.host: run for run in execution.runs}
    for host in [run.host for run in batch]:
        is_needed = needed is None or host in needed
        if runs[host].phase is not RunPhase.WAITING or (is_needed and is_budgeted and around.full_group(host)):
            continue
        case = case_of(draft, execution, runs[host])
        runs[host] = _start_waiting(case, runs[host], around, is_needed=is_needed)
        if runs[host].outcome in _COUNTS_AS_FAILURE:
            execution = _stop_if_failing(draft, replace(execution, runs=tuple(runs.values())))
            runs = {run.host: run for run in execution.runs}
    return draft.put_execution(replace(execution, runs=tuple(runs.values())))


def _start_waiting(case: Case, run: HostRun, around: Circumstances, *, is_needed: bool) -> HostRun:
    host = case.host.name
    if not is_needed:
        case.record(EntryKind.TREATMENT, f"{host}: well again before its turn came, left alone")
        return procedure.end(case, run, Outcome.RECOVERED, "well again before its turn came")
    refused = _refuse_host(case, around)
    if refused and refused.reason.passes:
        return run
    if refused:
        case.record(EntryKind.REFUSED, f"{host}: {refused}", reason=str(refused.reason))
        return procedure.end(case, run, Outcome.REFUSED, str(refused))
    treatment = Treatment(case.execution.id, case.execution.runbook, host, case.draft.at)
    case.draft.put_treatment(treatment)
    begun = procedure.begin(case, run)
    if begun.phase is not RunPhase.ENDED:
        around.begin(treatment)  # the next host's guard must see it
    return begun


def _needed(draft: Draft, execution: Execution) -> frozenset[str] | None:
    """The hosts that the agent may treat: it leaves alone what is well by now. None: every one."""
    incident = draft.incident(execution.incident) if execution.incident else None
    if incident is None or execution.actor != AGENT:
        return None
    runbook = draft.runbook(execution.digest)
    if runbook is not None and runbook.hosts != "affected":
        return None if incident.ill else frozenset()
    return frozenset(symptom.host for symptom in incident.ill if symptom.host)


def _refuse_host(case: Case, around: Circumstances) -> Refused | None:
    if case.execution.override is None:
        return guard.refuse_host(case.host.name, case.runbook, around)
    return guard.refuse_busy(case.host.name, around)  # two treatments of one host at a time: not even by order


def _hold(draft: Draft, execution: Execution) -> Execution:
    """Name what the hosts whose turn has come wait for."""
    low = execution.batch * execution.serial
    waiting = [run for run in execution.runs[low : low + execution.serial] if run.phase is RunPhase.WAITING]
    refused = _refuse_host(case_of(draft, execution, waiting[0]), circumstances(draft)) if waiting else None
    if refused and str(refused.reason) != execution.held_because:
        draft.record(
            execution.incident or execution.id,
            EntryKind.REFUSED,
            f"{waiting[0].host} waits: {refused}",
            reason=str(refused.reason),
            execution=execution.id,
        )
    return replace(execution, held_because=str(refused.reason) if refused else None)


def _stop_if_failing(draft: Draft, execution: Execution) -> Execution:
    """When as many hosts have failed as may, those whose turn has not come are left alone."""
    failures = sum(1 for run in execution.runs if run.outcome in _COUNTS_AS_FAILURE)
    runbook = draft.runbook(execution.digest)
    waiting = [run for run in execution.runs if run.phase is RunPhase.WAITING]
    if not waiting or runbook is None or failures < runbook.limits.stop_after_failures:
        return execution
    because = f"{failures} of {len(execution.runs)} hosts failed, the rest is left alone"
    draft.record(
        execution.incident or execution.id,
        EntryKind.REFUSED,
        f"{execution.runbook} stops: {because}: {some([run.host for run in waiting])}",
        reason="stop after failures",
        execution=execution.id,
    )
    ended = {run.host: procedure.end(case_of(draft, execution, run), run, Outcome.STOPPED, because) for run in waiting}
    return replace(execution, runs=tuple(ended.get(run.host, run) for run in execution.runs))


def _finish(draft: Draft, execution: Execution) -> Execution:
    outcomes = {run.outcome for run in execution.runs}
    outcome = next((found for found in _GRAVEST_FIRST if found in outcomes), Outcome.RECOVERED)
    known = {(treatment.execution, treatment.host): treatment for treatment in draft.treatments()}
    for run in execution.runs:
        treatment = known.get((execution.id, run.host))
        if treatment:
            effective = run.outcome in (Outcome.RECOVERED, Outcome.DONE)
            counts = run.outcome is not Outcome.UNREACHABLE
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
