"""Impact, urgency and priority of an incident, with the inputs and the rule that gave each.

Impact = share of the service's hosts affected × weight of its criticality × its users, in bands;
the gravest of the services affected counts. Priority = matrix of impact and urgency (ITIL).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from agent.model.incident import Symptom
from agent.model.observation import Verdict
from agent.model.policy import ImpactRules, Policy
from agent.model.priority import Classification, Impact, Urgency
from agent.model.service import Service
from agent.model.settings import Settings


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a fault goes in one service. `affected` hosts of `total`; total 0: the service as a whole."""

    service: Service
    affected: int
    total: int

    @property
    def share(self) -> float:
        return self.affected / self.total if self.total else 1.0

    def score(self, rules: ImpactRules) -> float:
        return self.share * rules.weights.get(self.service.criticality, 1.0) * self.service.users


def classify(symptoms: Iterable[Symptom], settings: Settings) -> Classification:
    """Judge what is ill now."""
    ill = tuple(symptoms)
    impact, impact_because = judge_impact(reaches(ill, settings), settings.policy.impact)
    urgency, urgency_because = judge_urgency(ill, settings)
    return _combine(impact, impact_because, urgency, urgency_because, settings.policy)


def classify_report(reached: Iterable[Reach], urgency: Urgency, policy: Policy) -> Classification:
    """Judge a fault that a person reported, with the urgency the person gave."""
    impact, impact_because = judge_impact(reached, policy.impact)
    return _combine(impact, impact_because, urgency, f"urgency {urgency}: given by the reporter", policy)


def reaches(symptoms: Iterable[Symptom], settings: Settings) -> list[Reach]:
    """What each service loses: by the service its symptom names, else by the services on its host."""
    hosts: dict[str, set[str]] = {}
    whole: set[str] = set()
    for symptom in symptoms:
        for name in _services_hit(symptom, settings.services):
            if symptom.host in settings.services[name].hosts:
                hosts.setdefault(name, set()).add(symptom.host or "")
            else:
                whole.add(name)
    names = [name for name in settings.services if name in hosts or name in whole]
    return [
        Reach(settings.services[n], 0, 0)
        if n in whole
        else Reach(settings.services[n], len(hosts[n]), len(settings.services[n].hosts))
        for n in names
    ]


def _services_hit(symptom: Symptom, services: Mapping[str, Service]) -> list[str]:
    if symptom.service in services:
        return [symptom.service] if symptom.service else []
    return [name for name, service in services.items() if symptom.host and symptom.host in service.hosts]


def judge_impact(reached: Iterable[Reach], rules: ImpactRules) -> tuple[Impact, str]:
    """Impact and the sentence that accounts for it."""
    gravest = max(reached, key=lambda reach: reach.score(rules), default=None)
    if gravest is None:
        return Impact.MINOR, "impact minor: no service is known to depend on it"
    score = gravest.score(rules)
    bands = (
        (Impact.EXTENSIVE, rules.extensive_from),
        (Impact.SIGNIFICANT, rules.significant_from),
        (Impact.MODERATE, rules.moderate_from),
    )
    impact, band = next(
        ((impact, f"{impact} from {low:g}") for impact, low in bands if score >= low),
        (Impact.MINOR, f"minor below {rules.moderate_from:g}"),
    )
    service = gravest.service
    share = (
        f"{gravest.affected} of {gravest.total} hosts of {service.name} ({gravest.share:.0%})"
        if gravest.total
        else f"all of {service.name} (100%)"
    )
    weight = rules.weights.get(service.criticality, 1.0)
    return impact, (
        f"impact {impact}: {share} × criticality {service.criticality} ({weight:g}) × "
        f"{service.users} users = {score:g}, {band}"
    )


def judge_urgency(symptoms: Iterable[Symptom], settings: Settings) -> tuple[Urgency, str]:
    """Urgency and the sentence that accounts for it: the most urgent symptom counts."""
    levels = list(Urgency)
    best: tuple[Urgency, str] = (Urgency.LOW, "urgency low: nothing is ill now")
    for number, symptom in enumerate(symptoms):
        found = _urgency_of(symptom, settings)
        if number == 0 or levels.index(found[0]) < levels.index(best[0]):
            best = found
    return best


def _urgency_of(symptom: Symptom, settings: Settings) -> tuple[Urgency, str]:
    rules = settings.checks.get(symptom.key.check)
    if symptom.blind:
        return Urgency.LOW, f"urgency low: {symptom.key} cannot be asked, nothing is known to be broken"
    if rules and rules.urgency:
        urgency = Urgency(rules.urgency)
        return urgency, f"urgency {urgency}: check {rules.name} says so"
    if symptom.status is Verdict.CRITICAL:
        return Urgency.HIGH, f"urgency high: {symptom.key} is critical"
    return Urgency.MEDIUM, f"urgency medium: {symptom.key} is a warning"


def _combine(
    impact: Impact, impact_because: str, urgency: Urgency, urgency_because: str, policy: Policy
) -> Classification:
    priority = policy.priority[impact][urgency]
    return Classification(
        impact=impact,
        urgency=urgency,
        priority=priority,
        impact_because=impact_because,
        urgency_because=urgency_because,
        priority_because=f"priority {priority}: impact {impact} × urgency {urgency}",
    )
