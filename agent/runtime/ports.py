"""What plugins are given of the outside world."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from agent.errors import CannotAsk
from agent.plugin.api import ProcessInfo, Secrets, Shell
from agent.runtime.check_shell import CheckShell
from agent.runtime.processes import ProcessSnapshot


@dataclass(frozen=True, slots=True)
class Ports:
    """For steps, the same for all of them."""

    shell: Shell
    secrets: Secrets

    def secret(self, name: str) -> str:
        return self.secrets.secret(name)


@dataclass(frozen=True, slots=True)
class AskingPorts:
    """For one asking of a check. `since`: when the question was put, monotonic seconds; `timeout` in seconds."""

    shell: CheckShell
    secrets: Secrets
    snapshot: ProcessSnapshot
    timeout: float
    since: float

    def processes(self) -> Sequence[ProcessInfo]:
        return self.snapshot.processes(self.since)

    @contextmanager
    def neighbour(self, name: str) -> Iterator[None]:
        shell = self.shell
        refusal = None if shell.urgent else shell.neighbours.refusal(name, shell.asker)
        if refusal is not None:
            raise CannotAsk(refusal)
        with shell.neighbours.asking(name):
            yield

    def secret(self, name: str) -> str:
        return self.secrets.secret(name)
