"""What a step can see beside its own run: the treatment, the runbook, the incident and the host."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from agent.core import templates
from agent.core.draft import Draft
from agent.model.execution import Execution, HostRun, Section, StepOutcome, StepStatus
from agent.model.health import Key
from agent.model.incident import Incident
from agent.model.inventory import Host
from agent.model.quantities import say_duration
from agent.model.runbook import Runbook, Step
from agent.model.settings import LOCALHOST
from agent.model.timeline import AGENT, EntryKind

_TEXT_ON_RECORD = 4096
"""Characters of a step's output kept in the timeline; evidence is kept whole (it is bounded when read)."""


@dataclass(frozen=True, slots=True)
class Case:
    """One host of one execution. `incident` is None when a person ran the runbook by hand."""

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

    def step(self, run: HostRun) -> Step:
        """The step the run stands at."""
        return self.steps(run.section)[run.step]

    def values(self, run: HostRun) -> dict[str, object]:
        return templates.step_values(self.incident, self.host, self.execution.variables, run.registered)

    def record(self, kind: EntryKind, text: str, *, actor: str = AGENT, **data: object) -> None:
        self.draft.record(self.about, kind, text, actor=actor, execution=self.execution.id, host=self.host.name, **data)

    def record_step(self, run: HostRun, step: Step, outcome: StepOutcome) -> None:
        """What came of one attempt of a step."""
        kept = None if step.evidence else _TEXT_ON_RECORD
        again = f" (attempt {run.attempt})" if run.attempt > 1 else ""
        result = {
            StepStatus.OK: "ok" + (f" in {say_duration(outcome.seconds)}" if outcome.seconds else ""),
            StepStatus.FAILED: f"failed (exit {outcome.exit})" if outcome.exit is not None else "failed",
        }.get(outcome.status, str(outcome.status))
        said = outcome.message or ("" if outcome.status is StepStatus.OK else _last_line(outcome.stderr))
        self.record(
            EntryKind.STEP,
            f"{self.host.name}: {step.name}{again}: {result}" + (f": {said}" if said else ""),
            step=step.name,
            section=str(run.section),
            attempt=run.attempt,
            status=str(outcome.status),
            exit=outcome.exit,
            seconds=round(outcome.seconds, 3),
            stdout=outcome.stdout[:kept],
            stderr=outcome.stderr[:kept],
            evidence=step.evidence,
        )


def case_of(draft: Draft, execution: Execution, run: HostRun) -> Case:
    """What a host's steps can see."""
    runbook = draft.runbook(execution.digest)
    assert runbook is not None, f"the text of {execution.runbook} is kept as long as {execution.id} runs"
    incident = draft.incident(execution.incident) if execution.incident else None
    known = draft.settings.hosts.get(run.host)
    local = run.host == LOCALHOST
    host = known or Host(name=run.host, connection="local" if local else "ssh")
    return Case(draft, execution, runbook, incident, host)


def with_runs(execution: Execution, runs: Iterable[HostRun]) -> Execution:
    """With these in the place of what their hosts had."""
    changed = {run.host: run for run in runs}
    return replace(execution, runs=tuple(changed.get(run.host, run) for run in execution.runs))


def subjects(draft: Draft, check: str, host: str) -> tuple[Key, ...]:
    """Subjects of a check on a host; all of its subjects when none is on that host."""
    here = tuple(draft.subjects_on(check, host))
    return here or tuple(sorted(health.key for health in draft.healths() if health.key.check == check))


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1][:200] if lines else ""
