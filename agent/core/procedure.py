"""The runbook on one host: which step is next, and what a step's result leads to.

    waiting ─▶ step ─▶ step ─▶ … ─▶ verifying ─▶ ended
                 │ on_failure            │ not recovered
                 ▼                       ▼
              rollback ─▶ step ─▶ … ─▶ verifying again ─▶ ended

Each function takes the run as it stands and returns it as it will be; what is to be recorded and
ordered goes into the draft.
"""

from dataclasses import dataclass, replace

from agent.core import health as counters
from agent.core import recovery, templates
from agent.core.state import Draft
from agent.errors import ParamedicError
from agent.model.check import Confirm
from agent.model.commands import Ask, RunStep
from agent.model.execution import Execution, HostRun, Outcome, RunPhase, Section, StepOutcome, StepStatus
from agent.model.health import Key
from agent.model.incident import Incident
from agent.model.inventory import Host
from agent.model.observation import Verdict
from agent.model.quantities import say_duration
from agent.model.runbook import AskCheck, AskPerson, Pause, Perform, Runbook, Step
from agent.model.timeline import AGENT, EntryKind

_TEXT_ON_RECORD = 4096
"""Characters of a step's output kept in the timeline; evidence is kept whole (it is bounded when read)."""


@dataclass(frozen=True, slots=True)
class Case:
    """What a step can see beside its own run."""

    draft: Draft
    execution: Execution
    runbook: Runbook
    incident: Incident | None
    host: Host

    @property
    def about(self) -> str:
        return self.execution.incident or self.execution.id

    def steps(self, section: Section) -> tuple[Step, ...]:
        return self.runbook.treatment if section is Section.STEPS else self.runbook.rollback

    def values(self, run: HostRun) -> dict[str, object]:
        return templates.step_values(self.incident, self.host, self.execution.variables, run.registered)

    def record(self, kind: EntryKind, text: str, *, actor: str = AGENT, **data: object) -> None:
        self.draft.record(self.about, kind, text, actor=actor, execution=self.execution.id, host=self.host.name, **data)


def begin(case: Case, run: HostRun) -> HostRun:
    """The host's turn has come."""
    return _issue(case, replace(run, phase=RunPhase.RUNNING, started_at=case.draft.at, step=0, attempt=1))


def step_ended(case: Case, run: HostRun, outcome: StepOutcome) -> HostRun:
    """The result of the step under way; decides whether to go on, try again, roll back or end."""
    step = case.steps(run.section)[run.step]
    run = replace(run, pending=None)
    _record_step(case, run, step, outcome)
    if step.register_as:
        run = replace(run, registered={**run.registered, step.register_as: outcome})
    if outcome.status in (StepStatus.OK, StepStatus.SKIPPED):
        return _next(case, run)
    if _may_try_again(step, run, outcome):
        delay = step.retry.delay * step.retry.backoff ** (run.attempt - 1)
        return replace(
            run, phase=RunPhase.PAUSED, attempt=run.attempt + 1, due=case.draft.at + delay, phase_since=case.draft.at
        )
    if outcome.status is StepStatus.UNKNOWN and not step.repeatable:
        return _end(case, run, Outcome.OUTCOME_UNKNOWN, f"nobody can say what {step.name!r} did: {outcome.message}")
    return _failed(case, run, step, outcome)


def time_passed(case: Case, run: HostRun) -> HostRun:
    """The run is due: a pause is over, or a wait for a check, a person or the verification goes on or ends."""
    match run.phase:
        case RunPhase.PAUSED:
            step = case.steps(run.section)[run.step]
            if isinstance(step.action.demand(), Pause) and run.attempt == 1:
                return step_ended(case, run, StepOutcome(StepStatus.OK, seconds=case.draft.at - run.phase_since))
            return _issue(case, run)
        case RunPhase.ASKING:
            return _look_at_asked(case, run)
        case RunPhase.APPROVAL:
            return _nobody_came(case, run)
        case RunPhase.VERIFYING:
            return look_at_verification(case, run)
        case _:
            return run


def observed(case: Case, run: HostRun) -> HostRun:
    """New answers may decide what the run waits for."""
    if run.phase is RunPhase.VERIFYING:
        return look_at_verification(case, run, ask=False)
    return _look_at_asked(case, run, ask=False) if run.phase is RunPhase.ASKING else run


def answered(case: Case, run: HostRun, *, yes: bool, actor: str, reason: str) -> HostRun:
    """A person answered the step that waits for approval."""
    said = f"{'approved' if yes else 'refused'} by {actor}" + (f": {reason}" if reason else "")
    case.draft.record(case.about, EntryKind.APPROVAL, f"{case.host.name}: {said}", actor=actor, approved=yes)
    if yes:
        return step_ended(case, run, StepOutcome(StepStatus.OK, message=said))
    return _end(case, run, Outcome.DECLINED, said)


def end(case: Case, run: HostRun, outcome: Outcome, because: str) -> HostRun:
    """End the run from outside: refused, or stopped."""
    return _end(case, run, outcome, because)


