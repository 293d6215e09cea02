"""Text from outside, made safe to show: what a host or a server says may hold anything."""

import re
import shlex
from collections.abc import Sequence

_BLANKS = re.compile(r"\s+")
_COMMAND = re.compile(r"\bparamedic (?=(?:plan|approve|deny|review|show|tell) )")


def one_line(text: str, limit: int = 300) -> str:
    """`text` as one line of at most `limit` characters.

    Runs of white space become one space. What is not printable (terminal escapes, bidirectional
    overrides, lone surrogates) is shown as its escape, so that no message can repaint a terminal.
    """
    if len(text) <= limit and text.isprintable():
        return text
    # Cut first: a megabyte must not be scanned for the sake of three hundred characters. White space
    # and escapes only shrink or grow what is kept, so a generous piece is enough.
    line = _BLANKS.sub(" ", text[: limit * 20]).strip()[: limit + 1]
    line = "".join(each if each.isprintable() else _escaped(each) for each in line)
    return line if len(line) <= limit else line[: limit - 1] + "…"


def some(names: Sequence[object], limit: int = 10) -> str:
    """The first of them, and how many more there are: a sentence must not grow with the fault."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(map(str, names[:limit])) + more


def printable_lines(text: str) -> str:
    """`text` with its line breaks (`\n`) and tabs; what else is not printable is shown as its escape."""
    text = text.replace("\r\n", "\n")
    return "".join(each if each.isprintable() or each in "\n\t" else _escaped(each) for each in text)


def with_socket(text: str, socket: str) -> str:
    """`text` with each command for people in it naming the control socket of the agent that is meant."""
    return _COMMAND.sub(lambda found: f"paramedic --socket {shlex.quote(socket)} ", text)


def _escaped(character: str) -> str:
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
