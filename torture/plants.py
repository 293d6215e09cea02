"""Defects planted into an agent on purpose: a checker that does not find them proves nothing."""

import threading
from collections.abc import Sequence
from dataclasses import replace

from agent.model.decision import Decision
from agent.model.execution import StepOutcome
from agent.runtime.performer import Performer
from agent.runtime.store import Store
from agent.runtime.store.steps import UnfinishedStep

_LATE = 0.3
"""Seconds."""


def _double() -> None:
    """What was begun before is begun again, whatever its runbook says, and to the host it is another step."""
    performed, start_step = Performer._performed, Store.start_step

    def again(self: Performer, step: UnfinishedStep) -> StepOutcome | None:
        if step.begun:
            step = UnfinishedStep(replace(step.command, id=f"{step.command.id}.again"))
        return performed(self, step)

    def begin(self: Store, step_id: str, at: float, ledger: str | None = None) -> bool:
        return start_step(self, step_id, at, ledger) or step_id.endswith(".again")

    Performer._performed = again  # type: ignore[method-assign]
    Store.start_step = begin  # type: ignore[method-assign]


def _loss() -> None:
    """Decisions are said to be committed a moment before they are."""
    commit = Store.commit

    def later(self: Store, decisions: Sequence[Decision], at: float) -> None:
        threading.Timer(_LATE, commit, (self, decisions, at)).start()

    Store.commit = later  # type: ignore[method-assign]


PLANTS = {"double": _double, "loss": _loss}
