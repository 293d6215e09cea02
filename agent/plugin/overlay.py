"""What somebody wrote, laid over what is there."""

from collections.abc import Mapping
from typing import Any


def over(upper: Mapping[str, Any], under: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings are merged key by key; anything else is replaced."""
    merged = dict(under)
    for key, value in upper.items():
        below = merged.get(key)
        merged[key] = over(value, below) if isinstance(value, Mapping) and isinstance(below, Mapping) else value
    return merged
