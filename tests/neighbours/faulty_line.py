"""A TCP line to a real server, that fails in the ways lines and servers do."""

import contextlib
import select
import socket
import struct
import threading
from types import TracebackType
from typing import Self

from tests.neighbours.scripted_server import Script

CHUNK = 65536
LOOK = 0.2
"""Seconds between two looks whether the line is to be hung up."""

AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER: close by a reset."""


class FaultyLine:
    """Listens on loopback from `with` on, on the same port whatever befalls it, and leads to `upstream` (a port).

    `hang_up_after`: bytes that a new connection brings back before it breaks; `delay`: seconds each piece takes.
    """

    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        self.hang_up_after: int | None = None
        self.delay = 0.0
        self._script: Script | None = None
        self._frozen = threading.Event()
        self._over = threading.Event()
        self._end = threading.Event()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        self._listen()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.refuse()

    def restore(self) -> None:
        """As at first: whatever was wrong is over, connections there were are gone."""
        self.refuse()
        self._script, self.hang_up_after, self.delay = None, None, 0.0
        self._frozen.clear()
        self._over, self._end = threading.Event(), threading.Event()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._listen()

    def refuse(self) -> None:
        """Nobody listens, and those who are connected are cut off."""
        self._over.set()
        self._end.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def freeze(self) -> None:
        """Connections are accepted, and nothing comes through; not through those that were there either."""
        self._frozen.set()

    def answer(self, script: Script) -> None:
        """Whoever connects from now on meets with this instead of the server; others are cut off."""
        self._script = script
        self._end.set()
        self._end = threading.Event()

    def _listen(self) -> None:
        accepting = threading.Thread(target=self._accept, args=(self._listener, self._over))
        self._threads.append(accepting)
        accepting.start()

    def _accept(self, listener: socket.socket, over: threading.Event) -> None:
        with contextlib.suppress(OSError):  # shut down
            while not over.is_set():
                connection, _ = listener.accept()
                serving = threading.Thread(target=self._serve, args=(connection, over, self._end))
                self._threads.append(serving)
                serving.start()

    def _serve(self, near: socket.socket, over: threading.Event, end: threading.Event) -> None:
        with contextlib.suppress(OSError), near:  # who asked may hang up at any time
            near.settimeout(30)
            if self._script:
                self._script(near, over)
                return
            with socket.create_connection(("127.0.0.1", self.upstream), timeout=30) as far:
                self._pass_on(near, far, over, end)
            near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)

    def _pass_on(self, near: socket.socket, far: socket.socket, over: threading.Event, end: threading.Event) -> None:
        left = self.hang_up_after
        while not (over.is_set() or end.is_set()):
            if self._frozen.is_set():
                over.wait(LOOK)
                continue
            readable, _, _ = select.select([near, far], [], [], LOOK)
            for source in readable:
                data = source.recv(CHUNK if left is None else max(1, min(left, CHUNK)))
                over.wait(self.delay)
                (far if source is near else near).sendall(data)
                if source is far and left is not None:
                    left -= len(data)
                if not data or left == 0:
                    return
