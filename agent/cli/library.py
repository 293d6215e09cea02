"""The runbooks and emergency plans of a configuration that no agent runs."""

from datetime import date
from pathlib import Path
from typing import cast

from agent.cli import times
from agent.cli.answers import RunbookAnswer
from agent.cli.emergency_answers import PlanAnswer
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


def plans_in(folder: Path) -> list[PlanAnswer]:
    """As a running agent would answer. Raises ConfigProblems."""
    from agent.runtime.control.emergency_views import plan_view
    from agent.runtime.control.plain import plain

    settings = configuration_in(folder).settings
    today = date.fromtimestamp(times.now())
    found = [plan_view(plan, settings, today) for _, plan in sorted(settings.plans.items())]
    return cast(list[PlanAnswer], plain(found))
