"""The import rules of pyproject.toml are kept, and do find a breach."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LINT_IMPORTS, "--no-cache"], cwd=folder, capture_output=True, text=True, timeout=170, check=False
    )


def test_the_import_rules_are_kept() -> None:
    linted = lint(ROOT)
    assert linted.returncode == 0, linted.stdout


def test_a_decision_that_reads_the_clock_would_be_found(tmp_path: Path) -> None:
    for name in ("agent", "checks"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "agent" / "core" / "breach.py").write_text("import time\n\nNOW = time.monotonic\n")
    linted = lint(tmp_path)
    assert linted.returncode != 0
    assert "agent.core.breach -> time" in linted.stdout
