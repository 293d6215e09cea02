"""How a rendered text names a secret without holding it.

`secret('db')` renders to the name between two private-use characters. The text may then be stored and
shown; only the performer replaces the token, when the step is about to be carried out.
"""

import re
import shlex
from collections.abc import Callable

_OPEN, _CLOSE = "\U000f5ec0", "\U000f5ec1"
_TOKEN = re.compile(f"{_OPEN}([A-Za-z0-9][A-Za-z0-9._-]{{0,63}}){_CLOSE}")
_MARKS = str.maketrans("", "", _OPEN + _CLOSE)


def token(name: str) -> str:
    """The token for a secret's name. Raises ValueError for what cannot be one."""
    made = f"{_OPEN}{name}{_CLOSE}"
    if not _TOKEN.fullmatch(made):
        raise ValueError(f"{name!r} cannot be the name of a secret")
    return made


def without_marks(text: str) -> str:
    """The text without the two characters that make a token: what comes from outside must not forge one."""
    return text.translate(_MARKS) if _OPEN in text or _CLOSE in text else text


def quote_around(text: str) -> str:
    """`shlex.quote`, leaving tokens outside the quotes: each is quoted itself when it is replaced."""
    pieces = _TOKEN.split(text)
    if len(pieces) == 1:
        return shlex.quote(text)
    return "".join(
        token(piece) if position % 2 else shlex.quote(piece) if piece else "" for position, piece in enumerate(pieces)
    )


def substitute_secrets(text: str, resolve: Callable[[str], str], *, shell: bool) -> str:
    """The text with every token replaced by the secret's value, quoted where a shell will read it.

    Raises what `resolve` raises (UnknownSecret).
    """
    return _TOKEN.sub(lambda found: shlex.quote(resolve(found[1])) if shell else resolve(found[1]), text)
