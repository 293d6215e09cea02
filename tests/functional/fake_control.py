"""A stand-in for the agent behind the control API: answers what the test says, and notes who did what."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from agent.errors import StoreFull
from agent.model.decision import GlobalFreeze, Reply
from agent.model.events import Act, Freeze, RunByHand, Unfreeze
from agent.model.incident import Incident
from agent.model.observation import Observation, Verdict
from agent.model.views import (
    BacklogView,
    ChainView,
    CheckView,
    NeighbourState,
    NeighbourView,
    RunbookView,
    ScheduleView,
    Status,
    Story,
    SubjectView,
    TicketsView,
)
from agent.runtime.control.port import AgentBusy, IncidentQuery
from tests.functional.told_drills import FakeDrills
from tests.functional.told_emergencies import FakeEmergencies
from tests.functional.told_stories import BY_HAND_STORY, HOSTILE, INCIDENT, NOTICED, RESTART, STORY

STATUS = Status(
    version="0.1.0",
    pid=4711,
    started_at=NOTICED - 7500,
    now=NOTICED + 100,
    config="/etc/paramedic",
    store="/var/lib/paramedic",
    records=1234,
    head="3fa9" * 16,
    commit_error=None,
    freeze=None,
    incidents=(INCIDENT,),
    executions=(replace(RESTART, outcome=None),),
    checks=12,
    hosts=4,
    verdicts={"OK": 30, "CRITICAL": 1, "unconfirmed": 2},
    blind=1,
    tickets=TicketsView(True, False, 3, NOTICED - 60, 1, "connection refused", NOTICED + 130),
    schedule=ScheduleView(34, 0, 0.002, 0.04, 0, ()),
    neighbours=(
        NeighbourView("http://localhost:9090", NeighbourState.ANSWERS),
        NeighbourView("web1", NeighbourState.SILENT, NOTICED + 60, "connection refused", NOTICED + 105),
    ),
    ssh_connections=2,
    decisions=BacklogView(0, 0.0, 0.012, 0.008, 0),
    steps_under_way=(),
    changed_runbooks=("restart-unit", HOSTILE),
)

CHECKS = (
    CheckView(
        name="web",
        kind="http",
        description="",
        every=10.0,
        service="shop",
        ladder=("reload-web", "restart-web"),
        subjects=(
            SubjectView(
                "web1", "web1", Verdict.CRITICAL, Verdict.CRITICAL, NOTICED, NOTICED, None, HOSTILE, False, False
            ),
            SubjectView("web2", "web2", Verdict.OK, Verdict.UNKNOWN, NOTICED, NOTICED, 0.004, "timed out", False, True),
        ),
    ),
    CheckView("root-disk", "disk", "", 30.0, None, (), ()),
)

RUNBOOKS = (
    RunbookView("restart-web", "Restart nginx.", "d1" * 32, "affected", ("web",), "runbook: restart-web\nsteps: []\n"),
    RunbookView("restart-unit", HOSTILE, "d2" * 32, "affected", (), f"# {HOSTILE}\n", HOSTILE, True),
)

SOUND = ChainView(True, 1234, "3fa9" * 16)


@dataclass
class FakeControl:
    """Implements `Control`. Change the fields as the test needs. `asked`: checks.

    `full`: the record cannot be read now; `hold`: answers wait for it, and `held` says that one does.
    """

    status_now: Status = STATUS
    known: tuple[Incident, ...] = (INCIDENT,)
    chain: ChainView = SOUND
    checks_now: tuple[CheckView, ...] = CHECKS
    stories: dict[str, Story] = field(default_factory=lambda: {"INC-12": STORY, "RUN-3": BY_HAND_STORY})
    emergencies: FakeEmergencies = field(default_factory=FakeEmergencies)
    drills: FakeDrills = field(default_factory=FakeDrills)
    refuse: str | None = None
    busy: bool = False
    full: bool = False
    broken: bool = False
    acts: list[tuple[str, Act]] = field(default_factory=list)
    refusals: list[tuple[str, str]] = field(default_factory=list)
    queries: list[IncidentQuery] = field(default_factory=list)
    hold: threading.Event | None = None
    held: bool = False
    asked: list[str] = field(default_factory=list)

    def act(self, actor: str, act: Act) -> Reply:
        self._trouble()
        if self.refuse is not None:
            return Reply(False, self.refuse, "INC-12")
        self.acts.append((actor, act))
        match act:
            case Freeze(reason):
                self.status_now = replace(self.status_now, freeze=GlobalFreeze(reason, actor, NOTICED))
            case Unfreeze():
                self.status_now = replace(self.status_now, freeze=None)
            case RunByHand():
                return Reply(True, f"{act.runbook} started as RUN-8", "RUN-8")
        return Reply(True, f"{type(act).__name__} by {actor}", "INC-12")

    def status(self) -> Status:
        if self.broken:
            raise ZeroDivisionError("secret of the inside")
        return self.status_now

    def incidents(self, query: IncidentQuery) -> Sequence[Incident]:
        self.queries.append(query)
        return self.known

    def story(self, about: str) -> Story | None:
        self._trouble()
        return self.stories.get(about)

    def checks(self) -> Sequence[CheckView]:
        return self.checks_now

    def ask(self, check: str, host: str | None) -> Sequence[Observation] | None:
        self._trouble()
        self.asked.append(check)
        if check != "web":
            return None
        verdicts = {"web1": Verdict.CRITICAL, "web2": Verdict.OK}
        return [
            Observation(check, name, name, verdict, NOTICED, HOSTILE if verdict.is_bad else "status 200")
            for name, verdict in verdicts.items()
            if host in (None, name)
        ]

    def runbooks(self) -> Sequence[RunbookView]:
        return RUNBOOKS

    def verify_records(self) -> ChainView:
        return self.chain

    def refused(self, actor: str, text: str) -> None:
        self.refusals.append((actor, text))

    def reload(self, actor: str) -> Reply:
        if self.refuse is not None:
            return Reply(False, self.refuse)
        return Reply(True, f"configuration reloaded for {actor}")

    def _trouble(self) -> None:
        if self.hold is not None:
            self.held = True
            self.hold.wait(30)
        if self.busy:
            raise AgentBusy("the agent has not answered in time")
        if self.full:
            raise StoreFull("no space left on the disk of the record")
