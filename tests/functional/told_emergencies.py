"""An emergency with everything in it, for tests of what people are shown."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from agent.model.activation import ActionRun, ActionState, Activation, CallRun, CallState, Marks, Stage
from agent.model.emergency_views import EmergencyView, PlanView, ResourceView, ReviewView
from agent.model.observation import Verdict
from agent.model.people import Person
from agent.model.plan import Level, Plan, PlanPhase, PlanRole
from agent.model.settings import Settings
from agent.runtime.control.emergency_views import emergency_view, plan_view
from tests.functional.told_stories import HOSTILE, NOTICED

PLAN = Plan.model_validate(
    {
        "name": "shop-down",
        "title": "The web shop is down",
        "version": "3",
        "owner": "operations",
        "review_due": "2025-10-01",
        "scope": {"services": ("shop",)},
        "roles": {"commander": ("alice", "bob"), "technical_lead": ("bob",)},
        "levels": {
            "I": {},
            "II": {"any": ({"hosts_healthy": "below 60%", "for": "1m"}, {"unresolved": "P1", "for": "15m"})},
        },
        "notification": ({"tell": "commander", "within": "5m", "then": ({"tell": "technical_lead"},)},),
        "phases": {
            "contain": ({"name": "maintenance page", "do": "Switch the load balancer."},),
            "recover": ({"name": "restart", "runbook": "restart-web", "approve": "commander"},),
        },
        "stand_down": {"for": "10m", "confirmed_by": "commander"},
        "targets": {"rto": "2h"},
        "resources": ("last-backup",),
        "fallback": "Call Bob.",
        "hosts": ("web1", "web2"),
        "digest": "e1" * 32,
    }
)
SETTINGS = Settings(
    plans={"shop-down": PLAN},
    people={
        "alice": Person(name="alice", title="Alice Adams", phone="+49 30 1"),
        "bob": Person(name="bob", title=HOSTILE),
    },
)
DECLARED = NOTICED + 60
ACTIVE = Activation(
    id="PLAN-1",
    plan="shop-down",
    title="The web shop is down",
    version="3",
    digest=PLAN.digest,
    level=Level.II,
    stage=Stage.ACTIVE,
    incident="INC-14",
    activated_at=DECLARED,
    actor="agent",
    because="1 of 2 hosts of the scope are healthy (below 60%), for 1m",
    hosts=PLAN.hosts,
    services=("shop",),
    marks=Marks(NOTICED, NOTICED, DECLARED),
    calls=(
        CallRun(
            tell="commander",
            whom=("alice", "bob"),
            level=Level.IV,
            within=300.0,
            role=PlanRole.COMMANDER,
            state=CallState.CALLED,
            called_at=DECLARED,
            due=DECLARED + 300,
        ),
        CallRun("technical_lead", ("bob",), Level.IV, None, PlanRole.TECHNICAL_LEAD, parent=0),
    ),
    actions=(
        ActionRun(
            number=1,
            phase=PlanPhase.CONTAIN,
            name="maintenance page",
            by=PlanRole.TECHNICAL_LEAD,
            level=Level.IV,
            timeout=1800.0,
            do="Switch the load balancer.",
            state=ActionState.TODO,
            began_at=DECLARED,
            due=DECLARED + 1800,
        ),
        ActionRun(
            number=2,
            phase=PlanPhase.RECOVER,
            name="restart",
            by=PlanRole.TECHNICAL_LEAD,
            level=Level.IV,
            timeout=1800.0,
            runbook="restart-web",
            digest="d1" * 32,
            approve=PlanRole.COMMANDER,
        ),
    ),
    linked=("INC-12", "INC-13"),
    report_due=DECLARED + 1800,
    roles=PLAN.roles,
    fallback="Call Bob.",
)
OVER = replace(ACTIVE, id="PLAN-2", stage=Stage.REVIEW)
RESOURCES = (
    ResourceView(
        name="last-backup",
        title="Last night's backup",
        kind="backup",
        check="backup-age",
        contact="Carol, +49 30 7654321",
        note="",
        usable=True,
        verdict=Verdict.OK,
        message="2 h old",
        proven_at=NOTICED,
        plans=("shop-down",),
    ),
    ResourceView("spare", "", "spare", "spare", HOSTILE, "", False, None, "not asked yet", None, ()),
)


@dataclass
class FakeEmergencies:
    """Implements `Emergencies`."""

    known: list[Activation] = field(default_factory=lambda: [ACTIVE])
    resources_now: tuple[ResourceView, ...] = RESOURCES

    def plans(self) -> Sequence[PlanView]:
        return [plan_view(PLAN, SETTINGS, date(2025, 11, 20), tuple(one.id for one in self.known))]

    def emergencies(self, *, all: bool, limit: int) -> Sequence[EmergencyView]:
        return [emergency_view(one, SETTINGS) for one in self.known if all or one.stage is not Stage.CLOSED][:limit]

    def emergency(self, id: str) -> EmergencyView | None:
        return next((emergency_view(one, SETTINGS) for one in self.known if one.id == id), None)

    def review(self, id: str) -> ReviewView | None:
        return next(
            (ReviewView(id, f"# Review of {id}\n{HOSTILE}\n", False) for one in self.known if one.id == id), None
        )

    def resources(self) -> Sequence[ResourceView]:
        return self.resources_now
