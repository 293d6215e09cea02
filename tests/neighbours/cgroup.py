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
            until(lambda folder=folder: _removed(folder), within=30, what=f"{folder} is empty")  # type: ignore[misc]


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


def owner_is_gone(name: str) -> bool:
    """Whether this is the name of something that belonged to a test process which no longer lives."""
    found = re.match(r"(?:paramedic-|pmbr|pm)(\d+)x", name)
    return found is not None and not Path(f"/proc/{found[1]}").exists()


def _removed(top: Path) -> bool:
    for folder, _, _ in os.walk(top, topdown=False):
        with contextlib.suppress(OSError):
            Path(folder).rmdir()
    return not top.exists()
