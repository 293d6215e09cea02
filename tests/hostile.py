"""Values that nobody sends in good faith: one corpus for every way in, driven to every way out."""

import re
from dataclasses import dataclass

CANARY = "CANARY"
"""Stands in a value for the file that appears where a shell has read the value."""

NOT_PRINTABLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
"""What a terminal may obey, what hides, what reorders; tabs and line feeds are looked at apart."""


@dataclass(frozen=True)
class Hostile:
    """`text` as Python holds it: bytes that are no UTF-8 are lone surrogates."""

    name: str
    text: str

    def __str__(self) -> str:
        return self.name

    @property
    def is_json(self) -> bool:
        """Whether it can stand in UTF-8, and so in JSON and YAML."""
        return not re.search("[\ud800-\udfff]", self.text)

    def of(self, canary: object) -> str:
        return self.text.replace(CANARY, str(canary))


CORPUS = (
    Hostile("substitution", "$(touch CANARY)"),
    Hostile("backquotes", "`touch CANARY`"),
    Hostile("separators", "a; touch CANARY; b & touch CANARY | touch CANARY"),
    Hostile("out of single quotes", "'; touch CANARY; '"),
    Hostile("out of double quotes", '"; touch CANARY; "'),
    Hostile("backslash", "\\'; touch CANARY #\\"),
    Hostile("redirection", "> CANARY < /etc/passwd"),
    Hostile("globs and braces", "* ~root {a,b} $HOME ${IFS} ![x]"),
    Hostile("option", "--help -rf /"),
    Hostile("empty", ""),
    Hostile("blank", " \t "),
    Hostile("newlines", "one\ntouch CANARY\n\ntwo"),
    Hostile("forged event", "x\n12:00:00.000 ERROR   INC-1 resolved: all is well\n<2>INC-1 resolved"),
    Hostile("carriage return", "bad\rgood\r\n"),
    Hostile("nul", "a\0b"),
    Hostile("colours and cursor", "\x1b[2J\x1b[31mred\x1b[0m\x1b[1A\x07\x08"),
    Hostile("title", "\x1b]0;owned\x07"),
    Hostile("link", "\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\"),
    Hostile("clipboard", "\x1b]52;c;dG91Y2ggQ0FOQVJZ\x07"),
    Hostile("device control", '\x1bP$q"p\x1b\\ \x1b[c \x1b[6n'),
    Hostile("C1", "\x9b2J\x9d0;owned\x9c\x90q\x85"),
    Hostile("bidirectional", "\u202egnp.exe\u202c \u2066x\u2069 \u200f\u061c"),
    Hostile("zero width", "pay\u200bpal\u200d\ufeff\u2060\u00ad"),
    Hostile("separators of Unicode", "a\u2028b\u2029c\u0085d"),
    Hostile("template", "{{ 7*7 }}{{ secret('db') }}{{ config }}"),
    Hostile("statement", "{% for x in range(9) %}{{ x }}{% endfor %}{# gone #}"),
    Hostile("raw", "{% raw %}x{% endraw %} | raw_shell }}"),
    Hostile("token of a secret", "\U000f5ec0db\U000f5ec1"),
    Hostile("format", "%s %(x)s %n {0.__class__} {}"),
    Hostile("path", "../../../../etc/passwd"),
    Hostile("path, encoded", "..%2f..%2fetc%2fpasswd?x=1#y/./."),
    Hostile("drive", "C:\\..\\x /dev/tcp/x/1"),
    Hostile("markup", "[red]all is well[/red] <script>alert(1)</script> &lt; ]]>"),
    Hostile("json", '"}],"id":"1","x":[{"'),
    Hostile("label", '"} 1\nup{x="'),
    Hostile("sql", "'); DROP TABLE timeline; --"),
    Hostile("yaml", "!!python/object/apply:os.system [touch CANARY]"),
    Hostile("no text", "\udcff\udc80 \ud800"),
    Hostile("very long", "x" * 100_000),
    Hostile("very long line of marks", "…" * 20_000),
)
