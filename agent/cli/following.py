"""Waiting for a run of a runbook to end."""

import time

import typer

from agent.cli.agent_client import AgentClient
from agent.cli.answers import ExecutionAnswer
from agent.cli.terminal import complain, say
from agent.cli.typed import typed
from agent.cli.waiting import how_to_answer, waiting_for_yes

_POLL = 0.3
GOOD = ("recovered", "done")
"""Outcomes of a run that did what it was for."""


def until_ended(agent: AgentClient, id: str) -> ExecutionAnswer:
    """The run when it is over. What it waits for is said once on standard error.

    Raises Failure and NoAgent as the client does; the run goes on, also after Ctrl-C.
    """
    said = ""
    try:
        while True:
            run: ExecutionAnswer = agent.get("stories", id)["executions"][0]
            if run["outcome"] is not None:
                return run
            waits_for = _waits_for(run)
            if waits_for not in ("", said):
                complain(waits_for)
                said = waits_for
            time.sleep(_POLL)
    except KeyboardInterrupt:
        complain(f"{id} goes on; how it goes: {typed('show', id)}")
        raise typer.Exit(130) from None


def say_ended(run: ExecutionAnswer) -> None:
    """What it came to, on each host."""
    say(f"{run['id']} {run['runbook']}: {run['outcome']}")
    for one in run["runs"]:
        reason = f", {' '.join(one['reason'].split())}" if one["reason"] else ""
        say(f"  {one['host']}: {one['outcome'] or one['phase']}{reason}")


def _waits_for(run: ExecutionAnswer) -> str:
    for about, hosts in waiting_for_yes([run]).items():
        return f"{', '.join(hosts)} waits for a yes: {how_to_answer(about)}"
    return f"the next host waits: {run['held_because']}" if run["held_because"] else ""
