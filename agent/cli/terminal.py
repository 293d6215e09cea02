"""Printing. Nothing from outside reaches the terminal as it came: what is not printable is shown as its escape."""

import json
import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_PIPE_WIDTH = 120
"""Columns where no terminal says how wide it is."""


def safe(text: str) -> str:
    """One line that cannot move the cursor, change colours or reorder what stands around it."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def safe_lines(text: str) -> list[str]:
    """The lines of `text`, tabs expanded, each safe."""
    return [safe(line.removesuffix("\r")) for line in text.expandtabs().strip("\n").split("\n")]


def say(text: str, *, to: TextIO | None = None) -> None:
    """Plain lines, to standard output unless told otherwise."""
    print("\n".join(safe_lines(text)), file=to or sys.stdout)


def complain(text: str) -> None:
    say(text, to=sys.stderr)


def say_json(value: object) -> None:
    """ASCII only, so it is safe on a terminal too."""
    print(json.dumps(value, indent=2))


def console() -> "Console":
    """Colours where standard output is a terminal that has them and NO_COLOR is not set; imports Rich."""
    from rich.console import Console

    piped = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    return Console(highlight=False, markup=False, emoji=False, width=_PIPE_WIDTH if piped else None)


def put(console: "Console", what: "RenderableType") -> None:
    """Print without the blanks that a table has at the ends of its lines: they hurt where lines are copied or piped."""
    from rich.segment import Segment, Segments

    trimmed: list[Segment] = []
    for line in console.render_lines(what, pad=False):
        while line and not line[-1].text.rstrip(" "):
            line.pop()
        if line:
            line[-1] = line[-1]._replace(text=line[-1].text.rstrip(" "))
        trimmed += [*line, Segment.line()]
    console.print(Segments(trimmed), end="", soft_wrap=True)


def survive_any_encoding(streams: Iterable[TextIO]) -> None:
    """On a terminal that has no ✓ something else is shown, rather than nothing."""
    for stream in streams:
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(errors="replace")
