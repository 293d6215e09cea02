"""The composition root: every part is made, started, reloaded and stopped here, and nowhere else."""

import logging
import platform
import shlex
import signal
import threading
import time
from collections.abc import Callable, Sequence, Sized
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

from agent.config.configuration import Configuration
from agent.config.counted import counted
from agent.config.library import shown
from agent.config.load import load
from agent.config.problem import ConfigProblems
from agent.core.state import State
from agent.errors import ParamedicError
from agent.model.commands import Ask, Command, RunStep
from agent.model.decision import Reply
from agent.model.events import ClockSet, Reloaded, Started
from agent.model.quantities import say_duration
from agent.runtime.clock import Clock
from agent.runtime.control.desk import Desk
from agent.runtime.control.server import ControlServer
from agent.runtime.control.told import default_store
from agent.runtime.crash_points import CrashPoint, reached
from agent.runtime.drills import Drilling
from agent.runtime.journal import redact_journal, set_level, start_journal
from agent.runtime.ledger import Ledgers
from agent.runtime.loop import Loop
from agent.runtime.messages.courier import AppriseCourier
from agent.runtime.metrics import registry
from agent.runtime.neighbours import Neighbours
from agent.runtime.outside import REAL, Outside
from agent.runtime.performer import Performer
from agent.runtime.ports import Ports
from agent.runtime.prober import Prober
from agent.runtime.recollection import awaited, latest, look_at_the_latest, state_of
from agent.runtime.redaction import Redactor
from agent.runtime.scheduler import Scheduler, Turn
from agent.runtime.secrets import Secrets
from agent.runtime.service_manager import ServiceManager
from agent.runtime.shell import LocalShell
from agent.runtime.shells import Shells
from agent.runtime.signals import Signals
from agent.runtime.ssh import SshPool
from agent.runtime.store import Store
from agent.runtime.telling import MESSAGES_STOP_WITHIN, TICKETS_STOP_WITHIN, Telling

log = logging.getLogger("paramedic")

_PART_STOPS_WITHIN = 5.0
"""Seconds a part may take to stop for which nothing else is said."""

_FOUND_BY_ITSELF = ("/run/paramedic/control.sock", "var/control.sock")
"""Sockets that the command finds without being told, as `agent.cli.places` has them."""

_DRILL_STOPS_WITHIN = 60.0
"""Seconds that a drill gets for its rollback. What is left then, hosts undo by themselves."""

_STARTS_WITHIN = 30.0
"""Seconds until the first decision must be on record; the unit's TimeoutStartSec= is longer."""

_CHANGES_WITHIN = 15.0
"""Seconds a reload waits for the deciding loop, which may be waiting for the record to be writable."""

_DEFECT = 4
"""Exit code after a defect, so that the service manager starts us anew; the same as the command line's."""


