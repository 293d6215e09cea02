"""How full file systems are, in space and in inodes."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, ClassVar

import psutil
from pydantic import AfterValidator, BeforeValidator, Field

from agent.errors import CannotAsk
from agent.model.inventory import Host
from agent.model.observation import Answer, Verdict
from agent.model.text import one_line
from agent.model.threshold import Reading, Unit
from agent.plugin.api import CheckPorts, CheckType

ALL = "all"
_GIB = 2**30
_IMAGES = frozenset({"squashfs", "iso9660", "udf", "cramfs", "erofs", "romfs"})
"""Read-only images: always full, and nothing can be done about it."""


def _as_tuple(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _checked(paths: tuple[str, ...]) -> tuple[str, ...]:
    for path in paths:
        if not path.startswith("/") and path != ALL:
            raise ValueError(f"{path!r} is not a path: write one that begins with /, or `all`")
    if not paths or (ALL in paths and len(paths) > 1):
        raise ValueError("write a path, a list of paths, or `all` alone")
    return paths


class Disk(CheckType):
    """Space and inodes of file systems of this machine; one subject per path, named `HOST PATH`.

    `used` is what `df` shows: the share of the space that ordinary users can have. A path that is not a
    mount point speaks for the file system it lies on. `path: all` is every local file system on a real
    device, each once; pseudo file systems, tmpfs and read-only images are left out. A file system that
    has no inodes of its own (btrfs) has no inode readings. A path that is not there is UNKNOWN.

    Example:
        root-disk:
          kind: disk
          path: /
          every: 30s
          warning: used > 80%
          critical: used > 92% or inodes_used > 95%
          recover: used < 75%
    """

    kind: ClassVar[str] = "disk"
    needs_threshold: ClassVar[bool] = True
    remote: ClassVar[bool] = False
    own_subjects: ClassVar[bool] = True
    readings: ClassVar[Mapping[str, Reading] | None] = {
        "used": Reading(Unit.PERCENT, "space in use, as df shows it", 0.0, 100.0),
        "free": Reading(Unit.BYTES, "space that ordinary users can still have"),
        "inodes_used": Reading(Unit.PERCENT, "inodes in use", 0.0, 100.0),
        "inodes_free": Reading(Unit.NUMBER, "inodes that ordinary users can still have"),
    }
    path: Annotated[tuple[str, ...], BeforeValidator(_as_tuple), AfterValidator(_checked)] = Field(
        description="A path, a list of paths, or `all`.", examples=["/", ["/", "/var"], ALL]
    )

    def ask(self, target: Host, ports: CheckPorts) -> Sequence[Answer]:
        paths = _real_mounts() if self.path == (ALL,) else self.path
        answers = [_answer(f"{target.name} {path}", path) for path in paths]
        if all(answer.verdict is Verdict.UNKNOWN for answer in answers):
            raise CannotAsk("; ".join(answer.message for answer in answers))
        return answers


def _answer(subject: str, path: str) -> Answer:
    try:
        space, inodes = psutil.disk_usage(path), os.statvfs(path)
    except OSError as error:
        return Answer({}, Verdict.UNKNOWN, f"{one_line(path)}: {(error.strerror or str(error)).lower()}", subject)
    usable = space.used + space.free
    readings = {"used": 100.0 * space.used / usable if usable else 0.0, "free": float(space.free)}
    message = f"{readings['used']:.0f}% used, {space.free / _GIB:.1f} GiB free"
    if inodes.f_files:
        used = inodes.f_files - inodes.f_ffree
        usable = used + inodes.f_favail
        readings["inodes_used"] = 100.0 * used / usable if usable else 0.0
        readings["inodes_free"] = float(inodes.f_favail)
        message += f", {readings['inodes_used']:.0f}% of inodes used"
    return Answer(readings, message=message, subject=subject)


def _real_mounts() -> Sequence[str]:
    """The root and every file system on a device, each by its shortest mount point: bind mounts repeat one."""
    shortest = {Path("/").stat().st_dev: "/"}
    mounts = sorted(psutil.disk_partitions(all=False), key=lambda each: len(each.mountpoint))
    for mount in mounts:
        if mount.fstype in _IMAGES:
            continue
        try:
            status = Path(mount.mountpoint).stat()
        except OSError:
            continue  # a mount of another user's or of another name space: not ours to see
        shortest.setdefault(status.st_dev, mount.mountpoint)
    return sorted(shortest.values())
