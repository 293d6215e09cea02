"""Files that are read and parsed once, and again when they change."""

import os
import threading
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Generic, TypeVar

from agent.plugin.files import regular

T = TypeVar("T")

LARGEST = 16 * 2**20
"""Bytes of a file: a hundred thousand host keys."""

Stamp = tuple[int, int, int]
"""Time of last change in ns, size, inode: a file replaced within the clock's grain still differs."""


class ParsedFiles(Generic[T]):
    """What `parse` made of each file. Thread-safe; a file is parsed by one thread while others wait for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._parsed: dict[Hashable, tuple[Stamp, T]] = {}

    def get(self, path: Path, parse: Callable[[], T], variant: Hashable = None) -> T:
        """`variant`: what else the result depends on. Raises OSError, and what `parse` raises."""
        with self._lock:
            about = regular(path, LARGEST)
            stamp = (about.st_mtime_ns, about.st_size, about.st_ino)
            key = (os.fspath(path), variant)
            known = self._parsed.get(key)
            if known is not None and known[0] == stamp:
                return known[1]
            parsed = parse()
            self._parsed[key] = (stamp, parsed)
            return parsed
