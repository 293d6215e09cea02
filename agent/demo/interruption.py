"""Ctrl-C, `kill` and a terminal that hangs up all tidy up, and none of them between a start and its noting."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Section:
    """Whether an interruption has to wait, and whether one does."""

    closed = False
    waiting = False


@contextmanager
def interruptible() -> Iterator[None]:
    """Each of the signals is a KeyboardInterrupt, also where a shell had SIGINT ignored in the background."""

    def interrupt(number: int, frame: object) -> None:
        if _Section.closed:
            _Section.waiting = True
        else:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """An interruption waits for the end: whoever starts a process must get to know that it did."""
    _Section.closed = True
    try:
        yield
    finally:
        _Section.closed = False
        if _Section.waiting:
            _Section.waiting = False
            raise KeyboardInterrupt
