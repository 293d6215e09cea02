"""The Jinja2 environment of all templates: what an author can use in them, and what costs too much."""

from collections.abc import Mapping
from typing import Any

from jinja2 import StrictUndefined, Undefined, filters
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment, safe_range

from agent.core.secret_token import quote_around, token
from agent.core.shell_values import ONE_WORD

# fmt: off
_FILTERS = (
    "abs", "capitalize", "count", "d", "default", "dictsort", "first", "float", "groupby", "int", "items", "join",
    "last", "length", "list", "lower", "map", "max", "min", "reject", "rejectattr", "replace", "reverse", "round",
    "select", "selectattr", "sort", "string", "sum", "title", "tojson", "trim", "truncate", "unique", "upper",
    "urlencode", "wordcount",
)
# fmt: on
_COSTLY = frozenset(["center", "expandtabs", "format", "format_map", "ljust", "rjust", "translate", "zfill"])
"""Methods of strings that make an answer as large as a number says."""

_ITEMS_LIMIT = 65536
_BITS_LIMIT = 4096


class _Raw(str):
    """Text that its author wants in the shell command as it is."""

    __slots__ = ()


class _Missing(StrictUndefined):
    """Says in the operator's words what is missing when something is asked of nothing."""

    @property
    def _undefined_message(self) -> str:
        if self._undefined_obj is None:
            return f"{self._undefined_name!r} is asked of something that is not there"
        return super()._undefined_message


class Sandbox(ImmutableSandboxedEnvironment):
    """`shell`: every output is quoted as one word, a list as so many words, unless it ends in `| raw_shell`.

    `{{#` … `#}}` is a comment: Jinja's own `{#` would swallow the shell's `${#name}`.
    """

    intercepted_binops = frozenset({"*", "**", "%"})

    def __init__(self, *, shell: bool) -> None:
        super().__init__(
            undefined=_Missing,
            finalize=_word if shell else _text,
            keep_trailing_newline=True,
            comment_start_string="{{#",
            comment_end_string="#}}",
            cache_size=0,
        )
        self.globals = {"range": safe_range, "secret": token}
        self.filters = {name: filters.FILTERS[name] for name in _FILTERS} | {"raw_shell": _raw, ONE_WORD: _one}
        self.policies["json.dumps_kwargs"] = {"ensure_ascii": False}

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Refuses what makes a small template a huge result."""
        if operator == "*":
            _refuse_if(_size(left) * _count(right) > _ITEMS_LIMIT or _size(right) * _count(left) > _ITEMS_LIMIT)
        if operator in ("*", "**") and isinstance(left, int) and isinstance(right, int):
            times = right if operator == "**" else 1
            _refuse_if(left.bit_length() * times + right.bit_length() > _BITS_LIMIT)
        if operator == "%" and isinstance(left, str):
            raise SecurityError("% does not format text here: join with ~")
        return super().call_binop(context, operator, left, right)

    def call_filter(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """What `map` and the like call by its name. Refuses to take the quotes off, which must be plain to see."""
        if name == "raw_shell":
            raise SecurityError("raw_shell can only be the last thing in {{ … | raw_shell }}")
        return super().call_filter(name, *args, **kwargs)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        return not (isinstance(obj, str) and attr in _COSTLY) and super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> None:
        """`str.format` is left to `is_safe_attribute`, which refuses it."""
        return


def _raw(value: object) -> _Raw:
    return _Raw(_text(value))


def _text(value: object) -> object:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case list() | tuple():
            return ", ".join(str(_text(item)) for item in value)
        case _:
            return value


def _word(value: object) -> object:
    if isinstance(value, _Raw | Undefined):  # an undefined value raises when Jinja makes it a string
        return value
    if isinstance(value, list | tuple):
        return " ".join(filter(None, (str(_word(item)) for item in value)))
    return quote_around(str(_text(value)))


def _one(value: object) -> object:
    """Lists and tuples as one text, their items with blanks between."""
    return " ".join(str(_text(_one(item))) for item in value) if isinstance(value, list | tuple) else value


def _size(value: object) -> int:
    return len(value) if isinstance(value, str | list | tuple | Mapping) else 0


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0


def _refuse_if(too_large: bool) -> None:
    if too_large:
        raise SecurityError("the result would be too large")
