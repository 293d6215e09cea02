"""`run`: a command on the host, or on this machine with `on: local`."""

import time
from typing import Annotated

from pydantic import BeforeValidator, Field

from agent.errors import HostError
from agent.model.execution import StepOutcome
from agent.model.inventory import Host
from agent.model.runbook import Action, Demand, Perform
from agent.plugin.api import StepPorts
from agent.plugin.endings import ending_of_error, ending_of_result


class Run(Action):
    """Run a command by the shell of the host. Values are quoted: `{{ x }}` is always one word."""

    kind = "run"
    primary = "command"
    shell = True
    takes_sudo = True
    resumable = True

    command: str = Field(min_length=1, description="What to run; several lines are one script.")
    ok_exit: Annotated[
        tuple[int, ...], BeforeValidator(lambda value: (value,) if isinstance(value, int) else value)
    ] = Field((0,), min_length=1, description="Exit statuses that mean success.")

    def demand(self) -> Demand:
        return Perform()

    def perform(self, host: Host, ports: StepPorts, *, timeout: float, sudo: bool) -> StepOutcome:
        """A command that did not end in time may have had an effect; an unreachable host has none."""
        began = time.monotonic()
        try:
            result = ports.shell.run(host, self.command, timeout=timeout, sudo=sudo)
        except HostError as error:
            return ending_of_error(error, time.monotonic() - began)
        return ending_of_result(result, self.ok_exit)
