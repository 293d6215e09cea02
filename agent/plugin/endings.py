"""How a step ended, from what a shell answered or raised."""

from agent.errors import CommandTimedOut, Effect, HostError, ParamedicError
from agent.model.command_result import CommandResult
from agent.model.execution import StepOutcome, StepStatus
from agent.model.text import one_line

PERHAPS = "it was started, and what it did is not known"
"""Said of everything that may have had an effect."""

_WHOLE = 2000
"""Characters of an error's text: a remedy with its command must not be cut."""


def ending_of_result(result: CommandResult, ok: tuple[int, ...] = (0,)) -> StepOutcome:
    """OK for the statuses in `ok`, else FAILED with the last line the command had to say."""
    fine = result.status in ok
    return StepOutcome(
        status=StepStatus.OK if fine else StepStatus.FAILED,
        exit=result.status,
        stdout=result.stdout,
        stderr=result.stderr,
        message="" if fine else _last_line(result.stderr) or _last_line(result.stdout),
        seconds=result.seconds,
    )


def ending_of_error(error: ParamedicError, seconds: float = 0.0) -> StepOutcome:
    """UNREACHABLE and FAILED are without effect; TIMED_OUT and UNKNOWN may have had one, and say so."""
    message = one_line(str(error), _WHOLE)
    if isinstance(error, CommandTimedOut):
        return StepOutcome(
            StepStatus.TIMED_OUT,
            stdout=error.stdout,
            stderr=error.stderr,
            message=f"{message}; {PERHAPS}",
            seconds=seconds,
        )
    if error.effect is Effect.UNKNOWN:
        return StepOutcome(StepStatus.UNKNOWN, message=f"{message}; {PERHAPS}", seconds=seconds)
    status = StepStatus.UNREACHABLE if isinstance(error, HostError) else StepStatus.FAILED
    return StepOutcome(status, message=message, seconds=seconds)


def _last_line(text: str) -> str:
    lines = text.rstrip().rsplit("\n", 1)
    return one_line(lines[-1], 200)
