"""What is delivered: one wheel with exactly the two packages, whole."""

import zipfile

import pytest

from tests.packaging.documents import ROOT
from tests.packaging.wheel import PACKAGES, built_wheel


@pytest.fixture(scope="module")
def in_the_wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names in it."""
    return set(zipfile.ZipFile(built_wheel(tmp_path_factory.mktemp("source"))).namelist())


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
