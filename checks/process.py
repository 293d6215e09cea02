"""Whether a process runs, how many there are, and what they use."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import Field, PrivateAttr, model_validator

from agent.errors import CannotAsk
from agent.model.inventory import Host
from agent.model.observation import Answer
from agent.model.pattern import Expression
from agent.model.text import one_line
from agent.model.threshold import Reading, Unit
from agent.plugin.api import CheckPorts, CheckType, ProcessInfo
from agent.plugin.files import read_small

_PID_FILE_LIMIT = 65536
_NAMED = 10
"""So many pids are named in a message."""


class Process(CheckType):
    """Processes of this machine, found by name, command line or pid file; what you write must all apply.

    A zombie is dead and is not counted, nor is the agent itself. A pid file that is missing, or whose
    process is gone, counts 0. `cpu` is the average since the last asking, 100% per busy processor;
    absent on the first. Without a threshold of yours, none running is critical.

    Example:
        nginx:
          kind: process
          name: nginx
          user: www-data
          every: 5s
          critical: count < 1
          warning: memory > 2GB
    """

    kind: ClassVar[str] = "process"
    remote: ClassVar[bool] = False
    company: ClassVar[str | None] = "processes"
    default_critical: ClassVar[str | None] = "count < 1"
    readings: ClassVar[Mapping[str, Reading] | None] = {
        "count": Reading(Unit.NUMBER, "how many run"),
        "cpu": Reading(Unit.PERCENT, "processor time of all together, 100% is one processor"),
        "memory": Reading(Unit.BYTES, "resident memory of all together"),
        "age": Reading(Unit.SECONDS, "since the youngest was started"),
    }
    name: str | None = Field(None, description="Name of the program, exactly, as `ps -o comm` shows it.")
    command_line: Expression | None = Field(
        None, description="Regular expression to be found in the command line, arguments joined by spaces."
    )
    pid_file: str | None = Field(None, description="File that holds the pid.", pattern="^/")
    user: str | None = Field(None, description="User that it must run as.")
    _last: dict[tuple[int, float], ProcessInfo] = PrivateAttr(default_factory=dict)
    _cpu: dict[str, float] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _says_which(self) -> "Process":
        if not (self.name or self.command_line or self.pid_file):
            raise ValueError("say which process: write `name`, `command_line` or `pid_file`")
        return self

    def ask(self, target: Host, ports: CheckPorts) -> Sequence[Answer]:
        pid, trouble = self._pid()
        found = [each for each in ports.processes() if self._is_meant(each, pid)]
        running = [each for each in found if each.alive]
        readings = {"count": float(len(running)), "memory": float(sum(each.memory for each in running))}
        readings |= self._cpu_since_last(running)
        if running:
            readings["age"] = max(0.0, min(each.seen - each.started for each in running))
            return [Answer(readings, message=_say_running(running))]
        zombies = [each for each in found if not each.alive]
        return [Answer(readings, message=trouble or self._say_none(pid, zombies))]

    def _pid(self) -> tuple[int | None, str]:
        """The pid in the file; 0, which no process has, and the reason when there is no file."""
        if self.pid_file is None:
            return None, ""
        try:
            text = read_small(Path(self.pid_file), _PID_FILE_LIMIT)[:100].decode("ascii", "replace").strip()
        except FileNotFoundError:
            return 0, f"there is no pid file {self.pid_file}"
        except OSError as error:
            raise CannotAsk(f"cannot read {self.pid_file}: {error.strerror}") from error
        first = text.split("\n", 1)[0].strip()  # PostgreSQL and others write more lines below
        if not re.fullmatch(r"\d{1,10}", first, re.ASCII):
            raise CannotAsk(f"{self.pid_file} holds no pid but {one_line(first, 40)!r}")
        return int(first), ""

    def _is_meant(self, process: ProcessInfo, pid: int | None) -> bool:
        return (
            (pid is None or process.pid == pid)
            and (self.name is None or process.name == self.name)
            and (self.user is None or process.user == self.user)
            and (self.command_line is None or self.command_line.is_in(" ".join(process.command_line)))
            and process.pid != os.getpid()
        )

    def _cpu_since_last(self, running: Sequence[ProcessInfo]) -> Mapping[str, float]:
        """Percent, from the figures of this reading and the last; a process started since counts from its start."""
        now = {(each.pid, each.started): each for each in running}
        last, self._last = self._last, now
        seen = max((each.seen for each in running), default=0.0)
        seen_last = max((each.seen for each in last.values()), default=0.0)
        if not last or not now:
            self._cpu = {}
        elif seen > seen_last:  # the same shared snapshot again would divide by nothing
            spent = 0.0
            for key, process in now.items():
                before = last[key].cpu_seconds if key in last else 0.0
                if key in last or process.started >= seen_last:
                    spent += max(0.0, process.cpu_seconds - before)
            self._cpu = {"cpu": 100.0 * spent / (seen - seen_last)}
        return self._cpu

    def _say_none(self, pid: int | None, zombies: Sequence[ProcessInfo]) -> str:
        if zombies:
            return f"{zombies[0].name} (pid {zombies[0].pid}) is a zombie: it has ended"
        if pid is not None:
            return f"pid {pid} of {self.pid_file} is not running as described"
        pattern = self.command_line.pattern if self.command_line else None
        wanted = {"name": self.name, "command_line": pattern, "user": self.user}
        return one_line("no process with " + ", ".join(f"{key} {value}" for key, value in wanted.items() if value))


def _say_running(running: Sequence[ProcessInfo]) -> str:
    pids = ", ".join(str(each.pid) for each in running[:_NAMED])
    more = f" and {len(running) - _NAMED} more" if len(running) > _NAMED else ""
    return f"{len(running)} running: pid {pids}{more}"
