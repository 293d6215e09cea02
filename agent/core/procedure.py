"""The runbook on one host: which step is next, and what a step's result leads to.

    waiting ─▶ step ─▶ step ─▶ … ─▶ verifying ─▶ ended
                 │ on_failure            │ not recovered
                 ▼                       ▼
              rollback ─▶ step ─▶ … ─▶ verifying again ─▶ ended

Each function takes the run as it stands and returns it as it will be; what is to be recorded and
ordered goes into the draft. A run that is RUNNING without a pending command is about to start the step
it stands at; it is never left so.
"""

from dataclasses import replace

from agent.core import asking, templates
from agent.core.approval import say_answer
from agent.core.case import Case
from agent.errors import ParamedicError
from agent.model.commands import RunStep
from agent.model.execution import HostRun, Outcome, RunPhase, Section, StepOutcome, StepStatus
from agent.model.quantities import say_duration
from agent.model.runbook import Action, AskCheck, AskPerson, Pause, Perform, Step
from agent.model.timeline import EntryKind

_NOT_CARRIED_OUT = (StepStatus.UNREACHABLE, StepStatus.SKIPPED, StepStatus.REFUSED)


def begin(case: Case, run: HostRun) -> HostRun:
    """The host's turn has come."""
    return _go_on(case, replace(run, phase=RunPhase.RUNNING, started_at=case.draft.at, step=0, attempt=1))


def step_ended(case: Case, run: HostRun, outcome: StepOutcome) -> HostRun:
    """The result of the step under way; decides whether to go on, try again, roll back or end."""
    return _go_on(case, _after_step(case, run, outcome))


def time_passed(case: Case, run: HostRun) -> HostRun:
    """The run is due: a pause is over, or a wait for a check, a person or the verification goes on or ends."""
    match run.phase:
        case RunPhase.PAUSED:
            if run.attempt == 1 and isinstance(case.step(run).action.demand(), Pause):
                return step_ended(case, run, StepOutcome(StepStatus.OK, seconds=case.draft.at - run.phase_since))
            return _go_on(case, replace(run, phase=RunPhase.RUNNING))
        case RunPhase.ASKING | RunPhase.VERIFYING:
            return _look(case, run, ask=True)
        case RunPhase.APPROVAL:
            return _nobody_came(case, run)
        case _:
            return run


def observed(case: Case, run: HostRun) -> HostRun:
    """New answers may decide what the run waits for."""
    return _look(case, run, ask=False)


def answered(case: Case, run: HostRun, *, yes: bool, actor: str, reason: str) -> HostRun:
    """A person answered the step that waits for approval."""
    said = say_answer(yes=yes, actor=actor, reason=reason)
    case.record(EntryKind.APPROVAL, f"{case.host.name}: {said}", actor=actor, approved=yes)
    if yes:
        return step_ended(case, run, StepOutcome(StepStatus.OK, message=said))
    return end(case, run, Outcome.DECLINED, said)


def ask_anew(case: Case, run: HostRun) -> HostRun:
    """Nobody could answer for a while: begin the asking again."""
    if run.phase is RunPhase.VERIFYING:
        return asking.begin_verification(case, run)
    return _go_on(case, replace(run, phase=RunPhase.RUNNING))


def end(case: Case, run: HostRun, outcome: Outcome, because: str) -> HostRun:
    return replace(
        run, phase=RunPhase.ENDED, outcome=outcome, reason=because, pending=None, due=None, phase_since=case.draft.at
    )


# steps


def _go_on(case: Case, run: HostRun) -> HostRun:
    """Until something must be waited for."""
    while run.phase is RunPhase.RUNNING and run.pending is None:
        if run.step >= len(case.steps(run.section)):
            run = _verify(case, run)
        else:
            run = _start(case, run)
    return run


def _start(case: Case, run: HostRun) -> HostRun:
    """Start the step the run stands at; what is over at once is dealt with at once."""
    step, values = case.step(run), case.values(run)
    try:
        if step.when is not None and not templates.evaluate(step.when, values):
            return _after_step(case, run, StepOutcome(StepStatus.SKIPPED, message=f"when: {step.when}"))
        action = templates.rendered(step.action, values)
    except ParamedicError as error:
        return _after_step(case, run, StepOutcome(StepStatus.FAILED, message=str(error)))
    at = case.draft.at
    run = replace(run, phase_since=at, due=None)
    match action.demand():
        case Perform():
            return _order(case, run, step, action)
        case Pause(seconds):
            return replace(run, phase=RunPhase.PAUSED, due=at + seconds)
        case AskCheck() as demand:
            return asking.begin_check(case, run, demand)
        case AskPerson(question, team, within, _):
            whom = f" of {team}" if team else ""
            case.record(
                EntryKind.APPROVAL,
                f"{case.host.name}: waiting up to {say_duration(within)} for somebody{whom} to approve: {question}",
                step=step.name,
                question=question,
            )
            return replace(run, phase=RunPhase.APPROVAL, due=at + within)


def _order(case: Case, run: HostRun, step: Step, action: Action) -> HostRun:
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
            at=case.draft.at,
        )
    )
    return replace(run, phase=RunPhase.RUNNING, pending=id)


