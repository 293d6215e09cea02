"""One thing that is wrong in what people wrote: where, what, and what would be right."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field

from agent.errors import ParamedicError
from agent.model.text import one_line

Path = tuple[str | int, ...]
"""Keys and list indices from the top of a document: `("checks", "web", "ladder", 0)`."""

_ELSEWHERE = {
    "cmd": ("run", "command"),
    "command": ("run",),
    "depends": ("depends_on",),
    "frequency": ("every",),
    "hostname": ("address",),
    "hosts": ("on",),
    "interval": ("every",),
    "ip": ("address",),
    "period": ("every",),
    "retries": ("retry",),
    "schedule": ("every",),
    "targets": ("on",),
    "type": ("kind",),
}
"""What other programs call it: no spelling leads from one word to the other."""

_TEXT_LIMIT = 400
_CANDIDATES = 1000


def say_path(path: Path) -> str:
    """`checks.web.ladder[0]`."""
    text = ""
    for segment in path:
        text += f"[{segment}]" if isinstance(segment, int) else f".{segment}"
    return one_line(text.removeprefix("."), 200)


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """`line` and `column` count from 1; line 0 means the file or folder as a whole.

    The texts are kept to one line of bounded length.
    """

    file: str
    line: int
    column: int
    path: str
    what: str
    hint: str = field(default="")

    def __post_init__(self) -> None:
        for name in ("path", "what", "hint"):
            object.__setattr__(self, name, one_line(getattr(self, name), _TEXT_LIMIT))

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return ": ".join(part for part in (place, self.path, self.what, self.hint) if part)


class ConfigProblems(ParamedicError):
    """Everything that is wrong, each thing once, in the order of files and lines."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def nearest(word: object, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known word a person most likely meant, if there is one. `cutoff`: how alike, from 0 to 1."""
    by_lower = {name.lower(): name for _, name in zip(range(_CANDIDATES), known, strict=False)}
    written = str(word)[:100].lower()
    for name in _ELSEWHERE.get(written, ()):
        if name in by_lower:
            return by_lower[name]
    found = difflib.get_close_matches(written, by_lower, n=1, cutoff=cutoff)
    return by_lower[found[0]] if found else None


def say_known(word: object, known: Iterable[str], otherwise: str = "") -> str:
    """The hint for a word that is not known: the one that was meant, else those there are, else `otherwise`."""
    names = sorted(known)
    if meant := nearest(word, names):
        return f"did you mean '{meant}'?"
    if not names:
        return otherwise
    shown = ", ".join(names[:30]) + (", …" if len(names) > 30 else "")
    return f"known here: {shown}"
