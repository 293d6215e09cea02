"""What a starting agent makes of the runbook texts in its record."""

import hashlib
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from agent.config.configuration import Configuration
from agent.config.load import load
from agent.model.decision import Decision
from agent.model.incident import Rung
from agent.runtime.recollection import state_of
from agent.runtime.store.store import Store
from tests.functional.records import INCIDENT

TEXT = "runbook: restart-web\nsteps:\n  - run: systemctl restart nginx\n"
DIGEST = hashlib.sha256(TEXT.encode()).hexdigest()


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "all.yaml").write_text("teams: {operations: {}}\n")
    return load(tmp_path / "config", environ={})


def kept(folder: Path, configuration: Configuration, text: str) -> dict[str, str]:
    """By digest: who signed each text that is known after a restart. The record holds `text` for DIGEST."""
    ladders = (("web", (Rung("restart-web", DIGEST, {}, "alice@example.com"),)),)
    incident = replace(INCIDENT, ladders=ladders)
    with Store.open(folder / "paramedic.db") as store:
        store.commit([Decision(incidents={incident.id: incident}, runbooks={DIGEST: text})], 1.0)
        library = state_of(store.load(2.0), configuration).library
    return {digest: runbook.signed_by for digest, runbook in library.items()}


def test_the_text_an_incident_started_with_is_known_and_who_signed_it(
    tmp_path: Path, configuration: Configuration
) -> None:
    assert kept(tmp_path, configuration, TEXT) == {DIGEST: "alice@example.com"}


def test_a_text_that_was_changed_in_the_record_is_not_used(
    tmp_path: Path, configuration: Configuration, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "paramedic"):
        assert kept(tmp_path, configuration, TEXT.replace("nginx", "backdoor")) == {}
    assert f"the text of runbook {DIGEST[:12]} was changed in the record: it is not used" in caplog.text
