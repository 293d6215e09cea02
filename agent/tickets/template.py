"""Templates in a ticket system's description: Jinja2, sandboxed, where an undefined name is an error.

They are compiled once, when the configuration is read. Values come from incidents and from the ticket
system's answers; they are filled in and never compiled themselves.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Annotated, Any
from urllib.parse import quote

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, Undefined, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from agent.errors import TicketError
from agent.model.template_syntax import parsed
from agent.model.text import one_line

Values = Mapping[str, object]

_WRONG_VALUES = (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError)
"""What a sound template raises when a value is not what its author expected."""


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


def _segment(value: object) -> object:
    """One segment of a path. What would lead to another resource is refused: nothing, `.` and `..`."""
    if isinstance(value, Undefined):
        return value  # raises, and says what is undefined, when Jinja makes it a string
    text = str(_text(value))
    if text in ("", ".", ".."):
        raise ValueError(f"{text!r} cannot be a part of a path")
    return quote(text, safe="")


def _environment(finalize: Callable[[object], object]) -> ImmutableSandboxedEnvironment:
    # What is rendered here is JSON, a header or a path, and each is quoted as such; HTML is none of them.
    return ImmutableSandboxedEnvironment(undefined=StrictUndefined, finalize=finalize, autoescape=False)


_PLAIN = _environment(_text)
_IN_PATH = _environment(_segment)


class Template:
    """One template. `names`: what it speaks of; `parts`: of which of these it asks an attribute, and which."""

    __slots__ = ("_expression", "_template", "names", "parts", "source")

    def __init__(self, source: str, *, path: bool = False, typed: bool = False) -> None:
        """`path`: each value is quoted as one segment of a path.

        `typed`: a template that is a single `{{ }}` gives the value itself, so that a number stays a number.
        Raises ValueError for what is not a template.
        """
        environment = _IN_PATH if path else _PLAIN
        self.source = source
        try:
            tree = parsed(environment, source)
            self.names = frozenset(meta.find_undeclared_variables(tree))
            self.parts = frozenset(
                (node.node.name, node.attr)
                for node in tree.find_all(nodes.Getattr)
                if isinstance(node.node, nodes.Name)
            )
            self._template = environment.from_string(source)
            bare = _single_expression(tree, source) if typed else None
            self._expression = environment.compile_expression(bare, undefined_to_none=False) if bare else None
        except TemplateSyntaxError as error:
            raise ValueError(f"{one_line(source, 80)!r} is not a template: {error.message}") from error

    def __repr__(self) -> str:
        return f"Template({self.source!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Template) and self.source == other.source

    def __hash__(self) -> int:
        return hash(self.source)

    def require(self, known: frozenset[str]) -> None:
        """Raises ValueError when it speaks of what is not known where it stands."""
        for name in sorted(self.names - known):
            there = ", ".join(sorted(known))
            raise ValueError(f"{one_line(self.source, 80)!r}: there is no {name!r} here; there is {there}")

    def render(self, values: Values) -> str:
        """Raises TicketError: another try with the same values would fail the same way."""
        try:
            return self._template.render(values)
        except (TemplateError, *_WRONG_VALUES) as error:
            raise self._failed(error) from error

    def value(self, values: Values) -> Any:
        """Like `render`; where `typed` and a single `{{ }}`, the value itself."""
        if self._expression is None:
            return self.render(values)
        try:
            value = self._expression(**values)
            if isinstance(value, Undefined):
                str(value)  # raises, and says what is undefined
        except (TemplateError, *_WRONG_VALUES) as error:
            raise self._failed(error) from error
        return value

    def _failed(self, error: Exception) -> TicketError:
        what = f"the template {one_line(self.source, 80)!r} cannot be filled in: {one_line(str(error))}"
        return TicketError(what, retryable=False)


def _single_expression(tree: nodes.Template, source: str) -> str | None:
    """What stands between the braces when the template is nothing but one `{{ }}`."""
    outputs = [node.nodes for node in tree.body if isinstance(node, nodes.Output)]
    source = source.strip()
    if len(tree.body) != 1 or len(outputs) != 1 or not source.startswith("{{") or not source.endswith("}}"):
        return None
    pieces = [piece for piece in outputs[0] if not (isinstance(piece, nodes.TemplateData) and piece.data.isspace())]
    single = len(pieces) == 1 and not isinstance(pieces[0], nodes.TemplateData)
    return source[2:-2].strip("-+") if single else None


class Body:
    """What a request carries: a structure, as it is to be sent in JSON, whose strings are templates."""

    __slots__ = ("_structure", "source")

    def __init__(self, source: object) -> None:
        """Raises ValueError for a string that is not a template."""
        self.source = source
        self._structure = _compiled(source)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Body) and self.source == other.source

    def __hash__(self) -> int:
        return hash(repr(self.source))

    def templates(self) -> Iterator[Template]:
        return _templates_in(self._structure)

    def fill(self, values: Values) -> object:
        """Raises TicketError."""
        return _filled(self._structure, values)


def _compiled(structure: object) -> object:
    match structure:
        case str():
            return Template(structure, typed=True)
        case Mapping():
            return {str(key): _compiled(value) for key, value in structure.items()}
        case list() | tuple():
            return [_compiled(item) for item in structure]
        case _:
            return structure


def _filled(structure: object, values: Values) -> object:
    match structure:
        case Template():
            return structure.value(values)
        case dict():
            return {key: _filled(value, values) for key, value in structure.items()}
        case list():
            return [_filled(item, values) for item in structure]
        case _:
            return structure


def _templates_in(structure: object) -> Iterator[Template]:
    match structure:
        case Template():
            yield structure
        case dict():
            for value in structure.values():
                yield from _templates_in(value)
        case list():
            for item in structure:
                yield from _templates_in(item)


def templates_of(field: object) -> Iterable[Template]:
    """Every template of one field of a description: a single one, those of a mapping, those of a body."""
    match field:
        case Template():
            return (field,)
        case Body():
            return field.templates()
        case Mapping():
            return (each for each in field.values() if isinstance(each, Template))
        case _:
            return ()


def _text_template(value: object) -> Template:
    if isinstance(value, bool | int | float):
        value = str(value)
    if not isinstance(value, Template | str):
        raise ValueError(f"{one_line(repr(value), 80)} is not a text")
    return value if isinstance(value, Template) else Template(value)


def _path_template(value: object) -> Template:
    if isinstance(value, Template):
        return value
    if not isinstance(value, str) or not value.startswith("/"):
        raise ValueError(f"{one_line(repr(value), 80)} is not a path: it starts with / and is put behind `url`")
    if "?" in value:
        raise ValueError("write what follows the `?` under `query:`")
    return Template(value, path=True)


def _body(value: object) -> Body:
    return value if isinstance(value, Body) else Body(value)


_AS_WRITTEN = PlainSerializer(lambda each: each.source)
Text = Annotated[Template, PlainValidator(_text_template), _AS_WRITTEN, WithJsonSchema({"type": "string"})]
"""A string with `{{ }}`."""
Path = Annotated[Template, PlainValidator(_path_template), _AS_WRITTEN, WithJsonSchema({"type": "string"})]
"""What follows `url`; every value in it is quoted as one segment."""
Structure = Annotated[Body, PlainValidator(_body), _AS_WRITTEN, WithJsonSchema({"type": ["object", "array"]})]
