"""The organisation's rules: how impact and priority are judged, who owns what, how much treatment is allowed."""

from pydantic import Field

from agent.model.authored import Authored, Name
from agent.model.priority import Impact, Priority, Urgency
from agent.model.quantities import Duration, RateLimit
from agent.model.service import Criticality


class ImpactRules(Authored):
    """Impact = share of the service's hosts affected × weight of its criticality × its users, in bands."""

    weights: dict[Criticality, float] = {
        Criticality.VITAL: 4,
        Criticality.HIGH: 3,
        Criticality.MEDIUM: 2,
        Criticality.LOW: 1,
    }
    extensive_from: float = Field(1000, gt=0)
    significant_from: float = Field(200, gt=0)
    moderate_from: float = Field(50, gt=0)


_MATRIX: dict[Impact, dict[Urgency, Priority]] = {
    Impact.EXTENSIVE: {Urgency.HIGH: Priority.P1, Urgency.MEDIUM: Priority.P2, Urgency.LOW: Priority.P3},
    Impact.SIGNIFICANT: {Urgency.HIGH: Priority.P2, Urgency.MEDIUM: Priority.P3, Urgency.LOW: Priority.P4},
    Impact.MODERATE: {Urgency.HIGH: Priority.P3, Urgency.MEDIUM: Priority.P4, Urgency.LOW: Priority.P4},
    Impact.MINOR: {Urgency.HIGH: Priority.P4, Urgency.MEDIUM: Priority.P5, Urgency.LOW: Priority.P5},
}


class Team(Authored):
    """People who own a fault type. `categories`: the fault types."""

    name: str
    title: str = ""
    categories: tuple[str, ...] = ()
    members: tuple[str, ...] = Field((), description="UNIX user names.")


class TreatmentRules(Authored):
    """Bounds over all runbooks. Durations in seconds."""

    cooldown: Duration = Field(0.0, description="Quiet time for a host between two treatments.")
    per_host: RateLimit | None = Field(None, description="Treatments of one host by all runbooks together.")
    dependency_wait: Duration = Field(
        15.0, description="How long to wait for a dependency's check to answer before treating the dependent."
    )


class LifecycleRules(Authored):
    """Durations in seconds."""

    close_after: Duration = Field(3600.0, description="A resolved incident closes after this time without relapse.")


class StormRules(Authored):
    """When many faults are taken as one, though nothing but their check connects them. Durations in seconds."""

    subjects: int = Field(
        10, ge=2, description="So many subjects of one check that fall ill within this time are one incident."
    )
    within: Duration = 60.0


class Policy(Authored):
    """Everything in `policy:`."""

    impact: ImpactRules = ImpactRules()
    priority: dict[Impact, dict[Urgency, Priority]] = _MATRIX
    treatment: TreatmentRules = TreatmentRules()
    lifecycle: LifecycleRules = LifecycleRules()
    storm: StormRules = StormRules()
    default_team: Name = "operations"
