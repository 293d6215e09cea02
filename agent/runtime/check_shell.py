"""The shell of one asking of a check."""

import math
import shlex
from dataclasses import dataclass

from agent.errors import HostUnreachable
from agent.model.command_result import CommandResult
from agent.model.inventory import Host
from agent.plugin.api import Shell
from agent.runtime.neighbours import Neighbours

GRACE = 1
"""Seconds after its time-out that a command is left to end by itself."""


@dataclass(frozen=True, slots=True)
class CheckShell:
    """Does not wait for hosts that are known not to answer, unless somebody waits for the answer (`urgent`), and
    leaves no command running there. `asker` is who asks again once the host answers.
    """

    shell: Shell
    neighbours: Neighbours
    asker: str
    urgent: bool

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
        if host.connection == "ssh":
            refusal = None if self.urgent else self.neighbours.refusal(host.name, self.asker)
            if refusal is not None:
                raise HostUnreachable(host.name, refusal)
            command = killed_after(command, timeout, sudo=sudo)
        return self.shell.run(host, command, timeout=timeout, sudo=sudo, stdin=stdin, output_limit=output_limit)


def killed_after(command: str, seconds: float, *, sudo: bool) -> str:
    """`command`, which timeout(1) kills on the host, where there is one, with all it started.

    sshd leaves a command without a terminal alone when its channel or its connection ends, and passes a signal on
    neither for root nor to what runs by sudo. A check that hangs would leave one more process at every interval.
    """
    shell = "sh" if sudo else '"${SHELL:-sh}"'
    limit = math.ceil(seconds) + GRACE
    script = f'command -v timeout >/dev/null 2>&1 && exec timeout -s KILL {limit} {shell} -c "$0"; exec {shell} -c "$0"'
    return f"exec sh -c {shlex.quote(script)} {shlex.quote(command)}"
