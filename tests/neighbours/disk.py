"""A small disk of a test's own: to fill, to free, to make fail, and to cut the power of. Needs root.

The file system is ext4 on a file, by a loop device: what it does when it is full, fails or loses power is
what operators meet.
"""

import ctypes
import errno
import fcntl
import os
import subprocess
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.neighbours import available

_SHUTDOWN = 0x8004587D
"""EXT4_IOC_SHUTDOWN, _IOR('X', 125, __u32): every read and write fails from then on; see linux/fs/ext4/ioctl.c."""

_NOTHING_FLUSHED = ctypes.c_uint32(2)
"""EXT4_GOING_FLAGS_NOLOGFLUSH: what was not synced is lost, as when the power fails."""


def missing() -> str | None:
    """Why there can be no such disk here."""
    if os.geteuid() != 0:
        return "mounting needs root"
    done = subprocess.run(["losetup", "--find"], capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else f"there is no loop device: {done.stderr.strip()}"


class Disk:
    """Mounted at `path` while entered."""

    def __init__(self, path: Path, *, megabytes: int = 12) -> None:
        available.require("a disk to fill and to break", missing(), "run the tests as root, with loop devices")
        self.path = path
        self._image = path.with_name(f"{path.name}.image")
        self._ballast = path / "ballast"
        path.mkdir(parents=True)
        with self._image.open("wb") as image:
            image.truncate(megabytes << 20)
        _run("mkfs.ext4", "-q", "-F", "-m", "0", "-E", "lazy_itable_init=0", str(self._image))

    def __enter__(self) -> Self:
        self.mount()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(AssertionError):
            self.unmount()
        self._image.unlink()

    def mount(self, *options: str) -> None:
        _run("mount", "-o", ",".join(("loop", "nodev", *options)), str(self._image), str(self.path))

    def unmount(self) -> None:
        """At once where nobody uses it, else as soon as nobody does."""
        _run("umount", "--lazy", str(self.path))

    def remount(self, option: str) -> None:
        """`ro` or `rw`. AssertionError while files are open for writing."""
        _run("mount", "-o", f"remount,{option}", str(self.path))

    def fill(self) -> None:
        """To the last byte."""
        for size in (1 << 20, 1 << 12, 1):
            with suppress(OSError), self._ballast.open("ab", buffering=0) as ballast:
                while ballast.write(bytes(size)) == size:
                    pass

    def free(self) -> None:
        self._ballast.unlink()

    def cut_power(self) -> None:
        """What was not synced is lost, and nothing can be read or written until it is mounted anew."""
        folder = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, _SHUTDOWN, bytes(_NOTHING_FLUSHED))
        except OSError as error:
            if error.errno in (errno.ENOTTY, errno.EOPNOTSUPP):
                available.require(
                    "cutting a disk's power", "this kernel's ext4 cannot shut down", "Linux 4.11 or later"
                )
            raise
        finally:
            os.close(folder)


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
