"""`runbook new`: a commented runbook and its tests, sound as they are, to be changed."""

import re
from pathlib import Path

from agent.cli.exits import refused

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")

_RUNBOOK = """\
runbook: {name}
description: Say here what it does and when it helps.
hosts: affected                  # the hosts that are ill; or group:NAME, host:NAME, local
serial: 25%                      # how many at a time: the others go on serving meanwhile
limits: {{per_host: 3 per hour, stop_after_failures: 2}}

vars:
  unit: {{default: {unit}, pattern: "[A-Za-z0-9:_.@-]{{1,200}}", description: The systemd unit.}}

# What only looks. It runs first, may fail, and everything it prints is kept on the record.
evidence:
  - name: state of the unit
    run: systemctl status --no-pager --full -- {{{{ vars.unit }}}}
  - name: its last messages
    run: journalctl -n 200 --no-pager -u {{{{ vars.unit }}}}
    sudo: true

# What changes something. A step runs once, unless it is repeatable.
steps:
  - name: the unit is there
    run: systemctl cat -- {{{{ vars.unit }}}} >/dev/null
    repeatable: true             # it changes nothing, so it may be run again when its outcome is not known
    on_failure: abort            # default: rollback
  - name: restart
    run: systemctl restart -- {{{{ vars.unit }}}}
    sudo: true
    timeout: 90s

# For when a step failed, or it did not help.
rollback:
  - name: at least leave it running
    run: systemctl start -- {{{{ vars.unit }}}}
    sudo: true

# Recovered is what the checks say, not the exit status. Default: the checks that opened the incident.
verify: {{within: 60s, stable_for: 10s}}
"""

_TESTS = """\
# paramedic runbook test: the agent's own decisions on made-up answers. No host is needed.
runbook: {name}
tests:
  - name: a restart helps
    recovers: after restart
    expect:
      outcome: recovered
      commands:
        - systemctl status --no-pager --full -- {unit}
        - journalctl -n 200 --no-pager -u {unit}
        - systemctl cat -- {unit} >/dev/null
        - systemctl restart -- {unit}

  - name: a unit that does not exist is not restarted
    answers:
      the unit is there: {{exit: 1, stderr: "No files found for {unit}."}}
    recovers: never
    expect:
      outcome: failed
      steps: [state of the unit, its last messages, the unit is there]

  - name: a restart that does not help is rolled back and handed over
    recovers: never
    expect:
      outcome: not recovered
      steps:
        - state of the unit
        - its last messages
        - the unit is there
        - restart
        - rollback: at least leave it running
"""


def write_starter(name: str, folder: Path) -> tuple[Path, Path]:
    """The runbook and its tests, where nothing was before. Raises Failure."""
    if not _NAME.fullmatch(name):
        raise refused(f"{name!r} is no name for a runbook: write small letters, digits and dashes, such as restart-web")
    if not folder.is_dir():
        raise refused(f"{folder} is not a folder; name the one your runbooks are in (--folder)")
    runbook, tests = folder / f"{name}.yaml", folder / "tests" / f"{name}.test.yaml"
    for file in (runbook, tests):
        if file.exists():
            raise refused(f"{file} is there already; nothing was written")
    unit = f"{name.removeprefix('restart-') or name}.service"
    try:
        tests.parent.mkdir(exist_ok=True)
        for file, text in ((runbook, _RUNBOOK), (tests, _TESTS)):
            with file.open("x") as opened:
                opened.write(text.format(name=name, unit=unit))
    except OSError as error:
        raise refused(f"cannot write {error.filename}: {error.strerror}") from None
    return runbook, tests
