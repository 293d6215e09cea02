"""How a drill itself reaches hosts: the production shells, apart from those of its agent."""

from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from agent.config.configuration import Configuration
from agent.drill.fence import CheckShell, Fence, StepShell
from agent.model.inventory import Host
from agent.model.settings import LOCALHOST
from agent.plugin.api import Secrets as SecretsPort
from agent.plugin.api import Shell
from agent.runtime.interview import Interviewer
from agent.runtime.neighbours import Neighbours
from agent.runtime.redaction import Redactor
from agent.runtime.secrets import Secrets
from agent.runtime.shell import LocalShell
from agent.runtime.shells import Shells
from agent.runtime.ssh import SshPool


class Ways:
    """Use as a context manager. `hosts`: the inventory, this machine too."""

    def __init__(self, configuration: Configuration, fence: Fence) -> None:
        self._fence = fence
        self._cleanup = ExitStack()
        self.hosts: dict[str, Host] = {LOCALHOST: Host(name=LOCALHOST, connection="local")}
        self.hosts |= configuration.settings.hosts
        self._secrets = Secrets(configuration.secrets)
        self._redactor = Redactor(self._secrets.seen, configuration.agent.redact)
        self._pool = SshPool(passphrases=self._secrets.secret)
        limit = configuration.agent.output_limit
        self._shells = Shells(configuration.logins, self._pool, LocalShell(), output_limit=limit)

    def __enter__(self) -> Self:
        self._cleanup.callback(self._pool.close)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cleanup.close()

    def shell(self, *, back: bool) -> Shell:
        """`back`: for putting things back."""
        return StepShell(self._fence, self._shells, back=back)

    def interviewer(self, make: Callable[[Shell, SecretsPort, Redactor, Neighbours], Interviewer]) -> Interviewer:
        """One that reaches hosts that may be touched."""
        return make(CheckShell(self._fence, self._shells), self._secrets, self._redactor, Neighbours())

    def redact(self, text: str) -> str:
        return self._redactor.redact(text)
