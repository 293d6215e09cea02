"""Services, teams and policy: who leans on what, and who answers for it."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from agent.config.names import named, refer, refer_to_hosts
from agent.config.problem import Path
from agent.config.source import Folder
from agent.config.validation import validate
from agent.model.inventory import Group
from agent.model.policy import Policy, Team
from agent.model.priority import Impact, Urgency
from agent.model.service import Criticality, Service
from agent.model.settings import LOCALHOST

UNOWNED = ("general", "monitoring")
"""Categories that need no team of their own: the default team takes them."""


def read_services(source: Folder, groups: Mapping[str, Group]) -> dict[str, Service]:
    """Services with their hosts filled in."""
    services: dict[str, Service] = {}
    for name, authored in named(source, "services"):
        path = ("services", name)
        service, findings = validate(Service, authored, path, source.reach, {"name": name})
        source.report_all(findings)
        if service is None:
            continue
        hosts: dict[str, None] = {}
        for index, reference in enumerate(service.on):
            if refer_to_hosts(source, (*path, "on", index), reference):
                hosts |= dict.fromkeys(_hosts(reference, groups))
        if service.owner is not None:
            refer(source, (*path, "owner"), "teams", service.owner)
        for index, other in enumerate(service.depends_on):
            refer(source, (*path, "depends_on", index), "services", other)
        services[name] = service.model_copy(update={"hosts": tuple(hosts)})
    _report_circles(source, services)
    return services


def _hosts(reference: str, groups: Mapping[str, Group]) -> tuple[str, ...]:
    sort, _, name = reference.partition(":")
    if sort == "group":
        return groups[name].hosts if name in groups else ()
    return (name,) if sort == "host" else (LOCALHOST,)


def _report_circles(source: Folder, services: Mapping[str, Service]) -> None:
    """A circle has no cause at its end. Each is reported once, at its first service."""
    done: set[str] = set()
    for start in services:
        way: list[str] = []
        stack = [(start, iter(services[start].depends_on))] if start not in done else []
        while stack:
            name, rest = stack[-1]
            if len(way) < len(stack):
                way.append(name)
            following = next((other for other in rest if other in services and other not in done), None)
            if following is None:
                done.add(name)
                stack.pop()
                way.pop()
            elif following in way:
                circle = " → ".join((*way[way.index(following) :], following))
                what = f"services depend on each other in a circle: {circle}"
                source.report(("services", following, "depends_on"), what, "leave out the weakest of these")
            else:
                stack.append((following, iter(services[following].depends_on)))


def read_teams(source: Folder) -> dict[str, Team]:
    teams: dict[str, Team] = {}
    owners: dict[str, str] = {}
    for name, authored in named(source, "teams"):
        team, findings = validate(Team, authored, ("teams", name), source.reach, {"name": name})
        source.report_all(findings)
        if team is None:
            continue
        teams[name] = team
        for index, category in enumerate(team.categories):
            first = owners.setdefault(category, name)
            if first != name:
                what = f"category '{category}' already belongs to team '{first}'"
                source.report(
                    ("teams", name, "categories", index), what, "a category has one team: leave it to one of them"
                )
    return teams


def read_policy(source: Folder, teams: dict[str, Team]) -> Policy:
    """The policy; its default team is added to `teams` where people named no teams at all."""
    policy, findings = validate(Policy, source.section("policy"), ("policy",), source.reach)
    source.report_all(findings)
    if policy is None:
        return Policy()
    _report_gaps(source, ("policy", "priority"), policy.priority, Impact)
    for impact, row in policy.priority.items():
        _report_gaps(source, ("policy", "priority", impact.value), row, Urgency)
    _report_gaps(source, ("policy", "impact", "weights"), policy.impact.weights, Criticality)
    _report_bands(source, policy)
    if not source.section("teams"):
        teams.setdefault(policy.default_team, Team(name=policy.default_team))
    elif "default_team" in source.section("policy"):
        refer(source, ("policy", "default_team"), "teams", policy.default_team)
    elif policy.default_team not in source.section("teams") and source.is_whole:
        what = f"no team is named '{policy.default_team}', which takes what belongs to nobody else"
        source.report(("teams",), what, "add it, or name another as default_team under 'policy:'")
    return policy


def _report_gaps(source: Folder, path: Path, table: Mapping[Any, object], rows: type[StrEnum]) -> None:
    written: object = source.section(str(path[0]))
    for key in path[1:]:
        written = written.get(str(key)) if isinstance(written, dict) else None
    names = [row.value for row in rows]
    if not isinstance(written, dict) or any(key not in names for key in written):
        return  # not written at all, or a key is misspelt: that has been said
    missing = [row.value for row in rows if row not in table and row.value not in written]
    if missing:
        hint = "a table that is written must be complete: " + ", ".join(names)
        source.report(path, f"has nothing for {' and '.join(missing)}", hint)


def _report_bands(source: Folder, policy: Policy) -> None:
    rules = policy.impact
    for upper, lower in (("extensive_from", "significant_from"), ("significant_from", "moderate_from")):
        high, low = getattr(rules, upper), getattr(rules, lower)
        if high <= low:
            what = f"{upper} ({high:g}) is not above {lower} ({low:g})"
            key = upper if upper in rules.model_fields_set else lower
            source.report(("policy", "impact", key), what, "a graver impact begins at a higher number")


def check_category(source: Folder, path: Path, category: str, teams: Mapping[str, Team]) -> None:
    """Where there are teams, every fault type must be somebody's."""
    owned = sorted(category for team in teams.values() for category in team.categories)
    if category in UNOWNED or category in owned or not owned or not source.is_whole:
        return
    what = f"no team takes the category '{category}'"
    source.report(path, what, f"add it to a team's categories, or use one of: {', '.join(owned)}")
