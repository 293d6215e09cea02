"""The tables of the documentation hold every key, default and word that the code has, and no other."""

from collections.abc import Iterable
from typing import Annotated

import pytest
from pydantic import BaseModel, TypeAdapter

from agent.config.agent_settings import AuthoredAgent
from agent.config.inline import INLINE
from agent.config.scalar import plain_scalar
from agent.config.shape import keys, shaped
from agent.config.source import NAMED, SINGLE
from agent.core.guard import Reason
from agent.model.check import CheckRules, Flapping
from agent.model.commands import Milestone
from agent.model.drill import AllowedHosts, Answer, Drill, Expectation, Injection, Question, SteadyState, Undo
from agent.model.execution import Outcome, StepStatus
from agent.model.incident import Phase
from agent.model.inventory import Group, Host, SshLogin
from agent.model.people import MessageTarget, Person
from agent.model.plan import (
    Call,
    Condition,
    LevelRules,
    Plan,
    PlanAction,
    PlanPhase,
    PlanRole,
    Resource,
    StandDown,
    Targets,
)
from agent.model.policy import ImpactRules, LifecycleRules, Policy, Team, TreatmentRules
from agent.model.runbook import Action, Limits, Retry, Runbook, Step, Variable, Verify
from agent.model.service import Service
from agent.model.timeline import EntryKind
from agent.plugin import registry
from agent.plugin.api import CheckType
from agent.plugin.http import BasicLogin, HttpAccess
from agent.steps.http import ExpectedAnswer
from agent.tickets import request
from agent.tickets.preset import presets
from agent.tickets.rest import RestTickets
from checks.http import Expect
from tests.packaging.documents import code_in, data_of, labelled, page, section, table

CHECK_KINDS = {kind: registry.load(registry.CHECKS, kind, CheckType) for kind in registry.kinds(registry.CHECKS)}
STEP_KINDS = {kind: registry.load(registry.STEPS, kind, Action) for kind in registry.kinds(registry.STEPS)}


def compare(
    name: str, heading: str, model: type[BaseModel], *, column: str = "key", without: Iterable[str] = ()
) -> None:
    """The table's keys are the model's, and its second column says their defaults (`—`: nothing, or said in words)."""
    rows = table(name, heading, column)
    expected = [key for key in keys(model) if key not in set(without)]
    assert sorted(row[0].strip("`") for row in rows) == sorted(expected), f"docs/{name}, {heading}"
    for cell, default, *_ in rows:
        key = cell.strip("`")
        assert says_default(model, key, default), f"docs/{name}, {heading}: {key} is not {default!r} by default"


def says_default(model: type[BaseModel], key: str, said: str) -> bool:
    field = keys(model)[key]
    if said == "needed":
        return field.is_required()
    if said == "—":
        return field.is_required() or not isinstance(field.default, str | int | float) or field.default == ""
    written = shaped(model, {key: plain_scalar(said.strip("`"))}, (), [])[key]
    kind = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation  # type: ignore[valid-type]
    return bool(TypeAdapter(kind).validate_python(written) == field.default)


@pytest.mark.parametrize(
    ("name", "heading", "column", "model", "without"),
    [
        ("checks.md", "Keys of every check", "key", CheckRules, ("name",)),
        ("checks.md", "Flapping", "key of `flapping`", Flapping, ()),
        ("checks.md", "http", "key of `expect`", Expect, ()),
        ("checks.md", "Keys of everything that speaks HTTP", "key", HttpAccess, ()),
        ("runbooks.md", "Keys of a runbook", "key", Runbook, ()),
        ("runbooks.md", "Steps", "key", Step, ("action",)),
        ("runbooks.md", "When a step fails", "key of `retry`", Retry, ()),
        ("runbooks.md", "Variables", "key of a variable", Variable, ()),
        ("runbooks.md", "Verify", "key", Verify, ()),
        ("runbooks.md", "Limits", "key", Limits, ()),
        ("configuration.md", "agent", "key", AuthoredAgent, ()),
        ("configuration.md", "login", "key", SshLogin, ()),
        ("configuration.md", "hosts", "key", Host, ("name",)),
        ("configuration.md", "groups", "key", Group, ("name",)),
        ("configuration.md", "services", "key", Service, ("name",)),
        ("configuration.md", "teams", "key", Team, ("name",)),
        ("configuration.md", "policy", "key", Policy, ()),
        ("configuration.md", "policy", "key of `treatment`", TreatmentRules, ()),
        ("configuration.md", "people", "key", Person, ("name",)),
        ("configuration.md", "messages", "key of a target", MessageTarget, ("name",)),
        ("emergency-plans.md", "Keys of a plan", "key", Plan, ("name",)),
        ("emergency-plans.md", "Levels", "key of a level", LevelRules, ()),
        ("emergency-plans.md", "Levels", "key of a condition", Condition, ()),
        ("emergency-plans.md", "Who is called", "key of a call", Call, ()),
        ("emergency-plans.md", "Actions", "key of an action", PlanAction, ()),
        ("emergency-plans.md", "When it is over", "key of `stand_down`", StandDown, ()),
        ("emergency-plans.md", "Resources", "key of a resource", Resource, ("name",)),
        ("emergency-plans.md", "Reviews", "key of `targets`", Targets, ()),
        ("drills.md", "Keys", "key", Drill, ("name",)),
        ("drills.md", "Keys", "key of `hosts`", AllowedHosts, ()),
        ("drills.md", "Keys", "key of `steady_state`", SteadyState, ()),
        ("drills.md", "Keys", "key of `inject`", Injection, ()),
        ("drills.md", "Keys", "key of `answer`", Answer, ()),
        ("drills.md", "Keys", "key of `expect`", Expectation, ()),
        ("drills.md", "Keys", "key of `rollback`", Undo, ()),
        ("drills.md", "Keys", "key of `ask`", Question, ()),
        ("tickets.md", "Keys", "key", RestTickets, tuple(keys(HttpAccess))),
    ],
)
def test_table_holds_every_key_and_default(
    name: str, heading: str, column: str, model: type[BaseModel], without: tuple[str, ...]
) -> None:
    compare(name, heading, model, column=column, without=without)


