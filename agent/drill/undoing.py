"""What puts everything back after a drill."""

from collections.abc import Mapping, Sequence

from agent.drill.dead_man import DeadMan, Undoing
from agent.model.drill import Drill
from agent.model.inventory import Host
from agent.plugin.api import Shell

_SPARE = 60.0
"""Seconds beyond the deadline and all undos, after which a host does not wait for the drill any longer."""


def undos_of(drill: Drill) -> tuple[Undoing, ...]:
    """In the order in which they are played: the last fault is undone first, what else is to be put back comes last."""
    faults = [
        Undoing(f"undo {each.name}", each.host, each.undo, each.sudo, each.timeout)
        for each in sorted(drill.inject, key=lambda each: each.at)[::-1]
        if each.host is not None and each.undo is not None
    ]
    more = [Undoing(each.name or each.run, each.host, each.run, each.sudo, each.timeout) for each in drill.rollback]
    return (*faults, *more)


def timers_of(
    undos: Sequence[Undoing], broken: Sequence[str], name: str, shell: Shell, hosts: Mapping[str, Host]
) -> tuple[DeadMan, ...]:
    """One for each host on which a fault is made, with all that is undone there. `name`: of the drill's timers; each
    has its host's name too, for two hosts of the inventory may be one machine.
    """
    return tuple(
        DeadMan(shell, hosts[host], f"{name}-{host}", tuple(each for each in undos if each.host == host))
        for host in dict.fromkeys(broken)
        if host in hosts
    )


def latest_of(drill: Drill, undos: Sequence[Undoing]) -> float:
    """Seconds after which a host undoes everything whatever it hears."""
    return drill.deadline + sum(each.timeout for each in undos) + _SPARE
