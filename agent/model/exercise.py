"""A drill that has the running agent's leave to break things."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Exercise:
    """While it lasts, what these checks say of these hosts is the drill's and opens no incident of the agent's own.

    `until`: it lapses then unless it is renewed, seconds since the epoch. `preempted_by`: the real incident or plan
    in the drill's scope for which the drill must give way. `hosts` are not treated by the agent meanwhile.
    """

    id: str
    title: str
    actor: str
    hosts: tuple[str, ...]
    checks: tuple[str, ...]
    since: float
    until: float
    preempted_by: str | None = None
    services: tuple[str, ...] = ()

    def speaks_of(self, check: str, host: str | None) -> bool:
        """Whether what this check says of this host, or of no host, is the drill's."""
        return check in self.checks and (host is None or host in self.hosts)
