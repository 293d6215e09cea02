"""The soak in short: nothing leaks, and what does is caught. The whole hour is `make soak`."""

import subprocess
import sys
from pathlib import Path

import pytest

LEAKY = """\
import os
import threading
from typing import ClassVar

from agent.model.observation import Answer
from agent.plugin.api import CheckType

KEPT = []
FOR_EVER = threading.Event()


class Leaky(CheckType):
    kind: ClassVar[str] = "leaky"
    readings: ClassVar[dict] = {}

    def ask(self, target, ports):
        KEPT.append(os.urandom(1_000_000))
        os.dup(0)
        threading.Thread(target=FOR_EVER.wait, daemon=True).start()
        return [Answer({}, message="well")]
"""


def soak(*arguments: str | Path, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "soak", *arguments],
        cwd=Path(__file__).parents[2],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.timeout(900)
def test_nothing_leaks() -> None:
    """In a minute the interpreter's own memory is still settling: twice and more the hour's bound is left to it."""
    done = soak("--minutes", "1", "--percent", "12")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Nothing leaks" in done.stdout


@pytest.mark.timeout(900)
def test_a_check_that_leaks_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin that keeps a megabyte, a descriptor and a thread at every asking."""
    (tmp_path / "leaky.py").write_text(LEAKY)
    described = tmp_path / "leaky-1.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: leaky\nVersion: 1\n")
    (described / "entry_points.txt").write_text("[paramedic.checks]\nleaky = leaky:Leaky\n")
    extra = tmp_path / "extra"
    extra.write_text("  leaky: {kind: leaky, every: 500ms, timeout: 2s}\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done = soak("--minutes", "0.6", "--percent", "12", "--extra", extra)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "LEAK: own memory, threads, descriptors" in done.stdout, done.stdout
