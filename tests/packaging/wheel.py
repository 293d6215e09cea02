"""The wheel, and the program installed from it on a booted host."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement

from tests.neighbours import available
from tests.neighbours.systemd_host import SystemdHost
from tests.packaging.documents import ROOT, typed

PACKAGES = {"agent", "checks"}
PROGRAM = "/opt/paramedic"
_NEEDS_A_NETWORK = ("apt-get ", "python3 -m venv ", f"{PROGRAM}/bin/pip ")


def built_wheel(source: Path) -> Path:
    """Built from a copy in `source`, so that no older build folder can lend it a file."""
    for name in (*PACKAGES, "pyproject.toml", "README.md", "LICENSE"):
        whole = ROOT / name
        if whole.is_dir():
            shutil.copytree(whole, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(whole, source)
    _pip("wheel", "--no-deps", "--wheel-dir", source / "out", source)
    [wheel] = (source / "out").glob("paramedic-*.whl")
    return Path(wheel)


def install(host: SystemdHost, folder: Path) -> None:
    """As docs/installation.md says, in its own words, but for what takes a network, which the host has not.

    In place of that the libraries come from the environment of the tests, and the wheel with them. Nothing is
    started.
    """
    version = host.run("python3 -c 'import sys; print(*sys.version_info[:2], sep=\".\")'").stdout.strip()
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    why_not = None if version == here else f"its libraries are for Python {here}, and the host has {version}"
    available.require("the program on a booted host", why_not, f"run the tests with Python {version}")
    (folder / "source").mkdir()
    (folder / "libraries").mkdir()
    _pip("install", "--no-deps", "--no-index", "--target", folder / "libraries", built_wheel(folder / "source"))
    for name in _needed("paramedic"):
        _copy(name, folder / "libraries")
    script = folder / "libraries" / "bin" / "paramedic"
    host.run(f"python3 -m venv --without-pip {PROGRAM}")
    host.write(
        f"{PROGRAM}/bin/paramedic", f"#!{PROGRAM}/bin/python3\n{script.read_text().partition(chr(10))[2]}", mode="755"
    )
    shutil.rmtree(folder / "libraries" / "bin")
    shutil.copytree(
        folder / "libraries", host.outside(f"{PROGRAM}/lib/python{version}/site-packages"), dirs_exist_ok=True
    )
    for name in ("config", "runbooks", "systemd"):
        shutil.copytree(ROOT / name, host.outside(f"/root/checkout/{name}"))
    lines = [line for line in typed("installation.md", "As a systemd service") if not line.startswith(_NEEDS_A_NETWORK)]
    assert lines[-1] == "systemctl enable --now paramedic"
    host.run("\n".join(["set -eu; cd /root/checkout", *lines[:-1]]), within=170)


def _needed(name: str, known: set[str] | None = None) -> Iterator[str]:
    """Names of all distributions that it needs, those of the needed ones too."""
    known = {name} if known is None else known
    for text in distribution(name).requires or ():
        requirement = Requirement(text)
        if requirement.name not in known and (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
            known.add(requirement.name)
            yield requirement.name
            yield from _needed(requirement.name, known)


def _copy(name: str, to: Path) -> None:
    found = distribution(name)
    for file in found.files or ():
        if ".." not in file.parts and "__pycache__" not in file.parts:
            (to / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(Path(str(found.locate_file(file))), to / file)


def _pip(*words: str | Path) -> None:
    command = [sys.executable, "-m", "pip", words[0], "--quiet", *words[1:]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=170, check=False)
    assert done.returncode == 0, done.stderr
