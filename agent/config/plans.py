"""Emergency plans: what they name must exist, and what they say must be able to come about."""

import hashlib
from collections.abc import Mapping

from agent.config.actions import ActionReader
from agent.config.conditions import check_levels, check_stand_down
from agent.config.inline import canonical
from agent.config.library import Library
from agent.config.names import named, refer
from agent.config.problem import Path
from agent.config.roles import check_calls, check_held, check_roles
from agent.config.source import Folder
from agent.config.validation import MAPPING, show, validate
from agent.model.plan import Plan
from agent.model.settings import Settings

_LONGEST_NAME = 48
"""Characters: the runbooks in a plan are called PLAN.PHASE.N, which must be a name too."""


def read_plans(source: Folder, settings: Settings, library: Library, *, signed: bool) -> dict[str, Plan]:
    """`settings` holds everything but the plans. `signed`: only runbooks that somebody signed may be used."""
    reader = _Reader(source, settings, library, signed=signed)
    return {name: plan for name, authored in named(source, "plans") if (plan := reader.read(name, authored))}


class _Reader:
    """Reads one plan after the other."""

    def __init__(self, source: Folder, settings: Settings, library: Library, *, signed: bool) -> None:
        self._source = source
        self._settings = settings
        self._actions = ActionReader(source, library, signed=signed)

    def read(self, name: str, authored: object) -> Plan | None:
        path = ("plans", name)
        if not isinstance(authored, dict):
            self._source.report(path, f"expected {MAPPING}, got {show(authored)}", "begin with title: …")
            return None
        if len(name) > _LONGEST_NAME:
            what = f"the name of a plan has at most {_LONGEST_NAME} characters"
            self._source.report(path, what, "put the rest into its title")
            return None
        data = dict(authored)
        if isinstance(data.get("levels"), dict):
            data["levels"] = {level: {} if rules is None else rules for level, rules in data["levels"].items()}
        if isinstance(data.get("phases"), dict):
            data["phases"] = {
                phase: self._actions.read((*path, "phases", phase), name, actions)
                for phase, actions in data["phases"].items()
            }
        plan = self._validated(name, data)
        if plan is None:
            return None
        self._check(path, plan, authored)
        return plan.model_copy(
            update={
                "hosts": self._hosts(plan),
                "levels": dict(sorted(plan.levels.items(), reverse=True)),
                "phases": self._actions.in_order(plan),
                "digest": hashlib.sha256(canonical(authored).encode()).hexdigest(),
            }
        )

    def _validated(self, name: str, data: Mapping[str, object]) -> Plan | None:
        """Where something that a plan must say is missing, the rest is looked at all the same."""
        path = ("plans", name)
        filled_in: dict[str, object] = {"name": name, "hosts": (), "digest": ""}
        plan, findings = validate(Plan, data, path, self._source.reach, filled_in)
        self._source.report_all(findings)
        if plan is not None:
            return plan
        nothing = {"title": name, "owner": "nobody", "scope": {}, "roles": {}, "levels": {}}
        return validate(Plan, nothing | dict(data), path, self._source.reach, filled_in)[0]

    def _check(self, path: Path, plan: Plan, authored: Mapping[str, object]) -> None:
        """What is not written at all has been said."""
        source, teams = self._source, self._settings.teams
        if "owner" in authored:
            refer(source, (*path, "owner"), "teams", plan.owner)
        if "scope" in authored:
            self._check_scope((*path, "scope"), plan)
        if "roles" in authored:
            check_roles(source, (*path, "roles"), plan.roles, teams)
        if "levels" in authored:
            if not authored["levels"]:
                hint = "write II: {any: [{incidents: 3, within: 10m}]}, or II: {} for one that only people declare"
                source.report((*path, "levels"), "has no levels, so it could never start", hint)
            check_levels(source, (*path, "levels"), plan.levels)
        check_stand_down(source, (*path, "stand_down"), plan.stand_down)
        if plan.stand_down.confirmed_by is not None:
            check_held(source, (*path, "stand_down", "confirmed_by"), plan.stand_down.confirmed_by, plan.roles)
        check_calls(source, (*path, "notification"), plan.notification, plan, teams)
        self._actions.check(path, plan)
        if plan.report_every <= 0:
            source.report((*path, "report_every"), "reports need time between them", "write a duration such as 30m")
        for index, name in enumerate(plan.resources):
            refer(source, (*path, "resources", index), "resources", name)

    def _check_scope(self, path: Path, plan: Plan) -> None:
        are_sound = True
        for section in ("services", "groups", "hosts"):
            for index, name in enumerate(getattr(plan.scope, section)):
                here = (*path, section, index)
                _, colon, rest = name.partition(":")
                if colon:
                    self._source.report(here, f"{show(name)} is not a name", f"write {rest}: these are {section}")
                    are_sound = False
                elif not refer(self._source, here, section, name):
                    are_sound = False
        if are_sound and not self._hosts(plan) and self._source.is_whole:
            what = "covers no hosts, so there would be nothing to be in charge of"
            self._source.report(path, what, "name services, groups or hosts")

    def _hosts(self, plan: Plan) -> tuple[str, ...]:
        """Of the services, the groups and the hosts in scope, each once."""
        settings, scope = self._settings, plan.scope
        found = [host for name in scope.services if name in settings.services for host in settings.services[name].hosts]
        found += [host for name in scope.groups if name in settings.groups for host in settings.groups[name].hosts]
        found += [name for name in scope.hosts if name in settings.hosts]
        return tuple(dict.fromkeys(found))
