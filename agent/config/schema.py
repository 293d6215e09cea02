"""JSON Schema for editors (`# yaml-language-server: $schema=…`), made from the very models that validate.

https://json-schema.org/draft/2020-12
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from agent.config import checks, steps, tickets
from agent.config.agent_settings import AuthoredAgent
from agent.config.inline import INLINE
from agent.config.shape import keys
from agent.model.access import Access
from agent.model.check import CheckRules
from agent.model.drill import Drill
from agent.model.inventory import Group, Host, SshLogin
from agent.model.people import MessageTarget, Person
from agent.model.plan import Plan, PlanAction, Resource
from agent.model.policy import Policy, Team
from agent.model.runbook import Action, Runbook, Step
from agent.model.service import Service
from agent.plugin import registry
from agent.plugin.api import CheckType, TicketSystem

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_SECTIONS = ("evidence", "steps", "rollback")
_SECRET = {
    "type": "object",
    "properties": {place: {"type": "string"} for place in ("env", "file", "credential")},
    "additionalProperties": False,
    "minProperties": 1,
    "maxProperties": 1,
}


def schemas() -> dict[str, dict[str, Any]]:
    """`config`: any file of the configuration folder; `runbook`: a runbook. Covers every installed kind."""
    return {"config": _config_schema(), "runbook": _runbook_schema()}


def _config_schema() -> dict[str, Any]:
    kinds = {kind: registry.load(registry.CHECKS, kind, CheckType) for kind in registry.kinds(registry.CHECKS)}
    systems = {kind: registry.load(registry.TICKETS, kind, TicketSystem) for kind in registry.kinds(registry.TICKETS)}
    named: dict[str, type[BaseModel]] = {
        "hosts": Host,
        "groups": Group,
        "services": Service,
        "teams": Team,
        "people": Person,
        "plans": Plan,
        "resources": Resource,
        "drills": Drill,
    }
    single: dict[str, type[BaseModel]] = {
        "access": Access,
        "agent": AuthoredAgent,
        "login": SshLogin,
        "policy": Policy,
    }
    own: list[type[BaseModel]] = [CheckRules, MessageTarget, PlanAction, Runbook]
    parts = _Parts([*own, *kinds.values(), *systems.values(), *named.values(), *single.values(), *_step_models()])
    parts.replace(PlanAction, _plan_action(parts))
    properties: dict[str, Any] = {name: parts.of(model) for name, model in single.items()}
    properties |= {name: _by_name(parts.of(model, without=("name",))) for name, model in named.items()}
    common = parts.of(CheckRules, only=checks.COMMON)
    properties["checks"] = _by_name(_by_kind(common, {kind: parts.of(model) for kind, model in kinds.items()}, None))
    nothing: dict[str, Any] = {"properties": {"kind": {"type": "string"}}}
    systems_by_kind = {kind: parts.of(model) for kind, model in systems.items()}
    for schema in systems_by_kind.values():
        schema["required"] = []  # a preset may say it
        laid_over = {**schema, "description": "What is different in the queue for tickets of drills."}
        schema["properties"] = {**schema["properties"], "drill": {**laid_over, "type": "object"}}
    properties["tickets"] = _by_kind(nothing, systems_by_kind, tickets.DEFAULT_KIND)
    properties["secrets"] = _by_name(_SECRET)
    targets = _by_name(parts.of(MessageTarget, without=("name",)))
    properties["messages"] = {"type": "object", "properties": {"targets": targets}, "additionalProperties": False}
    sections = {name: {"anyOf": [schema, {"type": "null"}]} for name, schema in properties.items()}
    schema = _document("paramedic configuration", {"properties": sections, "additionalProperties": False}, parts)
    schema["$defs"]["step"] = _step(parts)
    return schema


def _plan_action(parts: "_Parts") -> dict[str, Any]:
    """An action of an emergency plan, which may hold a runbook's own keys."""
    action = parts.of(PlanAction)
    runbook = parts.of(Runbook, only=INLINE)
    action["properties"] |= runbook["properties"] | _steps_by_section()
    action["required"] = []  # without a name it is called after what it does
    return action


