"""Updates as the engine orders them, and secrets, for tests of ticket systems."""

from collections.abc import Mapping

from agent.errors import UnknownSecret
from agent.model.commands import Milestone, UpdateTicket


class Given:
    """Secrets by name."""

    def __init__(self, **values: str) -> None:
        self._values: Mapping[str, str] = values

    def secret(self, name: str) -> str:
        if name not in self._values:
            raise UnknownSecret(f"there is no secret {name}")
        return self._values[name]


def update(
    incident: str, number: int = 1, milestone: Milestone = Milestone.OPENED, text: str = "it broke", **fields: object
) -> UpdateTicket:
    values: dict[str, object] = {
        "id": incident,
        "title": "web on web1: 连接被拒绝",
        "description": "web on web1 refuses connections",
        "priority": "P1",
        "impact": "extensive",
        "urgency": "high",
        "phase": "new",
        "category": "service",
        "team": "web-team",
        "assignee": "",
        "service": "shop",
        "hosts": ["web1", "web2"],
        "origin": "monitoring",
        "exercise": False,
    }
    return UpdateTicket(incident, number, milestone, text, values | fields)
