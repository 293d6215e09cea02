"""Which incident a symptom belongs to, and which of an incident's checks is its cause.

One fault is one incident: a symptom joins what is already open for the same subject, for its service,
or for a service it depends on; an incident of a dependent service takes in the fault it hangs on. Very many
symptoms of one check at once are one fault whatever else is known of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from agent.model.incident import Incident, Origin, Phase, Symptom
from agent.model.observation import Verdict
from agent.model.policy import StormRules
from agent.model.quantities import say_duration
from agent.model.service import Service

_AGENT_AT_WORK = (Phase.NEW, Phase.TREATING, Phase.HELD)


@dataclass(frozen=True, slots=True)
class Match:
    """The incident a symptom joins, and why, as a sentence."""

    incident: str
    because: str


def find_home(symptom: Symptom, incidents: Iterable[Incident], services: Mapping[str, Service]) -> Match | None:
    """The open incident this new symptom belongs to; None when it is a fault of its own.

    An incident that a person already has takes no further symptoms but those explained by a
    dependency: the next fault of the service is the agent's to treat.
    """
    if symptom.service is None and not symptom.blind:
        return None
    candidates = [incident for incident in incidents if incident.phase.is_open and incident.origin is not Origin.PERSON]
    if symptom.blind or symptom.service is None:
        return _blind_home(symptom, candidates)
    seeing = [incident for incident in candidates if services_of(incident)]
    for incident in seeing:
        if incident.phase in _AGENT_AT_WORK and symptom.service in services_of(incident):
            return Match(incident.id, f"it is of the same service, {symptom.service}")
    needed = dependencies(symptom.service, services)
    for incident in seeing:
        broken = [name for name in services_of(incident) if name in needed]
        if broken:
            return Match(incident.id, f"{symptom.service} depends on {broken[0]}")
    for incident in seeing:
        dependents = [n for n in services_of(incident) if symptom.service in dependencies(n, services)]
        if incident.phase in _AGENT_AT_WORK and dependents:
            return Match(incident.id, f"{dependents[0]}, already ill, depends on {symptom.service}")
    return None


def storm_home(alike: Sequence[Symptom], incidents: Iterable[Incident], rules: StormRules, at: float) -> Match | None:
    """The open incident that these join because there are so many of them at once, all of one check.

    None while there are not, or when none of the check is open yet. Also an incident that a person has takes them
    in: a thousand hosts are not a thousand faults.
    """
    if alike[0].blind:
        return None  # what cannot be asked has rules of its own
    check = alike[0].key.check
    ill: dict[str, int] = {}
    for incident in incidents:
        if incident.phase.is_open and incident.origin is not Origin.PERSON:
            lately = sum(1 for s in incident.ill if s.key.check == check and s.since > at - rules.within)
            if lately and not any(s.blind for s in incident.ill):
                ill[incident.id] = lately
    number = sum(ill.values()) + len(alike)
    if not ill or number < rules.subjects:
        return None
    most = max(ill, key=lambda id: ill[id])  # the oldest of those
    return Match(most, f"{number} subjects of {check} fell ill within {say_duration(rules.within)}")


def _blind_home(symptom: Symptom, incidents: Iterable[Incident]) -> Match | None:
    for incident in incidents:
        for other in incident.ill:
            if other.blind and symptom.host is not None and other.host == symptom.host:
                return Match(incident.id, f"{symptom.host} cannot be asked by {other.key.check} either")
            if other.blind and other.key.check == symptom.key.check:
                return Match(incident.id, f"check {symptom.key.check} cannot be asked there either")
    return None


def services_of(incident: Incident) -> tuple[str, ...]:
    """Services with an ill symptom in this incident, each once."""
    return tuple(dict.fromkeys(s.service for s in incident.ill if s.service and not s.blind))


def dependencies(service: str, services: Mapping[str, Service]) -> frozenset[str]:
    """Everything a service leans on, directly or through others; itself excluded."""
    found: set[str] = set()
    todo = [service]
    while todo:
        known = services.get(todo.pop())
        for needed in known.depends_on if known else ():
            if needed not in found and needed != service:
                found.add(needed)
                todo.append(needed)
    return frozenset(found)


def treatable(incident: Incident, services: Mapping[str, Service]) -> tuple[str, ...]:
    """Ill checks that may be treated, the likeliest cause first.

    A check whose service depends on another ill service of this incident is a symptom of that and is
    left out. Among the rest: critical before warning, then the one that was ill first.
    """
    ill = [symptom for symptom in incident.ill if not symptom.blind]
    ill_services = {symptom.service for symptom in ill if symptom.service}
    roots = [s for s in ill if not (s.service and dependencies(s.service, services) & ill_services)]
    roots.sort(key=lambda symptom: (symptom.status is not Verdict.CRITICAL, symptom.since))
    return tuple(dict.fromkeys(symptom.key.check for symptom in roots))
