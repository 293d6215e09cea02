"""What is on disk of a drill under way: enough to put everything back, whoever finds it."""

import fcntl
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from agent.drill.dead_man import Undoing
from agent.errors import ParamedicError, StoreCorrupt
from agent.model.drill_result import Judged
from agent.runtime.store import codec

_BEGUN = "begun.json"
_ABORT = "abort"
_RESULT = "result.json"


class DrillRefused(ParamedicError):
    """The drill does not start, and nothing was touched. The text says why."""


@dataclass(frozen=True, slots=True)
class Begun:
    """Written before anything is done on any host. `undos` in the order in which they are played; `timer`: name of
    the dead-man timers' folders; `injected`: the faults that may have been made; `checks`, `within`: of the steady
    state, seconds; `expected`: as it was before anything was judged. Times in seconds since the epoch.
    """

    id: str
    drill: str
    title: str
    form: str
    digest: str
    actor: str
    started_at: float
    pid: int
    allowed: tuple[str, ...]
    most: int
    undos: tuple[Undoing, ...]
    timer: str
    checks: tuple[str, ...] = ()
    within: float = 60.0
    injected: tuple[str, ...] = ()
    expected: tuple[Judged, ...] = ()
    objectives: Mapping[str, str] = field(default_factory=dict)


def write(folder: Path, begun: Begun) -> None:
    """It is on the disk when this returns. Raises OSError."""
    fresh = folder / f"{_BEGUN}.new"
    with fresh.open("w", encoding="utf-8") as file:
        file.write(codec.dump(begun))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(folder / _BEGUN)
    for place in (folder, folder.parent):
        _sync(place)


def half_done(drills: Path) -> list[Path]:
    """Folders of drills that were begun and have no result. Raises OSError."""
    found = [each for each in sorted(drills.glob("DRILL-*")) if (each / _BEGUN).exists()]
    return [each for each in found if not (each / _RESULT).exists()]


def read(folder: Path) -> Begun:
    """Raises StoreCorrupt, OSError."""
    try:
        return codec.load(Begun, (folder / _BEGUN).read_text(encoding="utf-8"), str(folder / _BEGUN))
    except UnicodeDecodeError as error:
        raise StoreCorrupt(f"{folder / _BEGUN} cannot be read: {error}") from error


def ask_to_abort(folder: Path, reason: str) -> None:
    """The drill of this folder sees it within a second. Raises OSError."""
    fresh = folder / f"{_ABORT}.new"
    fresh.write_text(reason, encoding="utf-8")
    fresh.replace(folder / _ABORT)


def asked_to_abort(folder: Path) -> str | None:
    """Why, if somebody wants it."""
    with suppress(OSError):
        return (folder / _ABORT).read_text(encoding="utf-8", errors="replace")
    return None


class OneAtATime:
    """Held by the drill that runs, and given back by the kernel however its process ends. Raises DrillRefused."""

    def __init__(self, drills: Path) -> None:
        drills.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = drills / "lock"
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise DrillRefused(f"another drill is under way: {holder(drills) or 'it has just begun'}") from None

    def named(self, id: str) -> None:
        """Whose it is."""
        os.pwrite(self._file, f"{id} {os.getpid()}\n".ljust(40).encode(), 0)

    def close(self) -> None:
        os.ftruncate(self._file, 0)
        os.close(self._file)


def holder(drills: Path) -> str | None:
    """Id of the drill that is under way now, as far as it is known."""
    try:
        file = os.open(drills / "lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(file, 40, 0).decode(errors="replace").split(" ")[0].strip() or None
    finally:
        os.close(file)
    return None


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