def _after_step(case: Case, run: HostRun, outcome: StepOutcome) -> HostRun:
    """Where a step's result leads: ended, paused, or about to start another step."""
    step = case.step(run)
    touched = run.touched or not (step.evidence or outcome.status in _NOT_CARRIED_OUT)
    run = replace(run, phase=RunPhase.RUNNING, pending=None, due=None, touched=touched)
    case.record_step(run, step, outcome)
    if step.register_as:
        run = replace(run, registered={**run.registered, step.register_as: outcome})
    if outcome.status is StepStatus.UNKNOWN and not step.repeatable:
        because = f"nobody can say what {step.name!r} did" + (f": {outcome.message}" if outcome.message else "")
        return end(case, run, Outcome.OUTCOME_UNKNOWN, because)
    if case.execution.stopped_because:
        return end(case, run, Outcome.STOPPED, case.execution.stopped_because)
    if outcome.status in (StepStatus.OK, StepStatus.SKIPPED):
        return replace(run, step=run.step + 1, attempt=1)
    if _may_try_again(step, run, outcome):
        at, delay = case.draft.at, step.retry.delay * step.retry.backoff ** (run.attempt - 1)
        return replace(run, phase=RunPhase.PAUSED, attempt=run.attempt + 1, due=at + delay, phase_since=at)
    because = f"step {step.name!r} {outcome.status}" + _with(outcome.message)
    if outcome.status is StepStatus.UNREACHABLE and not run.touched and not _goes_on(step):
        return end(case, run, Outcome.UNREACHABLE, because)  # there is nothing to roll back
    return _failed(case, run, step, because)


def _may_try_again(step: Step, run: HostRun, outcome: StepOutcome) -> bool:
    if run.attempt >= step.retry.attempts or outcome.status is StepStatus.REFUSED:
        return False
    if isinstance(step.action.demand(), Pause | AskPerson):
        return False
    certain = outcome.status in (StepStatus.FAILED, StepStatus.UNREACHABLE)
    return certain or step.repeatable


def _goes_on(step: Step) -> bool:
    """Whether the steps after it run although it failed; without a person's yes nothing goes on."""
    return step.on_failure == "continue" and not isinstance(step.action.demand(), AskPerson)


def _failed(case: Case, run: HostRun, step: Step, because: str) -> HostRun:
    if _goes_on(step):
        return replace(run, step=run.step + 1, attempt=1)
    if run.section is Section.ROLLBACK:
        return end(case, run, run.rolling_back_because or Outcome.FAILED, f"the rollback failed too: {because}")
    if step.on_failure == "rollback" and case.runbook.rollback:
        return _roll_back(case, run, Outcome.FAILED, because)
    return end(case, run, Outcome.FAILED, because)


def _roll_back(case: Case, run: HostRun, outcome: Outcome, because: str) -> HostRun:
    case.record(EntryKind.ROLLBACK, f"{case.host.name}: rolling back, {because}")
    return replace(
        run,
        phase=RunPhase.RUNNING,
        section=Section.ROLLBACK,
        step=0,
        attempt=1,
        rolling_back_because=outcome,
        reason=because,
        stable_since=None,
        due=None,
    )


def _nobody_came(case: Case, run: HostRun) -> HostRun:
    demand = case.step(run).action.demand()
    assert isinstance(demand, AskPerson)
    said = f"nobody answered within {say_duration(demand.within)}"
    case.record(EntryKind.APPROVAL, f"{case.host.name}: {said}: {demand.otherwise}")
    match demand.otherwise:
        case "continue":
            return step_ended(case, run, StepOutcome(StepStatus.OK, message=said))
        case "escalate":
            return end(case, run, Outcome.DECLINED, said)
        case "abort":
            return step_ended(case, run, StepOutcome(StepStatus.REFUSED, message=said))


# asking


def _look(case: Case, run: HostRun, *, ask: bool) -> HostRun:
    """Whether what is being asked can be decided; if not and `ask`, ask again."""
    if run.phase is RunPhase.ASKING:
        outcome = asking.answer(case, run)
        if outcome:
            return step_ended(case, run, outcome)
        return asking.ask_again(case, run, asking.asked(case, run)) if ask else run
    return _go_on(case, _look_at_verification(case, run, ask=ask))


def _verify(case: Case, run: HostRun) -> HostRun:
    if run.verify:
        return asking.begin_verification(case, run)
    outcome = run.rolling_back_because or Outcome.DONE
    return end(case, run, outcome, run.reason or "all steps done; nothing to verify by")


def _look_at_verification(case: Case, run: HostRun, *, ask: bool) -> HostRun:
    run, found = asking.verification(case, run)
    if found.outcome is None:
        return asking.ask_again(case, run, run.verify) if ask else run
    after = "after the rollback " if run.section is Section.ROLLBACK else ""
    case.record(
        EntryKind.VERIFICATION,
        f"{case.host.name}: {after}{found.outcome}: {found.because}",
        outcome=str(found.outcome),
        seconds=round(case.draft.at - run.phase_since, 3),
    )
    if run.section is Section.ROLLBACK:
        return end(case, run, run.rolling_back_because or found.outcome, run.reason)
    if found.outcome is Outcome.NOT_RECOVERED and case.runbook.rollback:
        return _roll_back(case, run, Outcome.NOT_RECOVERED, f"not recovered: {found.because}")
    return end(case, run, found.outcome, found.because)


def _with(message: str) -> str:
    return f": {message}" if message else ""
