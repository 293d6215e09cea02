"""Commands that people are told to type: they go to the agent that was named, or to the one found by itself."""

import shlex
from contextvars import ContextVar

from agent.model.text import with_socket

_named: ContextVar[str | None] = ContextVar("named", default=None)


def go_to(socket: str | None) -> None:
    """The control socket that was typed; None: whoever types again finds it again."""
    _named.set(socket)


def typed(*words: str) -> str:
    """`approve`, `INC-1` as it is typed."""
    socket = _named.get()
    return " ".join(("paramedic", *(("--socket", shlex.quote(socket)) if socket else ()), *words))


def retyped(text: str) -> str:
    """What the agent says: it does not know how it was found."""
    socket = _named.get()
    return with_socket(text, socket) if socket else text
