"""What a running agent answers, as JSON: the keys are those of `agent.model` and `agent.model.views`.

The command reads these plain; building the model's types from them would cost more than the question.
"""

from typing import Any, TypedDict

from agent.cli.emergency_answers import EmergencyAnswer


class KeyAnswer(TypedDict):
    check: str
    subject: str


class SymptomAnswer(TypedDict):
    key: KeyAnswer
    host: str | None
    service: str | None
    status: str
    since: float
    message: str
    cleared_at: float | None
    blind: bool


class ClassificationAnswer(TypedDict):
    impact: str
    urgency: str
    priority: str
    impact_because: str
    urgency_because: str
    priority_because: str


class AttemptAnswer(TypedDict):
    execution: str
    runbook: str
    outcome: str
    at: float


class TicketAnswer(TypedDict):
    id: str
    url: str


class IncidentAnswer(TypedDict):
    """The keys that are shown; there are more (see `agent.model.incident.Incident`)."""

    id: str
    origin: str
    phase: str
    title: str
    category: str
    opened_at: float
    classification: ClassificationAnswer
    team: str
    cause: str | None
    service: str | None
    symptoms: list[SymptomAnswer]
    attempts: list[AttemptAnswer]
    execution: str | None
    assignee: str | None
    acknowledged_by: str | None
    acknowledged_at: float | None
    reporter: str | None
    resolved_at: float | None
    closed_at: float | None
    reopened: int
    held_because: str | None
    ticket: TicketAnswer | None


class RunAnswer(TypedDict):
    """The run on one host; see `agent.model.execution.HostRun`."""

    host: str
    phase: str
    section: str
    step: int
    outcome: str | None
    reason: str


class ExecutionAnswer(TypedDict):
    """See `agent.model.execution.Execution`."""

    id: str
    runbook: str
    digest: str
    incident: str | None
    started_at: float
    actor: str
    runs: list[RunAnswer]
    variables: dict[str, Any]
    outcome: str | None
    ended_at: float | None
    held_because: str | None
    stopped_because: str | None
    override: str | None
    signed_by: str
    plan: str | None


class EntryAnswer(TypedDict):
    at: float
    about: str
    kind: str
    text: str
    actor: str
    data: dict[str, Any]


class StoredEntryAnswer(TypedDict):
    seq: int
    entry: EntryAnswer
    hash: str


class StoryAnswer(TypedDict):
    incident: IncidentAnswer | None
    executions: list[ExecutionAnswer]
    entries: list[StoredEntryAnswer]


class FreezeAnswer(TypedDict):
    reason: str
    actor: str
    since: float


class TicketsAnswer(TypedDict):
    configured: bool
    available: bool | None
    waiting: int
    waiting_since: float | None
    set_aside: int
    last_error: str | None
    next_attempt: float | None
    asked: bool
    files: bool


class MessagesAnswer(TypedDict):
    targets: int
    waiting: int
    waiting_since: float | None
    given_up: int
    last_error: str | None
    silent: list[str]


class ScheduleAnswer(TypedDict):
    probes: int
    waiting: int
    lag_average: float
    lag_worst: float
    late: int
    hanging: list[str]


class NeighbourAnswer(TypedDict):
    name: str
    state: str
    since: float | None
    why: str | None
    next_try: float | None


class BacklogAnswer(TypedDict):
    waiting: int
    behind: float
    worst: float
    costliest: float
    superseded: int


class YouAnswer(TypedDict):
    user: str
    role: str


class ExerciseAnswer(TypedDict):
    id: str
    title: str
    actor: str
    hosts: list[str]
    checks: list[str]
    since: float
    until: float
    preempted_by: str | None
    services: list[str]


class StatusAnswer(TypedDict):
    version: str
    pid: int
    started_at: float
    now: float
    config: str
    store: str
    records: int
    head: str
    commit_error: str | None
    freeze: FreezeAnswer | None
    incidents: list[IncidentAnswer]
    executions: list[ExecutionAnswer]
    checks: int
    hosts: int
    verdicts: dict[str, int]
    blind: int
    tickets: TicketsAnswer
    messages: MessagesAnswer
    schedule: ScheduleAnswer
    neighbours: list[NeighbourAnswer]
    ssh_connections: int
    decisions: BacklogAnswer
    steps_under_way: list[str]
    changed_runbooks: list[str]
    you: YouAnswer
    emergencies: list[EmergencyAnswer]
    exercises: list[ExerciseAnswer]


class SubjectAnswer(TypedDict):
    subject: str
    host: str | None
    status: str | None
    last: str | None
    since: float
    asked_at: float | None
    value: float | None
    message: str
    blind: bool
    flapping: bool


class CheckAnswer(TypedDict):
    name: str
    kind: str
    description: str
    every: float
    service: str | None
    ladder: list[str]
    subjects: list[SubjectAnswer]


class ObservationAnswer(TypedDict):
    check: str
    subject: str
    host: str | None
    verdict: str
    at: float
    message: str
    value: float | None


class RunbookAnswer(TypedDict):
    name: str
    description: str
    digest: str
    hosts: str
    used_by: list[str]
    text: str
    signed_by: str
    changed_on_disk: bool


class ChainAnswer(TypedDict):
    intact: bool
    records: int
    head: str
    broken_at: int | None
    why: str


class ReplyAnswer(TypedDict):
    ok: bool
    text: str
    about: str | None
