"""Secrets are named in the configuration and kept elsewhere."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Annotated, Any, Literal, cast, get_args, get_origin

from pydantic import BaseModel

from agent.config.problem import Path, nearest
from agent.config.source import Folder
from agent.model.authored import NamesSecret

Place = Literal["env", "file", "credential"]
_PLACES = ("env", "file", "credential")


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret's value is found: an environment variable, a file (absolute path) or a systemd credential.

    `written`: file and line of the configuration that says so.
    """

    place: Place
    name: str
    written: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.place} {self.name}"


def read_secrets(source: Folder, folder: FilePath) -> Mapping[str, SecretRef]:
    """References by name. What is written is never repeated in a problem: it may be the secret itself."""
    found: dict[str, SecretRef] = {}
    for name, authored in source.section("secrets").items():
        ref = _reference(source, folder, name, authored)
        if ref is not None:
            found[name] = ref
    return found


def _reference(source: Folder, folder: FilePath, name: str, authored: object) -> SecretRef | None:
    path = ("secrets", name)
    variable = name.upper().replace("-", "_").replace(".", "_")
    hint = f"write {{env: {variable}}}, {{file: secrets/{name}}} or {{credential: {name}}}"
    if not isinstance(authored, dict):
        source.report(path, "a secret's value never stands in the configuration", f"{hint} and put the value there")
        return None
    unknown = [key for key in authored if key not in _PLACES]
    for key in unknown:
        meant = nearest(key, _PLACES)
        source.report((*path, key), f"there is no key '{key}' here", f"did you mean '{meant}'?" if meant else hint)
    if unknown:
        return None
    if len(authored) != 1:
        source.report(path, "expected exactly one place where the value is found", hint)
        return None
    ((place, where),) = authored.items()
    if not isinstance(where, str) or not where:
        source.report((*path, place), "expected the name of the place as text", hint)
        return None
    if place == "file":
        where = str(folder / FilePath(where).expanduser())
    return SecretRef(cast(Place, place), where, source.document_of(path).where((*path, place)))


def secret_names(model: BaseModel, at: Path) -> Iterator[tuple[Path, str]]:
    """Every secret that a model's fields name, with the place of the name."""
    for attribute, about in type(model).model_fields.items():
        path = (*at, about.alias or attribute)
        yield from _named(about.annotation, about.metadata, getattr(model, attribute), path)


def _named(annotation: Any, metadata: Iterable[object], value: object, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        if any(isinstance(mark, NamesSecret) for mark in metadata):
            yield path, value
            return
        for branch in get_args(annotation):
            if get_origin(branch) is Annotated:
                yield from _named(branch, branch.__metadata__, value, path)
    elif isinstance(value, BaseModel):
        yield from secret_names(value, path)
    elif isinstance(value, Mapping) and get_origin(annotation) is dict:
        inner = get_args(annotation)[1]
        for key, each in value.items():
            yield from _named(inner, getattr(inner, "__metadata__", ()), each, (*path, key))
