"""What the control API is told of emergency plans, from what the agent knows and from its record."""

from collections.abc import Callable, Sequence
from datetime import date, datetime

from agent.core.state import State
from agent.model.activation import Activation, Stage
from agent.model.emergency_views import EmergencyView, PlanView, ResourceView, ReviewView
from agent.model.health import Health
from agent.runtime.control.emergency_views import emergency_view, plan_view, resource_view
from agent.runtime.control.told import review_from
from agent.runtime.store import Store


class EmergencyDesk:
    """Implements `Emergencies`. Other threads than the deciding one read copies of the state's dictionaries."""

    def __init__(self, state: Callable[[], State], store: Store, now: Callable[[], float]) -> None:
        self._state = state
        self._store = store
        self._now = now

    def plans(self) -> Sequence[PlanView]:
        settings = self._state().settings
        at_work: dict[str, tuple[str, ...]] = {}
        for one in self._known():
            if one.stage.is_active:
                at_work[one.plan] = (*at_work.get(one.plan, ()), one.id)
        return [
            plan_view(plan, settings, self._today, at_work.get(name, ()))
            for name, plan in sorted(settings.plans.items())
        ]

    def emergencies(self, *, all: bool, limit: int) -> Sequence[EmergencyView]:
        found = self._store.activations(limit=limit) if all else sorted(self._known(), key=_newest_first)[:limit]
        return [emergency_view(one, self._state().settings) for one in found]

    def emergency(self, id: str) -> EmergencyView | None:
        found = self._state().activations.get(id) or self._store.activation(id)
        return emergency_view(found, self._state().settings) if found else None

    def review(self, id: str) -> ReviewView | None:
        return review_from(self._store, id, self._state().settings)

    def resources(self) -> Sequence[ResourceView]:
        state = self._state()
        health: dict[str, list[Health]] = {}
        for one in list(state.health.values()):
            health.setdefault(one.key.check, []).append(one)
        settings = state.settings
        return [
            resource_view(resource, settings, health.get(resource.check, []), state.windows)
            for _, resource in sorted(settings.resources.items())
        ]

    def _known(self) -> list[Activation]:
        """Those that are not closed."""
        return [one for one in list(self._state().activations.values()) if one.stage is not Stage.CLOSED]

    @property
    def _today(self) -> date:
        return datetime.fromtimestamp(self._now()).date()


def _newest_first(activation: Activation) -> int:
    return -activation.number
