"""Why a drill ends before all that is expected was judged."""

from collections.abc import Mapping

from agent.core.area import Area
from agent.core.draft import Draft
from agent.core.emergency.conditions import View
from agent.core.state import State
from agent.model.drill import Drill
from agent.model.settings import Settings


class StopConditions:
    """The drill's `stop_if`, judged as a plan's conditions are: over the allowed hosts and the services at stake."""

    def __init__(self, drill: Drill, services: tuple[str, ...], settings: Settings) -> None:
        self._conditions = drill.stop_if
        self._area = Area(drill.hosts.names, services, settings)
        self._since: Mapping[int, float] = {}

    def met(self, state: State, at: float) -> str | None:
        """The first that has held for its time, as a sentence. `at` in seconds since the epoch."""
        view = View(Draft(state, at), self._area)
        since: dict[int, float] = {}
        said: str | None = None
        for number, condition in enumerate(self._conditions):
            found = view.look(condition)
            if not found.is_true:
                continue
            since[number] = found.since if found.since is not None else self._since.get(number, at)
            if said is None and at >= since[number] + condition.hold:
                said = f"stop condition: {found.text}"
        self._since = since
        return said
