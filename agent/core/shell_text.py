"""Where in a shell command a value may stand, so that quoting it is enough to keep it one harmless word.

`shlex.quote` protects a value only where the shell reads words: inside the author's own quotes, a comment
or a here-document the added quotes are text, and the value is read as shell again. So a template that
puts a value there is refused, with what would be right. The grammar is POSIX.1-2024, XCU 2.2 (Quoting),
2.3 (Token Recognition), 2.6 (Word Expansions) and 2.7.4 (Here-Document).

It is no whole shell, and does not guess. It knows what is plain to read for dash, bash and busybox alike; behind
anything else it is lost, and takes no value any more.
"""

import re
from collections.abc import Hashable
from dataclasses import dataclass, field

_HEREDOC = re.compile(r"<<(-?)[ \t]*(?:(['\"])([\w.-]+)\2|([A-Za-z_]\w*))(?=[ \t\n;&|>])", re.ASCII)
"""One whose end is plain to see. The end of the text is none: a value may follow, and belong to the word."""

_COMMAND = r"\$\( [\w\ ./:%+,=@~-]*+ \)"
_NESTED = rf"\$ (?: \w++ | [#?] | \{{ \w++ (?: :?[-=+?] \w*+ )? \}} ) | {_COMMAND}"
_ARITHMETIC = rf"[\w\s+*/%,?:=!&|^~<>-] | {_NESTED}"
_PLAIN = rf"""
    \$\$
  | \$\{{ [#!]? (?: \w++ | [@*?$!\#-] ) (?: \[[\w@*]++\] )?
    (?: (?: :?[-=+?] | %%? | \#\#? | //? | : | ,,? | \^\^? ) (?: [][\w .,/:%+=@*?!~^#-] | {_NESTED} )*+ )? \}}
  | \$\(\( (?: {_ARITHMETIC} | \( (?: {_ARITHMETIC} )*+ \) )*+ \)\)
"""
"""Expansions without quotes, and with nothing nested that is more than a word."""

_EXPANSION = re.compile(_PLAIN, re.ASCII | re.VERBOSE)
_IN_HEREDOC = re.compile(rf"\\. | {_PLAIN} | {_COMMAND}", re.ASCII | re.VERBOSE)
_PATTERN = re.compile(r"\[[\w!^.-]*+\](?=[^+=])", re.ASCII)
"""Of file names: no subscript, which is assigned to."""

_DUPLICATION = re.compile(r">&(?:\d+|-)(?=[\s;&|)])", re.ASCII)

_PARENTHESES = ("(", "$(")
_WHERE = {
    "'": "inside '…'",
    '"': 'inside "…"',
    "#": "in a comment",
    "<<": "in a here-document",
    "\\": "after a backslash",
    "$": "right after a $",
}
_NAME, _OTHER = "name", "word"
"""What is known of a word that has begun. Nothing but these, and how much of `case` it is, makes a difference."""


@dataclass(frozen=True, slots=True)
class _Heredoc:
    """`end`: the line that ends it; `tabs` before that are allowed; `literal`: nothing is expanded in it."""

    end: str
    tabs: bool
    literal: bool

    def ends_with(self, line: str) -> bool:
        return (line.lstrip("\t") if self.tabs else line) == self.end

    def may_end_with(self, begun: str) -> bool:
        """Whether a line that begins so can be the last."""
        return self.end.startswith(begun.lstrip("\t") if self.tabs else begun)


