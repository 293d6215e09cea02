"""A control group for each test host.

systemd believes that the cgroup it boots in is all its own. Two hosts in one cgroup would kill each
other's services.
"""

import contextlib
import os
import re
from pathlib import Path

from tests.neighbours.waiting import until

MOUNTED = Path("/sys/fs/cgroup")


class HostCgroup:
    """`folders` are this host's: one on a pure cgroup v2 system, two on a hybrid one."""

    def __init__(self, name: str) -> None:
        self.folders = [parent / name for parent in own_cgroups()]

    def create(self) -> None:
        for folder in self.folders:
            for left_behind in folder.parent.glob("paramedic-*"):
                if owner_is_gone(left_behind.name):
                    _removed(left_behind)
            folder.mkdir()

    def remove(self) -> None:
        """Once its processes are dead; the kernel may take a moment to notice."""
        for folder in self.folders:
            until(lambda folder=folder: _removed(folder), within=30, what=f"{folder} is empty")


def own_cgroups() -> list[Path]:
    """Where this process is in the hierarchies that systemd uses, as folders."""
    folders = []
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "name=systemd":
            folders.append(MOUNTED / "systemd" / path.lstrip("/"))
        elif not controllers:
            unified = MOUNTED if (MOUNTED / "cgroup.controllers").exists() else MOUNTED / "unified"
            folders.append(unified / path.lstrip("/"))
    return [folder for folder in folders if os.access(folder, os.W_OK)]


def owned(thing: str) -> str:
    """A name that says which test process a thing belongs to."""
    return f"paramedic-{_process_namespace()}-{os.getpid()}-{thing}"


def owner_is_gone(name: str) -> bool:
    """Whether this is a name made by `owned`, in a test process that no longer lives.

    Of processes in another process namespace, another container perhaps, nothing is known here.
    """
    found = re.match(r"paramedic-(\d+)-(\d+)-", name)
    return found is not None and int(found[1]) == _process_namespace() and not Path(f"/proc/{found[2]}").exists()


def _process_namespace() -> int:
    return Path("/proc/self/ns/pid").stat().st_ino


def _removed(top: Path) -> bool:
    for folder, _, _ in os.walk(top, topdown=False):
        with contextlib.suppress(OSError):
            Path(folder).rmdir()
    return not top.exists()
