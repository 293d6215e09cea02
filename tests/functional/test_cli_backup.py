"""`paramedic records backup`: a whole copy of the record, whether its agent runs or not."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from agent.model.decision import Decision
from agent.runtime.store import Store
from tests.functional.control_site import PARAMEDIC, ControlSite, paramedic
from tests.functional.fake_control import STATUS
from tests.functional.told_stories import NOTICED, STORY

ENTRIES = tuple(stored.entry for stored in STORY.entries)


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Store]:
    """A record that its agent has open, with entries that are not in the main file yet."""
    (tmp_path / "state").mkdir()
    with closing(Store.open(tmp_path / "state" / "paramedic.db")) as store:
        store.commit([Decision(entries=ENTRIES)], NOTICED)
        yield store


def test_of_a_running_agent(record: Store, site: ControlSite, tmp_path: Path) -> None:
    site.control.status_now = replace(STATUS, store=str(tmp_path / "state"))
    said = site.paramedic("records", "backup", str(tmp_path / "copy.db"))
    number, head = record.head()
    assert (said.code, said.out, said.err) == (0, f"{tmp_path / 'copy.db'}: {number} records, head {head}\n", "")
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600
    told = paramedic("records", "verify", "--store", str(tmp_path / "copy.db"), "--json")
    assert json.loads(told.out)["records"] == len(ENTRIES)


def test_of_a_stopped_agent(record: Store, tmp_path: Path) -> None:
    record.close()
    words = ["records", "backup", str(tmp_path / "copy.db"), "--json"]
    said = paramedic(*words, socket=tmp_path / "state" / "control.sock")
    assert said.code == 0, said.err
    assert json.loads(said.out)["records"] == len(ENTRIES)
    said = paramedic("records", "backup", str(tmp_path / "second.db"), "--store", str(tmp_path / "state"))
    assert said.code == 0, said.err
    with Store.open(tmp_path / "copy.db") as restored:
        assert restored.verify().ok


def test_what_is_there_is_never_replaced_and_a_failure_leaves_nothing(record: Store, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    said = paramedic("records", "backup", str(tmp_path / "precious"), "--store", str(tmp_path / "state"))
    assert said.code == 1
    assert "exists already" in said.err
    assert (tmp_path / "precious").read_text() == "mine"
    said = paramedic("records", "backup", str(tmp_path / "precious" / "copy.db"), "--store", str(tmp_path / "state"))
    assert said.code == 1
    assert said.err.startswith(str(tmp_path / "precious"))
    assert {file.name for file in tmp_path.iterdir()} == {"precious", "state"}


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="NOT RUN HERE: reading as somebody else, because that needs root")
def test_who_may_not_read_the_record_is_told_who_may(record: Store, tmp_path: Path) -> None:
    os.chown(tmp_path / "state", 65534, 65534)
    (tmp_path / "state").chmod(0o700)
    powerless = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]  # root, but only to its own files
    for words in (["records", "verify"], ["records", "backup", tmp_path / "copy.db"]):
        done = subprocess.run(
            [*powerless, PARAMEDIC, *words, "--store", tmp_path / "state" / "paramedic.db"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 1
        assert "use sudo" in done.stderr
