"""Templates in what people author: Jinja2, sandboxed, where an undefined name is an error.

Values come from hosts, tickets and people, so none of them is trusted: in a shell command each `{{ }}` is
quoted to stay one word (a list: so many words) unless it ends in `| raw_shell`, and no value can pass for
the reference to a secret. `secret('name')` renders to a token that the performer alone replaces. None
renders as nothing, true and false as YAML writes them.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, TypeVar

from jinja2 import Template, TemplateAssertionError, TemplateError, TemplateSyntaxError, Undefined, nodes
from jinja2.environment import TemplateExpression
from pydantic import BaseModel, ValidationError

from agent.core.sandbox import Sandbox
from agent.core.secret_token import without_marks
from agent.core.shell_values import keep_words_whole, misplaced_values
from agent.core.template_faults import secret_names, unknown_names
from agent.errors import ParamedicError
from agent.model.execution import StepOutcome, StepStatus
from agent.model.incident import Incident
from agent.model.inventory import Host
from agent.model.template_syntax import BeyondBounds, parsed

RENDERED_LIMIT = 65536
"""Characters that one template may render to."""

HOST_NAMES = frozenset({"host", "host.name", "host.address", "host.vars"})
"""What the templates of a check may speak of."""

_INCIDENT = frozenset({"id", "title", "priority", "category", "service", "hosts"})
_RESULT = frozenset({"stdout", "stderr", "status", "ok"})
_SANDBOXES = {shell: Sandbox(shell=shell) for shell in (False, True)}
_WRONG_VALUES = (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError)
"""What a sound template raises when a value is not what its author expected."""

M = TypeVar("M", bound=BaseModel)


class TemplateFailed(ParamedicError):
    """A template cannot be rendered with these values; nothing was done with it."""

    def __init__(self, template: str, why: object) -> None:
        shown = template if len(template) <= 120 else template[:119] + "…"
        super().__init__(f"{shown!r} cannot be rendered: {why}")


def render(template: str, values: Mapping[str, object], *, shell: bool) -> str:
    """The text, its values quoted if `shell`. Raises TemplateFailed, also for more than RENDERED_LIMIT characters."""
    if "{" not in template:
        return template
    pieces, length = [], 0
    try:
        for piece in _compiled(template, shell).generate(_untrusted(values)):
            pieces.append(piece)
            length += len(piece)
            if length > RENDERED_LIMIT:
                raise TemplateFailed(template, f"it would be longer than {RENDERED_LIMIT} characters")
    except (TemplateError, *_WRONG_VALUES) as error:
        raise TemplateFailed(template, error) from error
    return "".join(pieces)


def evaluate(expression: str, values: Mapping[str, object]) -> object:
    """The value of a bare expression, as in `when:`. Raises TemplateFailed, also if the result is undefined."""
    try:
        result = _compiled_expression(expression)(_untrusted(values))
        if isinstance(result, Undefined):
            str(result)  # raises, and says what is undefined
    except (TemplateError, *_WRONG_VALUES) as error:
        raise TemplateFailed(expression, error) from error
    return result


def rendered(model: M, values: Mapping[str, object], *, shell: bool | None = None) -> M:
    """The model with each of its strings rendered; `shell`: default, what a step's action says of itself.

    Raises TemplateFailed, also when a rendered value is not one that the model takes.
    """
    quoting = bool(getattr(model, "shell", False)) if shell is None else shell

    def walk(value: object) -> object:
        match value:
            case str():
                return render(value, values, shell=quoting)
            case Mapping():
                return {key: walk(item) for key, item in value.items()}
            case list() | tuple():
                return [walk(item) for item in value]
            case _:
                return value

    authored = model.model_dump(by_alias=True, exclude_unset=True)
    try:
        return type(model).model_validate(walk(authored))
    except ValidationError as error:
        first = error.errors()[0]
        raise TemplateFailed(".".join(map(str, first["loc"])), first["msg"]) from error


def problems(template: str, known: frozenset[str], *, shell: bool = False) -> list[str]:
    """What is wrong with a template, before it is ever used.

    `known`: names it may speak of; where dotted ones are given (`host.name`), the attributes of that name
    are checked too (`vars.`: it is known that there are none).
    """
    try:
        tree = _parsed(template, shell)
    except TemplateSyntaxError as error:
        return [_syntax(template, error)]
    return unknown_names(tree, known, _SANDBOXES[shell]) + (misplaced_values(tree) if shell else [])


def expression_problems(expression: str, known: frozenset[str]) -> list[str]:
    """What is wrong with the bare expression of a `when:`."""
    if "{{" in expression:
        return ["an expression is written without {{ }}"]
    try:
        _compiled_expression(expression)
    except TemplateAssertionError:
        pass  # a filter or test that does not exist: named below, with the nearest that does
    except TemplateError as error:
        return [f"not an expression: {error}"]
    return unknown_names(_parsed("{{ " + expression + " }}", False), known, _SANDBOXES[False])


def secrets_in(template: str) -> frozenset[str]:
    """Names of the secrets that a sound template refers to."""
    return secret_names(_parsed(template, False)) if "secret" in template else frozenset()


def host_values(host: Host) -> dict[str, object]:
    """`host` as templates see it."""
    return {"name": host.name, "address": host.target, "vars": dict(host.vars)}


def step_values(
    incident: Incident | None, host: Host, variables: Mapping[str, object], registered: Mapping[str, StepOutcome]
) -> dict[str, object]:
    """What a runbook's templates may speak of. `incident` is None where a person ran the runbook by hand."""
    steps = {name: _result(outcome) for name, outcome in registered.items()}
    about = incident and {
        "id": incident.id,
        "title": incident.title,
        "priority": str(incident.classification.priority),
        "category": incident.category,
        "service": incident.service,
        "hosts": list(incident.hosts),
    }
    return {**steps, "incident": about, "host": host_values(host), "vars": dict(variables), "steps": steps}