@dataclass(slots=True)
class ShellText:
    """Reads a command from left to right and knows what the shell would make of the next character.

    `lost`: behind what, and so nothing is known any more.
    """

    lost: str = ""
    _inside: list[str] = field(default_factory=list)  # what is open, innermost last: one of ' " # << ( $(
    _heredoc: _Heredoc | None = None  # announced; its body starts on the next line, or has
    _before: str = "\n"  # the character before, or x for all that make no difference
    _word: str = ""  # begun so far: nothing, c, ca, cas, case, _NAME or _OTHER

    @property
    def key(self) -> Hashable:
        """Equal where all that may follow is read in the same way."""
        return self.lost or (tuple(self._inside), self._heredoc, self._before, self._word)

    def copy(self) -> "ShellText":
        return ShellText(self.lost, list(self._inside), self._heredoc, self._before, self._word)

    def read(self, text: str) -> None:
        """Go over the author's text."""
        at = 0
        while at < len(text) and not self.lost:
            match self._inside[-1] if self._inside else "":
                case "'":
                    at = self._single_quoted(text, at)
                case '"':
                    at = self._double_quoted(text, at)
                case "#":
                    at = self._comment(text, at)
                case "<<":
                    at = self._heredoc_line(text, at)
                case _:
                    at = self._words(text, at)

    def read_value(self) -> None:
        """Go over a quoted value: it is part of a word."""
        self._within_word(_OTHER if self._word == _OTHER else _NAME)

    @property
    def is_within_word(self) -> bool:
        """Where a list cannot be so many words: `x={{ list }}` would be an assignment to the first and a command."""
        return bool(self._word)

    def read_blank(self) -> None:
        """Go over what ends a word."""
        self._between_words(" ")

    def misplaced(self) -> str | None:
        """Why a quoted value must not stand here, as `inside "…"`; None where it may."""
        inside = self._inside[-1] if self._inside else ""
        if not self.lost and self._before in ("\\", "$") and inside not in ("'", "#", "<<"):
            return _WHERE[self._before]
        return self.lost or _WHERE.get(inside)

    def _lose(self, text: str, behind: str) -> int:
        self.lost = behind
        return len(text)

    def _within_word(self, word: str = _OTHER) -> None:
        self._before, self._word = "x", word

    def _between_words(self, char: str) -> None:
        if self._word == "case" and any(each in self._inside for each in _PARENTHESES):
            self.lost = "behind `case` within (…), whose patterns end with the same )"
        self._before, self._word = char, ""

    def _words(self, text: str, at: int) -> int:
        char = text[at]
        if self._before == "\\" or char == "\\":
            return self._backslash(text, at)
        match char:
            case "$":
                return self._dollar(text, at)
            case "'" | '"' if not (char == "'" and self._before == "$"):
                self._inside.append(char)
                self._within_word()
            case "#" if self._before not in "x$=[":
                return self._hash(text, at)
            case "(" | ")":
                return self._parenthesis(text, at)
            case "<":
                return self._less(text, at)
            case "\n":
                return self._newline(text, at)
            case ">" | "&" if (self._before + char) in (">&", "&>") or text.startswith(">&", at):
                return self._redirection(text, at)
            case " " | "\t" | ";" | "&" | "|" | ">":
                self._between_words(char)
            case "`":
                return self._lose(text, "behind a backquote (write $(…))")
            case "[":
                return self._bracket(text, at)
            case "{" | "'" if self._before == "$":
                return self._lose(text, f"in or behind ${char}…")
            case _:
                return self._letter(text, at)
        return at + 1

    def _bracket(self, text: str, at: int) -> int:
        if self._before == "[" or (not self._word and text.startswith("[[", at)):
            return self._lose(text, "in or behind [[ (write [ … ])")  # to dash it is a command like any other
        if self._before == "$":
            return self._lose(text, "in or behind $[…]")
        if self._word not in ("", _OTHER):
            if not (pattern := _PATTERN.match(text, at)):
                return self._lose(text, "in or behind a subscript x[…]")
            self._within_word()
            return pattern.end()
        at_start = not self._word
        self._within_word()
        if at_start:
            self._before = "["
        return at + 1

    def _redirection(self, text: str, at: int) -> int:
        plain = _DUPLICATION.match(text, at)
        if not plain or self._before == "&":
            return self._lose(text, "in or behind >&… or &>… (write >… 2>&1)")  # bash expands the first twice
        self._within_word()
        return plain.end()

    def _letter(self, text: str, at: int) -> int:
        char, begun = text[at], self._word + text[at]
        if begun in ("c", "ca", "cas", "case"):
            self._within_word(begun)
        elif self._word != _OTHER and (char == "_" or (char.isascii() and char.isalnum())):
            self._within_word(_NAME)
        else:
            self._within_word()
            self._before = "=" if char == "=" else "x"
        return at + 1

    def _backslash(self, text: str, at: int) -> int:
        """Both outside quotes and inside double ones."""
        if self._before != "\\":
            if text.startswith("\\\n", at):  # the line goes on as if there were neither
                return self._lose(text, "behind an unusual here-document") if self._heredoc else at + 2
            self._before = "\\"
        elif text[at] == "\n":
            return self._lose(text, "behind a line that goes on in another branch")
        else:
            self._within_word()
        return at + 1

    def _dollar(self, text: str, at: int) -> int:
        """Both outside quotes and inside double ones."""
        if self._before == "$":
            return self._lose(text, "behind a $ that goes on in another branch")
        if plain := _EXPANSION.match(text, at):
            if self._heredoc and "\n" in plain[0]:
                return self._lose(text, "behind an unusual here-document")
            self._within_word()
            return plain.end()
        match text[at + 1 : at + 3]:
            case "((":
                return self._lose(text, "in or behind $((…)) with quotes or more than words in it")
            case after if after.startswith("("):
                self._inside.append("$(")
                self._between_words("(")
                return at + 2
            case after if after.startswith("{"):
                return self._lose(text, "in or behind ${…} with quotes or more than words in it")
            case "\\\n":
                return self._lose(text, "behind a $ that goes on in another line")
        self._within_word()
        self._before = "$"
        return at + 1

    def _hash(self, text: str, at: int) -> int:
        if self._before not in " \t\n;&":
            return self._lose(text, "behind a # that shells read differently")
        if "$(" in self._inside:
            return self._lose(text, "behind a comment within $(…)")
        self._inside.append("#")
        return at + 1

    def _parenthesis(self, text: str, at: int) -> int:
        inside = self._inside[-1] if self._inside else ""
        if text[at] == ")":
            if inside in _PARENTHESES:
                self._inside.pop()
            if inside == "$(":
                self._within_word()
            else:
                self._between_words(")")  # also behind a pattern of `case`
        elif self._before in " \t\n;&|":
            self._inside.append("(")
            self._between_words("(")
        elif text.startswith("()", at) and self._word:  # a function
            self._between_words(")")
            return at + 2
        else:
            return self._lose(text, "in or behind ((…)), x=(…), <(…) or other parentheses of bash")
        return at + 1

    def _less(self, text: str, at: int) -> int:
        if self._before != "<" and text.startswith("<<<", at):
            self._between_words("<")
            return at + 3
        if self._before == "<" or text.startswith("<<", at):
            announced = _HEREDOC.match(text, at)
            if self._before == "<" or not announced or self._inside or self._heredoc:
                return self._lose(text, "behind an unusual here-document")
            tabs, quote, quoted, plain = announced.groups()
            self._heredoc = _Heredoc(quoted or plain, bool(tabs), bool(quote))
            self._within_word()
            return announced.end()
        self._between_words("<")
        return at + 1

    def _newline(self, text: str, at: int) -> int:
        if self._heredoc and self._inside:
            return self._lose(text, "behind an unusual here-document")
        if self._heredoc:
            self._inside.append("<<")
        self._between_words("\n")
        return at + 1

    def _single_quoted(self, text: str, at: int) -> int:
        end = text.find("'", at)
        if self._heredoc and "\n" in text[at : end if end >= 0 else None]:
            return self._lose(text, "behind an unusual here-document")
        if end < 0:
            return len(text)
        self._inside.pop()
        self._within_word()
        return end + 1

    def _double_quoted(self, text: str, at: int) -> int:
        char = text[at]
        if self._before == "\\" or char == "\\":
            return self._backslash(text, at)
        match char:
            case "$":
                return self._dollar(text, at)
            case '"':
                self._inside.pop()
            case "`":
                return self._lose(text, "behind a backquote (write $(…))")
            case "(" | "{" | "[" if self._before == "$":
                return self._lose(text, f"in or behind ${char}…")
            case "\n" if self._heredoc:
                return self._lose(text, "behind an unusual here-document")
        self._within_word()
        return at + 1

    def _comment(self, text: str, at: int) -> int:
        end = text.find("\n", at)
        if end < 0:
            return len(text)
        self._inside.pop()
        return end

    def _heredoc_line(self, text: str, at: int) -> int:
        here = self._heredoc
        assert here is not None  # it is what we are inside of
        end = text.find("\n", at)
        line = text[at:] if end < 0 else text[at:end]
        at_start = self._before == "\n"
        if end < 0 and at_start and here.may_end_with(line):
            return self._lose(text, "behind a here-document whose last line is put together")
        if end >= 0 and at_start and here.ends_with(line):
            self._inside.pop()
            self._heredoc = None
        elif not here.literal:
            rest = _IN_HEREDOC.sub("", line)
            if (
                line.endswith("\\")
                or any(each in rest for each in ("`", "$(", "${", "$["))
                or (end < 0 and line[-1] == "$")
            ):
                return self._lose(text, "behind an unusual here-document")
        self._between_words("\n" if end >= 0 else "x")
        return len(text) if end < 0 else end + 1
