"""What came of a command."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CommandResult:
    """Exit status and bounded output of one command. `dropped`: bytes of output that were not kept."""

    status: int
    stdout: str
    stderr: str
    dropped: int = 0
    seconds: float = 0.0
