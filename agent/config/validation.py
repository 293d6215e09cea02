"""Validating what people wrote against a model, and saying what is wrong in plain words."""

import re
from collections.abc import Callable, Collection, Iterable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from agent.config.problem import Path, nearest
from agent.config.shape import Finding, Findings, keys, shaped
from agent.model.authored import Name

M = TypeVar("M", bound=BaseModel)
Reach = Callable[[Path], Path]
"""Maps a path to the part of it that was really written, leaving out segments that are in no file."""

NAME_PATTERN: str = Name.__metadata__[0].pattern  # type: ignore[attr-defined]
NAME_HINT = "use letters, digits, '.', '_' and '-', beginning with a letter or digit, at most 64"
MAPPING = "a mapping ('key: value' lines)"

_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true/false",
    "bool_parsing": "true/false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": MAPPING,
    "mapping_type": MAPPING,
    "model_type": MAPPING,
    "model_attributes_type": MAPPING,
}
_BOUNDS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("more than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
}


def validate(
    model: type[M],
    data: object,
    at: Path,
    reach: Reach,
    filled_in: dict[str, object] | None = None,
    also: Iterable[str] = (),
) -> tuple[M | None, Findings]:
    """The model and every problem. `filled_in`: fields that people do not write, such as `name`.

    Where something is wrong, the model is made of what is right, so that the rest can be looked at as well;
    None when that does not suffice. It is only good for finding more problems. `also`: keys that may stand
    in the same place for another model.
    """
    if data is None:
        data = {}
    if not isinstance(data, dict):
        return None, [Finding(at, f"expected {MAPPING}, got {show(data)}")]
    filled_in = filled_in or {}
    findings: Findings = []
    fields = shaped(model, data, at, findings, filled_in.keys(), also) | filled_in
    try:
        return model.model_validate(fields), findings
    except ValidationError as error:
        misspelt = {(*finding.path[:-1], nearest(finding.path[-1], keys(model)) or "") for finding in findings}
        findings += explain(model, error, at, reach, misspelt)
        places = [details["loc"] for details in error.errors(include_url=False)]
    for depth in (None, 1):
        try:
            return model.model_validate(_without(fields, [place[:depth] for place in places])), findings
        except ValidationError:
            continue
    return None, findings


def _without(fields: dict[str, object], places: list[Path]) -> dict[str, object]:
    """A copy that lacks what is wrong, as deep down as mappings go. A place may be (): the whole, left as it is."""
    copy = _copied(fields)
    for place in filter(None, places):
        inner = copy
        for segment, following in zip(place, (*place[1:], None), strict=True):
            below = inner.get(str(segment))
            if not isinstance(below, dict) or following not in below:
                inner.pop(str(segment), None)
                break
            inner = below
    return copy


def _copied(value: dict[str, object]) -> dict[str, object]:
    return {key: _copied(each) if isinstance(each, dict) else each for key, each in value.items()}


def explain(
    model: type[BaseModel], error: ValidationError, at: Path, reach: Reach, misspelt: Collection[Path] = ()
) -> Findings:
    """One finding for each place: what several branches of a union say of one value is said once.

    `misspelt`: keys that are missing because they are written wrongly, which has been said already.
    """
    places: dict[Path, list[ErrorDetails]] = {}
    for details in error.errors(include_url=False):
        if details["type"] == "missing" and (*at, *details["loc"]) in misspelt:
            continue
        places.setdefault(reach((*at, *details["loc"])), []).append(details)
    findings: Findings = []
    for path, group in places.items():
        is_branch = all(details["type"] in _EXPECTED for details in group)
        if is_branch and any(len(other) > len(path) and other[: len(path)] == path for other in places):
            continue  # another branch of the union took the value and says more
        findings += (Finding(path, what, hint) for what, hint in _say(model, group))
    return findings


def _say(model: type[BaseModel], group: list[ErrorDetails]) -> Iterable[tuple[str, str]]:
    precise = [details for details in group if details["type"] not in _EXPECTED]
    if precise:
        return dict.fromkeys(_say_one(model, details) for details in precise)
    got = group[0]["input"]
    expected = list(dict.fromkeys(_EXPECTED[details["type"]] for details in group))
    if "a number" in expected and "a whole number" in expected:
        expected.remove("a whole number")
    hint = "put it in quotes" if expected == ["text"] and isinstance(got, int | float) else ""
    return [(f"expected {_or(expected)}, got {show(got)}", hint)]


def _say_one(model: type[BaseModel], details: ErrorDetails) -> tuple[str, str]:
    kind, got, context = details["type"], details["input"], details.get("ctx", {})
    if kind == "missing":
        return _say_missing(model, details)
    if kind in ("literal_error", "enum"):
        return _say_choice(got, context["expected"])
    if kind in ("value_error", "assertion_error"):
        said = str(context["error"]).replace(repr(got), show(got) if isinstance(got, str) else repr(got))
        return said, _joined_reading(got) if "is not a threshold" in said else ""
    if kind in _BOUNDS:
        words, bound = _BOUNDS[kind]
        return f"must be {words} {context[bound]:g}, got {got}", ""
    if kind == "string_pattern_mismatch" and context["pattern"] == NAME_PATTERN:
        return f"{show(got)} is not a name", NAME_HINT
    if kind in ("string_too_short", "too_short"):
        return "must not be empty", ""
    said = details["msg"].replace("Input should be", "must be").replace("Value error, ", "")
    return f"{show(got)}: {said[:1].lower()}{said[1:]}", ""


def _joined_reading(got: object) -> str:
    """A hint for a threshold whose reading is written as two words: `oldest job > 10m`."""
    words = re.match(r"\s*(\w+(?: \w+)+)\s*[<>=!]", got) if isinstance(got, str) else None
    return f"a reading is one word: write {words[1].replace(' ', '_')}" if words else ""


def _say_missing(model: type[BaseModel], details: ErrorDetails) -> tuple[str, str]:
    key = str(details["loc"][-1])
    field = keys(model).get(key) if len(details["loc"]) == 1 else None
    meaning = (field.description or "") if field else ""
    return f"'{key}' is missing", f"write {key}: …" + (f" ({meaning.rstrip('.')})" if meaning else "")


def _say_choice(got: object, expected: str) -> tuple[str, str]:
    choices = [word.strip().strip("'") for word in expected.replace(" or ", ", ").split(",")]
    meant = nearest(got, choices) if isinstance(got, str) else None
    return f"expected {_or(choices)}, got {show(got)}", f"did you mean '{meant}'?" if meant else ""


def _or(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def show(value: Any) -> str:
    """A value as its author would recognise it, in a few words."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case int() | float():
            return f"the number {value}"
        case str():
            return f"'{value}'" if len(value) <= 60 else f"'{value[:59]}…'"
        case list() | tuple():
            return "a list"
        case dict():
            return "a mapping"
        case _:
            return f"'{str(value)[:60]}'"
