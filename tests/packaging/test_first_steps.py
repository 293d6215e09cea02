"""What a newcomer meets first: `make`, the set-up, and how the command is called from a checkout."""

import shutil
import subprocess
from pathlib import Path

import pytest

from agent.cli import places
from agent.demo.run import as_typed

ROOT = Path(__file__).parents[2]
WARNING = "WARNING: Location 'https://example.org/simple' is ignored"
PYTHON = f"""\
#!/bin/sh
case "$*" in
    "-m pip "*) for _ in $(seq 70); do echo "{WARNING}" >&2; done; exit "$PIP_ENDS_WITH" ;;
    *--version*) echo "Python 3.11.0" ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """With a virtual environment whose pip has much to say."""
    (tmp_path / "tools").mkdir()
    for name in ("tools/setup", "pyproject.toml", "requirements-dev.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(PYTHON)
    python.chmod(0o755)
    return tmp_path


def set_up(checkout: Path, pip_ends_with: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["tools/setup", "run"],
        cwd=checkout,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "PIP_ENDS_WITH": str(pip_ends_with)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_pip_is_quiet_while_it_works(checkout: Path) -> None:
    done = set_up(checkout, 0)
    assert done.returncode == 0
    assert "WARNING" not in done.stdout + done.stderr
    assert (checkout / ".cache" / "pip.log").read_text().count(WARNING) == 2 * 70, "the packages, then paramedic"


def test_what_pip_said_is_shown_when_it_fails_and_the_next_time_it_is_tried_again(checkout: Path) -> None:
    done = set_up(checkout, 2)
    assert done.returncode == 1
    assert done.stderr.count(WARNING) == 70
    assert ".cache/pip.log" in done.stderr.splitlines()[-1]
    assert "installing the Python packages" in set_up(checkout, 0).stderr


def test_make_run_says_how_to_ask_the_agent_it_starts() -> None:
    told = subprocess.run(["make", "-n", "run"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert ".venv/bin/paramedic status" in told.stdout


def test_the_command_is_named_as_it_can_be_typed_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / ".venv" / "bin" / "paramedic"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", "/nowhere")
    assert as_typed(program, tmp_path) == ".venv/bin/paramedic"
    assert as_typed(program, tmp_path / "elsewhere") == str(program)
    monkeypatch.setenv("PATH", str(program.parent))
    assert as_typed(program, tmp_path) == "paramedic"


def test_the_installed_configuration_is_checked_with_the_folders_that_systemd_gives(tmp_path: Path) -> None:
    given = places.as_the_service_sees(Path("/etc/paramedic"))
    assert (given["STATE_DIRECTORY"], given["RUNTIME_DIRECTORY"]) == ("/var/lib/paramedic", "/run/paramedic")
    assert "STATE_DIRECTORY" not in places.as_the_service_sees(tmp_path)


def test_make_alone_says_all_there_is_to_type() -> None:
    said = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    ).stdout
    makefile = (ROOT / "Makefile").read_text()
    [targets] = [line.split()[1:] for line in makefile.splitlines() if line.startswith(".PHONY:")]
    assert {"audit", "fuzz", "lock", "sbom"} <= set(targets)
    assert sorted(line.split()[1] for line in said.splitlines()) == sorted(targets)
