"""Runbooks: what operations people wrote down to treat a fault."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from agent.model.authored import Authored, Name
from agent.model.quantities import Duration, HostCount, RateLimit


@dataclass(frozen=True, slots=True)
class Perform:
    """The step has an effect: a performer carries it out."""


@dataclass(frozen=True, slots=True)
class Pause:
    """The step waits so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class AskCheck:
    """The step asks a check and expects the verdict; `within` seconds to get there."""

    check: str
    within: float


@dataclass(frozen=True, slots=True)
class AskPerson:
    """The step waits for a person's yes; `otherwise` is what happens when nobody comes `within` seconds."""

    question: str
    team: str | None
    within: float
    otherwise: Literal["abort", "continue", "escalate"]


Demand = Perform | Pause | AskCheck | AskPerson


class Action(BaseModel):
    """What a step does: the plugin of one step kind (entry points `paramedic.steps`).

    The step's YAML is `KIND: VALUE`; a value that is not a mapping is given to the field named by
    `primary`. String fields may hold templates, rendered before the action is performed; `shell` says
    that rendered values are quoted for a shell. `sudo` and `on` of the step apply only where
    `takes_sudo` is true. `resumable`: all it does to the world it does by commands through `ports.shell`, always
    the same ones; after an interruption it is performed again, and learns what came of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: ClassVar[str]
    primary: ClassVar[str]
    shell: ClassVar[bool] = False
    takes_sudo: ClassVar[bool] = False
    resumable: ClassVar[bool] = False

    def demand(self) -> Demand:
        """What the engine must arrange for this step."""
        raise NotImplementedError


class Retry(Authored):
    """Try a failed step again: `attempts` in all; `delay` seconds first, then `backoff` times as long."""

    attempts: int = Field(2, ge=1, le=20)
    delay: Duration = 1.0
    backoff: float = Field(2.0, ge=1, le=10)


class Step(Authored):
    """One step. `register`: the name under which later steps see its result (stdout, stderr, status)."""

    name: str
    action: Action
    on: Literal["host", "local"] = Field("host", description="local: on the machine the agent runs on.")
    sudo: bool = False
    timeout: Duration = 60.0
    retry: Retry = Retry(attempts=1)
    when: str | None = Field(None, description="A Jinja2 expression; the step is skipped when it is false.")
    register_as: Name | None = Field(None, alias="register")
    on_failure: Literal["abort", "continue", "rollback"] = Field(
        "rollback", description="rollback without a rollback section is the same as abort."
    )
    repeatable: bool = Field(False, description="May be run again when its outcome is not known.")
    evidence: bool = Field(False, exclude=True, description="From the evidence section: never changes anything.")


class Limits(Authored):
    """How often and how far a runbook may go."""

    per_host: RateLimit | None = None
    per_runbook: RateLimit | None = None
    stop_after_failures: int = Field(1, ge=1, description="Hosts that may fail before the rest is left alone.")


class Verify(Authored):
    """How recovery is established. `checks` empty: the checks that opened the incident."""

    checks: Annotated[tuple[Name, ...], BeforeValidator(lambda v: (v,) if isinstance(v, str) else v)] = Field(
        (), alias="check"
    )
    within: Duration = 60.0
    stable_for: Duration = 0.0


class Variable(Authored):
    """A value given when the runbook is run; without a default it must be given."""

    type: Literal["string", "integer", "number", "boolean"] = "string"
    default: str | int | float | bool | None = None
    description: str = ""
    pattern: str | None = Field(None, description="Regular expression that the whole value must match.")


class Runbook(Authored):
    """A runbook as loaded. `text` is what people wrote, `digest` its SHA-256: what ran can be shown later.

    `signed_by`: the allowed signer who signed this text; empty where signatures are not asked for.
    """

    name: str = Field(alias="runbook")
    description: str = ""
    hosts: str = Field("affected", description="affected, group:NAME, host:NAME or local.")
    serial: HostCount | None = Field(None, description="How many hosts at a time; default: all of them.")
    limits: Limits = Limits()
    vars: dict[Name, Variable] = {}
    evidence: tuple[Step, ...] = ()
    steps: tuple[Step, ...]
    rollback: tuple[Step, ...] = ()
    verify: Verify = Verify()
    text: str = Field("", exclude=True)
    digest: str = Field("", exclude=True)
    signed_by: str = Field("", exclude=True)

    @property
    def short_digest(self) -> str:
        """Enough of it for people to tell texts apart, and the beginning of what sha256sum says of the file."""
        return self.digest[:12]

    @property
    def treatment(self) -> tuple[Step, ...]:
        """Evidence first: nothing is changed before the state of things is kept."""
        return self.evidence + self.steps

    def batch_size(self, hosts: int) -> int:
        """How many hosts are treated at a time."""
        return self.serial.of(hosts) if self.serial else max(1, hosts)