class App:
    """One running agent. Use: `start`, `wait`/`reload` as often as wanted, `stop`."""

    def __init__(
        self,
        configuration: Configuration,
        manager: ServiceManager,
        socket: Path | None = None,
        *,
        failed: Callable[[], None] = lambda: None,
        outside: Outside = REAL,
    ) -> None:
        """`failed` is called, in another thread, when a defect has ended the deciding loop: stop, and start anew."""
        self._failed = failed
        self._configuration = configuration
        self._manager = manager
        self._socket = socket or configuration.agent.socket
        self._outside = outside
        self._cleanup = ExitStack()
        self._reloading = threading.Lock()

    def start(self) -> None:
        """All that can fail comes before the first check is asked. Raises ParamedicError and leaves nothing over."""
        try:
            with self._cleanup as cleanup:
                self._make(cleanup)
                self._cleanup = cleanup.pop_all()
        except ParamedicError as error:
            self._manager.status(f"cannot start: {error}")
            raise
        self._manager.ready(self._summary())
        log.info("ready: %s; control socket %s", self._summary(), _how_to_ask(shown(self._socket)))

    def stop(self) -> None:
        """Stop asking, let running steps end within the configured bound, commit what they came to, close."""
        agent = self._configuration.agent
        telling = MESSAGES_STOP_WITHIN + TICKETS_STOP_WITHIN + (_DRILL_STOPS_WITHIN if self._drills.under_way else 0.0)
        self._manager.stopping("stopping", agent.stop_within + telling + 4 * _PART_STOPS_WITHIN)
        log.info("stopping")
        reached(CrashPoint.STOPPING)
        self._cleanup.close()
        log.info("stopped")

    def reload(self, actor: str = "root") -> Reply:
        """Read the configuration again and use it; on any problem nothing changes."""
        with self._reloading:
            self._manager.reloading(time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000)
            try:
                fresh = self._read_again()
                self._refuse_what_needs_a_restart(fresh)
                reply = self._use(fresh, actor)
            except ConfigProblems as problems:
                reply = Reply(False, f"nothing was changed, the configuration has problems:\n{problems}")
                why = f"{counted(len(problems.problems), 'problem')}, the first: {problems.problems[0]}"
            except ParamedicError as error:
                reply = Reply(False, f"nothing was changed: {error}")
                why = str(error)
            if not reply.ok:
                for line in reply.text.splitlines():
                    log.error("%s", line)
                self._desk.refused(actor, f"reload refused, nothing was changed: {why}")
            self._manager.ready(self._summary())
            if self._loop.commit_error is not None:
                self._say_committing(self._loop.commit_error)
            return reply

    # parts

    def _make(self, cleanup: ExitStack) -> None:
        configuration, agent = self._configuration, self._configuration.agent
        settings = configuration.settings
        self._store = store = Store.open(default_store(agent.state_dir))
        cleanup.callback(store.close)
        look_at_the_latest(store)
        cleanup.callback(reached, CrashPoint.LOOP_STOPPED)
        reached(CrashPoint.OPENED)
        self._clock = clock = Clock()
        saved = store.load(clock.now())
        self._secrets = secrets = Secrets(configuration.secrets)
        self._redactor = redactor = Redactor(secrets.seen, agent.redact)
        redact_journal(redactor.redact)
        secrets.say_missing()
        self._neighbours = neighbours = Neighbours()
        self._ssh = ssh = SshPool(passphrases=secrets.secret, neighbours=neighbours)
        cleanup.callback(ssh.close)
        self._shells = shells = Shells(configuration.logins, ssh, LocalShell(), output_limit=agent.output_limit)
        beat = self._manager.watchdog / 3 if self._manager.watchdog else 5.0
        self._loop = loop = Loop(
            state_of(saved, configuration),
            self._outside.record(store),
            clock.now,
            self._perform,
            alive=self._manager.alive,
            beat=beat,
            failed=self._failed,
            committing=self._say_committing,
            follow=self._follow_the_wall_clock,
        )
        cleanup.callback(_bounded("deciding loop", lambda: loop.stop(_PART_STOPS_WITHIN)))
        courier = self._outside.courier(AppriseCourier(settings.targets, secrets))
        self._telling = telling = Telling(configuration, store, secrets, redactor, courier, loop.post, clock.now)
        cleanup.callback(telling.stop)  # before the loop, which is told what came of it at the last moment
        step_shell = self._outside.step_shell(shells)
        self._performer = performer = Performer(
            store,
            settings.hosts,
            Ports(step_shell, secrets),
            Ledgers(step_shell, saved.agent_id[:12]),
            redactor,
            loop.post,
            clock.now,
            workers=agent.step_workers,
            output_limit=agent.output_limit,
            find=self._outside.step_kind,
        )
        cleanup.callback(reached, CrashPoint.STEPS_STOPPED)
        cleanup.callback(self._stop_performer)
        self._prober = prober = Prober(
            self._outside.interviewer(self._outside.check_shell(shells), secrets, redactor, neighbours),
            loop.post,
            clock.now,
            workers=agent.workers,
            turned_away=neighbours.to_ask_again,
        )
        prober.use(settings, configuration.probes)
        self._drills = Drilling(configuration.folder, self._socket.absolute())
        self._desk = Desk(
            configuration,
            loop,
            store,
            prober,
            performer,
            telling,
            ssh,
            redactor,
            neighbours,
            clock.now,
            self.reload,
            self._drills,
        )
        self._control = control = ControlServer(
            self._desk, self._socket, configuration.access, metrics=registry(self._desk.status)
        )
        cleanup.callback(_bounded("control socket", lambda: control.stop(_PART_STOPS_WITHIN)))
        cleanup.callback(self._desk.close)  # before its socket: whoever waits there gets an answer
        cleanup.callback(prober.stop)  # before the socket, whose last caller may take his time
        self._scheduler = scheduler = Scheduler(prober.ask_due)
        cleanup.callback(scheduler.stop)
        scheduler.use(_turns(configuration))

        unfinished = store.unfinished_steps()  # before the loop runs: what it starts from now on is not left over
        reached(CrashPoint.LOADED)
        if (behind := clock.now() - latest(store)) < 0:
            loop.post(ClockSet(clock.now(), behind))
        if saved.restored:
            loop.post(replace(saved.restored, at=clock.now()))
        # Before anything else: what fell due while nobody was there is not late.
        never_begun = frozenset(step.command.id for step in unfinished if not step.begun)
        started = loop.ask(Started(clock.now(), f"paramedic {version('paramedic')} on {platform.node()}", never_begun))
        control.start()  # may be refused its socket: nothing has been recorded or begun yet
        loop.start()
        self._wait_for(started)
        reached(CrashPoint.STARTED)
        performer.resume(unfinished, awaited(loop.state))
        telling.start()
        prober.start()
        scheduler.start()
        cleanup.callback(_bounded("drill under way", lambda: self._drills.stop(_DRILL_STOPS_WITHIN)))
        reached(CrashPoint.READY)

    def _wait_for(self, started: "Future[Reply | None]") -> None:
        """Until it is on record that we are back, and what that means for what was left."""
        try:
            started.result(_STARTS_WITHIN)
        except FutureTimeout:
            why = self._loop.commit_error or "it is too busy"
            raise ParamedicError(f"the agent could not record that it started: {why}") from None

    def _say_committing(self, error: str | None) -> None:
        """What `systemctl status` shows. Called by the deciding loop."""
        self._manager.status(self._summary() if error is None else f"NOTHING CAN BE COMMITTED: {error}")

    def _follow_the_wall_clock(self) -> float:
        """Called by the deciding loop at every round; by how many seconds that sets the time of events."""
        by = self._clock.follow()
        if by:
            log.warning("the wall clock was set %s by %s", "forward" if by > 0 else "back", say_duration(abs(by)))
            self._telling.clock_set()
        return by

    def _perform(self, commands: Sequence[Command]) -> None:
        """Called by the deciding loop after the commit; hands over and returns."""
        for command in commands:
            match command:
                case RunStep():
                    self._performer.perform(command)
                case Ask(keys):
                    self._prober.ask_now(keys)
        self._telling.wake(commands)

    def _stop_performer(self) -> None:
        left = self._performer.stop(self._configuration.agent.stop_within)
        for step in left:
            log.warning("step %s is still under way; the next start says what is known of it", step)

    # reload

    def _read_again(self) -> Configuration:
        """Raises ConfigProblems, and ParamedicError for what a plugin, which reads its own part, did not expect."""
        try:
            return load(self._configuration.folder)
        except ParamedicError:
            raise
        except Exception as error:
            log.exception("the configuration could not be read: a defect of the agent or of a plugin")
            text = f"the configuration could not be read: {type(error).__name__}; the agent's journal says more"
            raise ParamedicError(text) from error

    def _refuse_what_needs_a_restart(self, fresh: Configuration) -> None:
        before, after = self._configuration.agent, fresh.agent
        for name in ("state_dir", "socket", "workers", "step_workers", "output_limit"):
            if getattr(before, name) != getattr(after, name):
                raise ParamedicError(f"agent.{name} changed, which needs a restart")

    def _use(self, fresh: Configuration, actor: str) -> Reply:
        """Nothing in here can fail for what people wrote."""
        settings = fresh.settings

        def between_two_decisions(state: State) -> None:
            self._secrets.use(fresh.secrets)
            self._redactor.use(fresh.agent.redact)
            self._shells.use(fresh.logins)
            self._performer.use(settings.hosts)
            state.configure(settings)

        self._change(between_two_decisions)
        self._secrets.say_missing()
        self._neighbours.forget()
        self._telling.use(fresh)
        self._prober.use(settings, fresh.probes)
        self._scheduler.use(_turns(fresh))
        if fresh.agent.log_level != self._configuration.agent.log_level:
            set_level(fresh.agent.log_level)
        self._configuration = self._desk.configuration = fresh
        self._control.use(fresh.access)
        text = f"configuration reloaded: {self._summary()}"
        self._loop.post(Reloaded(self._clock.now(), actor, text))
        return Reply(True, text)

    def _change(self, make: Callable[[State], None]) -> None:
        """Raises ParamedicError when the deciding loop does not come to it: then nothing is changed."""
        change = self._loop.call(make)
        try:
            refusal = change.result(_CHANGES_WITHIN)
        except FutureTimeout:
            if change.cancel():
                why = self._loop.commit_error or f"{self._loop.waiting} events are waiting to be decided"
                raise ParamedicError(f"the agent does not come to it: {why}") from None
            refusal = change.result()  # it has just begun, and is over at once
        if refusal is not None:
            raise ParamedicError(refusal.text)

    def _summary(self) -> str:
        settings = self._configuration.settings
        counts: list[tuple[Sized, str]] = [
            (settings.checks, "check"),
            (settings.hosts, "host"),
            (settings.runbooks, "runbook"),
        ]
        seldom = ((settings.plans, "plan"), (self._configuration.drills, "drill"))
        counts += [each for each in seldom if each[0]]
        return ", ".join(counted(len(things), noun) for things, noun in counts)


