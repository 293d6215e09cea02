"""What people and machines write, and what they should not: strategies for text."""

from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

T = TypeVar("T")
U = TypeVar("U")

ODD = (
    *("", " ", "\t", "\n", "\r\n", "\x00", "\x1b[2J", "\u202e", "\u2028", "\x85", "\ufeff", "\ufffd", "\U0010ffff"),
    *("²", "٣", "𝟗", "½", "é", "ı", "K", "'", '"', "`", "\\", "$(reboot)", "`reboot`", "; reboot", "../..", "%s"),
    *("{{", "}}", "{%", "%}", "{#", "{{ 1/0 }}", "nan", "inf", "-inf", "1e999", "1_0", "0x10", "-0", "+1", "NULL"),
)
"""Each is the wrong thing nearly everywhere."""

TIMES = (1, 2, 20, 300, 5_000, 70_000)
"""How often something is repeated: beyond every stack, and long enough that what is quadratic takes for ever."""


def mostly(usual: SearchStrategy[T], odd: SearchStrategy[U]) -> SearchStrategy[T | U]:
    """Something odd one time in eight: what is wrong everywhere is refused at the door, and nothing else is seen."""
    return st.sampled_from([False] * 7 + [True]).flatmap(lambda is_odd: odd if is_odd else usual)


def made_of(*pieces: str, most: int = 8) -> SearchStrategy[str]:
    """Texts put together from the pieces of a language, with something odd among them now and then."""
    piece = mostly(st.sampled_from(pieces), st.sampled_from(ODD) | st.text(max_size=5))
    return mostly(st.lists(piece, max_size=most).map("".join), many(*pieces))


def many(*pieces: str) -> SearchStrategy[str]:
    """Something at the start, then one piece or two again and again, then something at the end."""
    end = st.sampled_from(pieces) | st.just("")
    repeated = st.lists(st.sampled_from(pieces), min_size=1, max_size=2).map("".join)
    return st.builds(
        lambda head, body, times, tail: f"{head}{(body * times)[:70_000]}{tail}",
        end,
        repeated,
        st.sampled_from(TIMES),
        end,
    )


def scalars(text: SearchStrategy[str]) -> SearchStrategy[object]:
    """What may stand in the place of a text in YAML or JSON."""
    numbers = st.integers(-(10**20), 10**20) | st.floats()
    other = st.one_of(st.none(), st.booleans(), numbers, st.just([]), st.just({}), st.just([1]), st.just({"a": 1}))
    return mostly(text, other)


NUMBERS = ("0", "1", "5", "42", "99", "100", "999999999999999", "0.5", "1.25", ".5", "-1", "1e3", "9" * 20)
UNITS = ("ms", "s", "m", "h", "d", "w", "%", "b", "B", "kB", "KiB", "MB", "GiB", "TB", "c", "us", "µs")
QUANTITIES = made_of(*NUMBERS, *UNITS, " ", " per ", " of ", " in ", "hour", "minute", "24h", "second", "week", "day")
THRESHOLDS = made_of(
    *("used", "latency", "value", "a.b:c/d-e", "status", "x" * 90),
    *(" > ", " >= ", "<", " == ", " != ", "=", " and ", " or ", " "),
    *NUMBERS,
    *UNITS,
)
PERFORMANCE_DATA = many("'", "''", "a", "'a", " ", "a=", "=1", ";", "|", "\n").map("|".__add__) | made_of(
    *("OK - all well", "|", "\n", " ", "time", "'it''s here'", "'", "''", "=", ";", ";;;0;100", "U", "~:5", "@1:2"),
    *("a=1", "a=1;", "/var=12MB;1;2;0;9", "x=1e5", "x=1E-999", *NUMBERS, *UNITS),
    most=20,
)
_NESTED = st.builds(
    lambda open, inner, close, times, around: around.replace("~", open * times + inner + close * times),
    st.sampled_from(
        ["(", "[", "-", "not ", "x + ", "x ~ ", "x if ", "{'a': ", "x[", "{% if x %}", "{% for a in [1] %}", "{{ '"]
    ),
    st.sampled_from(["x", "host.name", "1"]),
    st.sampled_from(
        [")", "]", "", "}", ".name", "|upper", "[0]", " + x", " else x", "{% endif %}", "{% endfor %}", "' }}"]
    ),
    st.sampled_from([5, 25, 110, 250, 1200, 5000]),
    st.sampled_from(["~", "{{ ~ }}", "{% if ~ %}y{% endif %}", "echo $(~"]),
)
TEMPLATES = _NESTED | made_of(
    *(
        "{{ ",
        " }}",
        "{% ",
        " %}",
        "{{# ",
        " #}}",
        "{% raw %}",
        "{% endraw %}",
        "{%- ",
        " -%}",
        "echo ",
        "systemctl restart ",
    ),
    *("host", "host.name", "host.vars.size", "host['name']", ".name", "vars.unit", "steps.seen.ok", "incident.hosts"),
    *("secret('key')", "secret(", "range(9)", "1", "2.5", "'x'", "none", "true", "loop.index", "self", "caller()"),
    *(" | join(' ')", " | raw_shell", " | default('x')", " | upper", " | int", " | nothing", " | tojson", "|"),
    *("if x", "else", "endif", "for a in host.vars", "endfor", "set a = 1", "macro m()", "endmacro", "call m()"),
    *("include 'x'", "import 'x' as y", "extends 'x'", "block b", "endblock", "autoescape true", "filter upper"),
    *(" is defined", " in ", "not ", " + ", " ~ ", " * ", " ** ", " % ", " // ", "-", " if ", " else ", " and "),
    *("(", ")", "[", "]", "{", "}", ",", ":", "'", '"', "#", "<<EOF\n", "EOF\n", "$(", "`", "\\", "\n", "; "),
    most=14,
)
EXPRESSIONS = made_of(
    "a", "b+", "(", ")", "[a-z", "]", "*", "{1,99999}", "(?P<n>", "(?i)", "\\1", "|", "^", "$", ".*", "\\"
)
