"""Named places where the process may die at the worst moment: `make torture` lets it die there.

In production nobody watches, and to reach one costs a comparison. What holds across each of them is promised in
docs/architecture.md, and shown by the torture.
"""

from collections.abc import Callable
from enum import StrEnum


class CrashPoint(StrEnum):
    """In the order in which a life comes by. "Effect": what is done outside; "result": what is said of it here."""

    # start
    OPENED = "the record is open, nothing is read of it yet"
    LOADED = "all that is on record is in memory, the start is not on record"
    STARTED = "the start is on record, nothing is taken up again"
    RESUMING = "some of the steps that were left are taken up again, others are not"
    READY = "everything runs"

    # a decision
    DECIDED = "decided, nothing is committed"
    HALF_WRITTEN = "state, steps and ticket updates are in the transaction, its timeline entries are not"
    BEFORE_COMMIT = "all rows of a transaction are written, it is not committed"
    COMMITTED = "committed, nothing is told or begun"
    HANDED_OVER = "what was committed is handed to those who carry it out, nobody is answered yet"

    # a step
    STEP_UNCLAIMED = "a step is about to be claimed"
    STEP_CLAIMED = "a step is claimed, its command is not sent"
    STEP_DONE = "a step's command has ended, its result is told nobody"
    STEP_TOLD = "a step's result is handed in, not decided"

    # a ticket update
    TICKET_UNSOUGHT = "a ticket is about to be looked for"
    TICKET_NOT_FOUND = "there is no ticket, it is about to be created"
    TICKET_CREATED = "a ticket is created, nothing here knows it"
    TICKET_UPDATED = "a ticket is brought up to date, nothing here knows it"
    TICKET_UNWRITTEN = "what came of a delivery is known, about to be written down"
    TICKET_WRITTEN = "what came of a delivery is written down"

    # a backup
    COPIED = "a backup is copied, not on the disk for sure"
    COPY_UNNAMED = "a backup is on the disk, not under its name"
    COPY_NAMED = "a backup has its name, its folder is not on the disk for sure"

    # stop
    STOPPING = "told to stop, nothing has stopped"
    STEPS_STOPPED = "no step begins any more, the deciding loop still runs"
    LOOP_STOPPED = "nothing is decided any more, the record is open"


_watch: Callable[[CrashPoint], None] | None = None


def watch(by: Callable[[CrashPoint], None] | None) -> None:
    """`by` is called, in whatever thread, each time one is reached; None: nobody watches."""
    global _watch
    _watch = by


def reached(point: CrashPoint) -> None:
    if _watch is not None:
        _watch(point)
