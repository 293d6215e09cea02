"""What the control API needs of the agent."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from agent.errors import ParamedicError
from agent.model.decision import Reply
from agent.model.emergency_views import EmergencyView, PlanView, ResourceView, ReviewView
from agent.model.events import Act
from agent.model.incident import Incident
from agent.model.observation import Observation
from agent.model.priority import Priority
from agent.model.views import ChainView, CheckView, RunbookView, Status, Story


class AgentBusy(ParamedicError):
    """The agent did not answer in time; the text says whether what was asked may still be done."""

    retryable = True


class AgentStopping(AgentBusy):
    """The agent ends before it could answer."""

    def __init__(self) -> None:
        super().__init__("the agent is stopping; what was asked may still be done")


@dataclass(frozen=True, slots=True)
class IncidentQuery:
    """`all`: resolved and closed ones too. `since`: opened then or later, seconds since the epoch."""

    all: bool = False
    service: str | None = None
    priority: Priority | None = None
    since: float | None = None
    limit: int = 100


class Emergencies(Protocol):
    """Questions about emergency plans. All may raise StoreError."""

    def plans(self) -> Sequence[PlanView]: ...

    def emergencies(self, *, all: bool, limit: int) -> Sequence[EmergencyView]:
        """Newest first; `all`: also those whose review is closed."""

    def emergency(self, id: str) -> EmergencyView | None: ...

    def review(self, id: str) -> ReviewView | None:
        """As far as the agent knows, or as people closed it; None when there is no such emergency."""

    def resources(self) -> Sequence[ResourceView]: ...


class Drills(Protocol):
    """Drills inside the agent, one at a time."""

    def start(self, name: str, actor: str) -> Reply: ...

    def told(self, after: int) -> tuple[int, Sequence[object], bool]:
        """What it has told since number `after`, the number of the last of that, and whether it has ended."""

    def abort(self, because: str) -> Reply: ...


class Control(Protocol):
    """Every method may be called from any thread. All may raise AgentBusy and StoreError."""

    @property
    def emergencies(self) -> Emergencies: ...

    @property
    def drills(self) -> Drills: ...

    def act(self, actor: str, act: Act) -> Reply:
        """Returns when the decision is committed."""

    def status(self) -> Status: ...

    def incidents(self, query: IncidentQuery) -> Sequence[Incident]:
        """Newest first."""

    def story(self, about: str) -> Story | None:
        """None when there is neither such an incident, nor such an execution, nor such an emergency."""

    def checks(self) -> Sequence[CheckView]: ...

    def ask(self, check: str, host: str | None) -> Sequence[Observation] | None:
        """Ask a check now and wait for the answers; None when there is no such check (on that host)."""

    def runbooks(self) -> Sequence[RunbookView]: ...

    def verify_records(self) -> ChainView: ...

    def refused(self, actor: str, text: str) -> None:
        """Somebody was not allowed to act; goes on the record. Does not wait for it."""

    def reload(self, actor: str) -> Reply:
        """Read the configuration again; on problems nothing changes and the reply lists them."""
