"""Where each host keeps its ledger, and what it says of a step."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from agent.errors import CommandTimedOut, ConnectionLost, HostError, HostUnreachable, LoginRefused
from agent.model.command_result import CommandResult
from agent.model.inventory import Host
from agent.model.text import one_line
from agent.plugin.api import Shell
from agent.runtime.ledger.request import FROM_STDIN, ROOM, Told, answer, request, script

_FINDING = 20.0
"""Seconds to find a place; connecting has its own time."""

_TRUSTED = 86400.0
"""Seconds until a place is looked for again: old entries are cleared up then, and a disk may no longer be full."""

_NOTHING_GIVEN = dict.fromkeys(("step", "place", "boot", "again", "seconds", "half", "runner"), "")


@dataclass(frozen=True, slots=True)
class Ledger:
    """`place`: folder on the host; `boot`: the kernel's boot id and the ledger's own, when it was last heard of.

    A step that nobody has claimed was never begun only if neither has changed since: a claim made shortly before a
    power failure may not be on its disk, and a ledger that was removed and begun anew has lost its claims.
    """

    place: str
    boot: str

    def __str__(self) -> str:
        return f"{self.boot} {self.place}"

    @classmethod
    def parse(cls, text: str) -> "Ledger":
        boot, _, place = text.partition(" ")
        return cls(place, boot)


class Ledgers:
    """Every host's, in the care of the user we log in as. `agent`: names this agent's part of them. Thread-safe."""

    def __init__(self, shell: Shell, agent: str, *, now: Callable[[], float] = time.monotonic) -> None:
        self._shell = shell
        self._agent = agent
        self._now = now
        self._known: dict[tuple[str, str], Ledger] = {}
        self._found: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def of(self, host: Host) -> Ledger:
        """The host is asked the first time of a day only. Raises HostError: no step was begun."""
        with self._lock:
            known = self._known.get(_key(host))
            fresh = self._now() < self._found.get(_key(host), 0.0) + _TRUSTED
        return known if known and fresh else self.find(host)

    def find(self, host: Host) -> Ledger:
        """Ask the host for a place that can be written now. Raises HostError: that began no step."""
        try:
            told = self._asked_for_a_place(host)
        except (ConnectionLost, CommandTimedOut) as error:
            raise HostUnreachable(host.name, f"it does not say where it keeps what steps did: {error}") from error
        if told.how != "place":
            raise HostError(
                host.name, f"there is no place to keep on record what steps did: {told.rest or 'its answer broke off'}"
            )
        ledger = Ledger.parse(told.rest)
        with self._lock:
            self._found[_key(host)] = self._now()
        self._remember(host, ledger)
        return ledger

    def _asked_for_a_place(self, host: Host) -> Told:
        """Once more where the connection breaks."""
        try:
            return self.ask(host, within=_FINDING, given={})
        except ConnectionLost:
            return self.ask(host, within=_FINDING, given={})

    def ask(self, host: Host, *, within: float, given: Mapping[str, object], output_limit: int = 0) -> Told:
        """Send `claim.sh` and read its answer. Raises HostError; LoginRefused when it did not even begin there."""
        asked = request(script("claim.sh"), {**_NOTHING_GIVEN, "agent": self._agent, **given})
        limit = 2 * (output_limit + ROOM)
        result = self._shell.run(host, FROM_STDIN, timeout=within, stdin=asked.text, output_limit=limit)
        told = answer(result, asked.mark)
        if told is None:
            raise LoginRefused(host.name, f"no command can be run there: {_why(result)}")
        return told

    def seen(self, host: Host, ledger: Ledger, boot: str) -> None:
        """The host has just told its boot id, and the ledger's own."""
        if boot != ledger.boot:
            self._remember(host, Ledger(ledger.place, boot))

    def _remember(self, host: Host, ledger: Ledger) -> None:
        with self._lock:
            self._known[_key(host)] = ledger


def _key(host: Host) -> tuple[str, str]:
    return host.name, host.target


def _why(result: CommandResult) -> str:
    said = (result.stderr.strip() or result.stdout.strip()).rsplit("\n", 1)[-1]
    return one_line(said, 200) or f"exit status {result.status} and not a word; is there a forced command?"
