"""What an HTTP answer is expected to be, and how its body is read."""

import re
from collections.abc import Sequence
from encodings import normalize_encoding
from encodings.aliases import aliases
from typing import Annotated

import requests
from pydantic import BeforeValidator

_ENCODINGS = frozenset({*aliases, *aliases.values(), "koi8_u"})


def _statuses(value: object) -> tuple[str, ...]:
    """`200`, `2xx` or a list of such. Raises ValueError."""
    written = value if isinstance(value, list | tuple) else (value,)
    if not written:
        raise ValueError("an empty list is met by no answer: write 200, 2xx or a list such as [200, 404]")
    for each in written:
        if isinstance(each, bool) or not re.fullmatch(r"[1-5](xx|\d\d)", str(each), re.ASCII):
            raise ValueError(f"{each!r} is not a status: write 200, 2xx or a list such as [200, 404]")
    return tuple(str(each) for each in written)


Statuses = Annotated[tuple[str, ...], BeforeValidator(_statuses)]
"""`("200", "3xx")`: statuses and classes of them, as people write them."""


def is_among(status: int, expected: Sequence[str]) -> bool:
    """Whether a status is one of the expected, or of an expected class."""
    text = str(status)
    return any(text == each or (each[1:] == "xx" and text[0] == each[0]) for each in expected)


def body_text(response: requests.Response) -> str:
    """The body as text, UTF-8 unless the server names an encoding that exists; guessing costs seconds per MiB.

    Only what is an encoding of text elsewhere too is taken: Python has others, one of which needs hours for a
    MiB, and it remembers every name that it does not know.
    """
    declared = re.search(r"charset=\"?([\w.:-]{1,40})", response.headers.get("Content-Type", ""), re.ASCII)
    name = normalize_encoding(declared[1]).lower() if declared else "utf_8"
    try:
        return response.content.decode(name if name in _ENCODINGS else "utf_8", "replace")
    except (LookupError, ValueError):  # compressions are among the aliases
        return response.content.decode("utf-8", "replace")
