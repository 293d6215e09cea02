"""The processes of this machine, read once for all checks of a pass."""

import pwd
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from agent.errors import CannotAsk
from agent.plugin.api import ProcessInfo
from agent.runtime.clock import elapsed

_ATTRIBUTES = ["pid", "name", "cmdline", "uids", "status", "cpu_times", "memory_info", "create_time"]
_DEAD = frozenset({psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD})


def _refuse_half_a_view() -> None:
    """proc(5), hidepid: whoever may not read of process 1, which always runs, sees his own processes only."""
    try:
        Path("/proc/1/stat").read_bytes()
    except OSError as error:
        raise CannotAsk(
            "processes of other users are hidden from the agent; if systemd runs it: systemctl edit paramedic,"
            " and there [Service] ProtectProc=default"
        ) from error


class ProcessSnapshot:
    """Hands out the last reading while it is younger than `max_age` seconds, else takes a new one.

    A treatment may have changed everything since, so whoever asks says from when on the reading must be.

    Thread-safe: who asks while a reading is under way waits for it instead of taking another.
    """

    def __init__(self, max_age: float = 0.5) -> None:
        self._max_age = max_age
        self._lock = threading.Lock()
        self._taken = -max_age
        self._began = 0.0
        self._processes: tuple[ProcessInfo, ...] = ()
        self._users: dict[int, str] = {}
        # An age is no shorter or longer when the wall clock is set, and a process is the same as before.
        self._booted = time.time() - elapsed()

    def processes(self, since: float = 0.0) -> Sequence[ProcessInfo]:
        """Every process, those that vanish while being read left out, as read after `since` (monotonic seconds).

        Raises CannotAsk where not all can be seen: what is hidden must not be taken for dead.
        """
        with self._lock:
            if time.monotonic() - self._taken >= self._max_age or self._began < since:
                self._began = time.monotonic()
                self._processes = self._read()
                self._taken = time.monotonic()
            return self._processes

    def _read(self) -> tuple[ProcessInfo, ...]:
        _refuse_half_a_view()
        # psutil keeps Process objects with their start time; after a pid is reused that time is the old one's.
        psutil.process_iter.cache_clear()
        booted = psutil.boot_time()  # by the wall clock as it is now, from which psutil counts
        return tuple(self._info(each, booted) for each in psutil.process_iter(_ATTRIBUTES))

    def _info(self, process: psutil.Process, booted: float) -> ProcessInfo:
        """What may not be read (another user's, a zombie's) is empty or 0."""
        found = process.info
        times, memory, users = found["cpu_times"], found["memory_info"], found["uids"]
        return ProcessInfo(
            pid=found["pid"],
            name=found["name"] or "",
            command_line=tuple(found["cmdline"] or ()),
            user=self._user(users.real) if users else "",
            alive=found["status"] not in _DEAD,
            cpu_seconds=times.user + times.system if times else 0.0,
            memory=memory.rss if memory else 0,
            started=self._booted + found["create_time"] - booted if found["create_time"] else 0.0,
            seen=self._booted + elapsed(),
        )

    def _user(self, uid: int) -> str:
        """Remembered: on a machine with LDAP each look-up may be a network request."""
        if uid not in self._users:
            try:
                self._users[uid] = pwd.getpwuid(uid).pw_name
            except KeyError:
                self._users[uid] = str(uid)
        return self._users[uid]
