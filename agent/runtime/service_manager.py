"""Telling systemd how we are: the datagram protocol of sd_notify(3). Without systemd every call does nothing."""

import os
import socket
import time

from agent.model.text import one_line

_TIMES = 10
_SHOWN = 500
"""Characters of a status that says what somebody else has said."""

_HEARS_WITHIN = 1.0
"""Seconds the deciding loop waits at the most for room in systemd's socket."""


class ServiceManager:
    """Says READY, STATUS, WATCHDOG … to the socket named by $NOTIFY_SOCKET."""

    def __init__(self, environment: dict[str, str] | None = None) -> None:
        environment = dict(os.environ) if environment is None else environment
        self._address = environment.get("NOTIFY_SOCKET", "")
        if self._address.startswith("@"):
            self._address = "\0" + self._address[1:]
        watchdog = environment.get("WATCHDOG_USEC", "")
        ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog: float | None = int(watchdog) / 1e6 if watchdog.isdigit() and ours else None
        """Seconds within which WATCHDOG must be said again; None when nobody waits for it."""
        self._alive_again = 0.0

    def ready(self, status: str) -> None:
        self._say(f"READY=1\nSTATUS={status}")

    def status(self, status: str) -> None:
        self._say(f"STATUS={one_line(status, _SHOWN)}")

    def alive(self) -> None:
        """Only the deciding loop may say this: a loop that hangs must be restarted.

        It says so at every round, thousands of times a second in a storm; systemd hears ten within its limit.
        """
        now = time.monotonic()
        if self.watchdog is not None and now >= self._alive_again:
            self._alive_again = now + self.watchdog / _TIMES
            self._say("WATCHDOG=1")

    def reloading(self, monotonic_usec: int) -> None:
        self._say(f"RELOADING=1\nMONOTONIC_USEC={monotonic_usec}")

    def stopping(self, status: str, within: float) -> None:
        """`within`: seconds until we have ended; systemd waits so long, or its TimeoutStopSec= if that is longer."""
        self._say(f"STOPPING=1\nEXTEND_TIMEOUT_USEC={int(within * 1e6)}\nSTATUS={status}")

    def _say(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.settimeout(_HEARS_WITHIN)
                channel.connect(self._address)
                channel.sendall(message.replace("\r", " ").encode())
        except OSError:
            pass  # systemd going away, or being too busy to listen, must not take us along
