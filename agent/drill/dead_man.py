"""The dead-man timer: on the host itself, started before anything is broken there, it undoes the fault when it has
not heard of the drill for too long. Nobody else may be left who could.
"""

import logging
import math
import secrets
import shlex
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from agent.errors import ParamedicError
from agent.model.inventory import Host
from agent.model.text import one_line
from agent.plugin.api import Shell
from agent.runtime.ledger.request import FROM_STDIN, request

log = logging.getLogger("paramedic.drill")

_ARMS_WITHIN = 20.0
_BEATS_WITHIN = 15.0
_SPARE = 15.0
"""Seconds to answer beside the time that undoing takes."""


@dataclass(frozen=True, slots=True)
class Undoing:
    """One command that puts something back. `timeout` in seconds."""

    name: str
    host: str
    run: str
    sudo: bool
    timeout: float


@dataclass(frozen=True, slots=True)
class Told:
    """What a host says of its timer: armed, alive, fired, gone (without having undone anything), disarmed, none or
    refused. `why` it fired or refused; `statuses`: exit status of each undo that it played, by its number.
    """

    how: str
    why: str = ""
    statuses: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class DeadMan:
    """One host's. `name`: of the timer's folder there. `shell` must get through to the host to the very end."""

    shell: Shell
    host: Host
    name: str
    undos: tuple[Undoing, ...]

    def arm(self, silent: float, latest: float) -> None:
        """`silent`: seconds without a beat after which it undoes; `latest`: seconds after which it does anyhow.

        Raises ParamedicError when it is not surely there.
        """
        told = self._ask("arm", _ARMS_WITHIN, timer=timer_text(self.undos, silent, latest))
        if told.how != "armed":
            raise ParamedicError(f"{self.host.name}: no dead-man timer could be started there: {told.why or told.how}")

    def beat(self) -> Told:
        """Tell the host that the drill lives. Raises ParamedicError."""
        return self._ask("beat", _BEATS_WITHIN)

    def disarm(self) -> Told:
        """Take the timer away, and all it left; waits for an undoing that is under way. Raises ParamedicError."""
        return self._ask("disarm", sum(each.timeout for each in self.undos) + _SPARE)

    def _ask(self, act: str, within: float, timer: str = "") -> Told:
        given = {"name": self.name, "act": act, "timer": timer, "within": str(math.ceil(within))}
        asked = request(_script("dead_man_ask.sh"), given)
        result = self.shell.run(self.host, FROM_STDIN, timeout=within + _SPARE, stdin=asked.text)
        _, found, said = result.stdout.rpartition(f"\n{asked.mark} ")
        if not found:
            raise ParamedicError(f"{self.host.name}: {one_line(result.stderr, 200) or 'it did not answer'}")
        first, *ended = said.splitlines()
        how, _, why = first.partition(" ")
        pairs = (line.split() for line in ended if line.count(" ") == 1)
        return Told(how, why, tuple((int(number), int(status)) for number, status in pairs if status.isdecimal()))


class Beats:
    """Keeps timers from firing, each from `keep` to `stop`, while `alive` is called often enough: a drill that hangs
    is no better than one that is dead. `undone`: what a host said that did not wait for the drill.
    """

    def __init__(self, silent: float) -> None:
        self._silent = silent
        self._every = max(1.0, min(5.0, silent / 5))
        self._alive_at = time.monotonic()
        self._over = threading.Event()
        self.undone: dict[str, str] = {}

    def keep(self, timer: DeadMan) -> None:
        """As soon as it is armed: others may take their time."""
        threading.Thread(target=self._keep, args=(timer,), name=f"dead-man {timer.host.name}", daemon=True).start()

    def alive(self) -> None:
        self._alive_at = time.monotonic()

    def stop(self) -> None:
        self._over.set()

    def _keep(self, timer: DeadMan) -> None:
        while not self._over.is_set():
            if time.monotonic() < self._alive_at + self._silent:
                self._beat(timer)
            self._over.wait(self._every)

    def _beat(self, timer: DeadMan) -> None:
        try:
            told = timer.beat()
        except ParamedicError as error:
            log.warning("no sign of life gets through to %s: %s", timer.host.name, error)
            return
        if told.how == "fired":
            self.undone[timer.host.name] = f"{timer.host.name} has undone the fault by itself: {told.why}"
        elif told.how != "alive" and not self._over.is_set():
            self.undone[timer.host.name] = f"the dead-man timer on {timer.host.name} is gone"


def new_name() -> str:
    """Nobody else on the host can guess it."""
    return f"paramedic-drill-{secrets.token_hex(8)}"


def timer_text(undos: Sequence[Undoing], silent: float, latest: float) -> str:
    """What runs on the host, in plain sh; the folder of the timer is given as $place."""
    played = [
        f"    one {number} {math.ceil(each.timeout)} {'yes' if each.sudo else 'no'} {shlex.quote(each.run)}"
        for number, each in enumerate(undos)
    ]
    lines = [f"silent={math.ceil(silent)}", f"latest={math.ceil(latest)}", "undo_all() {", *(played or ["    :"]), "}"]
    return "\n".join([*lines, _script("dead_man.sh")])


@cache
def _script(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
