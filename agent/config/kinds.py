"""The plugins that a configuration asks for by kind."""

from collections.abc import Collection
from typing import TypeVar

from pydantic import BaseModel

from agent.config.problem import Path
from agent.config.shape import keys
from agent.config.source import Source
from agent.plugin import registry

P = TypeVar("P", bound=BaseModel)
_CANNOT_BE_LOADED = (ImportError, SyntaxError, AttributeError, TypeError)


def plugin(source: Source, path: Path, group: str, kind: str, base: type[P]) -> type[P] | None:
    """The class of an installed kind; reported at `path` when its package is broken."""
    try:
        return registry.load(group, kind, base)
    except _CANNOT_BE_LOADED as error:
        what = f"the plugin of kind '{kind}' cannot be loaded: {error}"
        source.report(path, what, "repair or reinstall the package it came with")
        return None


def keys_of(group: str, kind: str, base: type[P]) -> Collection[str]:
    """What people may write for an installed kind; nothing when its package is broken."""
    try:
        found: type[BaseModel] = registry.load(group, kind, base)
    except _CANNOT_BE_LOADED:
        return ()
    return keys(found).keys()
