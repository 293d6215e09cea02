"""The signals that tell the daemon what to do, one at a time."""

import signal
from queue import SimpleQueue
from typing import ClassVar


class Signals(SimpleQueue[int]):
    """SIGTERM, SIGINT and SIGHUP from now on; `get` waits for the next. Made in the main thread.

    A handler runs between any two steps of the main thread, perhaps in the midst of `get` or of itself.
    `put` of this queue may do that; `set` of a threading.Event may not, it would wait for itself.
    """

    NONE: ClassVar[int] = 0
    """No signal: for another reason to go on."""

    def __init__(self) -> None:
        super().__init__()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._note)

    def _note(self, number: int, frame: object) -> None:
        self.put(number)
