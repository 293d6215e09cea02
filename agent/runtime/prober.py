"""Asks the checks: in worker threads, none overlapping itself, none holding up another."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import partial

from agent.core.clock_set import shifted
from agent.model.check import CheckRules
from agent.model.events import Observed
from agent.model.health import Key
from agent.model.observation import Pass
from agent.model.quantities import say_duration
from agent.model.settings import Settings
from agent.plugin.probe import Probe
from agent.runtime.clock import SET, elapsed
from agent.runtime.interview import Interviewer, Put
from agent.runtime.lag import Lag
from agent.runtime.placing import HostNames, speaks_of
from agent.runtime.workers import Workers

log = logging.getLogger("paramedic.prober")

_PATIENCE = 2
"""So many time-outs long may a check take to return before it counts as hanging."""

_SLOW = 0.5
"""Seconds under way after which a check no longer keeps another from its worker."""

_REPLACED_LIMIT = 256
"""Threads of slow and hanging checks that are replaced; beyond that each costs a worker: threads are not free."""

_LOOK = 0.5
"""Seconds between two looks for slow checks, at the most."""

_STOPPED = 2.0
"""Seconds by which a look is late when the process did not run."""

_NEVER = Put(0.0, 0.0)


class _State(Enum):
    RESTING = auto()
    WAITING = auto()
    UNDER_WAY = auto()
    HANGING = auto()
    ANSWERED = auto()


@dataclass(slots=True, eq=False)
class _Asking:
    """One probe and where its asking is. `due`: when it should have begun (monotonic seconds); `again`: when the
    next one was put and due.
    """

    probe: Probe
    rules: CheckRules
    state: _State = _State.RESTING
    put: Put = _NEVER
    due: float = 0.0
    again: tuple[Put, float] | None = None
    began: float = 0.0
    thread: threading.Thread | None = None
    replaced: bool = False
    dropped: bool = False


class Prober:
    """`now` gives seconds since the epoch; `post` hands answers to the deciding loop, from any thread.

    `workers` ask at the same time; one whose check takes long is replaced while others wait, so that a
    whole rack that is cut off and runs into its time-outs holds up nobody. A check that does not return
    within twice its time-out is UNKNOWN, at once and at every interval, until it returns. `turned_away` gives the
    scopes that are to be asked again now, because their neighbour did not answer when they were due.
    """

    def __init__(
        self,
        interviewer: Interviewer,
        post: Callable[[Observed], None],
        now: Callable[[], float],
        *,
        workers: int = 32,
        turned_away: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self._interviewer = interviewer
        self._post = post
        self._now = now
        self._workers = Workers("check", workers)
        self._turned_away = turned_away
        self._lock = threading.Lock()
        self._askings: dict[str, _Asking] = {}
        self._of_check: dict[str, list[_Asking]] = {}
        self._names = HostNames(())
        self._lags: dict[str, Lag] = {}
        self._running: set[_Asking] = set()
        self._closing = threading.Event()
        self._watch = threading.Thread(target=self._watch_out, name="slow checks", daemon=True)

    def start(self) -> None:
        self._watch.start()

    def stop(self) -> None:
        """Ask nothing more; what is under way ends by itself and its answers are dropped."""
        self._closing.set()
        self._workers.close()

    def use(self, settings: Settings, probes: Iterable[Probe]) -> None:
        """These probes from now on. One that is under way goes on as it began and still never overlaps itself."""
        with self._lock:
            before, self._askings, self._of_check = self._askings, {}, {}
            for probe in probes:
                rules = settings.checks[probe.check]
                asking = before.pop(probe.scope, None) or _Asking(probe, rules)
                asking.probe, asking.rules = probe, rules
                self._askings[probe.scope] = asking
                self._of_check.setdefault(probe.check, []).append(asking)
            for gone in before.values():
                gone.dropped = True
            self._names = HostNames(settings.hosts.values())
            self._lags = {check: self._lags.get(check, Lag()) for check in self._of_check}

    def ask_due(self, scopes: Sequence[str], lateness: float = 0.0) -> None:
        """The scheduler says that these are due, since `lateness` seconds."""
        with self._lock:
            askings = [self._askings[scope] for scope in scopes if scope in self._askings]
        self._ask(askings, lateness, urgent=False)

    def ask_now(self, keys: Iterable[Key]) -> None:
        """Ask what these are about, before everything that is merely due.

        An asking under way was put before and does not count: it is followed by another at once.
        """
        with self._lock:
            wanted: dict[str, _Asking] = {}
            for key in keys:
                of_check = self._of_check.get(key.check, [])
                speaking = [each for each in of_check if speaks_of(each.probe, key.subject)]
                wanted |= {each.probe.scope: each for each in speaking or of_check}
        self._ask(list(wanted.values()), 0.0, urgent=True)

    def lags(self) -> Mapping[str, Lag]:
        """By check."""
        with self._lock:
            return dict(self._lags)

    def hanging(self) -> tuple[str, ...]:
        """Scopes of the checks that have not returned in time."""
        with self._lock:
            return tuple(sorted(each.probe.scope for each in self._running if each.state is _State.HANGING))

    @property
    def waiting(self) -> int:
        """Askings that wait for a thread."""
        return self._workers.waiting

    # which asking begins

    def _ask(self, askings: list[_Asking], lateness: float, *, urgent: bool) -> None:
        put = Put(self._now(), time.monotonic(), urgent, elapsed())
        due = put.monotonic - lateness
        begin: list[_Asking] = []
        silent: list[_Asking] = []
        with self._lock:
            for asking in askings:
                if self._take_up(asking, put, due):
                    begin.append(asking)
                elif asking.state is _State.HANGING and not urgent:
                    silent.append(asking)
        if begin:
            self._workers.submit([partial(self._carry_out, asking) for asking in begin], urgent=urgent)
        for asking in silent:
            self._say_hanging(asking, put.at)

    def _take_up(self, asking: _Asking, put: Put, due: float) -> bool:
        """Whether the asking is to be handed to the workers. Called under the lock."""
        if asking.state is _State.RESTING:
            asking.state, asking.put, asking.due = _State.WAITING, put, due
            return True
        if asking.state is _State.WAITING:
            if not put.urgent:
                self._missed(asking)
                return False
            asking.put = put
            return True  # it overtakes; the place further back finds nothing left to do
        if not put.urgent:
            self._missed(asking)
            if asking.state is _State.HANGING:
                return False
        if asking.again:
            before, due = asking.again
            put = replace(put, urgent=put.urgent or before.urgent)
        asking.again = (put, due)
        return False

    def _missed(self, asking: _Asking) -> None:
        check = asking.probe.check
        if check in self._lags:
            self._lags[check] = self._lags[check].missed()

    # in a worker thread

    def _carry_out(self, asking: _Asking) -> None:
        with self._lock:
            if asking.state is not _State.WAITING or asking.dropped:
                return
            asking.state = _State.UNDER_WAY
            asking.began = time.monotonic()
            asking.thread, asking.replaced = threading.current_thread(), False
            self._running.add(asking)
            check = asking.probe.check
            self._lags[check] = self._lags[check].began(asking.began - asking.due)
            probe, rules, put, names = asking.probe, asking.rules, asking.put, self._names
        answered = self._interviewer.ask(probe, rules, put, names)
        with self._lock:
            in_time = asking.state is _State.UNDER_WAY
            asking.state = _State.ANSWERED
        if in_time and not asking.dropped and not self._closing.is_set():
            answered = self._by_the_present_clock(answered, put)
            self._post(Observed(self._now(), (answered,)))  # before the next asking can begin, to stay in order
        with self._lock:
            self._running.discard(asking)
            asking.state, asking.thread, again, asking.again = _State.RESTING, None, asking.again, None
            if again is None or asking.dropped:
                return
            asking.state, (asking.put, asking.due) = _State.WAITING, again
        self._workers.submit([partial(self._carry_out, asking)], urgent=again[0].urgent)

    def _by_the_present_clock(self, answered: Pass, put: Put) -> Pass:
        """The clock may have been set while the question was under way."""
        by = (self._now() - elapsed()) - (put.at - put.elapsed)
        return shifted(answered, by) if abs(by) >= SET else answered

    # checks that are slow, and checks that hang

    def _watch_out(self) -> None:
        wait, looked = _LOOK, time.monotonic()
        while not self._closing.wait(wait):
            self._overlook(time.monotonic() - looked - wait)
            self.ask_due(self._turned_away())
            wait, looked = self._look(), time.monotonic()

    def _overlook(self, seconds: float) -> None:
        """This process was stopped or starved for so long: that is not held against the checks under way."""
        if seconds > _STOPPED:
            with self._lock:
                for asking in self._running:
                    asking.began += seconds

    def _look(self) -> float:
        """Seconds until there may be something new to see."""
        now, next_look = time.monotonic(), _LOOK
        hanging: list[_Asking] = []
        with self._lock:
            under_way = [each for each in self._running if each.state is _State.UNDER_WAY]
            for asking in under_way:
                age, patience = now - asking.began, _PATIENCE * asking.rules.timeout
                if age >= patience:
                    asking.state = _State.HANGING
                    hanging.append(asking)
                if age >= patience or (age >= _SLOW and self._workers.waiting):
                    self._replace(asking)
                next_look = min([next_look, *(due - age for due in (_SLOW, patience) if due > age)])
        for asking in hanging:
            log.error("%s has not returned and is left to itself", asking.probe.scope)
            self._say_hanging(asking, self._now())
        return max(next_look, 0.01)

    def _replace(self, asking: _Asking) -> None:
        """Let another thread take the place of this asking's. Called under the lock."""
        replaced = sum(each.replaced for each in self._running)
        if asking.thread is not None and not asking.replaced and replaced < _REPLACED_LIMIT:
            asking.replaced = True
            self._workers.give_up(asking.thread)

    def _say_hanging(self, asking: _Asking, at: float) -> None:
        if not asking.dropped:
            why = f"did not answer within {say_duration(_PATIENCE * asking.rules.timeout)} and has not returned"
            self._post(Observed(at, (self._interviewer.unasked(asking.probe, at, why),)))
