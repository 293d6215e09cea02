"""Where an action's runbook is carried out, and what must be well there afterwards."""

from collections.abc import Sequence

from agent.core.area import area_in_charge, ill_hosts, subjects_in
from agent.core.case import subjects
from agent.core.draft import Draft
from agent.core.guard import Reason
from agent.core.turns import circumstances
from agent.model.activation import ActionRun, Activation
from agent.model.health import Key
from agent.model.plan import PlanPhase
from agent.model.runbook import Runbook
from agent.model.settings import LOCALHOST
from agent.model.text import some
from agent.model.timeline import EntryKind


def hosts_of(draft: Draft, activation: Activation, action: ActionRun) -> tuple[str, ...]:
    """`affected`: the hosts in the plan's scope that are ill now. None that a reload has taken away."""
    settings = draft.settings
    if action.hosts == "affected":
        hosts = ill_hosts(draft, area_in_charge(activation, settings))
    else:
        hosts = settings.hosts_of(action.hosts)
    return tuple(host for host in hosts if host in settings.hosts or host == LOCALHOST)


def not_of_another_plan(
    draft: Draft, activation: Activation, action: ActionRun, hosts: Sequence[str]
) -> tuple[str, ...]:
    """Hosts in the scope of two plans stay with the one that was activated first."""
    charged = circumstances(draft).in_charge
    others = {host: charged[host] for host in hosts if charged.get(host, activation.id) != activation.id}
    if others:
        said = "; ".join(f"{host}: {plan} is in charge" for host, plan in others.items())
        draft.record(
            activation.incident,
            EntryKind.REFUSED,
            f"{action.said} not on {some(list(others))}: {Reason.EMERGENCY}: {said}",
            reason=str(Reason.EMERGENCY),
            plan=activation.id,
            action=action.number,
            hosts=list(others),
        )
    return tuple(host for host in hosts if host not in others)


def verification(
    draft: Draft, activation: Activation, action: ActionRun, runbook: Runbook, hosts: Sequence[str]
) -> dict[str, tuple[Key, ...]]:
    """Per host what must be well afterwards: what the runbook says; else, in the phase that is to cure, what is ill
    there now. What contains a fault or tells of it cures nothing.
    """
    ill: dict[str, list[Key]] = {}
    if action.phase is PlanPhase.RECOVER:
        for health in subjects_in(draft, area_in_charge(activation, draft.settings)):
            if health.is_bad and health.host:
                ill.setdefault(health.host, []).append(health.key)
    found: dict[str, tuple[Key, ...]] = {}
    for host in hosts:
        keys = [key for check in runbook.verify.checks for key in subjects(draft, check, host)]
        found[host] = tuple(dict.fromkeys(keys or sorted(ill.get(host, ()))))
    return found
