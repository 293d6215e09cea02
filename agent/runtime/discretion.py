"""Commands that hold a secret, kept out of sight.

A command line is for everybody on the host to see, in `ps` and in what sudo logs. So the command goes over
standard input, and what stands in the command line is only how to read it.
"""

from agent.model.command_result import CommandResult
from agent.model.inventory import Host
from agent.plugin.api import Shell, StepPorts

FROM_STDIN = 'eval "$(cat)"'
"""In any POSIX shell: the command then finds its standard input at its end, as it would without this."""


class DiscreetShell:
    """What a command itself shows of the secret in the command lines of others is its author's to avoid."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

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
        """As `Shell.run`; only a command that wants standard input for itself is run as it stands."""
        if stdin is None:
            command, stdin = FROM_STDIN, command.encode()
        return self._shell.run(host, command, timeout=timeout, sudo=sudo, stdin=stdin, output_limit=output_limit)


class DiscreetPorts:
    """The ports of a step that holds a secret."""

    def __init__(self, ports: StepPorts) -> None:
        self._ports = ports
        self.shell: Shell = DiscreetShell(ports.shell)

    def secret(self, name: str) -> str:
        return self._ports.secret(name)
