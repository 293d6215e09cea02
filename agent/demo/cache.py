"""What takes long to build is built once and kept: downloaded programs, a host's root file system."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_folder() -> Path:
    """`$PARAMEDIC_CACHE`; in a checkout its `.cache`; else the user's own cache folder."""
    if told := os.environ.get("PARAMEDIC_CACHE"):
        return Path(told)
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "pyproject.toml").exists():
        return checkout / ".cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "paramedic"


def kept(name: str, build: Callable[[Path], None]) -> Path:
    """The folder `name` of the cache, made by `build(empty folder)` if it is not there yet.

    Several processes may ask at once: one builds, the others wait for it. What is half built is never
    seen, because the folder is moved into place when it is done; so `build` must make nothing that
    remembers its path.
    """
    place = cache_folder() / name
    if place.exists():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    with locked(place.with_name(f"{name}.lock")):
        if not place.exists():
            unfinished = Path(tempfile.mkdtemp(prefix=f"{name}.", suffix=".unfinished", dir=place.parent))
            try:
                build(unfinished)
                unfinished.chmod(0o755)
                unfinished.rename(place)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
    return place


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time; the lock goes with the process, however it ends."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
