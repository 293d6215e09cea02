"""The queue of messages as its owner sees it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from agent.model.commands import SendMessage


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """`attempts`: failed ones so far; `queued_at`: seconds since the epoch."""

    message: SendMessage
    attempts: int
    queued_at: float
    last_error: str | None = None


@dataclass(frozen=True, slots=True)
class QueueState:
    """`oldest`: since when the longest waiting message waits; `last_error`: of those that wait."""

    waiting: int
    oldest: float | None
    given_up: int
    last_error: str | None


class MessageQueue(Protocol):
    """Messages to deliver, kept in the store. Times in seconds since the epoch. All raise StoreError."""

    def due(self, now: float, besides: Collection[str] = ()) -> Sequence[QueuedMessage]:
        """The first waiting message of each target but these, oldest first, if its `not_before` has come."""

    def delivered(self, id: str, at: float) -> None: ...

    def postponed(self, id: str, not_before: float, error: str) -> None:
        """Counts an attempt."""

    def given_up(self, id: str, error: str) -> None:
        """It never will be delivered; the target's later messages go on without it."""

    def not_later(self, at: float) -> None:
        """What was postponed beyond then (seconds since the epoch) is due then."""

    def state(self) -> QueueState: ...
