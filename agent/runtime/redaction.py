"""What must not leave: secret values, however they are written, and what looks like one."""

import base64
import json
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from urllib.parse import quote, quote_plus

SHORTEST = 4
"""Characters: hiding every `ab` would make the text unreadable and the secret no safer."""

HIDDEN = "[redacted]"

_KEYWORDS = r"(?:passw(?:or)?d|passphrase|secret|api[_-]?key|access[_-]?key|private[_-]?key|token)"
_VALUE = r"""(?P<secret>"[^"\n]{1,500}"|'[^'\n]{1,500}'|[^\s"',;&]{1,500})"""

PATTERNS: tuple[str, ...] = (
    rf"(?i){_KEYWORDS}[\w-]{{0,20}}[\"']?\s{{0,3}}[=:]\s{{0,3}}{_VALUE}",
    rf"(?i)--{_KEYWORDS}[\w-]{{0,20}}\s{{1,3}}{_VALUE}",
    rf"(?i)authorization[\"']?\s{{0,3}}[=:]\s{{0,3}}[\"']?(?:(?:basic|bearer|digest|token)\s{{1,3}})?{_VALUE}",
    r"(?i)[a-z][a-z0-9+.-]{1,20}://[^\s/:@]{0,100}:(?P<secret>[^\s/@]{1,200})@",
    r"(?s)-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----(?P<secret>.*?-----END [A-Z ]{0,40}PRIVATE KEY-----|.*)",
)
"""What is hidden although nobody declared it: the group `secret`, or all that matches. Each is linear."""


class Redactor:
    """Hides secrets in text. `seen`: every known value to its name. Thread-safe."""

    def __init__(self, seen: Callable[[], Mapping[str, str]], patterns: Sequence[str] = PATTERNS) -> None:
        self._seen = seen
        self._patterns = [re.compile(pattern) for pattern in patterns]
        self._for: Mapping[str, str] = {}
        self._literal: re.Pattern[str] | None = None
        self._names: dict[str, str] = {}

    def redact(self, text: str) -> str:
        """The text, a known secret replaced by `[redacted:NAME]`, what looks like one by `[redacted]`."""
        if not text:
            return text
        literal, names = self._known()
        if literal is not None:
            text = literal.sub(lambda found: f"[redacted:{names[found[0]]}]", text)
        for pattern in self._patterns:
            text = pattern.sub(_hide, text)
        return text

    def _known(self) -> tuple[re.Pattern[str] | None, dict[str, str]]:
        seen = self._seen()
        if seen != self._for:
            names = {form: name for value, name in seen.items() for form in written_forms(value)}
            longest_first = sorted(names, key=len, reverse=True)
            self._literal = re.compile("|".join(map(re.escape, longest_first))) if names else None
            self._names = names
            self._for = seen
        return self._literal, self._names


def written_forms(value: str) -> frozenset[str]:
    """How a value may stand in a text: as it is, for a URL, a shell, in JSON, in base64, or line by line."""
    forms = {value, *_lines(value)}
    for form in tuple(forms):
        for encoded in (quote(form, safe=""), quote(form), quote_plus(form)):
            forms |= {encoded, re.sub("%..", lambda found: found[0].lower(), encoded)}
        forms |= {shlex.quote(form), json.dumps(form)[1:-1], json.dumps(form, ensure_ascii=False)[1:-1]}
    forms |= set(_in_base64(value.encode()))
    return frozenset(form for form in forms if len(form) >= SHORTEST)


def _lines(value: str) -> Iterable[str]:
    """The lines of a key: a tool may print it indented."""
    lines = value.splitlines()
    return [line.strip() for line in lines if len(line.strip()) >= 16] if len(lines) > 1 else []


def _in_base64(value: bytes) -> Iterator[str]:
    """What is the same in base64 whatever stands before and after, for each of the three alignments (RFC 4648, 4)."""
    for before in range(3):
        whole = (before + len(value)) // 3 * 4
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(b"\0" * before + value).decode()
            steady = text[4 if before else 0 : whole]
            if len(steady) >= 8:
                yield steady
    yield base64.b64encode(value).decode()


def _hide(found: re.Match[str]) -> str:
    if "secret" not in found.re.groupindex:
        return HIDDEN
    start, end = found.span("secret")
    inner = found["secret"]
    if inner.lstrip("\"'").startswith("[redacted"):  # a known secret: it says which
        return found[0]
    return found[0][: start - found.start()] + HIDDEN + found[0][end - found.start() :]
