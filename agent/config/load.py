"""From the configuration folder to a configuration, or to every problem in it at once."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from agent.config.access import read_access
from agent.config.agent_settings import read_agent
from agent.config.checks import read_checks
from agent.config.configuration import Configuration
from agent.config.drills import read_drills
from agent.config.inventory import read_groups, read_hosts, read_logins
from agent.config.library import Library, kinds_in
from agent.config.people import check_members, read_people, read_targets
from agent.config.permissions import agent_files, check_permissions, login_files, program_files, secret_files
from agent.config.plans import read_plans
from agent.config.problem import ConfigProblems
from agent.config.resources import read_resources
from agent.config.secret import read_secrets
from agent.config.services import read_policy, read_services, read_teams
from agent.config.source import Folder
from agent.config.tickets import read_tickets
from agent.config.trust import Trust, agent_user, trusted_users
from agent.config.ways_in import check_ways_in
from agent.model.settings import Settings


def load(
    folder: Path,
    *,
    runbooks: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    by_agent: bool = True,
) -> Configuration:
    """Read `folder` (not its subfolders) and the runbook folders it names, or `runbooks` instead of those.

    Raises ConfigProblems with everything that is wrong in any file, and with files that others may change or, if
    secret, read. Nothing is written, and no secret is read. `by_agent`: False when somebody looks at what another
    user's agent goes by. Its user is then the owner of its state folder or else of the configuration.
    """
    source = Folder(folder)
    root = folder.absolute()
    agent = read_agent(source, root, environ)
    folders = [runbooks] if runbooks is not None else [place for place in agent.runbooks if place.is_dir()]
    is_whole = runbooks is not None or len(folders) == len(agent.runbooks)
    library = Library(folders, is_whole=is_whole, signers=agent.signers)
    if library.cannot_verify is not None:
        source.report(("agent", "signed_runbooks"), str(library.cannot_verify), library.cannot_verify.hint)
    hosts, groups, teams = read_hosts(source), read_groups(source), read_teams(source)
    targets = read_targets(source)
    settings = Settings(
        hosts=hosts,
        groups=groups,
        teams=teams,
        services=read_services(source, groups),
        policy=read_policy(source, teams),
        runbooks={name: entry.runbook for name, entry in library.entries.items()},
        people=read_people(source, targets),
        targets=targets,
        resources=read_resources(source),
    )
    check_members(source, teams)
    checks = read_checks(source, settings)
    for check in checks.rules.values():
        library.check_ladder(source, check)
    library.check_references(source)
    logins = read_logins(source, hosts, root)
    plans = read_plans(source, settings, library, signed=agent.signers is not None)
    settings = replace(settings, checks=checks.rules, plans=plans)
    check_ways_in(source, settings, checks.probes, logins)
    drills = read_drills(source, settings, library, checks.probes)
    tickets, drill_tickets = read_tickets(source)
    secrets = read_secrets(source, root)
    access = read_access(source)
    trust = Trust(trusted_users(os.geteuid() if by_agent else agent_user(agent.state_dir, root), environ))
    named = agent_files(agent) | login_files(source, logins, environ) | secret_files(secrets, environ)
    inline = [runbook for plan in plans.values() for runbook in plan.inline]
    kinds = {type(probe.check_type) for probe in checks.probes} | library.kinds | kinds_in(inline)
    files = [root, *source.files, *folders, *library.files, *program_files({*kinds, type(tickets)})]
    unsafe = check_permissions(trust, source, files, named)
    if problems := [*source.problems, *library.problems, *unsafe]:
        raise ConfigProblems(problems)
    return Configuration(
        folder=root,
        agent=agent,
        settings=replace(settings, has_tickets=tickets is not None),
        probes=checks.probes,
        logins=logins,
        tickets=tickets,
        secrets=secrets,
        runbook_files={name: entry.file for name, entry in library.entries.items()},
        access=access,
        drills=drills,
        drill_tickets=drill_tickets,
    )
