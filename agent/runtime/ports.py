"""What plugins are given of the outside world."""

from collections.abc import Sequence
from dataclasses import dataclass

from agent.plugin.api import ProcessInfo, Secrets, Shell
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

    shell: Shell
    secrets: Secrets
    snapshot: ProcessSnapshot
    timeout: float
    since: float

    def processes(self) -> Sequence[ProcessInfo]:
        return self.snapshot.processes(self.since)

    def secret(self, name: str) -> str:
        return self.secrets.secret(name)
