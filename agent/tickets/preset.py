"""Ready descriptions of ticket systems, which an author's own keys complete and override."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from agent.plugin.overlay import over

_FOLDER = files("agent.tickets") / "presets"


def presets() -> tuple[str, ...]:
    """Names of the presets, sorted."""
    names = (each.name for each in _FOLDER.iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


def with_preset(written: Mapping[str, Any]) -> dict[str, Any]:
    """What the author wrote, over the preset it names. Raises ValueError for one that there is not."""
    name = written.get("preset")
    if name is None:
        return dict(written)
    if name not in presets():
        raise ValueError(f"there is no preset {name!r}; there is {', '.join(presets())}")
    return over(written, _read(name))


@cache
def _read(name: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((_FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    return read
