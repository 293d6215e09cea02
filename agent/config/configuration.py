"""A whole configuration, as the daemon uses it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agent.config.agent_settings import AgentSettings
from agent.config.secret import SecretRef
from agent.model.access import Access
from agent.model.drill import Drill
from agent.model.inventory import Login
from agent.model.settings import Settings
from agent.plugin.api import TicketSystem
from agent.plugin.probe import Probe as Probe


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything that was read, cross-checked. `logins`: by name of each host that is reached over SSH.

    `folder`: where it was read from. `runbook_files`: by runbook name, the file its text stands in.
    `access`: who may do what, None where nobody wrote it. `drill_tickets`: the queue that drills file their tickets in.
    """

    folder: Path
    agent: AgentSettings
    settings: Settings
    probes: tuple[Probe, ...] = ()
    logins: Mapping[str, Login] = field(default_factory=dict)
    tickets: TicketSystem | None = None
    secrets: Mapping[str, SecretRef] = field(default_factory=dict)
    runbook_files: Mapping[str, Path] = field(default_factory=dict)
    access: Access | None = None
    drills: Mapping[str, Drill] = field(default_factory=dict)
    drill_tickets: TicketSystem | None = None
