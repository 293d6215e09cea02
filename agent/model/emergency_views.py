"""What people are shown of emergency plans. Times in seconds since the epoch, durations in seconds."""

from collections.abc import Mapping
from dataclasses import dataclass

from agent.model.activation import Activation
from agent.model.observation import Verdict


@dataclass(frozen=True, slots=True)
class LevelView:
    """`any`, `all`: its conditions as sentences; with neither only a person declares it."""

    level: str
    title: str
    any: tuple[str, ...]
    all: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ActionView:
    """`kind`: runbook, steps or person; `what`: the runbook's name, or what a person does. `text`: of the steps."""

    number: int
    phase: str
    name: str
    kind: str
    what: str
    by: str
    level: str
    hosts: str
    timeout: float
    approve: str | None
    digest: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class CallView:
    """`whom`: people in the order they are called; `depth`: how many must be settled before."""

    tell: str
    whom: tuple[str, ...]
    within: float | None
    level: str
    depth: int


@dataclass(frozen=True, slots=True)
class PlanView:
    """A plan as it is in force. `overdue`: the day by which it was to be looked through has passed.

    `roles`: people as they are called, the holder first. `targets` by name, seconds. `active`: ids of activations.
    """

    name: str
    title: str
    version: str
    digest: str
    owner: str
    approved_by: str
    review_due: str | None
    overdue: bool
    services: tuple[str, ...]
    hosts: tuple[str, ...]
    roles: Mapping[str, tuple[str, ...]]
    levels: tuple[LevelView, ...]
    calls: tuple[CallView, ...]
    actions: tuple[ActionView, ...]
    report_every: float
    stand_down: tuple[str, ...]
    targets: Mapping[str, float]
    resources: tuple[str, ...]
    fallback: str
    active: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WaitView:
    """Something that waits for a person. `who`: as people call them; `command`: what they type; `due`: by when."""

    who: str
    what: str
    command: str
    due: float | None = None


@dataclass(frozen=True, slots=True)
class EmergencyView:
    """A plan at work. `in_charge`: who commands, and whether she is known to be there; `under_way`: what the agent
    does now.
    """

    activation: Activation
    in_charge: str
    under_way: tuple[str, ...]
    waits: tuple[WaitView, ...]


@dataclass(frozen=True, slots=True)
class ReviewView:
    """The review of an emergency, in Markdown: as it stands, or as people closed it."""

    activation: str
    text: str
    closed: bool


@dataclass(frozen=True, slots=True)
class ResourceView:
    """`verdict` None: not known yet. `proven_at`: when it was last known to be usable; None: never so far."""

    name: str
    title: str
    kind: str
    check: str
    contact: str
    note: str
    usable: bool
    verdict: Verdict | None
    message: str
    proven_at: float | None
    plans: tuple[str, ...]
