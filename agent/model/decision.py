"""What one event led to: committed in one transaction before any command is carried out."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.model.activation import Activation, PlanWatch
from agent.model.commands import Command
from agent.model.execution import Execution, Treatment
from agent.model.exercise import Exercise
from agent.model.health import Health, Key, Window
from agent.model.incident import Incident
from agent.model.timeline import Entry


@dataclass(frozen=True, slots=True)
class GlobalFreeze:
    """The global stop: no treatment starts while it stands."""

    reason: str
    actor: str
    since: float


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a person who acted. `about`: the incident or execution concerned, also a new one."""

    ok: bool
    text: str
    about: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """Every aggregate that changed, whole; what to record; what to do.

    `windows` is volatile and not stored. `freeze` is meaningful only if `freeze_changed`.
    `ended_steps`: ids of RunStep commands that are settled. `forgotten`: subjects that are no more.
    `runbooks`: digest to text of every runbook that an incident or execution in this decision refers to,
    so that the text can be kept. `watches` by plan; `exercises`: None for one that is over.
    """

    entries: tuple[Entry, ...] = ()
    commands: tuple[Command, ...] = ()
    health: Mapping[Key, Health] = field(default_factory=dict)
    windows: Mapping[Key, Window] = field(default_factory=dict)
    incidents: Mapping[str, Incident] = field(default_factory=dict)
    executions: Mapping[str, Execution] = field(default_factory=dict)
    treatments: tuple[Treatment, ...] = ()
    activations: Mapping[str, Activation] = field(default_factory=dict)
    watches: Mapping[str, PlanWatch] = field(default_factory=dict)
    exercises: Mapping[str, Exercise | None] = field(default_factory=dict)
    freeze_changed: bool = False
    freeze: GlobalFreeze | None = None
    counters: Mapping[str, int] = field(default_factory=dict)
    ended_steps: tuple[str, ...] = ()
    forgotten: tuple[Key, ...] = ()
    runbooks: Mapping[str, str] = field(default_factory=dict)
    reply: Reply | None = None

    @property
    def is_durable(self) -> bool:
        """Whether there is anything to commit: most observations change only the volatile windows."""
        return bool(
            self.entries
            or self.health
            or self.incidents
            or self.executions
            or self.treatments
            or self.activations
            or self.watches
            or self.exercises
            or self.freeze_changed
            or self.counters
            or self.ended_steps
            or self.forgotten
        )
