"""The faults of one drill: made after a timer is set on their hosts, and undone whatever happens."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from agent.drill import begun as on_disk
from agent.drill import rollback
from agent.drill.begun import Begun
from agent.drill.dead_man import Beats
from agent.drill.fence import Fence
from agent.drill.simulation import Simulation
from agent.drill.undoing import latest_of, timers_of
from agent.drill.ways import Ways
from agent.errors import Effect, ParamedicError
from agent.model.command_result import CommandResult
from agent.model.drill import Answer, Drill, Injection
from agent.model.drill_result import Undone
from agent.model.inventory import Host
from agent.model.quantities import say_duration

_LOOK = 0.2
_STEPS_END_WITHIN = 10.0
"""Seconds that steps under way get before the rollback begins over them."""
_BACK_WITHIN = 30.0
"""Seconds beyond the dead-man timer's own, which a host that the fault cut off has to come back."""


class Faults:
    """`note` writes on the drill's record. `folder`: the drill's own."""

    def __init__(
        self,
        drill: Drill,
        begun: Begun,
        folder: Path,
        ways: Ways,
        fence: Fence,
        simulation: Simulation,
        note: Callable[..., None],
    ) -> None:
        self._drill = drill
        self._begun = begun
        self._folder = folder
        self._ways = ways
        self._fence = fence
        self._simulation = simulation
        self._note = note
        broken = [each.host for each in drill.inject if each.host]
        self._timers = timers_of(begun.undos, broken, begun.timer, ways.shell(back=True), ways.hosts)
        self._beats = Beats(drill.alone)

    @property
    def undone_by_host(self) -> str | None:
        """A host that did not wait for the drill, as a sentence."""
        return next(iter(self._beats.undone.values()), None)

    def alive(self) -> None:
        """Called often, or the hosts undo everything by themselves."""
        self._beats.alive()

    def arm(self) -> None:
        """Raises ParamedicError when a host has no timer: then nothing is broken anywhere."""
        for timer in self._timers:
            self.alive()
            timer.arm(self._drill.alone, latest_of(self._drill, self._begun.undos))
            alone = say_duration(self._drill.alone)
            self._note(f"dead-man timer on {timer.host.name}: it undoes by itself after {alone} without a sign of life")
            self._beats.keep(timer)

    def inject(self, injection: Injection, at: float) -> None:
        """It is on disk before it happens. Raises ParamedicError when the fault was surely not made, OSError."""
        self._begun = replace(self._begun, injected=(*self._begun.injected, injection.name))
        on_disk.write(self._folder, self._begun)
        if injection.answer is not None:
            self._answer(injection.name, injection.answer, at)
        elif injection.host is not None and injection.run is not None:
            self._break(injection, self._ways.hosts[injection.host], injection.run)

    def _answer(self, name: str, answer: Answer, at: float) -> None:
        about = f" about {answer.host}" if answer.host else ""
        self._note(f"injected: {name}: {answer.check} says {answer.verdict}{about}")
        self._simulation.inject(answer, at)

    def _break(self, injection: Injection, host: Host, command: str) -> None:
        self._note(f"injecting on {host.name}: {injection.name}", command=self._ways.redact(command))
        try:
            result = self._run(injection, host, command)
        except ParamedicError as error:
            if error.effect is Effect.NONE:
                raise
            self._note(f"{injection.name}: {error}")  # the fault may well be that nobody answers any more
            return
        if result.status != 0:
            said = self._ways.redact(result.stderr.strip()[-300:])
            raise ParamedicError(f"{injection.name} on {host.name}: exit status {result.status}: {said}")

    def _run(self, injection: Injection, host: Host, command: str) -> CommandResult:
        """In a thread of its own, that signs of life go on. Waited for: nothing is undone before it is done."""
        ended: list[CommandResult | ParamedicError] = []
        shell = self._ways.shell(back=False)

        def run() -> None:
            try:
                ended.append(shell.run(host, command, timeout=injection.timeout, sudo=injection.sudo))
            except ParamedicError as error:
                ended.append(error)

        thread = threading.Thread(target=run, name=f"injection {injection.name}", daemon=True)
        thread.start()
        while thread.is_alive():
            thread.join(_LOOK)
            self.alive()
        if not ended:
            raise ParamedicError(f"{injection.name}: a defect: it ended without a result")
        if isinstance(ended[0], ParamedicError):
            raise ended[0]
        return ended[0]

    def put_back(self) -> tuple[Undone, ...]:
        """Nothing more is done by the drill's agent; then every undo is played and the timers are taken away."""
        self._simulation.clear()
        if not self._begun.undos:
            return ()
        if not self._fence.shut("the drill is over", _STEPS_END_WITHIN):
            self._note("a step is still under way; it is rolled back all the same")
        shell, patience = self._ways.shell(back=True), self._drill.alone + _BACK_WITHIN
        undone = rollback.play(self._begun.undos, self._timers, shell, self._ways.hosts, patience, self._said)
        self._beats.stop()
        return undone

    def _said(self, text: str) -> None:
        self.alive()
        self._note(self._ways.redact(text))
