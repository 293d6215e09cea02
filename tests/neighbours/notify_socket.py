"""The datagram socket that systemd listens on for one service: sd_notify(3)."""

import contextlib
import socket
import threading
import time
from pathlib import Path

from tests.neighbours.waiting import until


class NotifySocket:
    """`heard` are the messages, in order."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.heard: list[str] = []
        self._heard_at = time.monotonic()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def until_heard(self, line: str, *, times: int = 1) -> None:
        until(lambda: self.times(line) >= times, within=45, what=f"systemd hears {line} {times} times: {self.heard}")

    def silent_for(self) -> float:
        """Seconds."""
        return time.monotonic() - self._heard_at

    def close(self) -> None:
        with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as goodbye:
            goodbye.sendto(b"", str(self.path))
        self._thread.join()
        self._socket.close()

    def times(self, line: str) -> int:
        return sum(any(each.startswith(line) for each in message.splitlines()) for message in self.heard)

    def _listen(self) -> None:
        while message := self._socket.recv(65536):
            self.heard.append(message.decode())
            self._heard_at = time.monotonic()
