"""An emergency from its declaration to the end of its review, typed by one person, with a restart in the middle."""

import getpass
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.app import App
from agent.config.load import load
from agent.runtime.service_manager import ServiceManager
from tests.functional.control_site import Said, paramedic, short_folder
from tests.neighbours.waiting import until

_WITHIN = 60.0
ME = getpass.getuser()


def plan(gate: Path) -> dict[str, object]:
    return {
        "title": "The printer is on fire",
        "owner": "operations",
        "scope": {"hosts": ["localhost"]},
        "roles": {"commander": [ME]},
        "levels": {"I": {}, "II": {}},
        "notification": [{"tell": "commander", "within": "10m"}],
        "phases": {
            "contain": [{"do": "Pull the plug."}],
            "recover": [
                {
                    "name": "look",
                    "hosts": "local",
                    "approve": "commander",
                    "steps": [{"name": "wait for the gate", "run": f"while [ ! -e {gate} ]; do sleep 0.05; done"}],
                }
            ],
        },
        "stand_down": {"confirmed_by": "commander"},
        "resources": ["extinguisher"],
        "targets": {"rto": "2h"},
        "fallback": "Run.",
    }


@dataclass(frozen=True)
class Place:
    """An agent that can be started again and again, and the command."""

    folder: Path

    @property
    def gate(self) -> Path:
        return self.folder / "gate"

    def write(self) -> None:
        config = self.folder / "config"
        config.mkdir()
        written = {
            "agent": {"state_dir": str(self.folder / "state"), "socket": str(self.folder / "control.sock")},
            "teams": {"operations": {"members": [ME]}},
            "people": {ME: {"title": "The one who is here", "phone": "112"}},
            "checks": {"weight": {"kind": "command", "run": "true", "every": "1h"}},
            "resources": {"extinguisher": {"check": "weight", "contact": "fire brigade, 112"}},
            "plans": {"fire": plan(self.gate)},
        }
        (config / "all.yaml").write_text(json.dumps(written))

    @contextmanager
    def running(self) -> Iterator[None]:
        app = App(load(self.folder / "config"), ServiceManager({}))
        app.start()
        try:
            yield
        finally:
            app.stop()

    def says(self, *words: str, code: int = 0) -> str:
        said: Said = paramedic(*words, socket=self.folder / "control.sock")
        assert said.code == code, said.out + said.err
        return said.out if code == 0 else said.err + said.out

    def shows(self, words: str, *typed: str) -> Callable[[], bool]:
        return lambda: words in self.says(*typed)


@pytest.fixture
def place() -> Iterator[Place]:
    with short_folder() as folder:
        place = Place(folder)
        place.write()
        yield place


def test_one_person_declares_it_and_sees_it_through_to_the_end_of_its_review(place: Place, tmp_path: Path) -> None:
    with place.running():
        assert "no emergency plan is at work" in place.says("plan", "status")
        assert "fire" in place.says("plan")
        assert "there is no plan 'flood'" in place.says(
            "plan", "activate", "flood", "--level", "II", "--reason", "x", code=1
        )
        assert "PLAN-1: fire is at work, level II" in place.says(
            "plan", "activate", "fire", "--level", "II", "--reason", "smoke"
        )
        stands = place.says("plan", "status")
        assert "LEVEL II" in stands
        assert " plan ack PLAN-1 --role commander" in stands
        assert " plan tick PLAN-1 1" in stands
        assert "The one who is here" in stands
        assert "LEVEL II" in place.says("status")
        place.says("plan", "ack", "PLAN-1", "--role", "commander")
        place.says("plan", "tick", "PLAN-1", "1", "--note", "it is out")
        assert " approve PLAN-1" in place.says("plan", "status")
        place.says("approve", "PLAN-1")
        until(place.shows("▶  2. look  running (RUN-1)", "plan", "status"), within=_WITHIN, what="its steps run")
    stopped = paramedic("plan", "status", "--store", str(place.folder / "state" / "paramedic.db"))
    assert "1. Pull the plug.  done by" in stopped.out
    with place.running():
        place.gate.touch()
        until(place.shows("✓  2. look  done", "plan", "status"), within=_WITHIN, what="the action goes on and is done")
        assert place.says("plan", "activate", "fire", "--level", "I", "--reason", "the roof").startswith("PLAN-1")
        assert "LEVEL I " in place.says("plan", "status")
        place.says("plan", "stand-down", "PLAN-1", "--force", "--reason", "rain")
        assert "no emergency" not in place.says("plan", "status")
        told = place.says("show", "PLAN-1")
        assert "smoke" in told
        assert "it is out" in told
        assert "PLAN-1" in place.says("review")
        document = place.says("review", "show", "PLAN-1")
        assert document.startswith("# Review of PLAN-1")
        file = tmp_path / "PLAN-1.md"
        file.write_text(document, encoding="utf-8")
        assert "not complete: nothing is written under '## Root cause'" in place.says(
            "review", "close", "PLAN-1", str(file), code=1
        )
        file.write_text(re.sub(r"(?m)^## Root cause$", "## Root cause\n\nToner.", document), encoding="utf-8")
        assert "complete and closed" in place.says("review", "close", "PLAN-1", str(file))
        assert "no review is open" in place.says("review")
        assert "closed" in place.says("plan", "status", "--all")
        assert "Toner." in place.says("review", "show", "PLAN-1")


def test_a_resource_is_usable_once_its_check_has_proven_it(place: Place) -> None:
    with place.running():
        place.says("checks", "run", "weight")
        until(lambda: resource(place)["usable"] is True, within=_WITHIN, what="its check is confirmed to be well")
        assert resource(place)["proven_at"] is not None
        assert "✓  extinguisher" in place.says("resources")


def resource(place: Place) -> dict[str, object]:
    said = paramedic("resources", "--json", socket=place.folder / "control.sock")
    (found,) = json.loads(said.out)["resources"]
    assert isinstance(found, dict)
    return found
