"""The documentation cannot fall behind: its examples are loaded or run, its links and commands are there."""

import json
import os
import re
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from agent.cli.main import app
from agent.config.configuration import Configuration
from agent.config.load import load
from agent.config.problem import ConfigProblems
from agent.core.classification import classify
from agent.model.decision import Decision
from agent.model.health import Key
from agent.model.incident import Symptom
from agent.model.observation import Verdict
from agent.model.timeline import Entry, EntryKind
from agent.runtime.store import Store
from tests.packaging.documents import (
    ROOT,
    Block,
    anchors,
    blocks,
    code_in,
    data_of,
    labelled,
    links,
    pages,
    section,
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
            rest = _without(data_of(block), map(data_of, own))
            (config / f"site-{number}.yaml").write_text(json.dumps(rest), encoding="utf-8")
    return config


def _file(block: Block) -> str:
    return Path(block.label).name


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
    taught = {"checks", "runbooks", "configuration", "tickets", "installation", "extending", "emergency-plans"}
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
