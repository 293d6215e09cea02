"""Asking checks on behalf of a runbook: as a step, and to verify that the treatment worked.

Whatever is asked is asked with fresh counters, again and again until it is decided; nothing here says
what follows from the answer.
"""

from dataclasses import replace

from agent.core import health as counters
from agent.core import recovery
from agent.core.case import Case, subjects
from agent.core.draft import Draft
from agent.core.recovery import Verification
from agent.model.check import CheckRules, Confirm
from agent.model.commands import Ask
from agent.model.execution import HostRun, RunPhase, StepOutcome, StepStatus
from agent.model.health import Key
from agent.model.observation import Verdict
from agent.model.runbook import AskCheck

_PATIENCE = 2.5
"""Time-outs: an asking may wait for the one before it, and one that hangs is given up after two."""


def begin_check(case: Case, run: HostRun, demand: AskCheck) -> HostRun:
    """The step that the run stands at asks a check."""
    at = case.draft.at
    run = replace(run, phase=RunPhase.ASKING, phase_since=at, deadline=at + demand.within, asks=0)
    keys = asked(case, run)
    _start_afresh(case, keys)
    return ask_again(case, run, keys)


def asked(case: Case, run: HostRun) -> tuple[Key, ...]:
    """Subjects of the check that the step asks."""
    demand = case.step(run).action.demand()
    assert isinstance(demand, AskCheck)
    return subjects(case.draft, demand.check, run.host)


def answer(case: Case, run: HostRun) -> StepOutcome | None:
    """What came of the asking; None while that is open."""
    keys, at = asked(case, run), case.draft.at
    windows = [case.draft.window(key) for key in keys]
    if keys and all(window.last_verdict is Verdict.OK for window in windows):
        return StepOutcome(StepStatus.OK, seconds=at - run.phase_since)
    if run.deadline is None or at < run.deadline:
        return None
    unwell = [window for window in windows if window.last_verdict is not Verdict.OK]
    said = "; ".join(dict.fromkeys(window.message or "no answer" for window in unwell))
    return StepOutcome(StepStatus.FAILED, message=said or "the check has never answered", seconds=at - run.phase_since)


def begin_verification(case: Case, run: HostRun) -> HostRun:
    """All steps are done: ask whether it is well."""
    at = case.draft.at
    _start_afresh(case, run.verify)
    deadline = at + case.runbook.verify.within
    run = replace(run, phase=RunPhase.VERIFYING, phase_since=at, deadline=deadline, asks=0, stable_since=None)
    return ask_again(case, run, run.verify)


def verification(case: Case, run: HostRun) -> tuple[HostRun, Verification]:
    """How the verification stands, and the run that remembers since when it has been well."""
    draft, checks = case.draft, case.draft.settings.checks
    evidence = [_evidence(draft, key, checks.get(key.check)) for key in run.verify]
    # another host's verification may have started the counters of a shared subject afresh: it has the time anew
    afresh = max(subject.window.fresh_from for subject in evidence)
    found = recovery.verify(
        evidence,
        at=draft.at,
        deadline=max(run.deadline or draft.at, afresh + case.runbook.verify.within),
        stable_for=case.runbook.verify.stable_for,
        stable_since=run.stable_since,
    )
    if found.stable_since == run.stable_since:
        return run, found
    run = replace(run, stable_since=found.stable_since)
    if found.stable_since is not None and run.due is not None:
        run = replace(run, due=min(run.due, found.stable_since + case.runbook.verify.stable_for))
    return run, found


def _evidence(draft: Draft, key: Key, rules: CheckRules | None) -> recovery.Evidence:
    health, window = draft.health(key), draft.window(key)
    if rules is None:  # the check is gone: any answer would do, and none will come
        return recovery.Evidence(key, health, window, Confirm(1, 1))
    return recovery.Evidence(key, health, window, rules.confirm, _PATIENCE * rules.timeout)


def ask_again(case: Case, run: HostRun, keys: tuple[Key, ...]) -> HostRun:
    """Ask now, and look again in a while."""
    if keys:
        case.draft.order(Ask(keys))
    checks, at = case.draft.settings.checks, case.draft.at
    every = min((checks[key.check].every for key in keys if key.check in checks), default=1.0)
    due = at + recovery.ask_again_after(run.asks, every)
    moments = [run.deadline]
    if run.stable_since is not None:
        moments.append(run.stable_since + case.runbook.verify.stable_for)
    coming = [moment for moment in moments if moment is not None and moment > at]
    return replace(run, asks=run.asks + 1, due=min([due, *coming]))


def _start_afresh(case: Case, keys: tuple[Key, ...]) -> None:
    for key in keys:
        case.draft.put_window(key, counters.afresh(case.draft.window(key), case.draft.at))
