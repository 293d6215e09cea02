"""The plugin API: what a check type, a step kind and a ticket system implement, and the ports they are given.

A plugin imports this module, `agent.model` and `agent.errors`, and nothing else of the agent.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field, field_validator

from agent.model.command_result import CommandResult
from agent.model.commands import UpdateTicket
from agent.model.execution import StepOutcome
from agent.model.incident import TicketRef
from agent.model.inventory import Host
from agent.model.observation import Answer
from agent.model.quantities import Duration, say_duration
from agent.model.threshold import Reading


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """One process of the shared snapshot. A zombie is dead: `alive` is false for it.

    `cpu_seconds`: user and system time so far; `memory`: resident bytes; `started`: seconds since the epoch;
    `seen`: when these figures were read, seconds since the epoch. Both by the wall clock as it was when the agent
    started: the difference is the age, whoever has set the clock meanwhile.
    """

    pid: int
    name: str
    command_line: tuple[str, ...]
    user: str
    alive: bool
    cpu_seconds: float
    memory: int
    started: float
    seen: float


class Shell(Protocol):
    """Runs a command on a host of the inventory, over SSH or on this machine as the host's connection says."""

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
        """`timeout` in seconds; `output_limit` in bytes, the agent's own when None.

        Raises HostError and its kinds; a non-zero exit is a result, not an error.
        """


class CheckPorts(Protocol):
    """What a check type may use of the outside world beside its own client library."""

    @property
    def shell(self) -> Shell: ...

    @property
    def timeout(self) -> float:
        """Seconds this asking may take; pass it on to every client."""

    def processes(self) -> Sequence[ProcessInfo]:
        """One snapshot shared by all checks of a pass. Raises CannotAsk where not all can be seen."""

    def neighbour(self, name: str) -> AbstractContextManager[None]:
        """Around a request to a server that many checks ask, such as Prometheus; `name` is what people know it by.

        Raises CannotAsk at once while it is known not to answer, unless somebody waits for the answer.
        NeighbourSilent raised within tells that it does not answer; to leave in any other way, that it does.
        """

    def secret(self, name: str) -> str:
        """Raises UnknownSecret."""


class CheckType(BaseModel):
    """Base of every check kind: its fields are the keys an author may write beside the common ones.

    `readings`: what thresholds may speak of; None: names are known only at run time (performance data).
    `remote`: whether `on:` may name other hosts; False for what psutil sees only on this machine.
    `own_subjects`: its answers name their own subjects, and it alone knows them; when it cannot ask, that
    is said of the check itself, and an answer without a host of a `remote` kind is about no host of ours.
    `shell`: whether its text fields are commands for a shell: what a template fills in is then quoted.
    String fields may hold `{{ host.name }}`, `{{ host.address }}`, `{{ host.vars.x }}`: an instance is
    made for each target host with these filled in.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: ClassVar[str]
    readings: ClassVar[Mapping[str, Reading] | None]
    remote: ClassVar[bool] = True
    own_subjects: ClassVar[bool] = False
    shell: ClassVar[bool] = False
    company: ClassVar[str | None] = None
    """Kinds of one company use a reading that is taken once for all of them, so they are asked together."""
    needs_threshold: ClassVar[bool] = False
    """Whether it concludes nothing by itself: without `warning` and `critical` it would never notice anything."""
    default_critical: ClassVar[str | None] = None
    """Threshold that applies when the author wrote neither `warning` nor `critical`."""

    def ask(self, target: Host, ports: CheckPorts) -> Sequence[Answer]:
        """Ask the question once. Raises CannotAsk when it could not be asked: the verdict is then UNKNOWN."""
        raise NotImplementedError


class StepPorts(Protocol):
    """What a performed step may use."""

    @property
    def shell(self) -> Shell: ...

    def secret(self, name: str) -> str:
        """Raises UnknownSecret."""


@runtime_checkable
class Performed(Protocol):
    """A step action whose demand is `Perform`: it is called in a worker thread, templates already rendered."""

    def perform(self, host: Host, ports: StepPorts, *, timeout: float, sudo: bool) -> StepOutcome:
        """Every ending is an outcome; only programming errors raise."""


LONGEST_SETTLING = 300.0
"""Seconds. A start takes what waits longer for the doing of a clock that was wrong (`agent.runtime.deliveries`)."""


class TicketSystem(BaseModel):
    """Base of every ticket system: its fields are the keys an author may write under `tickets:`.

    Used by one thread at a time for one incident. All methods raise TicketError.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: ClassVar[str]
    files: ClassVar[bool] = True
    """False: nothing is filed here, as in a drill that has no queue."""
    settles_within: Duration = Field(
        default=30.0,
        description="How long it may still be at a request whose answer was never heard; only then it is looked for.",
    )

    @field_validator("settles_within")
    @classmethod
    def _bounded(cls, seconds: float) -> float:
        if seconds > LONGEST_SETTLING:
            raise ValueError(f"must be at most {say_duration(LONGEST_SETTLING)}, got {say_duration(seconds)}")
        return seconds

    @property
    def system(self) -> str:
        """Which system this is: a ticket of another one is not ours to touch, though it has the same number."""
        return self.kind

    def find(self, external_id: str, secrets: "Secrets") -> TicketRef | None:
        """The ticket that carries our id, closed ones included; None only if the system surely has none."""
        raise NotImplementedError

    def create(self, update: UpdateTicket, secrets: "Secrets") -> TicketRef:
        """Called only after `find` answered None."""
        raise NotImplementedError

    def update(self, ticket: TicketRef, update: UpdateTicket, secrets: "Secrets") -> None:
        """Bring the ticket to the update's phase; add its text, once per `update.key` where possible."""
        raise NotImplementedError


class Secrets(Protocol):
    """Secret values by name; they never enter state, timeline or logs."""

    def secret(self, name: str) -> str:
        """Raises UnknownSecret."""
