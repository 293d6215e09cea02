"""One drill from its beginning to its result: leave, steady state, fault, response, rollback, steady state."""

import logging
import os
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from pathlib import Path

from agent.config.configuration import Configuration
from agent.drill import archive
from agent.drill import begun as on_disk
from agent.drill.begun import Begun, DrillRefused, OneAtATime
from agent.drill.dead_man import new_name
from agent.drill.faults import Faults
from agent.drill.fence import Fence, Fenced
from agent.drill.half_done import end_leave, is_undone, put_back
from agent.drill.judging import judge
from agent.drill.leave import Leave
from agent.drill.own_agent import OwnAgent
from agent.drill.progress import Progress, Stage, Stop
from agent.drill.record import DrillRecord
from agent.drill.scope import checks_of, noticed_within, services_of, socket_of
from agent.drill.simulation import Simulation
from agent.drill.steady import SteadyState, is_steady, unsteady
from agent.drill.stopping import StopConditions
from agent.drill.undoing import undos_of
from agent.drill.ways import Ways
from agent.errors import ParamedicError
from agent.model.drill import Drill
from agent.model.drill_result import Asked, DrillResult, Judged
from agent.model.quantities import say_duration
from agent.runtime.clock import Clock

log = logging.getLogger("paramedic.drill")

_LOOK = 0.2
_SEEN_WITHIN = 120.0
_SEEN_SOON = 20.0
"""Seconds that the running agent gets to see that all is well again; and where it waits to treat something real."""
_TOLD_EVERY = 1.0


def run(
    configuration: Configuration,
    drill: Drill,
    *,
    actor: str,
    say: Callable[[Progress], None] = lambda progress: None,
    socket: Path | None = None,
    stop: Stop | None = None,
) -> DrillResult:
    """Returns when everything is put back and the result is kept. `socket`: of the running agent, which is asked for
    leave; default: the configured one. `say` is called in this thread.

    In the main thread Ctrl-C, SIGTERM and SIGHUP end it by the rollback. Raises DrillRefused when it does not start,
    and nothing was touched; StoreError and OSError when that cannot be kept on disk.
    """
    if drill.form == "tabletop":
        raise DrillRefused("a tabletop runs nothing: it asks people")
    stop, state_dir = stop or Stop(), configuration.agent.state_dir
    is_main = threading.current_thread() is threading.main_thread()
    with ExitStack() as cleanup:
        one = OneAtATime(state_dir / "drills")
        cleanup.callback(one.close)
        cleanup.enter_context(stop.on_signals() if is_main else nullcontext())
        for left in on_disk.half_done(state_dir / "drills"):
            if not is_undone(put_back(configuration, on_disk.read(left))):
                raise DrillRefused(f"{left.name} was interrupted, and not all of it could be put back")
            end_leave(state_dir, socket or configuration.agent.socket)
        id = archive.begin(state_dir)
        one.named(id)
        try:
            return _Run(configuration, drill, id, actor, say, socket or configuration.agent.socket, stop).carry_out()
        except DrillRefused:
            shutil.rmtree(archive.folder_of(state_dir, id), ignore_errors=True)
            raise


def abort(configuration: Configuration, actor: str, reason: str = "") -> str | None:
    """Ask the drill that is under way to end by its rollback. Its id, None when there is none. Raises OSError."""
    state_dir = configuration.agent.state_dir
    id = on_disk.holder(state_dir / "drills")
    if id is not None:
        said = f"aborted by {actor}{f': {reason}' if reason else ''}"
        on_disk.ask_to_abort(archive.folder_of(state_dir, id), said)
    return id


