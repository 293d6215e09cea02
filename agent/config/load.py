"""From the configuration folder to a configuration, or to every problem in it at once."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from agent.config.access import read_access
from agent.config.agent_settings import read_agent
from agent.config.checks import read_checks
from agent.config.configuration import Configuration
from agent.config.inventory import read_groups, read_hosts, read_logins
from agent.config.library import Library
from agent.config.problem import ConfigProblems
from agent.config.secret import read_secrets
from agent.config.services import read_policy, read_services, read_teams
from agent.config.source import Folder
from agent.config.tickets import read_tickets
from agent.config.ways_in import check_ways_in
from agent.model.settings import Settings


def load(folder: Path, *, runbooks: Path | None = None, environ: Mapping[str, str] = os.environ) -> Configuration:
    """Read `folder` (not its subfolders) and the runbook folders it names, or `runbooks` instead of those.

    Raises ConfigProblems with everything that is wrong in any file. Nothing is written, and no secret is read.
    """
    source = Folder(folder)
    root = folder.absolute()
    agent = read_agent(source, root, environ)
    folders = [runbooks] if runbooks is not None else [place for place in agent.runbooks if place.is_dir()]
    library = Library(folders, is_whole=runbooks is not None or len(folders) == len(agent.runbooks))
    hosts, groups, teams = read_hosts(source), read_groups(source), read_teams(source)
    settings = Settings(
        hosts=hosts,
        groups=groups,
        teams=teams,
        services=read_services(source, groups),
        policy=read_policy(source, teams),
        runbooks={name: entry.runbook for name, entry in library.entries.items()},
    )
    checks = read_checks(source, settings)
    for check in checks.rules.values():
        library.check_ladder(source, check)
    library.check_references(source)
    logins = read_logins(source, hosts, root)
    settings = replace(settings, checks=checks.rules)
    check_ways_in(source, settings, checks.probes, logins)
    tickets = read_tickets(source)
    secrets = read_secrets(source, root)
    access = read_access(source)
    if problems := [*source.problems, *library.problems]:
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
    )