def test_kinds_that_need_a_threshold_are_named() -> None:
    [paragraph] = [each for each in section("checks.md", "Thresholds").split("\n\n") if "by themselves" in each]
    named = set(code_in(paragraph)) - {"warning", "critical"}
    assert named == {kind for kind, model in CHECK_KINDS.items() if model.needs_threshold}


def test_a_wrong_default_would_be_noticed() -> None:
    assert says_default(CheckRules, "every", "`30s`")
    assert not says_default(CheckRules, "every", "`31s`")
    assert not says_default(CheckRules, "every", "—")
    assert not says_default(CheckRules, "every", "needed")


def _own_keys(model: type[BaseModel]) -> set[str]:
    return set(keys(model)) - (set(keys(HttpAccess)) if issubclass(model, HttpAccess) else set())


@pytest.mark.parametrize("kind", sorted(CHECK_KINDS))
def test_check_kind_has_its_keys_and_readings(kind: str) -> None:
    model = CHECK_KINDS[kind]
    if _own_keys(model):
        compare("checks.md", kind, model, without=set(keys(model)) - _own_keys(model))
    readings = model.readings or {}
    if readings:
        said = {name for row in table("checks.md", kind, "reading") for name in code_in(row[0])}
        assert said == set(readings)
    if issubclass(model, HttpAccess):
        assert "#keys-of-everything-that-speaks-http" in section("checks.md", kind)
    assert f"[`{kind}`](#{kind})" in section("checks.md", "The kinds")


@pytest.mark.parametrize("kind", sorted(STEP_KINDS))
def test_step_kind_has_its_keys(kind: str) -> None:
    model = STEP_KINDS[kind]
    compare("runbooks.md", kind, model, without=set(keys(model)) - _own_keys(model))
    alone = section("runbooks.md", kind)
    assert f"write `{kind}: " in alone, f"the page does not say how {kind} is written with its {model.primary} alone"


@pytest.mark.parametrize(
    ("name", "heading", "model"),
    [
        ("checks.md", "Keys of everything that speaks HTTP", BasicLogin),
        ("runbooks.md", "http", ExpectedAnswer),
        ("configuration.md", "policy", ImpactRules),
        ("configuration.md", "policy", LifecycleRules),
    ],
)
def test_nested_keys_are_mentioned(name: str, heading: str, model: type[BaseModel]) -> None:
    assert set(keys(model)) <= set(code_in(section(name, heading)))


def test_keys_of_ticket_requests_are_all_there() -> None:
    said = {key for row in table("tickets.md", "Keys", "key of a request") for key in code_in(row[0])}
    models = (request.Find, request.Create, request.Step, request.Seen)
    assert said == {key for model in models for key in keys(model)}
    nested = {key for model in (request.Proof, request.Fetch) for key in keys(model)} - set(keys(request.Request))
    assert nested <= set(code_in(section("tickets.md", "Keys")))


def test_sections_of_the_configuration_are_all_there() -> None:
    rows = table("configuration.md", "Configuration", "section")
    assert {name for row in rows for name in code_in(row[0])} == {*NAMED, *SINGLE}


def test_the_policy_shown_is_the_default() -> None:
    shown = data_of(labelled("configuration.md", "config/policy.yaml"))["policy"]
    del shown["treatment"]["per_host"]
    assert Policy.model_validate(shown) == Policy()
    bands = {row[0]: row[1] for row in table("incidents.md", "Impact, urgency, priority", "impact")}
    rules = ImpactRules()
    said = [bands["extensive"], bands["significant"], bands["moderate"]]
    assert said == [f"{low:g}" for low in (rules.extensive_from, rules.significant_from, rules.moderate_from)]


# words


def first_column(name: str, heading: str, column: str) -> set[str]:
    return {row[0].strip("`") for row in table(name, heading, column)}


def test_every_reason_of_a_guard_is_explained() -> None:
    rows = table("incidents.md", "Guards", "reason")
    assert {row[0].strip("`") for row in rows} == {str(reason) for reason in Reason}
    waits = {row[0].strip("`") for row in rows if row[2].startswith("waits")}
    assert waits == {str(reason) for reason in Reason if reason.passes}


def test_every_phase_is_explained() -> None:
    assert first_column("incidents.md", "Life", "phase") == {str(phase) for phase in Phase}


def test_every_milestone_is_explained() -> None:
    assert first_column("tickets.md", "When tickets are told what", "milestone") == {str(each) for each in Milestone}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("record.md", tuple(map(str, EntryKind))),
        ("runbooks.md", (*map(str, StepStatus), *map(str, Outcome))),
        ("emergency-plans.md", (*map(str, PlanRole), *map(str, PlanPhase), *INLINE)),
        ("tickets.md", (*(request.UPDATE - {"map"}), *presets())),
    ],
)
def test_every_word_is_mentioned(name: str, words: tuple[str, ...]) -> None:
    assert set(words) - set(code_in(page(name))) == set()
