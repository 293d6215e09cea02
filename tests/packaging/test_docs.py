"""The documentation cannot fall behind: examples are loaded or run, tables compared with what the code takes."""

import json
import os
import re
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, TypeAdapter
from typer.core import TyperGroup
from typer.main import get_command

from agent.cli.main import app
from agent.config.agent_settings import AuthoredAgent
from agent.config.configuration import Configuration
from agent.config.load import load
from agent.config.problem import ConfigProblems
from agent.config.scalar import plain_scalar
from agent.config.shape import keys, shaped
from agent.config.source import NAMED, SINGLE
from agent.config.yaml import read_document
from agent.core.classification import classify
from agent.core.guard import Reason
from agent.model.check import CheckRules, Flapping
from agent.model.commands import Milestone
from agent.model.decision import Decision
from agent.model.execution import Outcome, StepStatus
from agent.model.health import Key
from agent.model.incident import Phase, Symptom
from agent.model.inventory import Group, Host, SshLogin
from agent.model.observation import Verdict
from agent.model.policy import ImpactRules, LifecycleRules, Policy, Team, TreatmentRules
from agent.model.runbook import Action, Limits, Retry, Runbook, Step, Variable, Verify
from agent.model.service import Service
from agent.model.timeline import Entry, EntryKind
from agent.plugin import registry
from agent.plugin.api import CheckType
from agent.plugin.http import BasicLogin, HttpAccess
from agent.runtime.store import Store
from agent.steps.http import ExpectedAnswer
from agent.tickets import request
from agent.tickets.preset import presets
from agent.tickets.rest import RestTickets
from checks.http import Expect
from tests.packaging.documents import (
    ROOT,
    Block,
    anchors,
    blocks,
    code_in,
    labelled,
    links,
    page,
    pages,
    section,
    table,
)

EXAMPLES = [
    block
    for path in pages()
    for block in blocks(path)
    if re.match(r"(config|runbooks)/", block.label) and ".test." not in block.label
]
SITE = [block for block in EXAMPLES if block.page == "docs/configuration.md"]
"""The site that all other examples are about."""

REFUSED = [block for block in EXAMPLES if block.mark == "refused"]
FILE_AGE = [block for block in EXAMPLES if block.mark == "file-age"]
ACCEPTED = [block for block in EXAMPLES if not block.mark]

CHECK_KINDS = {kind: registry.load(registry.CHECKS, kind, CheckType) for kind in registry.kinds(registry.CHECKS)}
STEP_KINDS = {kind: registry.load(registry.STEPS, kind, Action) for kind in registry.kinds(registry.STEPS)}


# examples of configuration


def write_site(folder: Path, *examples: Block) -> Path:
    """A configuration folder: the examples, and of the site what they do not say themselves."""
    config, runbooks = folder / "config", folder / "config" / "runbooks"
    runbooks.mkdir(parents=True)
    texts = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "runbooks").glob("*.yaml")}
    texts |= {_file(block): block.text for block in (*ACCEPTED, *examples) if block.label.startswith("runbooks/")}
    for name, text in texts.items():
        (runbooks / name).write_text(text, encoding="utf-8")
    own = [block for block in examples if block.label.startswith("config/")]
    for block in own:
        (config / _file(block)).write_text(block.text, encoding="utf-8")
    for number, block in enumerate(SITE):
        if block not in own:
            rest = _without(_read(block), map(_read, own))
            (config / f"site-{number}.yaml").write_text(json.dumps(rest), encoding="utf-8")
    return config


def _file(block: Block) -> str:
    return Path(block.label).name


def _read(block: Block) -> dict[str, Any]:
    """As the agent reads it: PyYAML would make true of `on`."""
    data = read_document(block.text, str(block)).data
    assert isinstance(data, dict), f"{block} holds no sections"
    return data


def _without(site: dict[str, dict[str, Any]], taken: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Of the site's sections, the entries that nobody else defines."""
    sections = [(name, entries) for each in taken for name, entries in each.items() if isinstance(entries, dict)]
    return {
        name: {key: value for key, value in entries.items() if all(key not in of for n, of in sections if n == name)}
        for name, entries in site.items()
    }


def problems(config: Path) -> list[str]:
    """What is said about a configuration, without the files' names and lines."""
    try:
        load(config, environ={})
    except ConfigProblems as said:
        return [f"{each.path}: {each.what}" + (f": {each.hint}" if each.hint else "") for each in said.problems]
    return []


def test_there_are_examples_on_every_page_that_teaches_yaml() -> None:
    taught = {"checks", "runbooks", "configuration", "tickets", "installation", "extending"}
    assert {Path(block.page).stem for block in EXAMPLES} >= taught


@pytest.mark.parametrize("example", ACCEPTED, ids=str)
def test_example_is_accepted(example: Block, tmp_path: Path) -> None:
    assert problems(write_site(tmp_path, example)) == []


@pytest.mark.parametrize("example", REFUSED, ids=str)
def test_example_is_refused_as_the_page_says(example: Block, tmp_path: Path) -> None:
    """The block after it holds what is said."""
    of_page = blocks(ROOT / example.page)
    said = of_page[of_page.index(example) + 1].text.splitlines()
    assert problems(write_site(tmp_path, example)) == said


@pytest.mark.parametrize("path", sorted((ROOT / "docs").glob("*.md")), ids=lambda path: path.name)
def test_no_yaml_escapes_the_tests(path: Path) -> None:
    """An example without the name of its file would never be loaded."""
    assert [str(block) for block in blocks(path) if block.language == "yaml" and not block.label] == []


# links


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    for link in links(path):
        target, _, anchor = link.partition("#")
        there = (path.parent / target).resolve() if target else path
        assert there.exists(), f"{link} leads nowhere"
        if anchor:
            assert anchor in anchors(there), f"{link}: there is no such heading in {there.name}"


# keys and their defaults


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
    shown = _read(labelled("configuration.md", "config/policy.yaml"))["policy"]
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
        ("tickets.md", (*(request.UPDATE - {"map"}), *presets())),
    ],
)
def test_every_word_is_mentioned(name: str, words: tuple[str, ...]) -> None:
    assert set(words) - set(code_in(page(name))) == set()


