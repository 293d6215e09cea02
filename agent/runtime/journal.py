"""What the daemon says of itself: lines on standard error, with priorities where systemd reads them."""

import logging
import os
import sys
import threading
from collections.abc import Callable
from typing import TextIO

log = logging.getLogger("paramedic")

_PRIORITIES = (
    (logging.CRITICAL, 2),
    (logging.ERROR, 3),
    (logging.WARNING, 4),
    (logging.INFO, 6),
)
"""sd-daemon(3): a line that begins with `<N>` has syslog priority N."""


class _Redacting(logging.Formatter):
    """Tracebacks included, nothing is said before `redact` has seen it, and nothing that a terminal would obey."""

    redact: Callable[[str], str] = staticmethod(str)

    def format(self, record: logging.LogRecord) -> str:
        return _printable(self.redact(super().format(record)))


def _printable(text: str) -> str:
    """Tracebacks and lists of problems keep their lines; all else is shown as its escape."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in "\n\t" else each.encode("unicode_escape").decode() for each in text
    )


class _ForSystemd(_Redacting):
    """No time and no level: journald keeps both."""

    def format(self, record: logging.LogRecord) -> str:
        priority = next((number for level, number in _PRIORITIES if record.levelno >= level), 7)
        return "\n".join(f"<{priority}>{line}" for line in super().format(record).splitlines())


class _ForPeople(_Redacting):
    default_time_format = "%H:%M:%S"
    default_msec_format = "%s.%03d"


def start_journal(level: str, stream: TextIO | None = None, environment: dict[str, str] | None = None) -> None:
    """Send the logging of the whole process to standard error. `level`: debug, info, warning or error."""
    environment = dict(os.environ) if environment is None else environment
    handler = logging.StreamHandler(stream or sys.stderr)
    if "JOURNAL_STREAM" in environment:
        handler.setFormatter(_ForSystemd("%(message)s"))
    else:
        handler.setFormatter(_ForPeople("%(asctime)s %(levelname)-7s %(message)s"))
    logging.basicConfig(handlers=[handler], force=True)
    set_level(level)
    threading.excepthook = _thread_ended
    for chatty in ("apscheduler", "paramiko", "urllib3", "alembic", "uvicorn", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def set_level(level: str) -> None:
    logging.getLogger().setLevel(level.upper())


def _thread_ended(ended: threading.ExceptHookArgs) -> None:
    """Python would print the traceback as it is, secrets and all, past the journal."""
    if ended.exc_type is not SystemExit:
        name = ended.thread.name if ended.thread else "unknown"
        why = (ended.exc_type, ended.exc_value or ended.exc_type(), ended.exc_traceback)
        log.critical("a defect has ended the thread %s", name, exc_info=why)


def redact_journal(redact: Callable[[str], str]) -> None:
    """From now on every line passes through `redact`: secrets are known only once the configuration is."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, _Redacting):
            handler.formatter.redact = redact
