"""Asking a check without an agent: one answer, judged by the thresholds alone."""

import time
from pathlib import Path
from typing import Any

from agent.cli import places, times
from agent.cli.agent_client import NoAgent
from agent.cli.exits import no_such
from agent.cli.reading import configuration_in
from agent.model.observation import Observation
from agent.runtime.control.plain import plain
from agent.runtime.interview import Interviewer, Put
from agent.runtime.placing import HostNames
from agent.runtime.redaction import Redactor
from agent.runtime.secrets import Secrets
from agent.runtime.shell import LocalShell
from agent.runtime.shells import Shells
from agent.runtime.ssh import SshPool


def ask_locally(name: str, host: str | None, config: Path | None, nobody: NoAgent | None) -> Any:
    """Observations as the agent answers them. Raises ConfigProblems, and `nobody` when there is no configuration."""
    folder = config or places.config_folder()
    if nobody is not None and not folder.is_dir():
        raise nobody
    configuration = configuration_in(folder)
    settings = configuration.settings
    rules = settings.checks.get(name)
    if rules is None:
        raise no_such("check", name, settings.checks)
    everywhere = [probe for probe in configuration.probes if probe.check == name]
    probes = [probe for probe in everywhere if host in (None, probe.host.name)]
    if host is not None and not probes:
        raise no_such("host", f"{host} that {name} asks", [probe.host.name for probe in everywhere])
    secrets = Secrets(configuration.secrets)
    ssh = SshPool(passphrases=secrets.secret)
    redactor = Redactor(secrets.seen, configuration.agent.redact)
    interviewer = Interviewer(Shells(configuration.logins, ssh, LocalShell()), secrets, redactor)
    names = HostNames(settings.hosts.values())
    found: list[Observation] = []
    try:
        for probe in probes:
            found += interviewer.ask(probe, rules, Put(times.now(), time.monotonic()), names).observations
    finally:
        ssh.close()
    return plain(found)
