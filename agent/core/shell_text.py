"""Where in a shell command a value may stand, so that quoting it is enough to keep it one harmless word.

`shlex.quote` protects a value only where the shell reads words: inside the author's own quotes, a comment
or a here-document the added quotes are text, and the value is read as shell again. So a template that
puts a value there is refused, with what would be right. The grammar is POSIX.1-2024, XCU 2.2 (Quoting),
2.3 (Token Recognition) and 2.7.4 (Here-Document), plus bash's `$'…'`.
"""

import re

_HEREDOC = re.compile(r"<<-?[ \t]*(['\"\\]?)([A-Za-z_][\w.-]*)\1")
_WHERE = {
    "'": "inside '…'",
    "$'": "inside $'…'",
    '"': 'inside "…"',
    "#": "in a comment",
    "<<": "in a here-document",
    "\\": "after a backslash",
    "$": "right after a $",
}


class ShellText:
    """Reads a command from left to right and knows what the shell would make of the next character."""

    def __init__(self) -> None:
        self._inside: list[str] = []  # what is open, innermost last: one of ' $' " # << ( `
        self._heredocs: list[str] = []  # delimiters announced on this line; their bodies start on the next
        self._before = "\n"

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
        if self._before in ("\\", "$") and inside not in ("'", "$'", "#", "<<"):
            return _WHERE[self._before]
        return _WHERE.get(inside)

    def _step(self, text: str, at: int) -> int:
        """Read what starts at `at`; answers where to go on."""
        inside = self._inside[-1] if self._inside else ""
        match inside:
            case "<<":
                return self._heredoc_line(text, at)
            case "#":
                return self._comment(text, at)
            case "'" | "$'":
                return self._single_quoted(text, at, inside)
            case '"':
                return self._double_quoted(text, at)
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
            self._heredocs.append(announced[2])
            self._before = "x"
            return announced.end()
        self._before = char
        return at + 1

    def _single_quoted(self, text: str, at: int, inside: str) -> int:
        if inside == "$'" and self._before == "\\":
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
        elif (char == "(" and self._before == "$") or char == "`":
            self._inside.append(char)
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
        line = text[at:] if end < 0 else text[at:end]
        if self._heredocs and line.strip("\t ") == self._heredocs[0]:
            self._heredocs.pop(0)
        if not self._heredocs:
            self._inside.pop()
        self._before = "\n"
        return len(text) if end < 0 else end + 1
