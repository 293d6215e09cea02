"""The configuration and runbooks that are shipped: they load as they are, and so do the examples in comments."""

import json
import re
from pathlib import Path

import pytest

from agent.config.load import load
from agent.config.schema import schemas
from agent.config.yaml import read_document
from agent.model.runbook import Perform
from agent.plugin import registry

ROOT = Path(__file__).parent.parent.parent
CONFIG = ROOT / "config"
RUNBOOKS = ROOT / "runbooks"
EXAMPLE = re.compile(r"^#(?=(?:  )*\S)", re.MULTILINE)
"""A comment that is an example: "#" stands for nothing, and the text after it keeps its indentation by twos."""


def test_it_loads_as_it_is() -> None:
    config = load(CONFIG, environ={})
    assert {probe.host.name for probe in config.probes} == {"localhost"}
    assert len(config.probes) >= 3
    assert config.settings.runbooks
    assert config.tickets is None


def test_it_changes_nothing_by_itself() -> None:
    """An operator who starts it to have a look must not find it treating the machine."""
    config = load(CONFIG, environ={})
    for check in config.settings.checks.values():
        for name in check.runbooks:
            runbook = config.settings.runbooks[name]
            assert runbook.evidence
            assert not runbook.steps
            assert not any(step.sudo for step in runbook.evidence)


def test_the_examples_in_its_comments_load_too(tmp_path: Path) -> None:
    examples = 0
    for file in CONFIG.glob("*.yaml"):
        text, found = EXAMPLE.subn("", file.read_text(encoding="utf-8"))
        examples += found
        # These lists are only set up where people have them.
        text = text.replace("runbooks: [../runbooks]", f"runbooks: [{RUNBOOKS}]")
        (tmp_path / file.name).write_text(text, encoding="utf-8")
    assert examples > 50
    config = load(tmp_path, environ={})
    assert {"web", "ssh", "nginx", "raid", "api-errors"} <= set(config.settings.checks)
    assert {"bastion", "web1", "web2"} <= set(config.logins)
    assert config.tickets is not None
    assert config.secrets


def test_every_shipped_runbook_is_careful() -> None:
    for name, runbook in load(CONFIG, environ={}).settings.runbooks.items():
        assert runbook.description, name
        assert runbook.evidence, f"{name} keeps no evidence"
        if runbook.steps:
            assert runbook.limits.per_host is not None, f"{name} may go on for ever"
            assert runbook.serial is not None, f"{name} would treat all hosts at once"
        for step in runbook.treatment + runbook.rollback:
            assert isinstance(step.action.demand(), Perform)
            assert step.timeout <= 120, f"{name}: {step.name}"


@pytest.mark.parametrize("file", sorted(RUNBOOKS.glob("*.yaml")), ids=lambda file: file.stem)
def test_a_runbook_is_found_under_its_name(file: Path) -> None:
    data = read_document(file.read_text(encoding="utf-8"), file.name).data
    assert isinstance(data, dict)
    assert data["runbook"] == file.stem


def test_schemas_know_every_key_that_the_shipped_files_use() -> None:
    described = schemas()
    sections = described["config"]["properties"]
    for file in CONFIG.glob("*.yaml"):
        data = read_document(file.read_text(encoding="utf-8"), file.name).data
        assert not isinstance(data, dict) or set(data) <= set(sections)
    kinds = sections["checks"]["anyOf"][0]["additionalProperties"]["anyOf"]
    by_kind = {each["properties"]["kind"]["const"]: each["properties"] for each in kinds}
    assert set(by_kind) == set(registry.kinds(registry.CHECKS))
    data = read_document((CONFIG / "checks.yaml").read_text(encoding="utf-8"), "checks.yaml").data
    assert isinstance(data, dict)
    for check in data["checks"].values():
        assert set(check) <= set(by_kind[check["kind"]])
    steps = described["runbook"]["$defs"]["step"]["properties"]
    assert set(registry.kinds(registry.STEPS)) <= set(steps)
    for file in RUNBOOKS.glob("*.yaml"):
        data = read_document(file.read_text(encoding="utf-8"), file.name).data
        assert isinstance(data, dict)
        assert set(data) <= set(described["runbook"]["properties"])
        for step in [step for section in ("evidence", "steps", "rollback") for step in data.get(section, [])]:
            assert set(step) <= set(steps)


def test_schemas_point_nowhere_outside_themselves() -> None:
    for schema in schemas().values():
        references = re.findall(r'"\$ref": "#/\$defs/([^"]+)"', json.dumps(schema))
        assert references
        assert set(references) <= set(schema["$defs"])
