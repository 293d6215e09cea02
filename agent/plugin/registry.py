"""How kinds are found: entry points, loaded only when a configuration uses them."""

from collections.abc import Iterable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

from agent.errors import ParamedicError

T = TypeVar("T")
CHECKS = "paramedic.checks"
STEPS = "paramedic.steps"
TICKETS = "paramedic.tickets"


class UnknownKind(ParamedicError):
    """No plugin of that name is installed."""

    def __init__(self, group: str, kind: str, known: Iterable[str]) -> None:
        self.known = sorted(known)
        super().__init__(f"no {group.removeprefix('paramedic.').removesuffix('s')} kind {kind!r} is installed")


@cache
def _found(group: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=group)}


def kinds(group: str) -> tuple[str, ...]:
    """Names of the installed kinds of a group, sorted; nothing is imported."""
    return tuple(sorted(_found(group)))


@cache
def load(group: str, kind: str, base: type[T]) -> type[T]:
    """The class that implements a kind.

    Raises UnknownKind when it is not installed and TypeError when it is not a subclass of `base`.
    """
    point = _found(group).get(kind)
    if point is None:
        raise UnknownKind(group, kind, _found(group))
    found = point.load()
    if not (isinstance(found, type) and issubclass(found, base)):
        raise TypeError(f"entry point {point.value} of {group} is not a {base.__name__}")
    return found
