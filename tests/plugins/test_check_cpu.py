"""cpu: percentages between askings."""

import psutil
import pytest

from agent.testing import LOCAL, FakeCheckPorts
from checks.cpu import Cpu, shares
from tests.neighbours.waiting import until

IDLE = {"user": 10.0, "nice": 1.0, "system": 5.0, "idle": 80.0, "iowait": 4.0, "irq": 1.0, "softirq": 1.0, "steal": 2.0}


def later(**spent: float) -> dict[str, float]:
    return {name: seconds + spent.get(name, 0.0) for name, seconds in IDLE.items()}


@pytest.mark.parametrize(
    ("spent", "expected"),
    [
        ({"idle": 10.0}, {"used": 0, "user": 0, "system": 0, "iowait": 0, "steal": 0}),
        ({"user": 3.0, "nice": 1.0, "idle": 6.0}, {"used": 40, "user": 40, "system": 0}),
        ({"system": 1.0, "irq": 1.0, "softirq": 2.0, "idle": 6.0}, {"used": 40, "system": 40}),
        ({"iowait": 5.0, "idle": 5.0}, {"used": 0, "iowait": 50}),
        ({"steal": 2.0, "idle": 8.0}, {"used": 20, "steal": 20}),
        ({"iowait": -5.0, "user": 5.0, "idle": 5.0}, {"used": 50, "iowait": 0}),
    ],
)
def test_shares_of_the_time_between_two_samples(spent: dict[str, float], expected: dict[str, float]) -> None:
    found = shares(IDLE, later(**spent))
    assert {name: found[name] for name in expected} == pytest.approx(expected)


def test_a_system_that_knows_no_iowait_has_no_such_reading() -> None:
    before = {"user": 1.0, "system": 1.0, "idle": 1.0}
    assert shares(before, before | {"user": 2.0}) == {"used": 100.0, "user": 100.0, "system": 0.0}


def test_sees_a_processor_being_kept_busy() -> None:
    check = Cpu()
    check.ask(LOCAL, FakeCheckPorts())
    before = psutil.cpu_times().user

    def burned() -> bool:
        return sum(range(50_000)) > 0 and psutil.cpu_times().user - before >= 0.3

    until(burned, within=30, what="0.3 s of processor time spent")
    readings = check.ask(LOCAL, FakeCheckPorts())[0].readings
    assert readings["user"] > 10
    assert readings["used"] >= readings["user"]
    assert readings["load_per_core"] == pytest.approx(readings["load1"] / (psutil.cpu_count() or 1))
