"""What is delivered: one wheel with exactly the two packages, whole."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {"agent", "checks"}


@pytest.fixture(scope="module")
def in_the_wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names in a wheel built from a copy, so that no older build folder can lend it a file."""
    source = tmp_path_factory.mktemp("source")
    for name in (*PACKAGES, "pyproject.toml", "README.md", "LICENSE"):
        whole = ROOT / name
        if whole.is_dir():
            shutil.copytree(whole, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(whole, source)
    # With the build backend of the lock, as it is installed: nothing is fetched that no hash vouches for.
    words = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    built = subprocess.run(
        [*words, "--wheel-dir", source / "out", source], capture_output=True, text=True, timeout=170, check=False
    )
    assert built.returncode == 0, built.stderr
    [wheel] = (source / "out").glob("paramedic-*.whl")
    return set(zipfile.ZipFile(wheel).namelist())


def test_the_wheel_holds_exactly_the_two_packages(in_the_wheel: set[str]) -> None:
    top = {name.split("/")[0] for name in in_the_wheel}
    assert {name for name in top if not name.endswith(".dist-info")} == PACKAGES


def test_no_file_of_the_packages_is_left_out(in_the_wheel: set[str]) -> None:
    """Presets, migrations and other data are easily forgotten: modules are found, data must be named."""
    here = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert here - in_the_wheel == set()
