"""Getting decisions onto the record, however long it takes: what is not on the record is not done."""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from agent.errors import StoreError, StoreRefused
from agent.model.decision import Decision
from agent.model.quantities import say_duration

log = logging.getLogger("paramedic.loop")

_RETRY = 1.0
_SAID_AGAIN = 300.0
"""Seconds until the journal says once more that nothing can be committed."""


class Record(Protocol):
    """Where decisions are committed, durably and all or nothing."""

    def commit(self, decisions: Sequence[Decision], at: float) -> None: ...


class Committing:
    """`alive` is called at every try, `told` with why nothing can be committed, and with None when it can be again.

    `error`: why nothing can be committed at present. `stalled_by`: what it was that has just been waited out.
    """

    def __init__(
        self,
        store: Record,
        now: Callable[[], float],
        stopping: threading.Event,
        alive: Callable[[], None],
        told: Callable[[str | None], None],
    ) -> None:
        self.error: str | None = None
        self.stalled_by: str = ""
        self._store = store
        self._now = now
        self._stopping = stopping
        self._alive = alive
        self._told = told

    def commit(self, decisions: Sequence[Decision]) -> None:
        """Raises StoreRefused, and StoreError when it still fails at the stop."""
        began = say_again = self._now()
        self.stalled_by = ""
        while True:
            try:
                self._store.commit(decisions, self._now())
            except StoreRefused:
                raise
            except StoreError as error:
                if self._now() >= say_again:
                    log.critical("decisions cannot be committed, nothing is done until they can: %s", error)
                    say_again = self._now() + _SAID_AGAIN
                self._note(str(error))
                if self._stopping.is_set():
                    raise
                self._alive()  # waiting is not hanging: to be started anew would not help
                self._stopping.wait(_RETRY)
            else:
                if self.error is not None:
                    self.stalled_by = f"it could not be committed: {self.error}"
                    log.warning("decisions can be committed again, after %s", say_duration(self._now() - began))
                self._note(None)
                return

    def _note(self, error: str | None) -> None:
        if error != self.error:
            self.error = error
            self._told(error)
