"""What a drill is about: the checks it goes by, and the configuration its own agent runs with."""

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from agent.config.configuration import Configuration
from agent.model.drill import Drill
from agent.model.incident import Origin
from agent.model.plan import Plan
from agent.model.settings import LOCALHOST
from agent.plugin.api import TicketSystem
from agent.plugin.probe import Probe

_STOPS_WITHIN = 10.0
"""Seconds that steps under way get when the drill is over."""


def plan_of(configuration: Configuration, drill: Drill) -> tuple[Plan, ...]:
    """Every plan that the drill names."""
    names = (drill.plan, *(each.plan or each.stood_down for each in drill.expect))
    plans = configuration.settings.plans
    return tuple(plans[name] for name in dict.fromkeys(names) if name and name in plans)


def checks_of(configuration: Configuration, drill: Drill) -> tuple[str, ...]:
    """Checks of the steady state, of what is expected, of the runbook's ladders and of the plan's scope; sorted."""
    settings = configuration.settings
    names = {*drill.steady_state.checks}
    names |= {each.answer.check for each in drill.inject if each.answer}
    names |= {each.detected for each in drill.expect if each.detected}
    names |= {each.check_critical for each in drill.stop_if if each.check_critical}
    runbook = settings.runbooks.get(drill.runbook or "")
    if runbook is not None:
        names |= {*runbook.verify.checks}
        names |= {check.name for check in settings.checks.values() if runbook.name in check.runbooks}
    for plan in plan_of(configuration, drill):
        conditions = [*plan.stand_down.each, *(each for rules in plan.levels.values() for each in rules.each)]
        names |= {each.check_critical for each in conditions if each.check_critical}
        names |= {check.name for check in settings.checks.values() if check.service in plan.scope.services}
    return tuple(sorted(names & set(settings.checks)))


def noticed_within(configuration: Configuration, drill: Drill) -> float:
    """Seconds until each check of the drill has had the time to notice and confirm what is wrong."""
    checks = (configuration.settings.checks[name] for name in checks_of(configuration, drill))
    return max(((check.confirm.of + 1) * check.every + check.timeout for check in checks), default=0.0)


def services_of(configuration: Configuration, drill: Drill) -> tuple[str, ...]:
    """Services of the plan's scope and of the checks; sorted."""
    settings = configuration.settings
    named = {service for plan in plan_of(configuration, drill) for service in plan.scope.services}
    of_checks = (settings.checks[check].service for check in checks_of(configuration, drill))
    return tuple(sorted(named | {service for service in of_checks if service}))


def probes_of(configuration: Configuration, drill: Drill, checks: Iterable[str]) -> tuple[Probe, ...]:
    """Of these checks: in a simulated drill all, for nobody is asked; in a live one those on hosts that may be
    touched, and those that ask from this machine about whatever they ask about.
    """
    known = set(checks)
    asked = (probe for probe in configuration.probes if probe.check in known)
    if drill.form == "simulate":
        return tuple(asked)
    return tuple(probe for probe in asked if probe.host.name in (*drill.hosts.names, LOCALHOST))


def socket_of(configuration: Configuration, folder: Path) -> Path:
    """Where the drill's agent answers: beside the agent's own socket, where people may come to, if we may put one
    there; else in the drill's state folder.
    """
    public = configuration.agent.socket.parent
    return public / f"{folder.name.lower()}.sock" if os.access(public, os.W_OK) else folder / "control.sock"


def for_the_drill(
    configuration: Configuration, drill: Drill, folder: Path, tickets: TicketSystem | None
) -> Configuration:
    """What the drill's own agent runs with. `folder`: its state folder."""
    agent = replace(
        configuration.agent,
        state_dir=folder,
        socket=socket_of(configuration, folder),
        stop_within=min(configuration.agent.stop_within, _STOPS_WITHIN),
    )
    return replace(
        configuration,
        agent=agent,
        settings=replace(configuration.settings, origin=Origin.EXERCISE, plans=_plans(configuration, drill)),
        probes=probes_of(configuration, drill, checks_of(configuration, drill)),
        tickets=tickets,
    )


def _plans(configuration: Configuration, drill: Drill) -> dict[str, Plan]:
    """Those that the drill names, and those that see all of their hosts in it: another one would take what it does not
    see for what is not there, and half of its scope for all of it.
    """
    named = {plan.name for plan in plan_of(configuration, drill)}
    seen = set(drill.hosts.names)
    plans = configuration.settings.plans
    return {name: plan for name, plan in plans.items() if name in named or seen.issuperset(plan.hosts)}
