"""Who does what in an emergency, and who is told: everyone named must exist and be reachable by somebody."""

from collections.abc import Collection, Mapping

from agent.config.names import exists, refer
from agent.config.problem import Path, say_known
from agent.config.source import Folder
from agent.config.validation import show
from agent.model.plan import Call, Level, Plan, PlanRole
from agent.model.policy import Team

Roles = Mapping[PlanRole, tuple[str, ...]]


def check_roles(source: Folder, path: Path, roles: Roles, teams: Mapping[str, Team]) -> None:
    for role, whom in roles.items():
        here = (*path, role.value)
        if not whom:
            source.report(here, "names nobody", "write the holder first, then the deputies, or leave the role out")
        for index, name in enumerate(whom):
            if name in whom[:index]:
                source.report((*here, index), f"'{name}' is listed twice", "keep one of them")
            else:
                _refer_to_person_or_team(source, (*here, index), name, teams)
    authored = source.document_of(path).locate(path)[1].children
    misspelt = any(key not in tuple(PlanRole) for key in authored)
    if PlanRole.COMMANDER not in roles and not misspelt:
        source.report(path, "has no commander", "write commander: [NAME, DEPUTY, …]: somebody must be in charge")


def _refer_to_person_or_team(source: Folder, path: Path, name: str, teams: Mapping[str, Team]) -> None:
    sort, colon, rest = name.partition(":")
    if colon and sort == "person":
        source.report(path, f"{show(name)} is not a name", f"write {rest}: a role names people as they are")
    elif colon and sort == "team":
        _refer_to_team(source, path, rest, teams)
    elif not exists(source, "people", name) and exists(source, "teams", name):
        source.report(path, f"'{name}' is a team", f"write team:{name}")
    else:
        refer(source, path, "people", name)


def _refer_to_team(source: Folder, path: Path, name: str, teams: Mapping[str, Team]) -> None:
    if refer(source, path, "teams", name) and name in teams and not teams[name].members:
        source.report(path, f"team '{name}' has no members, so nobody would be called", "write its members: [NAME, …]")


def check_held(source: Folder, path: Path, role: PlanRole, roles: Roles) -> None:
    """Somebody must hold a role that the plan speaks of."""
    if role not in roles:
        source.report(path, f"nobody holds the role {role.value}", "add it under roles:, or name another")


def check_level(source: Folder, path: Path, level: Level, levels: Collection[Level]) -> None:
    """What is for levels that the plan never reaches is never done."""
    if levels and level > max(levels):
        what = f"the plan has no level as grave as {level}: its gravest is {max(levels)}"
        source.report(path, what, "add the level under levels:, or name another")


def check_calls(source: Folder, path: Path, calls: tuple[Call, ...], plan: Plan, teams: Mapping[str, Team]) -> None:
    for index, call in enumerate(calls):
        here = (*path, index)
        _check_told(source, (*here, "tell"), call.tell, plan.roles, teams)
        check_level(source, (*here, "level"), call.level, plan.levels)
        if call.within is not None and call.within <= 0:
            source.report((*here, "within"), "nobody answers in no time", "write one such as 5m, or leave it out")
        check_calls(source, (*here, "then"), call.then, plan, teams)


def _check_told(source: Folder, path: Path, tell: str, roles: Roles, teams: Mapping[str, Team]) -> None:
    sort, colon, name = tell.partition(":")
    if not colon and tell in tuple(PlanRole):
        check_held(source, path, PlanRole(tell), roles)
    elif colon and sort == "person":
        refer(source, path, "people", name)
    elif colon and sort == "team":
        _refer_to_team(source, path, name, teams)
    else:
        found = [word for word, section in (("person", "people"), ("team", "teams")) if exists(source, section, tell)]
        hint = f"write {found[0]}:{tell}" if found else _roles_hint(tell)
        source.report(path, f"{show(tell)} is nobody", hint)


def _roles_hint(tell: str) -> str:
    meant = say_known(tell, [role.value for role in PlanRole])
    return meant if meant.startswith("did you") else f"write person:NAME, team:NAME or a role ({', '.join(PlanRole)})"
