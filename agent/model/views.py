"""What people are shown of a running agent. Times in seconds since the epoch, durations in seconds."""

from dataclasses import dataclass
from enum import StrEnum

from agent.model.access import Role
from agent.model.decision import GlobalFreeze
from agent.model.emergency_views import EmergencyView
from agent.model.execution import Execution
from agent.model.exercise import Exercise
from agent.model.incident import Incident
from agent.model.observation import Verdict
from agent.model.timeline import Entry


@dataclass(frozen=True, slots=True)
class TicketsView:
    """`available` None: no answer yet. `set_aside`: updates the ticket system will never take. `asked` False: nothing
    can be sent for want of something on our side. `files` False: a drill's agent without a queue of its own, which
    files nothing.
    """

    configured: bool
    available: bool | None = None
    waiting: int = 0
    waiting_since: float | None = None
    set_aside: int = 0
    last_error: str | None = None
    next_attempt: float | None = None
    asked: bool = True
    files: bool = True


@dataclass(frozen=True, slots=True)
class MessagesView:
    """`targets`: how many are configured; `given_up`: never delivered; `silent`: targets nothing gets through to."""

    targets: int
    waiting: int = 0
    waiting_since: float | None = None
    given_up: int = 0
    last_error: str | None = None
    silent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ScheduleView:
    """How late checks are asked, over all checks since the agent started: the worst moving average, the worst lag.

    `waiting`: askings that wait for a thread; `late`: due while the one before was not over; `hanging`:
    askings that have not returned in time.
    """

    probes: int
    waiting: int
    lag_average: float
    lag_worst: float
    late: int
    hanging: tuple[str, ...]


class NeighbourState(StrEnum):
    """Of a circuit breaker: closed, open, half open."""

    ANSWERS = "answers"
    SILENT = "silent"
    PROBED = "probed"


@dataclass(frozen=True, slots=True)
class NeighbourView:
    """Somebody the agent needs: a host by its name, a metrics server by its address, `tickets`.

    `since`: of the first failure in a row; `why`: what the latest said; `next_try`: when the schedule asks it again.
    """

    name: str
    state: NeighbourState
    since: float | None = None
    why: str | None = None
    next_try: float | None = None


@dataclass(frozen=True, slots=True)
class BacklogView:
    """How far the decisions are behind what is seen and said, in seconds.

    `waiting`: events not decided yet; `behind`: for how long the oldest of them has waited; `worst`: the longest that
    anything has waited, since the agent started, until its decision was committed; `costliest`: processor time of the
    costliest round of decisions, to tell much work from a slow disk or a busy machine; `superseded`: answers that
    were out of date before they could be decided.
    """

    waiting: int
    behind: float
    worst: float
    costliest: float
    superseded: int


@dataclass(frozen=True, slots=True)
class YouView:
    """Who asks, as the record would say it, and his role."""

    user: str
    role: Role | None


@dataclass(frozen=True, slots=True)
class Status:
    """The whole agent at a glance. `verdicts`: confirmed status name to number of subjects, `blind` apart;
    `neighbours`: all that were tried; `you` is there where a person asks; `emergencies`: not closed, newest first;
    `exercises`: drills that have the agent's leave.
    """

    version: str
    pid: int
    started_at: float
    now: float
    config: str
    store: str
    records: int
    head: str
    commit_error: str | None
    freeze: GlobalFreeze | None
    incidents: tuple[Incident, ...]
    executions: tuple[Execution, ...]
    checks: int
    hosts: int
    verdicts: dict[str, int]
    blind: int
    tickets: TicketsView
    schedule: ScheduleView
    neighbours: tuple[NeighbourView, ...]
    ssh_connections: int
    decisions: BacklogView
    steps_under_way: tuple[str, ...]
    changed_runbooks: tuple[str, ...] = ()
    you: YouView | None = None
    emergencies: tuple[EmergencyView, ...] = ()
    messages: MessagesView = MessagesView(0)
    exercises: tuple[Exercise, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """A timeline entry with its place and hash in the chain."""

    seq: int
    entry: Entry
    hash: str


@dataclass(frozen=True, slots=True)
class Story:
    """All that is known of an incident (or, by `RUN-7`, of a runbook run by hand: then `incident` is None)."""

    incident: Incident | None
    executions: tuple[Execution, ...]
    entries: tuple[StoredEntry, ...]


@dataclass(frozen=True, slots=True)
class SubjectView:
    """One subject of a check. `status` None: not confirmed yet; `last`: the latest verdict, unconfirmed."""

    subject: str
    host: str | None
    status: Verdict | None
    last: Verdict | None
    since: float
    asked_at: float | None
    value: float | None
    message: str
    blind: bool
    flapping: bool


@dataclass(frozen=True, slots=True)
class CheckView:
    name: str
    kind: str
    description: str
    every: float
    service: str | None
    ladder: tuple[str, ...]
    subjects: tuple[SubjectView, ...]


@dataclass(frozen=True, slots=True)
class RunbookView:
    """`used_by`: checks whose ladder names it. `changed_on_disk`: its file no longer holds the text in force."""

    name: str
    description: str
    digest: str
    hosts: str
    used_by: tuple[str, ...]
    text: str
    signed_by: str = ""
    changed_on_disk: bool = False


@dataclass(frozen=True, slots=True)
class ChainView:
    """Whether every record is as it was written; `broken_at`: number of the first that is not, and why."""

    intact: bool
    records: int
    head: str
    broken_at: int | None = None
    why: str = ""
