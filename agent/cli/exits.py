"""How a command ends: documented codes, and one sentence instead of a traceback."""

from collections.abc import Iterable, Mapping
from enum import IntEnum

from agent.config.problem import say_known


class Code(IntEnum):
    """Exit codes, stable."""

    OK = 0
    NO = 1
    """The answer is no: problems were found, or what was asked for was refused."""
    USAGE = 2
    """The command line makes no sense."""
    NO_AGENT = 3
    """No running agent could be reached."""
    INTERNAL = 4
    """A defect of the program."""
    NOT_ALLOWED = 5
    """The agent does not let you: your role does not suffice."""


class Failure(Exception):
    """Ends the command. `data`: what `--json` prints beside the text, under keys of its own."""

    def __init__(self, code: Code, text: str, data: Mapping[str, object] | None = None) -> None:
        self.code = code
        self.text = text
        self.data = {"error": text, **(data or {})}
        super().__init__(text)


def refused(text: str, data: Mapping[str, object] | None = None) -> Failure:
    return Failure(Code.NO, text, data)


def no_such(what: str, name: str, known: Iterable[str]) -> Failure:
    """There is no `what` of this name: the one that was meant, else those there are."""
    hint = say_known(name, known)
    return refused(f"there is no {what} {name}" + (f": {hint}" if hint else ""))
