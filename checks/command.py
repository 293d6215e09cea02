"""Any command as a check; every plugin of Nagios, Icinga and their kin is one."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from pydantic import Field

from agent.errors import CannotAsk, HostError
from agent.model.command_result import CommandResult
from agent.model.inventory import Host
from agent.model.observation import Answer, Verdict
from agent.model.performance_data import parse_plugin_output
from agent.model.text import one_line
from agent.model.threshold import Reading
from agent.plugin.api import CheckPorts, CheckType

_NEVER_RAN = {126: "cannot be executed", 127: "is not there"}


class Command(CheckType):
    """Runs a command on each host of `on:`, by SSH where that is not this machine; its exit status is the verdict.

    0 is OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN, as the Monitoring Plugins convention has it; any other
    status is UNKNOWN, because the command then failed to look. The first line of output is the message;
    performance data after `|` become readings in seconds, bytes and percent, named after their labels
    (what a threshold cannot spell becomes `_`). A host that cannot be reached is UNKNOWN.

    Example:
        raid:
          kind: command
          on: group:storage
          run: /usr/lib/nagios/plugins/check_raid
          sudo: true
          every: 5m
          timeout: 30s
    """

    kind: ClassVar[str] = "command"
    shell: ClassVar[bool] = True
    readings: ClassVar[Mapping[str, Reading] | None] = None
    run: str = Field(min_length=1, description="Command line for the host's shell.")
    sudo: bool = Field(False, description="Whether to run it as root through sudo.")

    def ask(self, target: Host, ports: CheckPorts) -> Sequence[Answer]:
        try:
            result = ports.shell.run(target, self.run, timeout=ports.timeout, sudo=self.sudo)
        except HostError as error:
            raise CannotAsk(one_line(str(error))) from error
        output = parse_plugin_output(result.stdout)
        if result.status in range(4):
            verdict = Verdict(result.status)
            message = output.message or _first_line(result.stderr) or f"exit status {result.status}, no output"
        else:
            verdict, message = Verdict.UNKNOWN, _say_odd_status(result)
        return [Answer(output.readings, verdict, one_line(message))]


def _say_odd_status(result: CommandResult) -> str:
    what = _NEVER_RAN.get(result.status, "is none of a check's (0 to 3)")
    said = _first_line(result.stderr) or _first_line(result.stdout)
    subject = "the command" if result.status in _NEVER_RAN else "that status"
    return f"exit status {result.status}: {subject} {what}" + (f": {said}" if said else "")


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]
