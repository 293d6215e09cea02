"""memory: against the kernel's own figures."""

from pathlib import Path

import pytest

from agent.testing import LOCAL, FakeCheckPorts
from checks.memory import Memory


def kernel() -> dict[str, int]:
    """/proc/meminfo in bytes."""
    lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in lines}


def test_agrees_with_the_kernel() -> None:
    figures = kernel()
    [answer] = Memory().ask(LOCAL, FakeCheckPorts())
    assert answer.readings["available"] == pytest.approx(figures["MemAvailable"], rel=0.2)
    used = figures["MemTotal"] - answer.readings["available"]
    assert answer.readings["used"] == pytest.approx(100 * used / figures["MemTotal"])
    assert "MiB available" in answer.message


def test_swap_readings_are_there_exactly_if_there_is_swap() -> None:
    [answer] = Memory().ask(LOCAL, FakeCheckPorts())
    has_swap = kernel()["SwapTotal"] > 0
    assert ("swap_used" in answer.readings) == has_swap
    assert ("swap_free" in answer.readings) == has_swap
