"""The model's dataclasses as JSON text, and back.

A body written by an older version is read with the defaults of fields it does not have, and fields
that no longer exist are passed over: a stored type may gain a field only with a default.
"""

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, to_jsonable_python

from agent.errors import StoreCorrupt

T = TypeVar("T")
CANONICAL = json.JSONEncoder(sort_keys=True, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode
"""The one text that a JSON value has: sorted names, no blanks, ASCII only."""


_adapters: dict[type, TypeAdapter[Any]] = {}


def _adapter(kind: type[T]) -> TypeAdapter[T]:
    """Made once for each type: making one costs more than using it a thousand times."""
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


def _plain(value: Any) -> Any:
    """What pydantic does not know by itself: read-only views of mappings."""
    if isinstance(value, Mapping):
        return dict(value)
    raise ValueError(f"{type(value).__name__} is no JSON value")


def storable(text: str) -> str:
    """The text without what no database takes: lone surrogates (undecodable bytes of file names) and NUL."""
    if text.isascii():
        return text.replace("\0", "\\x00") if "\0" in text else text
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def _storable_tree(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, list):
        return [_storable_tree(item) for item in value]
    if isinstance(value, dict):
        return {_storable_tree(name): _storable_tree(item) for name, item in value.items()}
    return value


def dump(value: Any) -> str:
    """One of the model's dataclasses as JSON. NaN and infinities become null.

    Raises ValueError if it holds something that is no JSON value.
    """
    adapter = _adapter(type(value))
    try:
        return adapter.dump_json(value, warnings=False).decode()
    except PydanticSerializationError:
        # Undecodable text and read-only mappings are rare: only then is the price of walking through it paid.
        return CANONICAL(_storable_tree(adapter.dump_python(value, mode="json", fallback=_plain, warnings=False)))


def load(kind: type[T], text: str, where: str) -> T:
    """Raises StoreCorrupt, naming `where`, when the text is not a stored `kind`."""
    try:
        return _adapter(kind).validate_json(text)
    except ValidationError as error:
        raise StoreCorrupt(f"{where} cannot be read: {error}") from error


def canonical(data: Mapping[str, object]) -> str:
    """The data in its one text, see CANONICAL. NaN and infinities become null.

    Raises ValueError if it holds something that is no JSON value.
    """
    if not data:
        return "{}"
    return CANONICAL(_storable_tree(to_jsonable_python(dict(data), fallback=_plain)))
