"""How a command ends: documented codes, and one sentence instead of a traceback."""

from collections.abc import Mapping
from enum import IntEnum


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


class Failure(Exception):
    """Ends the command. `data`: what `--json` prints beside the text, under keys of its own."""

    def __init__(self, code: Code, text: str, data: Mapping[str, object] | None = None) -> None:
        self.code = code
        self.text = text
        self.data = {"error": text, **(data or {})}
        super().__init__(text)


def refused(text: str, data: Mapping[str, object] | None = None) -> Failure:
    return Failure(Code.NO, text, data)
