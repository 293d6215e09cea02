"""Views and the model as JSON values: what the control API answers and what `--json` prints.

Names of fields become keys. Enumerations become their words (`"CRITICAL"`, `"treating"`), tuples become
arrays, numbers that JSON does not have become null.
"""

import json
from collections.abc import Mapping, Set
from dataclasses import fields, is_dataclass
from enum import Enum
from math import isfinite


def plain(value: object) -> object:
    """`value` as dict, list, str, int, float, bool or None. Raises TypeError for what is none of these."""
    match value:
        case Enum():
            return value.value if isinstance(value, str) else value.name
        case None | str() | bool() | int():
            return value
        case float():
            return value if isfinite(value) else None
        case Mapping():
            return {str(name): plain(item) for name, item in value.items()}
        case list() | tuple() | Set():
            return [plain(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    raise TypeError(f"{type(value).__name__} is no JSON value")


def dump(value: object) -> bytes:
    """ASCII: undecodable bytes that Python keeps as lone surrogates survive as escapes."""
    return json.dumps(plain(value), allow_nan=False).encode("ascii")
