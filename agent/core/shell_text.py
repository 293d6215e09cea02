"""Where in a shell command a value may stand, so that quoting it is enough to keep it one harmless word.

`shlex.quote` protects a value only where the shell reads words: inside the author's own quotes, a comment
or a here-document the added quotes are text, and the value is read as shell again. So a template that
puts a value there is refused, with what would be right. The grammar is POSIX.1-2024, XCU 2.2 (Quoting),
2.3 (Token Recognition), 2.6.4 (Arithmetic Expansion) and 2.7.4 (Here-Document), plus bash's `$'…'` and `((…))`.

It is no whole shell: behind what would take one, and behind what shells read differently, no value may stand at all.
"""

import re
from dataclasses import dataclass, field

_HEREDOC = re.compile(r"<<(-?)[ \t]*(['\"]?)([A-Za-z_][\w.-]*)\2(?=[\s;&|<>()])")
"""One whose end is plain to see. The end of the text is none: a value may follow, and belong to the word."""

_LOST = "?"
_WHERE = {
    "'": "inside '…'",
    "$'": "inside $'…'",
    '"': 'inside "…"',
    "#": "in a comment",
    "<<": "in a here-document",
    "((": "in arithmetic",
    "${": 'inside "…"',
    "`": "inside `…`",
    _LOST: (
        "behind what cannot be told for sure (an unusual here-document, $[…], quotes within $((…)), ${…} or $'…', "
        "quotes that one branch opens and another closes)"
    ),
    "\\": "after a backslash",
    "$": "right after a $",
}


@dataclass(frozen=True, slots=True)
class _Heredoc:
    """`end`: the line that ends it; `tabs` before that are allowed; `literal`: nothing is expanded in it."""

    end: str
    tabs: bool
    literal: bool


@dataclass(slots=True)
class ShellText:
    """Reads a command from left to right and knows what the shell would make of the next character.

    Two of them are equal if they make the same of all that may follow.
    """

    _inside: list[str] = field(default_factory=list)  # what is open, innermost last: one of ' $' " # << ( (( ${ ` ?
    _heredocs: list[_Heredoc] = field(default_factory=list)  # announced on this line; their bodies start on the next
    _before: str = "\n"

    @classmethod
    def lost(cls) -> "ShellText":
        """One that takes no value any more."""
        return cls([_LOST])

    def copy(self) -> "ShellText":
        return ShellText(list(self._inside), list(self._heredocs), self._before)

    def read(self, text: str) -> None:
        """Go over the author's text."""
        at = 0
        while at < len(text):
            at = self._step(text, at)

    def read_value(self) -> None:
        """Go over a quoted value: it is part of a word."""
        self._before = "x"

    def misplaced(self) -> str | None:
        """Why a quoted value must not stand here, as `inside "…"`; None where it may."""
        inside = self._inside[-1] if self._inside else ""
        if self._before in ("\\", "$") and inside not in ("'", "$'", "#", "<<", _LOST):
            return _WHERE[self._before]
        if "`" in self._inside and inside != _LOST:
            return _WHERE["`"]  # which ends at the next one, be it in quotes
        return _WHERE.get(inside)

    def _step(self, text: str, at: int) -> int:
        """Read what starts at `at`; answers where to go on."""
        inside = self._inside[-1] if self._inside else ""
        if inside not in ("'", "$'", "#", "<<"):  # where a line goes on behind a backslash as if there were no newline
            if text.startswith("\\\n", at) and self._before != "\\":
                return at + 2
            if text[at] == "\n" and self._before == "\\":
                self._inside.append(_LOST)  # what was before the backslash is forgotten
                return len(text)
        match inside:
            case "<<":
                return self._heredoc_line(text, at)
            case "#":
                return self._comment(text, at)
            case "'" | "$'":
                return self._single_quoted(text, at, inside)
            case '"':
                return self._double_quoted(text, at)
            case "((":
                return self._arithmetic(text, at)
            case "${":
                return self._parameter(text, at)
            case "?":  # nothing brings it back
                return len(text)
            case _:
                return self._words(text, at, inside)

    def _words(self, text: str, at: int, inside: str) -> int:
        char = text[at]
        if self._before == "\\":
            self._before = "x"
            return at + 1
        if char == "#" and self._before in " \t\n;&|()`":
            self._inside.append("#")
        elif char == "'":
            self._inside.append("$'" if self._before == "$" else "'")
        elif char == "(" and self._before == "(" and inside == "(":
            self._inside[-1:] = ["((", "(("]  # one for each
        elif char in '"(' or (char == "`" and inside != "`"):
            self._inside.append(char)
        elif (char == "`" and inside == "`") or (char == ")" and inside == "("):
            self._inside.pop()
        elif char == "\n" and self._heredocs:
            self._inside.append("<<")
        elif text.startswith("<<<", at):
            self._before = "<"
            return at + 3
        elif announced := _HEREDOC.match(text, at):
            tabs, quote, end = announced.groups()
            self._heredocs.append(_Heredoc(end, bool(tabs), bool(quote)))
            self._before = "x"
            return announced.end()
        elif text.startswith("<<", at) or (char == "<" == self._before) or (char == "[" and self._before == "$"):
            self._inside.append(_LOST)
        self._before = char
        return at + 1

    def _single_quoted(self, text: str, at: int, inside: str) -> int:
        if inside == "$'" and self._before == "\\":
            if text[at] == "'":  # it ends here for a shell that does not know $'…'
                self._inside.append(_LOST)
            self._before = "x"
            return at + 1
        if text[at] == "'":
            self._inside.pop()
        self._before = text[at] if text[at] != "$" else "x"
        return at + 1

    def _double_quoted(self, text: str, at: int) -> int:
        char = text[at]
        if self._before == "\\":
            self._before = "x"
            return at + 1
        if char == '"':
            self._inside.pop()
        elif char in "({" and self._before == "$":
            self._inside.append("${" if char == "{" else "(")
        elif char == "`":
            self._inside.append(char)
        elif char == "[" and self._before == "$":
            self._inside.append(_LOST)
        self._before = char
        return at + 1

    def _parameter(self, text: str, at: int) -> int:
        """Within double quotes. What a quote means in there is another thing in each shell."""
        char = text[at]
        if self._before == "\\":
            self._before = "x"
            return at + 1
        if char == "}":
            self._inside.pop()
        elif char in "'\"`":
            self._inside.append(_LOST)
        elif char in "({" and self._before == "$":
            self._inside.append("${" if char == "{" else "(")
        self._before = char
        return at + 1

    def _arithmetic(self, text: str, at: int) -> int:
        """Read as if within double quotes: single ones protect nothing."""
        char = text[at]
        if char == ")":
            self._inside.pop()
        elif char == "(":
            self._inside.append("(" if self._before == "$" else "((")
        elif char == "`":
            self._inside.append(char)
        elif char in "'\"\\":
            self._inside.append(_LOST)
        self._before = char
        return at + 1

    def _comment(self, text: str, at: int) -> int:
        end = text.find("\n", at)
        if end < 0:
            return len(text)
        self._inside.pop()
        return end

    def _heredoc_line(self, text: str, at: int) -> int:
        end = text.find("\n", at)
        if end < 0:
            self._before = "x"  # the line is not over: a value follows
            return len(text)
        line, here = text[at:end], self._heredocs[0]
        if self._before == "\n" and (line.lstrip("\t") if here.tabs else line) == here.end:
            self._heredocs.pop(0)
            if not self._heredocs:
                self._inside.pop()
        goes_on = not here.literal and (len(line) - len(line.rstrip("\\"))) % 2
        self._before = "x" if goes_on else "\n"
        return end + 1
