"""What is installed is what is locked: each package in one version, with a hash for each of its files."""

import re
import tomllib
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.packaging.documents import ROOT, typed
from tools.locked import DEVELOPMENT, FUZZING, LOCKS, RUNTIME, Locked, read
from tools.sbom import needed_by

PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
WANTED = {
    RUNTIME: [*PYPROJECT["project"]["dependencies"], *PYPROJECT["build-system"]["requires"]],
    DEVELOPMENT: [
        *PYPROJECT["project"]["dependencies"],
        *PYPROJECT["build-system"]["requires"],
        *PYPROJECT["project"]["optional-dependencies"]["dev"],
    ],
    FUZZING: PYPROJECT["dependency-groups"]["fuzz"],
}


def packages(lock: Path) -> dict[str, Locked]:
    return {package.name: package for package in read(lock)}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_holds_all_that_is_wanted(lock: Path) -> None:
    locked = packages(lock)
    lacking = []
    for requirement in map(Requirement, WANTED[lock]):
        package = locked.get(canonicalize_name(requirement.name))
        if package is None or package.version not in requirement.specifier:
            lacking.append(f"{requirement}: {package and package.requirement}: make lock")
    assert lacking == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_each_package_has_one_version_and_hashes(lock: Path) -> None:
    found = read(lock)
    assert len({package.name for package in found}) == len(found)
    for package in found:
        assert re.fullmatch(r"\d[\w.]*", package.version)
        assert package.hashes, package.name
        assert all(re.fullmatch(r"[0-9a-f]{64}", each) for each in package.hashes), package.name


@pytest.mark.parametrize("lock", [RUNTIME, DEVELOPMENT], ids=lambda lock: lock.name)
def test_what_a_locked_package_needs_is_locked(lock: Path) -> None:
    locked = packages(lock)
    here = [package for package in locked.values() if package.is_for_linux]
    lacking = {
        f"{need} for {package.name}"
        for package in here
        for need in needed_by(distribution(package.name))
        if need not in locked
    }
    assert lacking == set()


def test_the_agent_is_tested_with_what_it_runs_with() -> None:
    tested = packages(DEVELOPMENT)
    differs = [package.name for package in read(RUNTIME) if tested.get(package.name) != package]
    assert differs == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_nothing_is_built_and_no_registry_is_named(lock: Path) -> None:
    options = [line for line in lock.read_text(encoding="utf-8").splitlines() if not re.match(r"[a-z]| +--hash=", line)]
    assert [line for line in options if line] == ["--only-binary :all:"]


@pytest.mark.parametrize("heading", ["As a systemd service", "Upgrade"])
def test_an_operator_installs_what_is_locked_and_nothing_besides(heading: str) -> None:
    pip = [line.partition("pip install ")[2] for line in typed("installation.md", heading) if "pip install" in line]
    assert pip == ["--require-hashes -r requirements.txt", "--no-deps --no-build-isolation ."]


def test_so_does_the_set_up_of_a_checkout() -> None:
    script = (ROOT / "tools" / "setup").read_text(encoding="utf-8")
    found = re.findall(r"pip_install (-[^;&]+?) *[;&]", script)
    assert found == ["--require-hashes -r requirements-dev.txt", "--no-deps --no-build-isolation -e ."]
