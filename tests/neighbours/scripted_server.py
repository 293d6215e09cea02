"""A TCP server that does to each connection what the test wrote down: for answers no decent server gives."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

Script = Callable[[socket.socket, threading.Event], None]
"""Given a connection and what is set when the test is over; the connection is closed afterwards."""


class ScriptedServer:
    """Listens on loopback from `with` on; `tls`: wraps each connection, whose script sees plain text."""

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None) -> None:
        self._script = script
        self._tls = tls
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        self._threads.append(threading.Thread(target=self._accept))
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # shut down: the test is over
            while True:
                connection, _ = self._listener.accept()
                self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
                self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(30)
        with contextlib.suppress(OSError), connection:  # who asked may hang up at any time
            if self._tls:
                with self._tls.wrap_socket(connection, server_side=True) as secure:
                    self._script(secure, self._over)
            else:
                self._script(connection, self._over)


def sends(*pieces: bytes) -> Script:
    """Waits for a request, sends the pieces and hangs up."""

    def script(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(65536)
        for piece in pieces:
            connection.sendall(piece)
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
        connection.recv(1)

    return script


def drips(start: bytes, drop: bytes) -> Script:
    """Sends `start` and then `drop` again and again, so slowly that no single read ever takes long."""

    def script(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(start)
        while not over.wait(0.02):
            connection.sendall(drop)

    return script


def floods(start: bytes) -> Script:
    """Sends `start` and then as much as is taken, without end."""

    def script(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(start)
        while not over.is_set():
            connection.sendall(b"x" * 65536)

    return script


def silent(connection: socket.socket, over: threading.Event) -> None:
    """Never says a word."""
    over.wait()