def step_names(variables: Iterable[str], registered: Iterable[str]) -> frozenset[str]:
    """The names of `step_values`, to check templates with: a runbook's variables, the results it registers."""
    results = tuple(registered)
    return (
        HOST_NAMES
        | {"incident", "vars", "vars.", "steps", "steps."}
        | {f"incident.{name}" for name in _INCIDENT}
        | {f"vars.{name}" for name in variables}
        | {prefix + name for name in results for prefix in ("", "steps.")}
        | {f"{prefix}{name}.{part}" for name in results for prefix in ("", "steps.") for part in _RESULT}
    )


def _result(outcome: StepOutcome) -> dict[str, object]:
    return {
        "stdout": outcome.stdout.rstrip("\n"),
        "stderr": outcome.stderr.rstrip("\n"),
        "status": outcome.exit,
        "ok": outcome.status is StepStatus.OK,
    }


def _untrusted(value: Any) -> Any:
    """The same values, unable to forge the reference to a secret."""
    match value:
        case str():
            return without_marks(value)
        case Mapping():
            return {_untrusted(key): _untrusted(item) for key, item in value.items()}
        case list() | tuple():
            return [_untrusted(item) for item in value]
        case _:
            return value


@lru_cache(4096)
def _compiled(template: str, shell: bool) -> Template:
    sandbox = _SANDBOXES[shell]
    tree = parsed(sandbox, template)
    if shell:
        if wrong := misplaced_values(tree):
            raise TemplateFailed(template, wrong[0])
        keep_words_whole(tree)
    return Template.from_code(sandbox, sandbox.compile(tree), sandbox.make_globals(None))


@lru_cache(1024)
def _compiled_expression(expression: str) -> TemplateExpression:
    try:
        _parsed("{{ " + expression + " }}", False)
    except BeyondBounds:
        raise
    except TemplateSyntaxError:
        pass  # said below, in words for an expression
    return _SANDBOXES[False].compile_expression(expression, undefined_to_none=False)


@lru_cache(4096)
def _parsed(template: str, shell: bool) -> nodes.Template:
    return parsed(_SANDBOXES[shell], template)


def _syntax(template: str, error: TemplateSyntaxError) -> str:
    line = f" in line {error.lineno}" if "\n" in template.strip() else ""
    if re.search(r"\{\{-?\s*\.", template):
        return "{{. }} is not ours: to keep it as it is, put {% raw %} before and {% endraw %} after it"
    return f"not a template{line}: {error.message}"
