"""The systemd unit: read by systemd's own tools, and its fence measured."""

import shutil
import subprocess
from pathlib import Path

import pytest

from agent.config.agent_settings import AuthoredAgent
from agent.model.quantities import parse_duration
from tests.neighbours import available

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "systemd" / "paramedic.service"
MOST_EXPOSURE = 1.2
"""Of 10; tools/verify-units has it too."""

ITS_PARTS = 30
"""Seconds that all parts of the agent besides the steps may take to stop."""


@pytest.fixture(autouse=True)
def _systemd_analyze() -> None:
    lacking = None if shutil.which("systemd-analyze") else "systemd-analyze not found"
    available.require("systemd's own checks", lacking, "apt-get install -y systemd")


def analyze(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, timeout=60, check=False)


def exposure(unit: Path) -> subprocess.CompletedProcess[str]:
    return analyze("security", "--offline=true", f"--threshold={MOST_EXPOSURE * 10:.0f}", "--no-pager", unit)


def verify_units(checkout: Path) -> subprocess.CompletedProcess[str]:
    words = [checkout / "tools" / "verify-units"]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)


def test_systemd_finds_nothing_to_say_about_the_unit() -> None:
    verified = verify_units(ROOT)
    assert (verified.returncode, verified.stderr) == (0, "")


def test_the_fence_around_the_daemon_is_high() -> None:
    measured = exposure(UNIT)
    assert measured.returncode == 0, measured.stdout[-200:]


def test_a_lower_fence_would_be_noticed(tmp_path: Path) -> None:
    for name in ("tools", "systemd"):
        shutil.copytree(ROOT / name, tmp_path / name)
    lower = tmp_path / "systemd" / "paramedic.service"
    lower.write_text(UNIT.read_text().replace("ProtectKernelModules=yes\n", ""))
    assert exposure(lower).returncode != 0
    verified = verify_units(tmp_path)
    assert verified.returncode != 0
    assert "its fence is lower than 1.2" in verified.stderr


def test_systemd_waits_for_the_agent_as_the_agent_says() -> None:
    """For its word that it is ready, for its sign of life, and at the end for the step under way."""
    said = dict(line.split("=", 1) for line in UNIT.read_text().splitlines() if "=" in line and line[0] != "#")
    assert (said["Type"], said["NotifyAccess"], said["KillMode"]) == ("notify", "main", "mixed")
    assert 0 < parse_duration(said["WatchdogSec"]) <= 60
    steps = AuthoredAgent.model_fields["stop_within"].default
    assert parse_duration(said["TimeoutStopSec"]) >= steps + ITS_PARTS
