"""Where agents are born: imports all of the agent once, then forks one for each order.

What is born runs `paramedic WORDS` exactly as the command does, in a session of its own; a fork only spares it the
second that Python needs to import everything, five hundred times. `python -m torture.daemon` takes one order as a line
of JSON on standard input and says on standard output who was born and how it ended:

    {"words": ["run", …], "journal": "/…", "crash": ["COMMITTED", 3], "plant": null}   →  {"born": 4711}
    {"kill": 4711, "signal": 9}                                                        →  {"ended": 4711, "status": -9}
"""

import gc
import json
import os
import selectors
import signal
import sys
import threading
import time
from typing import Any

from agent.runtime import crash_points
from agent.runtime.crash_points import CrashPoint
from torture.plants import PLANTS


def main() -> None:
    order = _attend()
    if order is not None:
        _become(order)


def _attend() -> dict[str, Any] | None:
    """Take orders until nobody gives any more; in a newborn, answer what it is to become."""
    _import_everything()
    gc.freeze()  # what is shared with the parent stays shared
    watched = selectors.DefaultSelector()
    watched.register(0, selectors.EVENT_READ)
    waiting = b""
    children: dict[int, int] = {}
    while True:
        for key, _ in watched.select():
            if key.fd in children:
                watched.unregister(key.fd)
                os.close(key.fd)
                pid = children.pop(key.fd)
                _say(ended=pid, status=os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
                continue
            read = os.read(0, 65536)
            if not read:
                return None
            *lines, waiting = (waiting + read).split(b"\n")
            for order in map(json.loads, lines):
                if "kill" in order:
                    if order["kill"] in children.values():  # else it has ended, and may be somebody else by now
                        os.kill(order["kill"], order["signal"])
                    continue
                pid = os.fork()
                if pid == 0:
                    watched.close()
                    return dict(order)
                end = os.pidfd_open(pid)
                children[end] = pid
                watched.register(end, selectors.EVENT_READ)
                _say(born=pid)


def _say(**what: int) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


def _import_everything() -> None:
    import uvicorn.protocols.http.h11_impl  # noqa: F401

    import agent.app  # noqa: F401
    from agent.cli import daemon, main, records  # noqa: F401
    from agent.plugin import registry

    for group in (registry.CHECKS, registry.STEPS, registry.TICKETS):
        for kind in registry.kinds(group):
            registry.load(group, kind, object)


def _become(order: dict[str, Any]) -> None:
    os.setsid()
    journal = os.open(order["journal"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for ours, theirs in ((nothing, 0), (journal, 1), (journal, 2)):
        os.dup2(ours, theirs)
    if "FAKETIME_TIMESTAMP_FILE" in os.environ:
        # libfaketime 0.9 lets every clock_nanosleep fail with EINVAL once the monotonic clock is left alone.
        time.sleep = _sleep  # type: ignore[assignment]
    if order["plant"]:
        PLANTS[order["plant"]]()
    if order["crash"]:
        name, times = order["crash"]
        crash_points.watch(_Assassin(CrashPoint[name], times))
    sys.argv = ["paramedic", *order["words"]]
    from agent.cli.main import main as paramedic

    paramedic()


def _sleep(seconds: float) -> None:
    threading.Event().wait(seconds)


class _Assassin:
    """Kills the process when a point is reached for the n-th time."""

    def __init__(self, point: CrashPoint, times: int) -> None:
        self._point = point
        self._left = times

    def __call__(self, point: CrashPoint) -> None:
        if point is self._point:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
