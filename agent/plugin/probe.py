"""One check at one target: what is asked at an interval."""

from dataclasses import dataclass

from agent.model.inventory import Host
from agent.plugin.api import CheckType


@dataclass(frozen=True, slots=True)
class Probe:
    """`check` names the rules; `check_type` has its templates filled in for `host`."""

    check: str
    host: Host
    check_type: CheckType

    @property
    def scope(self) -> str:
        """Identifies the asking."""
        return f"{self.check}@{self.host.name}"
