"""The runbooks of a configuration that no agent runs."""

from pathlib import Path

from agent.cli.answers import RunbookAnswer
from agent.cli.reading import configuration_in


def runbooks_in(folder: Path) -> list[RunbookAnswer]:
    """As a running agent would answer. Raises ConfigProblems."""
    settings = configuration_in(folder).settings
    return [
        {
            "name": name,
            "description": runbook.description,
            "digest": runbook.digest,
            "hosts": runbook.hosts,
            "used_by": [check.name for check in settings.checks.values() if name in check.runbooks],
            "text": runbook.text,
            "signed_by": runbook.signed_by,
            "changed_on_disk": False,
        }
        for name, runbook in sorted(settings.runbooks.items())
    ]
