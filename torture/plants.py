"""Defects planted into an agent on purpose: a checker that does not find them proves nothing."""

import threading
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from agent.model.commands import RunStep
from agent.model.decision import Decision
from agent.runtime.performer import Performer
from agent.runtime.store import Store

_LATE = 0.3
"""Seconds."""


def _double() -> None:
    """What was begun before is begun again, whatever its runbook says, and to the host it is another step."""
    number = iter(range(1_000_000))
    perform = Performer.perform

    def again(self: Performer, unfinished: Iterable[tuple[RunStep, bool]], awaited: Collection[str]) -> None:
        for step, begun in unfinished:
            if begun and step.id in awaited:
                fresh = replace(step, id=f"{step.id}-again-{next(number)}", repeatable=True)
                self._outcome(fresh)
            perform(self, step)

    Performer.resume = again  # type: ignore[method-assign]
    Store.start_step = lambda *_: True  # type: ignore[method-assign]


def _loss() -> None:
    """Decisions are said to be committed a moment before they are."""
    commit = Store.commit

    def later(self: Store, decisions: Sequence[Decision], at: float) -> None:
        threading.Timer(_LATE, commit, (self, decisions, at)).start()

    Store.commit = later  # type: ignore[method-assign]


PLANTS = {"double": _double, "loss": _loss}
