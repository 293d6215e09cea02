"""What decisions need to know of the configuration, whole and cross-checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from agent.model.check import CheckRules
from agent.model.incident import Origin
from agent.model.inventory import Group, Host
from agent.model.people import MessageTarget, Person
from agent.model.plan import Plan, Resource
from agent.model.policy import Policy, Team
from agent.model.runbook import Runbook
from agent.model.service import Service

LOCALHOST = "localhost"
"""Inventory name of the machine the agent runs on, always there."""


@dataclass(frozen=True)
class Settings:
    """Names to definitions. `runbooks` by name: the texts in force for new incidents. `targets`: for messages.
    `origin`: of the incidents that monitoring opens.
    """

    checks: Mapping[str, CheckRules] = field(default_factory=dict)
    hosts: Mapping[str, Host] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    services: Mapping[str, Service] = field(default_factory=dict)
    teams: Mapping[str, Team] = field(default_factory=dict)
    policy: Policy = field(default_factory=Policy)
    runbooks: Mapping[str, Runbook] = field(default_factory=dict)
    has_tickets: bool = False
    people: Mapping[str, Person] = field(default_factory=dict)
    targets: Mapping[str, MessageTarget] = field(default_factory=dict)
    plans: Mapping[str, Plan] = field(default_factory=dict)
    resources: Mapping[str, Resource] = field(default_factory=dict)
    origin: Origin = Origin.MONITORING

    def hosts_of(self, reference: str) -> tuple[str, ...]:
        """Host names of `local`, `host:NAME` or `group:NAME`; empty for what does not exist."""
        if reference == "local":
            return (LOCALHOST,)
        sort, _, name = reference.partition(":")
        if sort == "host" and name in self.hosts:
            return (name,)
        if sort == "group" and name in self.groups:
            return self.groups[name].hosts
        return ()

    @cached_property
    def groups_of_hosts(self) -> Mapping[str, tuple[Group, ...]]:
        """Host to the groups that it belongs to."""
        found: dict[str, tuple[Group, ...]] = {}
        for group in self.groups.values():
            for host in group.hosts:
                found[host] = (*found.get(host, ()), group)
        return found
