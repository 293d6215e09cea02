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


_FURTHER = "  | "
"""Begins every further line of an event, so that nothing said in a traceback can pass for an event of its own."""

_LINE_LIMIT = 4000
_LINES_LIMIT = 200


class _Redacting(logging.Formatter):
    """An event is one line, whatever it speaks of; only a defect's traceback follows, each line marked.

    Nothing is said before `redact` has seen it, and nothing that a terminal would obey.
    """

    redact: Callable[[str], str] = staticmethod(str)

    def format(self, record: logging.LogRecord) -> str:
        record.message = _printable(self.redact(record.getMessage()).strip())
        if self.usesTime():
            record.asctime = self.formatTime(record, self.datefmt)
        trace = self.formatException(record.exc_info) if record.exc_info and record.exc_info[0] else ""
        return "\n".join([self.formatMessage(record), *_marked(self.redact(trace).splitlines())])


def _marked(lines: list[str]) -> list[str]:
    if len(lines) > _LINES_LIMIT:
        half = _LINES_LIMIT // 2
        lines = [*lines[:half], f"… {len(lines) - 2 * half} lines left out", *lines[-half:]]
    return [_FURTHER + _printable(line) for line in lines]


def _printable(line: str) -> str:
    """What is not printable as its escape, line breaks too."""
    if len(line) > _LINE_LIMIT:
        line = line[: _LINE_LIMIT - 1] + "…"
    if line.isprintable():
        return line
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in line)


class _ForSystemd(_Redacting):
    """No time and no level: journald keeps both."""

    def format(self, record: logging.LogRecord) -> str:
        priority = next((number for level, number in _PRIORITIES if record.levelno >= level), 7)
        return "\n".join(f"<{priority}>{line}" for line in super().format(record).splitlines())


class _ForPeople(_Redacting):
    default_time_format = "%H:%M:%S"
    default_msec_format = "%s.%03d"


def start_journal(
    level: str, stream: TextIO | None = None, environment: dict[str, str] | None = None, *, mark: str = ""
) -> None:
    """Send the logging of the whole process to standard error. `level`: debug, info, warning or error; `mark`: stands
    before every message.
    """
    said = f"{mark} %(message)s" if mark else "%(message)s"
    environment = dict(os.environ) if environment is None else environment
    handler = logging.StreamHandler(stream or sys.stderr)
    if "JOURNAL_STREAM" in environment:
        handler.setFormatter(_ForSystemd(said))
    else:
        handler.setFormatter(_ForPeople(f"%(asctime)s %(levelname)-7s {said}"))
    logging.basicConfig(handlers=[handler], force=True)
    set_level(level)
    threading.excepthook = _thread_ended
    logging.captureWarnings(True)  # a library's may quote what a server said, and Python would print it as it is
    for chatty in ("apscheduler", "paramiko", "alembic", "uvicorn", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # warns of a server's odd headers at each asking


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
