"""Aggregates as the engine would make them, for tests of the record."""

from dataclasses import replace

from agent.model.commands import Milestone, RunStep, UpdateTicket
from agent.model.decision import Decision
from agent.model.execution import Execution, HostRun, RunPhase, StepOutcome, StepStatus, Treatment
from agent.model.health import Health, Key
from agent.model.incident import Attempt, Incident, Origin, Phase, Rung, Symptom, TicketRef
from agent.model.observation import Verdict
from agent.model.priority import Classification, Impact, Priority, Urgency
from agent.model.timeline import Entry, EntryKind

NOON = 1_763_640_000.5
WEB = Key("web", "web1")
DIGEST = "d1" * 32

INCIDENT = Incident(
    id="INC-12",
    origin=Origin.MONITORING,
    phase=Phase.TREATING,
    title="web on web1: 连接被拒绝",
    category="service",
    opened_at=NOON,
    classification=Classification(
        Impact.SIGNIFICANT, Urgency.HIGH, Priority.P2, "half of the hosts", "the shop is vital", "row 2, column 1"
    ),
    team="web-team",
    cause="web",
    service="shop",
    symptoms=(Symptom(WEB, "web1", "shop", Verdict.CRITICAL, NOON - 20, "refused"),),
    ladders=(("web", (Rung("reload-web", "d0" * 32), Rung("restart-web", DIGEST))),),
    attempts=(Attempt("RUN-6", "reload-web", "not recovered", NOON + 5),),
    execution="RUN-7",
    due=NOON + 60,
    ticket=TicketRef("77", "http://tracker/77"),
)

EXECUTION = Execution(
    id="RUN-7",
    runbook="restart-web",
    digest=DIGEST,
    incident="INC-12",
    started_at=NOON + 6,
    actor="paramedic",
    runs=(
        HostRun(
            "web1",
            verify=(WEB,),
            phase=RunPhase.RUNNING,
            pending="RUN-7.web1.steps.0.1",
            registered={"sound": StepOutcome(StepStatus.OK, 0, "syntax is ok", seconds=0.25)},
        ),
    ),
    batch=0,
    serial=1,
    variables={"grace": "30s", "ports": [80, 443], "force": False},
)

HEALTH = Health(WEB, "web1", Verdict.CRITICAL, NOON - 20, "refused", 0.5, changes=(NOON - 400.25, NOON - 20))
TREATMENT = Treatment("RUN-7", "restart-web", "web1", NOON + 6)
STEP = RunStep(
    id="RUN-7.web1.steps.0.1",
    execution="RUN-7",
    incident="INC-12",
    host="web1",
    local=False,
    name="restart",
    kind="run",
    params={"run": "systemctl restart nginx", "env": {"A": 1}},
    sudo=True,
    timeout=30.0,
    repeatable=False,
)


def update(incident: str, number: int, text: str = "restarting web1") -> UpdateTicket:
    return UpdateTicket(incident, number, Milestone.UPDATED, text, {"title": "web is down", "hosts": ["web1"]})


def entry(text: str, about: str = "INC-12", at: float = NOON, **data: object) -> Entry:
    return Entry(at, about, EntryKind.NOTE, text, "ada", data)


def notes(*texts: str) -> Decision:
    """A decision that only records."""
    return Decision(entries=tuple(entry(text) for text in texts))


def opened(incident: Incident = INCIDENT, execution: Execution = EXECUTION) -> Decision:
    """An incident under treatment: what the tests of queues need to exist."""
    return Decision(incidents={incident.id: incident}, executions={execution.id: execution})


def incident(number: int, **changes: object) -> Incident:
    return replace(INCIDENT, id=f"INC-{number}", **changes)
