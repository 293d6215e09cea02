"""`drill new`: a commented drill of one's own, sound as it is, to be changed."""

import math
import re
from pathlib import Path

from agent.cli.exits import no_such, refused
from agent.config.configuration import Configuration
from agent.config.validation import NAME_HINT, NAME_PATTERN
from agent.core.selection import team_for
from agent.model.check import CheckRules
from agent.model.settings import LOCALHOST

_SIMULATED = """\
    form: simulate               # nothing is broken and no step is run: the check is said to fail
"""
_LIVE = """\
    form: live                   # it really breaks, and is really treated; undo is played whatever happens
"""
_HOSTS = """\
    hosts: {{allow: ["{reference}"], most: 1}}    # nothing else is touched, whatever a runbook or plan says
"""
_STEADY = """\
    steady_state: {{checks: [{check}]}}    # must be well before, or the drill does not start; and again afterwards
"""
_ANSWER = """\
      - name: {check} is said to fail
        answer: {{check: {check}{about}{cleared}}}
"""
_FAULT = """\
      - name: {unit} stops
        host: {host}
        run: systemctl stop {unit}
        undo: systemctl start {unit}    # harmless where there is nothing to undo
        sudo: true
"""
_HEAD = """\
# A drill. All keys are explained in docs/drills.md; how it would go: paramedic drill show {name}
drills:
"""
_REALLY = """\

  # When this has passed, break it really: take away the "# " before each line below, and write the unit that is to
  # stop instead of NAME.service, or a command of yours that breaks it and one that undoes it.
  #
"""
_DRILL = """\
  {name}:
    title: {title}
    scenario: Say here what is supposed to have happened, so that whoever reads the report knows.
{form}    every: 90d                   # overdue when it was not run for so long: paramedic drill list
    objectives:
      notice: We know of it before the users do.
      mend: The agent mends it by itself.
{hosts}{steady}    inject:                      # what breaks; "at: 10s" for later ones
{inject}    # Times count from the first fault. These are what the check's interval allows; make them what you promise.
    expect:
      - {{detected: {check}, within: {noticed}s, objective: notice}}
      - {{assigned: {team}, within: {noticed}s, objective: notice}}
{treated}      - {{recovered: true, within: {recovered}s, objective: mend}}
{ticket}    deadline: {deadline}s              # then it ends, whatever has happened, by putting everything back
"""


def starter(configuration: Configuration, name: str, check: str | None, host: str | None, unit: str | None) -> str:
    """The text of the file. Raises Failure for what the configuration does not have."""
    if not re.fullmatch(NAME_PATTERN, name):
        raise refused(f"{name!r} is no name: {NAME_HINT}")
    if name in configuration.drills:
        raise refused(f"there is a drill {name} already: paramedic drill show {name}")
    if unit is not None and not re.fullmatch(r"[A-Za-z0-9:_.@-]{1,200}", unit):
        raise refused(f"{unit!r} is no name of a systemd unit")
    rules = _check(configuration, check)
    where = _host(configuration, rules, host)
    text = _HEAD.format(name=name) + _drill(configuration, name, rules, where, unit)
    if where in configuration.settings.hosts and not unit:
        live = _drill(configuration, f"{name}-live", rules, where, "NAME.service")
        text += _REALLY + "".join(f"  # {line[2:]}" for line in live.splitlines(keepends=True))
    return text


def write_starter(folder: Path, name: str, text: str) -> Path:
    """A file of its own, where nothing was before. Raises Failure."""
    file = folder / f"drill-{name}.yaml"
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        raise refused(f"{file} is there already; nothing was written") from None
    except OSError as error:
        raise refused(f"cannot write {file}: {error.strerror} (--print shows it)") from None
    return file


def _drill(configuration: Configuration, name: str, rules: CheckRules, where: str, unit: str | None) -> str:
    settings = configuration.settings
    noticed, mended = _times(configuration, rules)
    runbook = rules.runbooks[0] if rules.runbooks else None
    words = {
        "name": name,
        "check": rules.name,
        "host": where,
        "reference": "local" if where == LOCALHOST else f"host:{where}",
        "unit": unit or "",
        "about": f", host: {where}" if where else "",
        "cleared": f", cleared_by: {runbook}" if runbook else ", lasts: 30s",
    }
    treated = f"      - {{treated_with: {runbook}, within: {noticed + 30}s, objective: mend}}\n" if runbook else ""
    return _DRILL.format(
        **words,
        title=f"{unit or rules.name} fails" + (f" on {where}" if where else ""),
        form=(_LIVE if unit else _SIMULATED).format(**words),
        hosts=_HOSTS.format(**words) if where else "",
        steady=_STEADY.format(**words) if unit else "",
        inject=(_FAULT if unit else _ANSWER).format(**words),
        noticed=noticed,
        team=team_for(rules.category, rules.service, settings).name,
        treated=treated,
        recovered=mended,
        ticket=f"      - {{ticket: true, within: {mended}s}}\n" if configuration.drill_tickets is not None else "",
        deadline=mended + 60,
    )


def _check(configuration: Configuration, name: str | None) -> CheckRules:
    checks = configuration.settings.checks
    if name is None:
        found = next((each for each in checks.values() if each.ladder), next(iter(checks.values()), None))
        if found is None:
            raise refused("no check is configured, so nothing would notice a fault")
        return found
    if name not in checks:
        raise no_such("check", name, checks)
    return checks[name]


def _host(configuration: Configuration, rules: CheckRules, name: str | None) -> str:
    """Empty where the check is not about hosts of the inventory and none was named."""
    hosts = [probe.host.name for probe in configuration.probes if probe.check == rules.name]
    if name is None:
        return next(iter(hosts), "")
    if name not in configuration.settings.hosts:
        raise no_such("host", name, configuration.settings.hosts)
    if hosts and name not in (*hosts, LOCALHOST) and LOCALHOST not in hosts:
        raise refused(f"{rules.name} is not asked of {name}, only of {', '.join(hosts)}")
    return name


def _times(configuration: Configuration, rules: CheckRules) -> tuple[int, int]:
    """Seconds until it must be noticed, and until it must be well again."""
    noticed = (rules.confirm.of + 2) * rules.every + rules.timeout
    books = (configuration.settings.runbooks[name] for name in rules.runbooks[:1])
    verified = sum(
        book.verify.within + book.verify.stable_for + sum(step.timeout for step in book.treatment) for book in books
    )
    return math.ceil(noticed), math.ceil(2 * noticed + min(verified, 600.0) + 60)