def run(
    folder: Path,
    *,
    socket: Path | None = None,
    log_level: str | None = None,
    first: Callable[[Configuration], object] = lambda configuration: None,
) -> int:
    """The daemon in the foreground until SIGTERM or SIGINT; SIGHUP reloads. `first` is done before anything else.

    Raises ConfigProblems and other ParamedicErrors when it cannot start. Returns the exit code.
    """
    configuration = load(folder)
    start_journal(log_level or configuration.agent.log_level)
    first(configuration)
    wanted = Signals()
    app = App(configuration, ServiceManager(), socket, failed=partial(wanted.put, Signals.NONE))
    app.start()
    try:
        while (number := wanted.get()) == signal.SIGHUP:
            app.reload()
    finally:
        app.stop()
    return _DEFECT if number == Signals.NONE else 0


def _turns(configuration: Configuration) -> list[Turn]:
    checks = configuration.settings.checks
    return [Turn(p.scope, checks[p.check].every, p.check_type.company) for p in configuration.probes]


def _how_to_ask(socket: str) -> str:
    named = "" if socket in _FOUND_BY_ITSELF else f" --socket {shlex.quote(socket)}"
    return f"{socket} (ask: paramedic{named} status)"


def _bounded(what: str, stop: Callable[[], bool]) -> Callable[[], None]:
    def stop_and_say() -> None:
        if not stop():
            log.error("the %s did not stop in time", what)

    return stop_and_say
