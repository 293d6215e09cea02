"""`wait`, `check` and `approve` have no effect of their own: they say what the engine must arrange."""

import pytest
from pydantic import ValidationError

from agent.model.runbook import Action, AskCheck, AskPerson, Demand, Pause
from agent.plugin.registry import STEPS, load


@pytest.mark.parametrize(
    ("kind", "authored", "demand"),
    [
        ("wait", "10s", Pause(10.0)),
        ("wait", {"duration": "1m30s"}, Pause(90.0)),
        ("check", "web", AskCheck("web", 30.0)),
        ("check", {"name": "web", "within": "1m"}, AskCheck("web", 60.0)),
        ("approve", "Restart?", AskPerson("Restart?", None, 900.0, "escalate")),
        (
            "approve",
            {"question": "Restart?", "team": "dba", "within": "5m", "otherwise": "continue"},
            AskPerson("Restart?", "dba", 300.0, "continue"),
        ),
    ],
)
def test_demand(kind: str, authored: object, demand: Demand) -> None:
    found = load(STEPS, kind, Action)
    value = authored if isinstance(authored, dict) else {found.primary: authored}
    action = found.model_validate(value)
    assert action.demand() == demand
    assert found.model_validate(action.model_dump(mode="json", exclude_unset=True)) == action


@pytest.mark.parametrize(
    ("kind", "authored"),
    [
        ("wait", {"duration": "0s"}),
        ("wait", {"duration": 10}),
        ("check", {"name": "web", "wihtin": "1m"}),
        ("check", {"name": "no such/name"}),
        ("approve", {"question": ""}),
        ("approve", {"question": "?", "otherwise": "panic"}),
    ],
)
def test_what_makes_no_sense_is_refused(kind: str, authored: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        load(STEPS, kind, Action).model_validate(authored)
