"""An answer of a ticket system, and where in it something is found."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import StringConstraints

from agent.errors import Effect, TicketError
from agent.model.text import one_line

Dotted = Annotated[str, StringConstraints(pattern=r"^[^.\s]+(\.[^.\s]+)*$")]
"""A place in a JSON answer: names and indexes from 0 on, joined by dots, such as `data.collection.0.id`."""

_ID_LIMIT = 200


class NotThere(Exception):
    """Nothing stands at that place."""


def at(value: object, path: str) -> object:
    """What stands at `path` in a JSON value. Raises NotThere."""
    for name in path.split("."):
        match value:
            case Mapping() if name in value:
                value = value[name]
            case list() if name.isascii() and name.isdigit() and int(name) < len(value):
                value = value[int(name)]
            case _:
                raise NotThere(path)
    return value


def plain(value: object) -> str:
    """An id or another short value as text. Raises NotThere for what is neither a printable string nor a number."""
    if isinstance(value, bool) or not isinstance(value, str | int) or not _is_word(text := str(value)):
        raise NotThere(one_line(repr(value), 80))
    return text


def _is_word(text: str) -> bool:
    return 0 < len(text) <= _ID_LIMIT and text.isprintable()


@dataclass(frozen=True, slots=True)
class Reply:
    """`what`: the request it answers, as `GET /issue`; `changes`: whether that one changes something.

    `hidden`: what must not be shown when the body is quoted.
    """

    what: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    changes: bool
    hidden: tuple[bytes, ...] = field(default=(), repr=False)

    @property
    def is_page(self) -> bool:
        """Whether people were meant to read it, not programs."""
        return self.body.lstrip()[:1] == b"<"

    def json(self) -> object:
        """Raises TicketError when the body is not JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise self.unreadable(f"is not JSON but {self.quoted()}") from error

    def value(self, path: str) -> str:
        """The short value at `path`. Raises TicketError when it is not there."""
        try:
            return plain(at(self.json(), path))
        except NotThere as error:
            raise self.unreadable(f"has no text or number at `{path}`: {self.quoted()}") from error

    def unreadable(self, how: str) -> TicketError:
        """The request was taken; what came of it cannot be read."""
        effect = Effect.UNKNOWN if self.changes else Effect.NONE
        return TicketError(f"the answer to {self.what} {how}", retryable=True, effect=effect)

    def quoted(self) -> str:
        """The body for people: one line of at most 300 characters."""
        body = self.body[:65536]
        for secret in self.hidden:
            body = body.replace(secret, b"(secret)")
        return one_line(body.decode(errors="replace")) or "(nothing)"