# commands


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_are_there_to_type(path: Path) -> None:
    lines = [line for block in blocks(path) if block.language == "text" for line in block.text.splitlines()]
    typed = [line for line in (*lines, *code_in(path.read_text(encoding="utf-8"))) if re.match("paramedic [a-z]", line)]
    assert [line for line in typed if not is_command(line)] == []


def is_command(line: str) -> bool:
    """Whether the program has the command, the subcommand and the options. `NAME`, `INC-12` and texts stand for any."""
    command = get_command(app)
    words = re.sub(r"#.*|\"[^\"]*\"", "", line).split()[1:]
    options = [word for word in words if word.startswith("--")]
    while isinstance(command, TyperGroup) and words:
        following = command.commands.get(words.pop(0))
        if following is None:
            return False
        command = following
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    return set(options) <= known


def test_a_command_that_is_not_there_would_be_noticed() -> None:
    assert is_command('paramedic ack INC-12 # "--nothing"')
    assert is_command("paramedic runbook run NAME --host HOST")
    assert not is_command("paramedic ackn INC-12")
    assert not is_command("paramedic runbook walk NAME")
    assert not is_command("paramedic show INC-12 --ful")


# what is said is what happens


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Configuration:
    return load(write_site(tmp_path_factory.mktemp("site")), environ={})


def test_the_worked_example_of_a_priority(site: Configuration) -> None:
    symptom = Symptom(Key("web", "web1"), "web1", "shop", Verdict.CRITICAL, 0.0)
    judged = classify([symptom], site.settings)
    said = "\n".join((judged.impact_because, judged.urgency_because, judged.priority_because))
    assert f"```text\n{said}\n```" in section("incidents.md", "Impact, urgency, priority")


def test_the_chain_can_be_checked_with_other_tools(tmp_path: Path) -> None:
    record, script = tmp_path / "paramedic.db", tmp_path / "verify.py"
    script.write_text(labelled("record.md", "verify.py").text, encoding="utf-8")
    with Store.open(record) as store:
        entries = tuple(
            Entry(1763654400.1 * n, "agent", EntryKind.NOTE, "磁盘 \u202e", "ann", {"n": n}) for n in range(3)
        )
        store.commit([Decision(entries=entries)], 0.0)
        count, head = store.head()
    command = [sys.executable, str(script), str(record)]
    sound = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (sound.stdout, sound.returncode) == (f"{count} records, head {head}\n", 0)
    with sqlite3.connect(record) as database:
        for (trigger,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f"DROP TRIGGER {trigger}")
        database.execute("UPDATE timeline SET text = 'nothing happened' WHERE seq = 2")
    altered = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (altered.stderr, altered.returncode) == ("the chain breaks at record 2\n", 1)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Mapping[str, str]]:
    """The package of extending.md as an installer would lay it down, and the environment that finds it."""
    folder = tmp_path_factory.mktemp("installed")
    for block in blocks(ROOT / "docs" / "extending.md"):
        if block.language == "python":
            file = folder / block.label
            file.parent.mkdir(exist_ok=True)
            file.write_text(block.text, encoding="utf-8")
    (folder / "file_age" / "__init__.py").touch()
    project = tomllib.loads(labelled("extending.md", "pyproject.toml").text)["project"]
    about = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    points = [
        f"[{group}]\n" + "".join(f"{name} = {place}\n" for name, place in entries.items())
        for group, entries in project["entry-points"].items()
    ]
    (about / "entry_points.txt").write_text("\n".join(points))
    return folder, {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}


def test_the_plugin_of_the_page_passes_its_own_tests(installed: tuple[Path, Mapping[str, str]]) -> None:
    folder, environment = installed
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), str(folder)]
    tested = subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "3 passed" in tested.stdout


@pytest.mark.parametrize("example", FILE_AGE, ids=str)
def test_the_plugin_of_the_page_is_found_by_its_entry_points(
    example: Block, installed: tuple[Path, Mapping[str, str]], tmp_path: Path
) -> None:
    config = write_site(tmp_path, example)
    assert problems(config), "without the package this must not be accepted, or nothing is tested here"
    asking = "import sys; from pathlib import Path; from agent.config.load import load; load(Path(sys.argv[1]))"
    words = [sys.executable, "-c", asking, str(config)]
    loaded = subprocess.run(words, env=installed[1], capture_output=True, text=True, timeout=60, check=False)
    assert loaded.returncode == 0, loaded.stderr