class _Run:
    """One drill. All of it happens in one thread, but for signs of life and the work of its agent."""

    def __init__(
        self,
        configuration: Configuration,
        drill: Drill,
        id: str,
        actor: str,
        say: Callable[[Progress], None],
        socket: Path,
        stop: Stop,
    ) -> None:
        self._configuration = configuration
        self._drill = drill
        self._id = id
        self._actor = actor
        self._tell = say
        self._stop = stop
        self._folder = archive.folder_of(configuration.agent.state_dir, id)
        self._now = Clock().now
        self._started_at = self._now()
        settings, services = configuration.settings, services_of(configuration, drill)
        simulation = Simulation()
        self._record = DrillRecord(settings, self._now, simulation.carried_out, socket_of(configuration, self._folder))
        self._fence = Fence(drill.hosts.names, drill.hosts.most, self._record.note)
        self._simulation = simulation
        self._agent = OwnAgent(configuration, drill, self._folder, self._record, self._fence, simulation)
        self._stop_if = StopConditions(drill, services, settings)
        scope: dict[str, object] = {"title": drill.title, "services": services}
        if drill.form == "live":  # of what is only simulated the agent goes on to believe its own eyes
            scope |= {"hosts": drill.hosts.names, "checks": checks_of(configuration, drill)}
        self._leave = Leave(socket, id, scope)
        self._parts = ExitStack()
        self._faults: Faults | None = None
        self._stage = Stage.PREPARING
        self._judged: tuple[Judged, ...] = ()
        self._injected_at: float | None = None
        self._ends: float | None = None
        self._told = 0.0

    def carry_out(self) -> DrillResult:
        """Raises DrillRefused."""
        undos = undos_of(self._drill)
        try:
            broken = (each.host for each in self._drill.inject if each.host)
            self._fence.reserve((*broken, *(undo.host for undo in undos)))
        except Fenced as error:
            raise DrillRefused(str(error)) from None
        over = "it was refused"
        with Ways(self._configuration, self._fence) as ways:
            try:
                if self._leave.begin():
                    self._note("the running agent gives leave")
                else:
                    self._note("no agent is running: nobody was asked for leave")
                steady = self._agent.steady_state(ways, self._now)
                before = self._establish(steady)
                self._judge()
                begun = Begun(
                    id=self._id,
                    drill=self._drill.name,
                    title=self._drill.title,
                    form=self._drill.form,
                    digest=self._drill.digest,
                    actor=self._actor,
                    started_at=self._started_at,
                    pid=os.getpid(),
                    allowed=self._drill.hosts.names,
                    most=self._drill.hosts.most,
                    undos=undos,
                    timer=new_name(),
                    checks=self._drill.steady_state.checks,
                    within=self._drill.steady_state.within,
                    expected=self._judged,
                    objectives=self._drill.objectives,
                )
                on_disk.write(self._folder, begun)
                self._faults = Faults(self._drill, begun, self._folder, ways, self._fence, self._simulation, self._note)
                over = self._respond(self._faults)
                return self._end(self._faults, steady, before, over)
            finally:
                self._leave.end(over or "it went to its end")

    def _establish(self, steady: SteadyState) -> tuple[Asked, ...]:
        """Raises DrillRefused."""
        self._enter(Stage.STEADY, "waiting for the steady state")
        asked = steady.wait(self._drill.steady_state.within, lambda: self._because() is not None)
        if because := self._because():
            raise DrillRefused(because)
        if not is_steady(asked):
            raise DrillRefused(f"the steady state does not hold: {unsteady(asked)}")
        return asked

    def _respond(self, faults: Faults) -> str:
        """Break it, and watch what comes of it. Why that ended early; empty when it did not."""
        app = self._agent.app(lambda: self._stop.ask("a defect has ended the drill's agent"))
        try:
            app.start()
            self._parts.callback(self._record.closed)
            self._parts.callback(app.stop)
            self._enter(Stage.ARMING, "")
            faults.arm()
            return self._watch(faults)
        except (ParamedicError, OSError) as error:
            return str(error)
        except Exception as error:  # whatever it is: there may be a fault out there
            log.exception("a defect has ended %s", self._id)
            return f"a defect has ended it: {type(error).__name__}: {error}"

    def _watch(self, faults: Faults) -> str:
        """Until all is judged, or something ends it before. What was recovered before the latest fault says nothing of
        that one: its checks get the time to see it.
        """
        self._enter(Stage.RUNNING, f"the drill's agent answers on {self._agent.socket}")
        began = time.monotonic()
        self._ends = began + self._drill.deadline
        waiting = sorted(self._drill.inject, key=lambda each: each.at)
        seen_within, seen_at = noticed_within(self._configuration, self._drill), 0.0
        while True:
            faults.alive()
            if because := self._because() or self._stop_condition():
                return because
            while waiting and time.monotonic() >= began + waiting[0].at:
                self._injected_at = self._injected_at or self._now()
                faults.inject(waiting.pop(0), self._now())
                seen_at = time.monotonic() + seen_within if self._drill.inject[1:] else 0.0
            for question in self._record.questions():
                self._say(question)
            self._judge()
            is_judged = not waiting and all(each.met is not None for each in self._judged)
            if is_judged and time.monotonic() >= min(seen_at, self._ends):
                return ""
            if time.monotonic() >= self._ends:
                return f"its deadline of {say_duration(self._drill.deadline)} has passed"
            self._say()
            time.sleep(_LOOK)

    def _judge(self) -> None:
        has_queue = self._configuration.drill_tickets is not None
        self._judged = judge(self._drill, self._record.evidence(self._injected_at, has_queue=has_queue))

    def _end(self, faults: Faults, steady: SteadyState, before: tuple[Asked, ...], because: str) -> DrillResult:
        """The rollback, its proof, the result."""
        self._enter(Stage.ROLLBACK, f"stopped: {because}" if because else "all that was expected is judged")
        undone = faults.put_back()
        after = steady.wait(self._drill.steady_state.within)
        rolled_back = all(each.ok for each in undone) and is_steady(after)
        proof = "the steady state holds" if is_steady(after) else f"the steady state does NOT hold: {unsteady(after)}"
        self._note(f"rolled back; {proof}" if rolled_back else f"NOT rolled back; {proof}")
        if rolled_back:
            self._leave.wait_until_well(_SEEN_SOON if self._leave.lost else _SEEN_WITHIN)
        self._parts.close()
        result = DrillResult(
            id=self._id,
            drill=self._drill.name,
            title=self._drill.title,
            form=self._drill.form,
            digest=self._drill.digest,
            actor=self._actor,
            started_at=self._started_at,
            ended_at=self._now(),
            judged=self._judged,
            objectives=self._drill.objectives,
            scenario=self._drill.scenario,
            stopped_because=because,
            steady_before=before,
            steady_after=after,
            undone=undone,
            rolled_back=rolled_back,
            touched=self._fence.touched,
            entries=self._record.entries,
        )
        archive.keep(self._configuration.agent.state_dir, result)
        self._stage = Stage.ENDED
        self._say("passed" if result.passed else "not passed")
        return result

    def _because(self) -> str | None:
        """Why it must end now, if it must."""
        if self._stop.because:
            return self._stop.because
        if self._leave.lost:
            return f"something real comes first: {self._leave.lost}"
        return on_disk.asked_to_abort(self._folder) or (self._faults.undone_by_host if self._faults else None)

    def _stop_condition(self) -> str | None:
        with self._record.looking() as state:
            return self._stop_if.met(state, self._now())

    def _enter(self, stage: Stage, text: str) -> None:
        self._stage = stage
        if text:
            self._note(text)

    def _note(self, text: str, **data: object) -> None:
        """On the record, and to whoever watches."""
        self._record.note(text, **data)
        self._say(text)

    def _say(self, text: str = "") -> None:
        if not text and time.monotonic() < self._told + _TOLD_EVERY:
            return
        self._told = time.monotonic()
        left = None if self._ends is None else max(0.0, self._ends - self._told)
        since = None if self._injected_at is None else self._now() - self._injected_at
        try:
            self._tell(Progress(self._id, self._stage, text, self._judged, left, since))
        except Exception as error:  # a terminal that is gone must not keep a fault alive
            self._tell = lambda progress: None
            is_gone = isinstance(error, OSError)
            log.error("whoever watches %s cannot be told any more: %s", self._id, error, exc_info=not is_gone)
            self._stop.ask("whoever watched it cannot be told any more")
