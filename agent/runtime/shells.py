"""Commands on the hosts of the inventory, each over the way its connection says."""

import os
from collections.abc import Mapping

from agent.errors import LoginRefused
from agent.model.command_result import CommandResult
from agent.model.inventory import Host, Login
from agent.runtime.shell import LocalShell, as_root
from agent.runtime.ssh import SshPool


class Shells:
    """The shell that checks and steps are given. `logins` by host name; `output_limit` in bytes; thread-safe."""

    def __init__(
        self, logins: Mapping[str, Login], ssh: SshPool, local: LocalShell, *, output_limit: int = 65536
    ) -> None:
        self._logins = logins
        self._ssh = ssh
        self._local = local
        self._output_limit = output_limit

    def use(self, logins: Mapping[str, Login]) -> None:
        """From now on; commands under way end as they began."""
        self._logins = logins

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
        """`sudo` is left out where we are root already: a minimal host has no sudo.

        Raises HostError and its kinds; LoginRefused where the inventory knows no login for the host.
        """
        limit = self._output_limit if output_limit is None else output_limit
        if host.connection == "local":
            line = as_root(command) if sudo and os.geteuid() != 0 else command
            return self._local.run(line, timeout=timeout, stdin=stdin, output_limit=limit)
        login = self._logins.get(host.name)
        if login is None:
            raise LoginRefused(host.name, "the inventory does not say how to log in")
        line = as_root(command) if sudo and login.user != "root" else command
        return self._ssh.run(host.name, login, line, timeout=timeout, stdin=stdin, output_limit=limit)
