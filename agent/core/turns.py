"""Whose turn it is: which hosts of an execution may be begun on now, which are left alone, what the others wait for.

In a storm this is asked of a thousand hosts after every step that ends on one of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from agent.core import guard, procedure
from agent.core.area import area_in_charge, ill_hosts
from agent.core.case import Case, case_of, with_runs
from agent.core.draft import Draft
from agent.core.guard import Circumstances, Refused
from agent.model.activation import Activation
from agent.model.execution import Execution, HostRun, Outcome, RunPhase, Treatment
from agent.model.text import some
from agent.model.timeline import AGENT, EntryKind

_SAID_EACH = 10
"""Hosts that get an entry each."""

_COUNTS_AS_FAILURE = frozenset(Outcome) - {Outcome.RECOVERED, Outcome.DONE, Outcome.REFUSED, Outcome.STOPPED}


def circumstances(draft: Draft) -> Circumstances:
    """What the guards look at, now: to be asked for again when an execution has changed."""
    if draft.circumstances is None:
        draft.circumstances = _look_around(draft)
    return draft.circumstances


def _look_around(draft: Draft) -> Circumstances:
    plans = _plans_in_charge(draft)
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
        in_charge={host: plan.id for plan in plans for host in plan.hosts},
        services_in_charge={service: plan.id for plan in plans for service in plan.services},
        exercised={host: exercise.id for exercise in draft.exercises() for host in exercise.hosts},
    )


def _plans_in_charge(draft: Draft) -> list[Activation]:
    """Of two that share something the one that was activated first has it: it comes last."""
    active = [activation for activation in draft.activations() if activation.stage.is_active]
    return sorted(active, key=lambda activation: (activation.activated_at, activation.number), reverse=True)


def start_batch(draft: Draft, execution: Execution, batch: Sequence[HostRun]) -> Execution:
    """Begin on every host of the batch that still waits and that nothing forbids."""
    execution, waiting = _leave_alone(draft, execution, batch)
    around, is_budgeted = circumstances(draft), execution.override is None
    runs = {run.host: run for run in execution.runs}
    refusals: dict[str, Refused] = {}
    for host in waiting:
        if runs[host].phase is not RunPhase.WAITING or (is_budgeted and around.full_group(host)):
            continue
        runs[host] = _start_waiting(case_of(draft, execution, runs[host]), runs[host], around, refusals)
        if runs[host].outcome in _COUNTS_AS_FAILURE:
            execution = stop_if_failing(draft, replace(execution, runs=tuple(runs.values())))
            runs = {run.host: run for run in execution.runs}
    _record_refusals(draft, execution, refusals)
    return draft.put_execution(replace(execution, runs=tuple(runs.values())))


def _leave_alone(draft: Draft, execution: Execution, batch: Sequence[HostRun]) -> tuple[Execution, list[str]]:
    """Hosts that are well by now are not treated; the hosts that still wait."""
    needed = _needed(draft, execution)
    waiting = [run for run in batch if run.phase is RunPhase.WAITING]
    well = [run for run in waiting if needed is not None and run.host not in needed]
    if needed is None or not well:
        return execution, [run.host for run in waiting]
    hosts = [run.host for run in well]
    draft.record(
        execution.incident or execution.id,
        EntryKind.TREATMENT,
        f"{some(hosts)}: well again before {'its' if len(hosts) == 1 else 'their'} turn came, left alone",
        execution=execution.id,
        hosts=hosts,
    )
    because = "well again before its turn came"
    ended = [procedure.end(case_of(draft, execution, run), run, Outcome.RECOVERED, because) for run in well]
    return with_runs(execution, ended), [run.host for run in waiting if run.host in needed]


def _record_refusals(draft: Draft, execution: Execution, refusals: Mapping[str, Refused]) -> None:
    """An entry for each host; of very many at once one for each reason."""
    about = execution.incident or execution.id
    if len(refusals) <= _SAID_EACH:
        for host, refused in refusals.items():
            reason = str(refused.reason)
            text = f"{host}: {refused}"
            draft.record(about, EntryKind.REFUSED, text, reason=reason, execution=execution.id, host=host)
        return
    alike: dict[str, list[str]] = {}
    for host, refused in refusals.items():
        alike.setdefault(str(refused.reason), []).append(host)
    for reason, hosts in alike.items():
        text = f"{some(hosts)}: {reason}, such as: {refusals[hosts[0]].text}"
        draft.record(about, EntryKind.REFUSED, text, reason=reason, execution=execution.id, hosts=hosts)


def _start_waiting(case: Case, run: HostRun, around: Circumstances, refusals: dict[str, Refused]) -> HostRun:
    """Begin, unless something forbids it; what forbids it for good goes into `refusals`."""
    host = case.host.name
    refused = _refuse_host(case, around)
    if refused and refused.reason.passes:
        return run
    if refused:
        refusals[host] = refused
        return procedure.end(case, run, Outcome.REFUSED, str(refused))
    treatment = Treatment(case.execution.id, case.execution.runbook, host, case.draft.at)
    case.draft.put_treatment(treatment)
    begun = procedure.begin(case, run)
    if begun.phase is not RunPhase.ENDED:
        around.begin(treatment)  # the next host's guard must see it
    return begun


def _needed(draft: Draft, execution: Execution) -> frozenset[str] | None:
    """The hosts that the agent may treat: it leaves alone those that the check it treats calls well by now.
    None: every one.
    """
    incident = draft.incident(execution.incident) if execution.incident else None
    if execution.plan is not None:
        return _needed_by_plan(draft, execution, execution.plan)
    if incident is None or execution.actor != AGENT:
        return None
    runbook = draft.runbook(execution.digest)
    ill = [symptom for symptom in incident.ill if symptom.key.check == incident.cause]
    if runbook is not None and runbook.hosts != "affected":
        return None if ill else frozenset()
    return frozenset(symptom.host for symptom in ill if symptom.host)


def _needed_by_plan(draft: Draft, execution: Execution, plan: str) -> frozenset[str] | None:
    """Of an action for whatever is ill, what is still ill in the plan's scope; of another one every host."""
    activation = draft.activation(plan)
    if activation is None or not any(a.execution == execution.id and a.hosts == "affected" for a in activation.actions):
        return None
    return frozenset(ill_hosts(draft, area_in_charge(activation, draft.settings)))


def _refuse_host(case: Case, around: Circumstances) -> Refused | None:
    if case.execution.override is None:
        return (
            guard.refuse_start(case.runbook, around, case.execution.id)
            or guard.refuse_host(case.host.name, case.runbook, around, case.execution.plan)
            or _left_to_a_plan(case, around)
        )
    return guard.refuse_busy(case.host.name, around)  # two treatments of one host at a time: not even by order


def _left_to_a_plan(case: Case, around: Circumstances) -> Refused | None:
    """A plan may have begun since the treatment did, and its hosts be none of the plan's."""
    incident = case.incident
    if incident is None or case.execution.plan is not None:
        return None
    return guard.refuse_fault((s for s in incident.ill if incident.cause in (None, s.key.check)), around)


def hold(draft: Draft, execution: Execution) -> Execution:
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


def stop_if_failing(draft: Draft, execution: Execution) -> Execution:
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
    return with_runs(
        execution,
        [procedure.end(case_of(draft, execution, run), run, Outcome.STOPPED, because) for run in waiting],
    )
