"""What the daemon says of itself: lines on standard error, with priorities where systemd reads them."""

import logging
import os
import sys
from typing import TextIO

_PRIORITIES = (
    (logging.CRITICAL, 2),
    (logging.ERROR, 3),
    (logging.WARNING, 4),
    (logging.INFO, 6),
)
"""sd-daemon(3): a line that begins with `<N>` has syslog priority N."""


class _ForSystemd(logging.Formatter):
    """No time and no level: journald keeps both."""

    def format(self, record: logging.LogRecord) -> str:
        priority = next((number for level, number in _PRIORITIES if record.levelno >= level), 7)
        return "\n".join(f"<{priority}>{line}" for line in super().format(record).splitlines())


class _ForPeople(logging.Formatter):
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
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for chatty in ("apscheduler", "paramiko", "urllib3", "alembic", "uvicorn", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
