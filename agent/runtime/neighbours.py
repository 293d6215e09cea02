"""Who does not answer at present, so that not every question has to find that out by itself.

A circuit breaker for each neighbour that questions go through: a host by its name, a metrics server by its
address. After PATIENCE failures in a row the schedule's questions to it are UNKNOWN at once; one is let through
each few seconds as a probe. A question that was turned away is not lost: it is asked again when the next probe
is due, or as soon as the neighbour answers; so a recovery is seen at most LONGEST_PAUSE and a probe later than
without all this, however long the check's interval is.

Only what the schedule asks is turned away. Who waits for an answer (a person, a treatment, a runbook step) has an
attempt of his own, whose outcome counts like any other.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from agent.errors import NeighbourSilent
from agent.model.quantities import say_duration
from agent.model.views import NeighbourState, NeighbourView
from agent.runtime.circuit import Circuit

log = logging.getLogger("paramedic.neighbours")

LONGEST_PAUSE = 5.0
"""Seconds between two probes, at the most. A probe that takes longer is not waited for: it may hang itself."""


@dataclass(slots=True)
class _Neighbour:
    """`why`: what the latest failure said; `probed_until`: how long at the most the probe under way is waited for;
    `turned_away`: who was not let through, and when. Monotonic seconds.
    """

    circuit: Circuit = field(default_factory=lambda: Circuit(longest=LONGEST_PAUSE))
    why: str = ""
    probed_until: float = 0.0
    turned_away: dict[str, float] = field(default_factory=dict)

    @property
    def next_try(self) -> float:
        """When a probe may begin."""
        return max(self.circuit.not_before, self.probed_until)


class Attempt:
    """To reach a neighbour. Exactly one of the two is called, once it is known."""

    def __init__(self, neighbours: "Neighbours", name: str, began: float) -> None:
        self._neighbours = neighbours
        self._name = name
        self._began = began

    def answered(self) -> None:
        self._neighbours._answered(self._name)

    def failed(self, why: str) -> None:
        self._neighbours._failed(self._name, why, self._began)


class Neighbours:
    """Thread-safe. `clock` gives monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, _Neighbour] = {}

    def attempt(self, name: str) -> Attempt:
        """Somebody tries to reach it now."""
        return Attempt(self, name, self._clock())

    @contextmanager
    def asking(self, name: str) -> Iterator[None]:
        """An attempt around a request: NeighbourSilent is a failure, all else an answer."""
        attempt = self.attempt(name)
        try:
            yield
        except NeighbourSilent as silence:
            attempt.failed(str(silence))
            raise
        except BaseException:
            attempt.answered()
            raise
        attempt.answered()

    def refusal(self, name: str, asker: str) -> str | None:
        """Why the neighbour is not to be asked now, None if it may be. Who is turned away is among `to_ask_again`."""
        now = self._clock()
        with self._lock:
            neighbour = self._known.get(name)
            if neighbour is None or not neighbour.circuit.is_open:
                return None
            if now >= neighbour.next_try:
                neighbour.probed_until = now + LONGEST_PAUSE
                return None
            neighbour.turned_away.setdefault(asker, now)
            silent = say_duration(now - (neighbour.circuit.down_since or now))
            return f"{neighbour.why} (no answer for {silent}; next try in {say_duration(neighbour.next_try - now)})"

    def to_ask_again(self) -> list[str]:
        """Askers that were turned away and whose time has come: all of a neighbour that answers, else one to probe."""
        now = self._clock()
        found: list[str] = []
        with self._lock:
            for neighbour in self._known.values():
                if not neighbour.turned_away:
                    continue
                if not neighbour.circuit.is_open:
                    found += neighbour.turned_away
                    neighbour.turned_away = {}
                elif now >= neighbour.next_try:
                    first = next(iter(neighbour.turned_away))
                    del neighbour.turned_away[first]
                    found.append(first)
        return found

    def forget(self) -> None:
        """A new configuration may have put right what kept us from reaching them, or know some of them no more."""
        with self._lock:
            self._known = {}

    def views(self, at: float) -> tuple[NeighbourView, ...]:
        """All that were tried, by name. `at`: now, in seconds since the epoch."""
        now = self._clock()
        with self._lock:
            return tuple(_view(name, self._known[name], now, at - now) for name in sorted(self._known))

    def _answered(self, name: str) -> None:
        now = self._clock()
        with self._lock:
            neighbour = self._known.setdefault(name, _Neighbour())
            since = neighbour.circuit.down_since
            back = neighbour.circuit.answered()
        if back:
            log.info("%s answers again after %s", name, say_duration(now - (since or now)))

    def _failed(self, name: str, why: str, began: float) -> None:
        with self._lock:
            neighbour = self._known.setdefault(name, _Neighbour())
            neighbour.why, neighbour.probed_until = why, 0.0
            # Who was turned away before this attempt began would have met with the same.
            neighbour.turned_away = {asker: at for asker, at in neighbour.turned_away.items() if at >= began}
            opened = neighbour.circuit.failed(self._clock(), began=began)
        if opened:
            log.warning("%s does not answer; until it does, only one question at a time is put to it: %s", name, why)


def _view(name: str, neighbour: _Neighbour, now: float, since_epoch: float) -> NeighbourView:
    if not neighbour.circuit.is_open:
        return NeighbourView(name, NeighbourState.ANSWERS)
    state = NeighbourState.PROBED if now < neighbour.probed_until else NeighbourState.SILENT
    since = neighbour.circuit.down_since or now
    return NeighbourView(name, state, since_epoch + since, neighbour.why, since_epoch + neighbour.next_try)
