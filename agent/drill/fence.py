"""What a drill may touch: the hosts on its list, and no more of them than it says, whatever a runbook or plan wants."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from agent.errors import ParamedicError
from agent.model.command_result import CommandResult
from agent.model.inventory import Host
from agent.plugin.api import Shell


class Fenced(ParamedicError):
    """A drill must not do that. Nothing was done."""


class Fence:
    """Counts every host on which something is changed; those that are only asked must be on the list too.

    `noted` is told of every refusal, each once. Thread-safe.
    """

    def __init__(self, allowed: Iterable[str], most: int, noted: Callable[[str], None]) -> None:
        self.allowed = frozenset(allowed)
        self._most = most
        self._noted = noted
        self._counted: set[str] = set()
        self._touched: dict[str, None] = {}
        self._refusals: set[str] = set()
        self._under_way = 0
        self._shut: str | None = None
        self._change = threading.Condition()

    @property
    def touched(self) -> tuple[str, ...]:
        """Hosts on which anything was run, in that order."""
        with self._change:
            return tuple(self._touched)

    def reserve(self, hosts: Iterable[str]) -> None:
        """These count from now on. Raises Fenced."""
        for host in hosts:
            with self._change:
                refusal = self._refusal(host)
                self._counted |= set() if refusal else {host}
            self._refuse(refusal)

    def look(self, host: Host) -> None:
        """Before a question to a host. Raises Fenced."""
        self._refuse(self._not_listed(host.name))

    @contextmanager
    def touching(self, host: Host, *, back: bool = False) -> Iterator[None]:
        """Around everything that changes something on a host. `back`: it puts things back. Raises Fenced."""
        with self._change:
            refusal = self._refusal(host.name)
            if self._shut is not None and not back:
                refusal = refusal or f"nothing more is done on {host.name}: {self._shut}"
            if refusal is None:
                self._counted.add(host.name)
                self._touched[host.name] = None
                self._under_way += not back
        self._refuse(refusal)
        try:
            yield
        finally:
            with self._change:
                self._under_way -= not back
                self._change.notify_all()

    def shut(self, because: str, within: float) -> bool:
        """Let nothing more through but what puts things back. Whether all under way ended in so many seconds."""
        end = time.monotonic() + within
        with self._change:
            self._shut = because
            while self._under_way and (left := end - time.monotonic()) > 0:
                self._change.wait(left)
            return not self._under_way

    def _not_listed(self, host: str) -> str | None:
        if host in self.allowed:
            return None
        return f"{host} is not touched: it is none of the hosts that this drill may touch"

    def _refusal(self, host: str) -> str | None:
        unlisted = self._not_listed(host)
        if unlisted is None and host not in self._counted and len(self._counted) >= self._most:
            counted = ", ".join(sorted(self._counted)) or "none"
            return f"{host} is not touched: this drill may touch {self._most} hosts at the most ({counted})"
        return unlisted

    def _refuse(self, refusal: str | None) -> None:
        if refusal is None:
            return
        with self._change:
            new = refusal not in self._refusals
            self._refusals.add(refusal)
        if new:
            self._noted(f"refused: {refusal}")
        raise Fenced(refusal)


class StepShell:
    """For steps, faults, and (`back`) what puts things back. Raises Fenced beside what the real one raises."""

    def __init__(self, fence: Fence, real: Shell, *, back: bool = False) -> None:
        self._fence = fence
        self._real = real
        self._back = back

    def run(
        self,
        host: Host,
        command: str,
        *,
        timeout: float,
        sudo: bool = False,
        stdin: bytes | None = None,
        output_limit: int | None = None,
    ) -> CommandResult:
        """As `Shell.run`."""
        with self._fence.touching(host, back=self._back):
            return self._real.run(host, command, timeout=timeout, sudo=sudo, stdin=stdin, output_limit=output_limit)


class CheckShell:
    """For checks, which change nothing. Raises Fenced beside what the real one raises."""

    def __init__(self, fence: Fence, real: Shell) -> None:
        self._fence = fence
        self._real = real

    def run(
        self,
        host: Host,
        command: str,
        *,
        timeout: float,
        sudo: bool = False,
        stdin: bytes | None = None,
        output_limit: int | None = None,
    ) -> CommandResult:
        """As `Shell.run`."""
        self._fence.look(host)
        return self._real.run(host, command, timeout=timeout, sudo=sudo, stdin=stdin, output_limit=output_limit)


class NoShell:
    """Of a simulated drill: nothing is run anywhere."""

    def run(
        self,
        host: Host,
        command: str,
        *,
        timeout: float,
        sudo: bool = False,
        stdin: bytes | None = None,
        output_limit: int | None = None,
    ) -> CommandResult:
        """Raises Fenced."""
        raise Fenced(f"nothing is run on {host.name}: this drill is simulated")
