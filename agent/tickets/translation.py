"""`map:` turns our words into those of the ticket system: P1 into critical, resolved into 5."""

from collections.abc import Mapping
from typing import Any

from agent.model.commands import Milestone, UpdateTicket
from agent.model.incident import Origin, Phase
from agent.model.priority import Impact, Priority, Urgency

STATUS = "status"
"""The one map that is looked up by milestone; the others by the field of their name."""

DEFAULT = "default"

_WORDS = {
    STATUS: Milestone,
    "priority": Priority,
    "phase": Phase,
    "impact": Impact,
    "urgency": Urgency,
    "origin": Origin,
}
_OPEN = ("category", "team", "assignee", "service")
"""Fields whose values are the author's own, so that a map must say what holds for the rest."""


def check_complete(maps: Mapping[str, Mapping[str, Any]]) -> None:
    """Raises ValueError for a map that is not looked up by anything, or that leaves a value out."""
    for name, words in maps.items():
        if name not in _WORDS and name not in _OPEN:
            raise ValueError(f"map.{name}: there is no such field; there is {', '.join((*_WORDS, *_OPEN))}")
        if DEFAULT in words:
            continue
        if name in _OPEN:
            raise ValueError(f"map.{name}: say what the others become: `{DEFAULT}: …`")
        known = [str(word) for word in _WORDS[name]]
        missing = [word for word in known if word not in words]
        if missing:
            raise ValueError(f"map.{name}: says nothing of {', '.join(missing)}")
        unknown = [word for word in words if word not in known]
        if unknown:
            raise ValueError(f"map.{name}: there is no {', '.join(unknown)}; there is {', '.join(known)}")


def translated(maps: Mapping[str, Mapping[str, Any]], update: UpdateTicket) -> dict[str, Any]:
    """Map name → the ticket system's word for this update."""
    words = {**update.fields, STATUS: update.milestone}
    return {name: each.get(str(words.get(name)), each.get(DEFAULT)) for name, each in maps.items()}
