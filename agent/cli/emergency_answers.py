"""What a running agent answers about emergency plans; the keys are those of `agent.model.emergency_views`."""

from typing import TypedDict


class LevelAnswer(TypedDict):
    level: str
    title: str
    any: list[str]
    all: list[str]


class PlannedAction(TypedDict):
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
    digest: str
    text: str


class PlannedCall(TypedDict):
    tell: str
    whom: list[str]
    within: float | None
    level: str
    depth: int


class PlanAnswer(TypedDict):
    name: str
    title: str
    version: str
    digest: str
    owner: str
    approved_by: str
    review_due: str | None
    overdue: bool
    services: list[str]
    hosts: list[str]
    roles: dict[str, list[str]]
    levels: list[LevelAnswer]
    calls: list[PlannedCall]
    actions: list[PlannedAction]
    report_every: float
    stand_down: list[str]
    targets: dict[str, float]
    resources: list[str]
    fallback: str
    active: list[str]


class CallAnswer(TypedDict):
    """See `agent.model.activation.CallRun`."""

    tell: str
    whom: list[str]
    level: str
    role: str | None
    parent: int | None
    state: str
    turn: int
    called_at: float | None
    due: float | None
    acknowledged_by: str | None
    acknowledged_at: float | None


class ActionAnswer(TypedDict):
    """See `agent.model.activation.ActionRun`."""

    number: int
    phase: str
    name: str
    by: str
    level: str
    state: str
    execution: str | None
    began_at: float | None
    ended_at: float | None
    result: str
    actor: str
    do: str


class ActivationAnswer(TypedDict):
    """The keys that are shown; there are more (see `agent.model.activation.Activation`)."""

    id: str
    plan: str
    title: str
    version: str
    level: str
    stage: str
    incident: str
    activated_at: float
    actor: str
    because: str
    hosts: list[str]
    calls: list[CallAnswer]
    actions: list[ActionAnswer]
    linked: list[str]
    reports: int
    report_due: float | None
    well_since: float | None
    fallback: str
    reviewed_by: str | None
    closed_at: float | None


class WaitAnswer(TypedDict):
    who: str
    what: str
    command: str
    due: float | None


class EmergencyAnswer(TypedDict):
    activation: ActivationAnswer
    in_charge: str
    under_way: list[str]
    waits: list[WaitAnswer]


class ReviewAnswer(TypedDict):
    activation: str
    text: str
    closed: bool


class ResourceAnswer(TypedDict):
    name: str
    title: str
    kind: str
    check: str
    contact: str
    note: str
    usable: bool
    verdict: str | None
    message: str
    proven_at: float | None
    plans: list[str]