# steps


def _issue(case: Case, run: HostRun) -> HostRun:
    """Start the step the run stands at, or what follows the last one."""
    steps = case.steps(run.section)
    if run.step >= len(steps):
        return _verify(case, run)
    step, at = steps[run.step], case.draft.at
    try:
        if step.when is not None and not templates.evaluate(step.when, case.values(run)):
            return step_ended(case, run, StepOutcome(StepStatus.SKIPPED, message=f"when: {step.when}"))
        demand = step.action.demand()
        if isinstance(demand, Perform):
            return _order(case, run, step)
    except ParamedicError as error:
        return step_ended(case, run, StepOutcome(StepStatus.FAILED, message=str(error)))
    run = replace(run, phase_since=at)
    match demand:
        case Pause(seconds):
            return replace(run, phase=RunPhase.PAUSED, due=at + seconds)
        case AskCheck(_, within):
            run = replace(run, phase=RunPhase.ASKING, deadline=at + within, asks=0)
            for key in _asked_keys(case, run):
                case.draft.put_window(key, counters.afresh(case.draft.window(key), at))
            return _look_at_asked(case, run)
        case AskPerson(question, team, within, _):
            whom = f" of {team}" if team else ""
            case.record(
                EntryKind.APPROVAL,
                f"{case.host.name}: waiting up to {say_duration(within)} for somebody{whom} to approve: {question}",
            )
            return replace(run, phase=RunPhase.APPROVAL, due=at + within)
    raise AssertionError(demand)


def _order(case: Case, run: HostRun, step: Step) -> HostRun:
    action = templates.rendered(step.action, case.values(run))
    id = f"{case.execution.id}.{run.host}.{run.section}.{run.step + 1}.{run.attempt}"
    case.draft.order(
        RunStep(
            id=id,
            execution=case.execution.id,
            incident=case.execution.incident,
            host=run.host,
            local=step.on == "local",
            name=step.name,
            kind=action.kind,
            params=action.model_dump(mode="json", exclude_unset=True),
            sudo=step.sudo,
            timeout=step.timeout,
            repeatable=step.repeatable,
        )
    )
    return replace(run, phase=RunPhase.RUNNING, pending=id, phase_since=case.draft.at, due=None)


def _next(case: Case, run: HostRun) -> HostRun:
    if case.execution.stopped_because:
        return _end(case, run, Outcome.STOPPED, case.execution.stopped_because)
    return _issue(case, replace(run, step=run.step + 1, attempt=1, due=None))


def _may_try_again(step: Step, run: HostRun, outcome: StepOutcome) -> bool:
    if run.attempt >= step.retry.attempts or outcome.status is StepStatus.REFUSED:
        return False
    certain = outcome.status in (StepStatus.FAILED, StepStatus.UNREACHABLE)
    return certain or step.repeatable


def _failed(case: Case, run: HostRun, step: Step, outcome: StepOutcome) -> HostRun:
    because = f"step {step.name!r} {outcome.status}" + (f": {outcome.message}" if outcome.message else "")
    if case.execution.stopped_because:
        return _end(case, run, Outcome.STOPPED, case.execution.stopped_because)
    if step.on_failure == "continue":
        return _next(case, run)
    if run.section is Section.ROLLBACK:
        return _end(case, run, run.rolling_back_because or Outcome.FAILED, f"the rollback failed too: {because}")
    if step.on_failure == "rollback" and case.runbook.rollback:
        return _roll_back(case, run, Outcome.FAILED, because)
    return _end(case, run, Outcome.FAILED, because)


def _roll_back(case: Case, run: HostRun, outcome: Outcome, because: str) -> HostRun:
    case.record(EntryKind.ROLLBACK, f"{case.host.name}: rolling back, {because}")
    run = replace(
        run,
        section=Section.ROLLBACK,
        step=0,
        attempt=1,
        rolling_back_because=outcome,
        reason=because,
        stable_since=None,
        due=None,
    )
    return _issue(case, run)


def _record_step(case: Case, run: HostRun, step: Step, outcome: StepOutcome) -> None:
    kept = None if step.evidence else _TEXT_ON_RECORD
    again = f" (attempt {run.attempt})" if run.attempt > 1 else ""
    result = {
        StepStatus.OK: "ok" + (f" in {say_duration(outcome.seconds)}" if outcome.seconds else ""),
        StepStatus.FAILED: f"failed (exit {outcome.exit})" if outcome.exit is not None else "failed",
    }.get(outcome.status, str(outcome.status))
    said = outcome.message or ("" if outcome.status is StepStatus.OK else _last_line(outcome.stderr))
    case.record(
        EntryKind.STEP,
        f"{case.host.name}: {step.name}{again}: {result}" + (f": {said}" if said else ""),
        step=step.name,
        section=str(run.section),
        status=str(outcome.status),
        exit=outcome.exit,
        seconds=round(outcome.seconds, 3),
        stdout=outcome.stdout[:kept],
        stderr=outcome.stderr[:kept],
        evidence=step.evidence,
    )


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1][:200] if lines else ""


