"""Bringing what people wrote into the shape the models take, and finding the keys no model knows.

Three things people may write are not what the models hold: one word where a list is taken, a bare
number with a decimal point where a duration is taken (the models take that as already parsed),
and keys that do not exist. They are settled here, before validation, because only here both the model
and the place of the value are known.
"""

import types
from collections.abc import Callable, Container, Iterable, Mapping
from functools import cache
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo

from agent.config.problem import Path, say_known
from agent.model.quantities import parse_duration


class Finding(NamedTuple):
    """A problem whose place in a file has not been looked up yet."""

    path: Path
    what: str
    hint: str = ""


Findings = list[Finding]
_Shape = Callable[[object, Path, Findings], object]


def shaped(
    model: type[BaseModel],
    data: Mapping[str, object],
    at: Path,
    findings: Findings,
    filled_in: Container[str] = (),
    also: Iterable[str] = (),
) -> dict[str, object]:
    """The data in the model's shape; unknown keys are left out and reported.

    `filled_in`: the model's keys that nobody writes; `also`: keys that may stand here for another model.
    """
    known = [key for key in keys(model) if key not in filled_in] if filled_in else keys(model)
    result: dict[str, object] = {}
    for key, value in data.items():
        if key not in known:
            findings.append(Finding((*at, key), f"there is no key '{key}' here", say_known(key, (*known, *also))))
            continue
        shape = _field_shape(model, key)
        result[key] = shape(value, (*at, key), findings) if shape else value
    return result


@cache
def keys(model: type[BaseModel]) -> Mapping[str, FieldInfo]:
    """What people may write, and the field it fills. Fields that the loader fills in are not among them."""
    return {field.alias or name: field for name, field in model.model_fields.items() if not field.exclude}


@cache
def _field_shape(model: type[BaseModel], key: str) -> _Shape | None:
    field = keys(model)[key]
    if _is_duration(field.metadata):
        return _number_as_text
    return _shape_of(field.annotation)


def _shape_of(annotation: Any) -> _Shape | None:
    """How to shape a value of this type; None where there is nothing to do."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _number_as_text if _is_duration(arguments[1:]) else _shape_of(arguments[0])
    if origin in (Union, types.UnionType):
        shapes = [shape for shape in map(_shape_of, arguments) if shape]
        return shapes[0] if len(shapes) == 1 and len(arguments) == 2 and type(None) in arguments else None
    if origin in (tuple, list):
        return _list_shape(_shape_of(arguments[0])) if arguments else None
    if origin is dict:
        return _mapping_shape(_shape_of(arguments[1]))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _model_shape(annotation)
    return None


def _is_duration(metadata: object) -> bool:
    return isinstance(metadata, list | tuple) and any(
        isinstance(entry, BeforeValidator) and entry.func is parse_duration for entry in metadata
    )


def _number_as_text(value: object, path: Path, findings: Findings) -> object:
    return str(value) if isinstance(value, float) else value


def _list_shape(item: _Shape | None) -> _Shape:
    def shape(value: object, path: Path, findings: Findings) -> object:
        if isinstance(value, str):
            return [value]
        if item is None or not isinstance(value, list):
            return value
        return [item(entry, (*path, index), findings) for index, entry in enumerate(value)]

    return shape


def _mapping_shape(entry: _Shape | None) -> _Shape | None:
    if entry is None:
        return None

    def shape(value: object, path: Path, findings: Findings) -> object:
        if not isinstance(value, dict):
            return value
        return {key: entry(each, (*path, key), findings) for key, each in value.items()}

    return shape


def _model_shape(model: type[BaseModel]) -> _Shape:
    def shape(value: object, path: Path, findings: Findings) -> object:
        return shaped(model, value, path, findings) if isinstance(value, dict) else value

    return shape
