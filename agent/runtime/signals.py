"""The signals that tell the daemon what to do, one at a time."""

import os
import signal
from typing import ClassVar


class Signals:
    """SIGTERM, SIGINT and SIGHUP from now on; `get` waits for the next. Made in the main thread, and kept.

    The interpreter's own C handler writes the number into a pipe the moment a signal arrives, whichever thread it
    arrives in. A handler in Python would run only once the main thread next runs Python: a signal that comes just
    before that thread begins to wait for a lock would wait with it, for ever.
    """

    NONE: ClassVar[int] = 0
    """No signal: for another reason to go on."""

    def __init__(self) -> None:
        self._out, self._in = os.pipe()
        os.set_blocking(self._in, False)
        signal.set_wakeup_fd(self._in, warn_on_full_buffer=False)
        self._wanted = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        for number in self._wanted:
            signal.signal(number, _noted_in_the_pipe)

    def get(self) -> int:
        """Waits. The number of the signal, or what was `put`."""
        while (number := os.read(self._out, 1)[0]) not in (*self._wanted, self.NONE):
            pass  # a signal that others handle
        return number

    def put(self, number: int) -> None:
        """From any thread."""
        os.write(self._in, bytes([number]))


def _noted_in_the_pipe(number: int, frame: object) -> None:
    """Stands in the place of what the signal would do by default."""
