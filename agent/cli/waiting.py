"""What waits for a person's yes."""

from collections.abc import Iterable

from agent.cli.answers import ExecutionAnswer
from agent.cli.typed import typed


def how_to_answer(about: str) -> str:
    """What a person types."""
    return f"{typed('approve', about)}, or {typed('deny', about)}"


def waiting_for_yes(executions: Iterable[ExecutionAnswer]) -> dict[str, list[str]]:
    """Hosts that wait, by what a person must name to approve: an incident, or a run by hand or of a plan."""
    waiting: dict[str, list[str]] = {}
    for run in executions:
        for one in run["runs"]:
            if run["outcome"] is None and one["phase"] == "awaiting approval":
                about = run["incident"] if run["incident"] and not run["plan"] else run["id"]
                waiting.setdefault(about, []).append(one["host"])
    return waiting
