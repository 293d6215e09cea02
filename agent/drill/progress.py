"""What a drill tells whoever watches it, and how it is told to stop."""

import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from agent.model.drill_result import Judged

_SIGNALS = {
    signal.SIGINT: "stopped by Ctrl-C",
    signal.SIGTERM: "stopped by SIGTERM",
    signal.SIGHUP: "its terminal went away",
}


class Stage(StrEnum):
    """In the order in which they come."""

    PREPARING = "preparing"
    STEADY = "steady state"
    ARMING = "arming"
    RUNNING = "running"
    ROLLBACK = "rollback"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Progress:
    """Told about once a second, and whenever there is something to say. `text`: empty when there is not.

    `judged`: the expectations as they stand; `left`: seconds until the deadline, None before the first fault;
    `since`: seconds since the first fault.
    """

    id: str
    stage: Stage
    text: str = ""
    judged: tuple[Judged, ...] = ()
    left: float | None = None
    since: float | None = None


class Stop:
    """Why the drill is to end; empty: it goes on. Its handlers may run between any two steps of the main thread: a
    plain attribute is set, and looked at several times a second.
    """

    def __init__(self) -> None:
        self.because = ""

    def ask(self, because: str) -> None:
        """The first reason counts; nothing takes it back."""
        self.because = self.because or because

    @contextmanager
    def on_signals(self, numbers: Iterable[signal.Signals] = tuple(_SIGNALS)) -> Iterator["Stop"]:
        """Ctrl-C, SIGTERM and a terminal that goes away end the drill by its rollback, and never the rollback itself.

        In the main thread.
        """
        before = {
            number: signal.signal(number, lambda number, frame: self.ask(_SIGNALS[signal.Signals(number)]))
            for number in numbers
        }
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
