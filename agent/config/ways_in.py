"""Whether something is known to log in with, for every host that a check or a runbook logs in to."""

from collections.abc import Iterable, Iterator, Mapping

from agent.config.configuration import Probe
from agent.config.source import Folder
from agent.model.inventory import Login
from agent.model.plan import Plan
from agent.model.runbook import Runbook
from agent.model.settings import Settings

_NAMES = 3


def check_ways_in(source: Folder, settings: Settings, probes: Iterable[Probe], logins: Mapping[str, Login]) -> None:
    """`settings` with the checks. A host that is only asked over the network needs no login."""
    lacking = {
        host: by for host, by in _logged_in_to(settings, probes) if host in logins and not _has_key(logins[host])
    }
    if not lacking or not source.is_whole:
        return
    first = min(lacking)
    names = sorted(lacking)[:_NAMES]
    more = f" and {len(lacking) - len(names)} more" if len(lacking) > len(names) else ""
    what = f"nothing to log in with to {', '.join(names)}{more}: {lacking[first]} does"
    hint = "write key_file: PATH, credential: NAME or use_agent: true under 'login:'"
    source.report(("login",) if source.has("login") else ("hosts", first), what, hint)


def _has_key(login: Login) -> bool:
    proven = bool(login.key_file or login.credential or login.use_agent)
    return proven and (login.jump is None or _has_key(login.jump))


def _logged_in_to(settings: Settings, probes: Iterable[Probe]) -> Iterator[tuple[str, str]]:
    """Names of hosts, and what logs in to each."""
    for runbook in settings.runbooks.values():
        if _acts_on_hosts(runbook):
            yield from ((host, f"runbook {runbook.name}") for host in settings.hosts_of(runbook.hosts))
    for check in settings.checks.values():
        for name in check.runbooks:
            treats = settings.runbooks.get(name)
            if treats is not None and treats.hosts == "affected" and _acts_on_hosts(treats):
                hosts = (host for reference in check.on for host in settings.hosts_of(reference))
                yield from ((host, f"runbook {name} on the ladder of check {check.name}") for host in hosts)
    for plan in settings.plans.values():
        for runbook, reference in _of_plan(settings, plan):
            there = plan.hosts if reference == "affected" else settings.hosts_of(reference)
            if _acts_on_hosts(runbook):
                yield from ((host, f"runbook {runbook.name} of plan {plan.name}") for host in there)
    yield from ((probe.host.name, f"check {probe.check}") for probe in probes if probe.check_type.shell)


def _of_plan(settings: Settings, plan: Plan) -> Iterator[tuple[Runbook, str]]:
    """The runbooks that a plan runs, and on which hosts."""
    for actions in plan.phases.values():
        for action in actions:
            runbook = action.inline or settings.runbooks.get(action.runbook or "")
            if runbook is not None:
                yield runbook, action.hosts or runbook.hosts


def _acts_on_hosts(runbook: Runbook) -> bool:
    steps = (*runbook.treatment, *runbook.rollback)
    return any(step.action.takes_sudo and step.on == "host" for step in steps)