def _end(case: Case, run: HostRun, outcome: Outcome, because: str) -> HostRun:
    return replace(
        run, phase=RunPhase.ENDED, outcome=outcome, reason=because, pending=None, due=None, phase_since=case.draft.at
    )


# asking a check as a step


def _asked_keys(case: Case, run: HostRun) -> tuple[Key, ...]:
    demand = case.steps(run.section)[run.step].action.demand()
    assert isinstance(demand, AskCheck)
    return subjects(case.draft, demand.check, run.host)


def subjects(draft: Draft, check: str, host: str) -> tuple[Key, ...]:
    """Subjects of a check on a host; all of its subjects when none is on that host."""
    known = [health for health in draft.healths() if health.key.check == check]
    here = tuple(sorted(health.key for health in known if health.host == host))
    return here or tuple(sorted(health.key for health in known))


def _look_at_asked(case: Case, run: HostRun, *, ask: bool = True) -> HostRun:
    keys, at = _asked_keys(case, run), case.draft.at
    verdicts = [case.draft.window(key).last_verdict for key in keys]
    if keys and all(verdict is Verdict.OK for verdict in verdicts):
        return step_ended(case, run, StepOutcome(StepStatus.OK, seconds=at - run.phase_since))
    if run.deadline is not None and at >= run.deadline:
        said = "; ".join(case.draft.window(key).message for key in keys) or "the check has never answered"
        return step_ended(case, run, StepOutcome(StepStatus.FAILED, message=said, seconds=at - run.phase_since))
    return _ask_again(case, run, keys) if ask else run


def _ask_again(case: Case, run: HostRun, keys: tuple[Key, ...]) -> HostRun:
    if keys:
        case.draft.order(Ask(keys))
    checks = case.draft.settings.checks
    every = min((checks[key.check].every for key in keys if key.check in checks), default=1.0)
    due = case.draft.at + recovery.ask_again_after(run.asks, every)
    if run.deadline is not None and case.draft.at < run.deadline:
        due = min(due, run.deadline)
    return replace(run, asks=run.asks + 1, due=due)


def _nobody_came(case: Case, run: HostRun) -> HostRun:
    step = case.steps(run.section)[run.step]
    demand = step.action.demand()
    assert isinstance(demand, AskPerson)
    said = f"nobody answered within {say_duration(demand.within)}"
    case.record(EntryKind.APPROVAL, f"{case.host.name}: {said}: {demand.otherwise}")
    if demand.otherwise == "continue":
        return step_ended(case, run, StepOutcome(StepStatus.OK, message=said))
    if demand.otherwise == "escalate":
        return _end(case, run, Outcome.DECLINED, said)
    return step_ended(case, run, StepOutcome(StepStatus.REFUSED, message=said))


# verification


def _verify(case: Case, run: HostRun) -> HostRun:
    at = case.draft.at
    if not run.verify:
        outcome = run.rolling_back_because or Outcome.DONE
        return _end(case, run, outcome, run.reason or "all steps done; nothing to verify by")
    for key in run.verify:
        case.draft.put_window(key, counters.afresh(case.draft.window(key), at))
    run = replace(
        run,
        phase=RunPhase.VERIFYING,
        phase_since=at,
        deadline=at + case.runbook.verify.within,
        asks=0,
        stable_since=None,
    )
    return _ask_again(case, run, run.verify)


def look_at_verification(case: Case, run: HostRun, *, ask: bool = True) -> HostRun:
    """Decide the verification if it can be decided; otherwise ask again when due."""
    draft, assumed = case.draft, Confirm(1, 1)
    checks = draft.settings.checks
    evidence = [
        recovery.Evidence(
            key, draft.health(key), draft.window(key), checks[key.check].confirm if key.check in checks else assumed
        )
        for key in run.verify
    ]
    found = recovery.verify(
        evidence,
        at=draft.at,
        deadline=run.deadline or draft.at,
        stable_for=case.runbook.verify.stable_for,
        stable_since=run.stable_since,
    )
    if found.stable_since != run.stable_since:
        run = replace(run, stable_since=found.stable_since)
    if found.outcome is None:
        return _ask_again(case, run, run.verify) if ask else run
    after = "after the rollback " if run.section is Section.ROLLBACK else ""
    case.record(
        EntryKind.VERIFICATION,
        f"{case.host.name}: {after}{found.outcome}: {found.because}",
        outcome=str(found.outcome),
        seconds=round(draft.at - run.phase_since, 3),
    )
    if run.section is Section.ROLLBACK:
        return _end(case, run, run.rolling_back_because or found.outcome, run.reason)
    if found.outcome is Outcome.NOT_RECOVERED and case.runbook.rollback:
        return _roll_back(case, run, Outcome.NOT_RECOVERED, f"not recovered: {found.because}")
    return _end(case, run, found.outcome, found.because)
