"""Regular expressions that people write and that are put to text from outside.

Whoever sends that text could make a careless expression such as `(a+)+$` search for hours, and Python's own `re`
lets no other thread run meanwhile. `regex` lets them, and gives up in time.
"""

import re
from typing import Annotated, Any

import regex
from pydantic import PlainValidator, WithJsonSchema
from pydantic_core import PydanticKnownError

from agent.errors import CannotAsk

PATIENCE = 0.5
"""Seconds of processor time (all threads of the process) for one search."""

_LONGEST = 1000


class PatternTooSlow(CannotAsk):
    """The expression may or may not be in the text: looking for it took too long."""


class Pattern:
    """In the syntax of Python's `re`. Raises ValueError for what is none, or longer than 1000 characters."""

    __slots__ = ("_compiled", "pattern")

    def __init__(self, pattern: str) -> None:
        if len(pattern) > _LONGEST:
            raise ValueError(f"a regular expression may have {_LONGEST} characters at most")
        try:
            re.compile(pattern)  # whose syntax is meant; `regex` takes more, `[0-9` among it
            self._compiled = regex.compile(pattern)
        except (re.error, regex.error, OverflowError, RecursionError) as error:
            raise ValueError(f"{pattern!r} is not a regular expression: {error}") from None
        self.pattern = pattern

    def __repr__(self) -> str:
        return f"Pattern({self.pattern!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pattern) and self.pattern == other.pattern

    def __hash__(self) -> int:
        return hash(self.pattern)

    def is_in(self, text: str) -> bool:
        """Raises PatternTooSlow."""
        return self._within_patience(self._compiled.search, text) is not None

    def is_all_of(self, text: str) -> bool:
        """Raises PatternTooSlow."""
        return self._within_patience(self._compiled.fullmatch, text) is not None

    def replaced(self, text: str, by: Any) -> str:
        """`by`: called with each match, answers what stands there instead. Raises PatternTooSlow."""
        replaced: str = self._within_patience(lambda within, **limit: self._compiled.sub(by, within, **limit), text)
        return replaced

    def _within_patience(self, search: Any, text: str) -> Any:
        try:
            return search(text, timeout=PATIENCE, concurrent=True)
        except TimeoutError:
            raise PatternTooSlow(f"the regular expression {self.pattern!r} takes too long on what is there") from None


def _made(value: object) -> Pattern:
    if isinstance(value, Pattern):
        return value
    if not isinstance(value, str):
        raise PydanticKnownError("string_type")
    return Pattern(value)


Expression = Annotated[Pattern, PlainValidator(_made), WithJsonSchema({"type": "string", "format": "regex"})]
"""A field that people write a regular expression in."""
