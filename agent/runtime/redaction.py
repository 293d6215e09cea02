"""What must not leave: secret values, however they are written, and what looks like one."""

import base64
import json
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any
from urllib.parse import quote, quote_plus

from agent.model.pattern import Pattern, PatternTooSlow
from agent.model.text import one_line, printable_lines

SHORTEST = 4
"""Characters: hiding every `ab` would make the text unreadable and the secret no safer."""

HIDDEN = "[redacted]"

WITHHELD = "[redacted as a whole: a pattern of agent.redact takes too long on this text]"

_CUT = re.compile(r"…|\n\[\d+ bytes dropped\]\n")
"""Where `one_line` and BoundedOutput have left something out: perhaps the other half of a secret."""

_CUTS = 100
"""More of them in a text are what somebody printed, not what was cut."""

_KEYWORDS = r"(?:passw(?:or)?d|passphrase|secret|api[_-]?key|access[_-]?key|private[_-]?key|token)"
_VALUE = r"""(?P<secret>"[^"\n]{1,500}"|'[^'\n]{1,500}'|[^\s"',;&]{1,500})"""

_PATTERNS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?i){_KEYWORDS}[\w-]{{0,20}}[\"']?\s{{0,3}}[=:]\s{{0,3}}{_VALUE}",
        rf"(?i)--{_KEYWORDS}[\w-]{{0,20}}\s{{1,3}}{_VALUE}",
        rf"(?i)authorization[\"']?\s{{0,3}}[=:]\s{{0,3}}[\"']?(?:(?:basic|bearer|digest|token)\s{{1,3}})?{_VALUE}",
        r"(?i)[a-z][a-z0-9+.-]{1,20}://[^\s/:@]{0,100}:(?P<secret>[^\s/@]{1,200})@",
        r"(?s)-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----(?P<secret>.*?-----END [A-Z ]{0,40}PRIVATE KEY-----|.*)",
        # What GitHub, GitLab, AWS and Slack give out says what it is by how it begins; so does a JSON Web Token.
        r"\b(?:gh[opsru]_|github_pat_|glpat-|xox[abeprs]-)[\w-]{16,255}",
        r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
        r"\beyJ[\w-]{10,4000}\.eyJ[\w-]{10,4000}\.[\w-]{10,1000}",
    )
)
"""What is hidden although nobody declared it: the group `secret`, or all that matches. Each is linear."""


class _Known:
    """`seen`: value to name, of which all else is made; `names`: every form to its name; `literal` finds them all."""

    def __init__(self, seen: Mapping[str, str]) -> None:
        self.seen = seen
        self.names = {form: name for value, name in seen.items() for form in written_forms(value)}
        longest_first = sorted(self.names, key=len, reverse=True)
        self.literal = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None
        self._longest = len(longest_first[0]) if longest_first else 0
        self._by_head: dict[str, list[str]] = {}
        self._by_tail: dict[str, list[str]] = {}
        for form in longest_first:
            self._by_head.setdefault(form[:SHORTEST], []).append(form)
            self._by_tail.setdefault(form[-SHORTEST:], []).append(form)

    def without_halves(self, text: str) -> str:
        """Where something was left out: without the beginning of a secret before it, and the end of one after it."""
        pieces, at = [], 0
        for cut in islice(_CUT.finditer(text), _CUTS):
            before = text[at : cut.start()]
            pieces += [self._without_beginning(self._without_end(before) if at else before), cut[0]]
            at = cut.end()
        return "".join([*pieces, self._without_end(text[at:])]) if pieces else text

    def _without_beginning(self, before: str) -> str:
        for start in range(max(0, len(before) - self._longest), len(before) - SHORTEST + 1):
            for form in self._by_head.get(before[start : start + SHORTEST], ()):
                if form.startswith(before[start:]):
                    return before[:start] + _named(self.names[form])
        return before

    def _without_end(self, after: str) -> str:
        for end in range(min(len(after), self._longest), SHORTEST - 1, -1):
            for form in self._by_tail.get(after[end - SHORTEST : end], ()):
                if form.endswith(after[:end]):
                    return _named(self.names[form]) + after[end:]
        return after


class Redactor:
    """Hides secrets in text. `seen`: every known value to its name; `patterns`: the operator's own, beside ours.

    Thread-safe.
    """

    def __init__(self, seen: Callable[[], Mapping[str, str]], patterns: Sequence[Pattern] = ()) -> None:
        self._seen = seen
        self._patterns = tuple(patterns)
        self._latest = _Known({})

    def use(self, patterns: Sequence[Pattern]) -> None:
        """The operator's own patterns from now on."""
        self._patterns = tuple(patterns)

    def redact(self, text: str) -> str:
        """The text, a known secret or what a cut has left of it replaced by `[redacted:NAME]`, what looks like one
        by `[redacted]`. A text that takes a pattern too long is withheld as a whole.
        """
        if not text:
            return text
        known = self._known()
        if known.literal is not None:
            text = known.literal.sub(lambda found: _named(known.names[found[0]]), text)
            text = known.without_halves(text)
        for own in _PATTERNS:
            text = own.sub(_hide, text)
        try:
            for pattern in self._patterns:
                text = pattern.replaced(text, _hide)
        except PatternTooSlow:
            return WITHHELD
        return text

    def knows(self, text: str) -> bool:
        """Whether the value of a secret is in it, whatever else may look like one."""
        literal = self._known().literal
        return literal is not None and literal.search(text) is not None

    def _known(self) -> _Known:
        seen, known = self._seen(), self._latest
        if known.seen != seen:
            known = self._latest = _Known(seen)
        return known


def _named(name: str) -> str:
    return f"[redacted:{name}]"


def written_forms(value: str) -> frozenset[str]:
    """How a value may stand in a text: as it is, for a URL, a shell, in JSON, in base64, line by line, or as we show
    what is not printable.
    """
    forms = {value, *_lines(value)}
    for form in tuple(forms):
        for encoded in (quote(form, safe=""), quote(form), quote_plus(form)):
            forms |= {encoded, re.sub("%..", lambda found: found[0].lower(), encoded)}
        forms |= {
            shlex.quote(form),
            " ".join(form.split()),
            json.dumps(form)[1:-1],
            json.dumps(form, ensure_ascii=False)[1:-1],
            one_line(form, 10 * len(form)),
            printable_lines(form),
            repr(form)[1:-1],
            repr('"' + form)[2:-1],  # in a text that holds both kinds of quotes
        }
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


def _hide(found: Any) -> str:
    """`found`: a match of `re` or of `regex`, which are alike."""
    if "secret" not in found.re.groupindex or found["secret"] is None:
        return HIDDEN if found[0] else ""
    whole: str = found[0]
    start, end = found.span("secret")
    inner = found["secret"]
    if inner.lstrip("\"'").startswith("[redacted"):  # a known secret: it says which
        return whole
    return whole[: start - found.start()] + HIDDEN + whole[end - found.start() :]
