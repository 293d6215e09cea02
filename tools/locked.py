"""The locks as data: which packages, in which version, with which hashes."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

ROOT = Path(__file__).parents[1]
RUNTIME = ROOT / "requirements.txt"
"""What is installed where the agent runs, and what builds it there."""

DEVELOPMENT = ROOT / "requirements-dev.txt"
"""The same, and what tests and checks it."""

FUZZING = ROOT / "requirements-fuzz.txt"
"""What `make fuzz` needs besides."""

LOCKS = (RUNTIME, DEVELOPMENT, FUZZING)


@dataclass(frozen=True, slots=True)
class Locked:
    """One package. `hashes`: SHA-256 in hex, one for each file it is published as."""

    requirement: Requirement
    hashes: tuple[str, ...]

    @property
    def name(self) -> NormalizedName:
        return canonicalize_name(self.requirement.name)

    @property
    def version(self) -> str:
        """Raises ValueError for what is not one exact version."""
        [exactly] = self.requirement.specifier
        if exactly.operator != "==" or exactly.version.endswith("*"):
            raise ValueError(f"{self.requirement} is not one version")
        return exactly.version

    @property
    def is_for_linux(self) -> bool:
        marker = self.requirement.marker
        return marker is None or marker.evaluate({"sys_platform": "linux", "platform_system": "Linux"})


def read(lock: Path) -> list[Locked]:
    """Every package of a lock, in its order."""
    return list(_read(lock.read_text(encoding="utf-8")))


def _read(text: str) -> Iterator[Locked]:
    for line in text.replace("\\\n", " ").splitlines():
        if line and not line.startswith("-"):
            requirement, *hashes = line.split("--hash=sha256:")
            yield Locked(Requirement(requirement), tuple(each.strip() for each in hashes))
