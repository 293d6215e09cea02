"""What an emergency plan is about: hosts and services, and what belongs to them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from agent.core.draft import Draft
from agent.model.activation import Activation
from agent.model.health import Health
from agent.model.incident import Incident, Symptom
from agent.model.plan import Plan
from agent.model.settings import Settings


@dataclass(frozen=True)
class Area:
    """A plan's scope. On a host of one of its services only those checks count that belong to no service, or to one
    of the plan's: that another service is ill there is another emergency. On its other hosts every check counts.
    """

    hosts: tuple[str, ...]
    services: tuple[str, ...]
    settings: Settings

    def has(self, incident: Incident) -> bool:
        """Whether the incident is in scope; the major incidents of plans never are."""
        if incident.plan is not None:
            return False
        return incident.service in self.services or any(map(self.ails, incident.symptoms))

    def ails(self, symptom: Symptom) -> bool:
        """Whether what is, or was, wrong there counts."""
        return self._counts(symptom.service, symptom.host)

    def concerns(self, health: Health) -> bool:
        """Whether what is known of this subject counts."""
        rules = self.settings.checks.get(health.key.check)
        return rules is not None and self._counts(rules.service, health.host)

    def _counts(self, service: str | None, host: str | None) -> bool:
        if service is not None and service not in self.services:
            return host in self._hosts and host not in self._serving
        return service is not None or host in self._hosts

    def holds(self, host: str) -> bool:
        return host in self._hosts

    @cached_property
    def _hosts(self) -> frozenset[str]:
        return frozenset(self.hosts)

    @cached_property
    def _serving(self) -> frozenset[str]:
        """Hosts of its services."""
        services = self.settings.services
        return frozenset(host for name in self.services if name in services for host in services[name].hosts)


def area_of(plan: Plan, settings: Settings) -> Area:
    """Of a plan as it is written."""
    return Area(plan.hosts, plan.scope.services, settings)


def area_in_charge(activation: Activation, settings: Settings) -> Area:
    """Of a plan at work: as it was when it began."""
    return Area(activation.hosts, activation.services, settings)


def incidents_in(draft: Draft, area: Area) -> list[Incident]:
    """Incidents in scope that are open, oldest first."""
    return [incident for incident in draft.incidents() if incident.phase.is_open and area.has(incident)]


def known_for_real(draft: Draft) -> Iterator[Health]:
    """All that is known of everything, without what is left to an exercise under way."""
    if not draft.exercises():
        return draft.healths()
    return (health for health in draft.healths() if not draft.is_left_to_a_drill(health.key.check, health.host))


def subjects_in(draft: Draft, area: Area) -> Iterator[Health]:
    """All that is known of what is in scope."""
    return (health for health in known_for_real(draft) if area.concerns(health))


def unwell(known: Iterable[Health]) -> list[Health]:
    """Those that are ill or cannot be asked."""
    return [health for health in known if health.is_bad or health.blind_since is not None]


def ill_hosts(draft: Draft, area: Area) -> tuple[str, ...]:
    """Hosts in scope on which something that counts is confirmed ill, in the order of the scope."""
    ill = {health.host for health in subjects_in(draft, area) if health.is_bad}
    return tuple(host for host in area.hosts if host in ill)