def _runbook_schema() -> dict[str, Any]:
    parts = _Parts([Runbook, *_step_models()])
    runbook = parts.of(Runbook, without=_SECTIONS)
    runbook["properties"] |= _steps_by_section()
    runbook["required"] = ["runbook"]
    schema = _document("paramedic runbook", runbook, parts)
    schema["$defs"]["step"] = _step(parts)
    return schema


def _step_models() -> list[type[BaseModel]]:
    return [Step, *(registry.load(registry.STEPS, kind, Action) for kind in registry.kinds(registry.STEPS))]


def _step(parts: "_Parts") -> dict[str, Any]:
    kinds = {kind: registry.load(registry.STEPS, kind, Action) for kind in registry.kinds(registry.STEPS)}
    step = parts.of(Step, only=steps.COMMON)
    step["properties"] |= {kind: _action(parts.of(model), model) for kind, model in kinds.items()}
    step["oneOf"] = [{"required": [kind]} for kind in kinds]
    step["required"] = []
    return step


def _steps_by_section() -> dict[str, Any]:
    return {section: {"type": "array", "items": {"$ref": "#/$defs/step"}} for section in _SECTIONS}


class _Parts:
    """Schemas of models as people write them, with what they share under `$defs`."""

    def __init__(self, models: list[type[BaseModel]]) -> None:
        pairs = [(model, "validation") for model in dict.fromkeys(models)]
        references, shared = models_json_schema(pairs, schema_generator=_AsAuthored)  # type: ignore[arg-type]
        self.shared: dict[str, Any] = shared["$defs"]
        self._names = {model: reference["$ref"].rpartition("/")[2] for (model, _), reference in references.items()}

    def of(
        self, model: type[BaseModel], *, without: tuple[str, ...] = (), only: tuple[str, ...] | None = None
    ) -> dict[str, Any]:
        """A model's schema with the keys that people may write."""
        schema: dict[str, Any] = dict(self.shared[self._names[model]])
        allowed = [key for key in keys(model) if key not in without and (only is None or key in only)]
        written: Mapping[str, Any] = schema.get("properties", {})
        schema["properties"] = {key: written[key] for key in allowed if key in written}
        schema["required"] = [key for key in schema.get("required", []) if key in allowed]
        schema.pop("title", None)
        return schema

    def replace(self, model: type[BaseModel], schema: dict[str, Any]) -> None:
        """What other models refer to by this model."""
        self.shared[self._names[model]] = schema


class _AsAuthored(GenerateJsonSchema):
    """What people write is wider than what the models hold.

    Where a list is taken, one word is too; where a number is taken, a template; and what a validator
    takes in before the type is looked at cannot be known here.
    """

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        return super().function_before_schema(schema) if schema["schema"]["type"] == "model" else {}

    def int_schema(self, schema: core_schema.IntSchema) -> JsonSchemaValue:
        return {"anyOf": [super().int_schema(schema), {"type": "string", "pattern": r"\{\{"}]}

    def tuple_schema(self, schema: core_schema.TupleSchema) -> JsonSchemaValue:
        listed = super().tuple_schema(schema)
        items = listed.get("items")
        return {"anyOf": [listed, items]} if isinstance(items, dict) and items.get("type") == "string" else listed


def _document(title: str, schema: dict[str, Any], parts: _Parts) -> dict[str, Any]:
    return {"$schema": _DIALECT, "title": title, "type": "object", **schema, "$defs": dict(parts.shared)}


def _by_name(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": schema}


def _by_kind(common: dict[str, Any], kinds: Mapping[str, dict[str, Any]], default: str | None) -> dict[str, Any]:
    """One alternative for each kind. `default`: the kind that need not be written."""
    alternatives = []
    for kind, own in kinds.items():
        properties = {**common["properties"], **own["properties"], "kind": {"const": kind}}
        required = [*own["required"], *([] if kind == default else ["kind"])]
        alternatives.append(
            {
                "type": "object",
                "description": own.get("description", ""),
                "properties": properties,
                "required": required,
                "additionalProperties": False,
            }
        )
    return {"anyOf": alternatives}


def _action(schema: dict[str, Any], model: type[Action]) -> dict[str, Any]:
    """Written as a mapping, or as the primary field's value alone."""
    return {"anyOf": [schema["properties"][model.primary], schema], "description": schema.get("description", "")}
