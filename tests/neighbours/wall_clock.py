"""A wall clock that a test sets while a program runs: libfaketime (Debian: faketime), for that program alone.

What the program measures by (CLOCK_MONOTONIC, CLOCK_BOOTTIME) goes on as it is. The library's `clock_nanosleep`
refuses what Python's `time.sleep` asks of it: a program that sleeps so fails. And of the signals that end a program
politely it loses some: end it by SIGKILL.
"""

from pathlib import Path

from tests.neighbours import available

_LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))


class WallClock:
    """Right, until it is `set_by`. `environment`: what the program must be started with."""

    def __init__(self, folder: Path) -> None:
        missing = None if _LIBRARIES else "libfaketime is not installed"
        available.require("a wall clock to set", missing, "apt-get install faketime")
        self._file = folder / "wall-clock"
        self.set_by(0.0)
        self.environment = {
            "LD_PRELOAD": str(_LIBRARIES[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def set_by(self, seconds: float) -> None:
        """So far from the right time, forward if positive. In one piece: the program may be reading."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{seconds:+.3f}\n")
        fresh.rename(self._file)
