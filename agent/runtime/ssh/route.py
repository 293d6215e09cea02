"""All connections to one login: who may use which, and who makes a new one."""

import logging
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future

import paramiko

from agent.errors import HostUnreachable
from agent.model.inventory import Login
from agent.runtime.ssh.connection import Connection, Kind
from agent.runtime.ssh.failure import Failure, NoRoom, StaleConnection

log = logging.getLogger("paramedic.ssh")

STOPPING = "the agent is stopping"


class Route:
    """Thread-safe. The lock is never held while anything is sent or awaited.

    At most one thread makes a connection at a time; those who need one meanwhile wait for it, and share its
    failure: twenty commands for a dead host cost one connect timeout, not twenty.
    """

    def __init__(self, login: Login, dial: Callable[[Login], Connection], clock: Callable[[], float]) -> None:
        self.login = login
        self.names: set[str] = set()
        self._dial = dial
        self._clock = clock
        self._lock = threading.Lock()
        self._connections: list[Connection] = []
        self._attempt: Future[Connection] | None = None
        self._closed = False

    def open(
        self, kind: Kind, channel_on: Callable[[Connection, float], paramiko.Channel]
    ) -> tuple[Connection, paramiko.Channel]:
        """A channel and the connection to give back afterwards.

        A pooled connection that proves stale here is replaced once, silently: nothing was started on it. It
        gets half the connect timeout to prove itself. Raises Failure.
        """
        replaced = False
        while True:
            connection, pooled = self._take(kind, pooled=not replaced)
            timeout = self.login.connect_timeout / 2 if pooled else self.login.connect_timeout
            try:
                return connection, channel_on(connection, timeout)
            except StaleConnection as stale:
                if self._crowded(connection, kind, stale):
                    continue
                if replaced or not pooled:
                    raise Failure(HostUnreachable, str(stale)) from stale
                replaced = True
            except BaseException:
                self.give_back(connection, kind)
                raise

    def _crowded(self, connection: Connection, kind: Kind, stale: StaleConnection) -> bool:
        """Give the connection back: as full, if it serves others but not one more; else as of no further use."""
        with self._lock:
            others = connection.sessions - (kind == "session")
            crowded = isinstance(stale, NoRoom) and others > 0
            if crowded:
                connection.room = others
            else:
                connection.retired = True
        self.give_back(connection, kind)
        return crowded

    def _take(self, kind: Kind, *, pooled: bool = True) -> tuple[Connection, bool]:
        """A connection, counted as used, and whether it was there before."""
        while True:
            with self._lock:
                if self._closed:
                    raise Failure(HostUnreachable, STOPPING)
                connection = self._free(kind) if pooled else None
                if connection is not None:
                    connection.take(kind)
                    return connection, True
                attempt, mine = self._attempt, self._attempt is None
                if attempt is None:
                    attempt = self._attempt = Future()
            if mine:
                return self._connect(attempt, kind), False
            attempt.result()
            pooled = True  # what another thread has just made is fresh enough

    def _free(self, kind: Kind) -> Connection | None:
        """The newest that has room."""
        return next((c for c in reversed(self._connections) if c.usable and c.has_room(kind)), None)

    def _connect(self, attempt: "Future[Connection]", kind: Kind) -> Connection:
        try:
            connection = self._dial(self.login)
        except BaseException as error:
            with self._lock:
                self._attempt = None
            attempt.set_exception(error)
            raise
        with self._lock:
            self._attempt = None
            too_late = self._closed
            if not too_late:
                connection.take(kind)
                self._connections.append(connection)
        if too_late:
            connection.close()
            stopping = Failure(HostUnreachable, STOPPING)
            attempt.set_exception(stopping)
            raise stopping
        attempt.set_result(connection)
        return connection

    def give_back(self, connection: Connection, kind: Kind) -> None:
        with self._lock:
            connection.give_back(kind, self._clock())
            done = self._remove(c for c in self._connections if c.idle and not c.usable)
        _close(done)

    def close_idle(self) -> None:
        """Close what nobody has used for the login's idle timeout, and what broke meanwhile."""
        with self._lock:
            oldest = self._clock() - self.login.idle_timeout
            done = self._remove(c for c in self._connections if c.idle and (not c.usable or c.last_used <= oldest))
        _close(done)

    def drop(self) -> None:
        """Close everything now, commands in progress included."""
        with self._lock:
            done = self._remove(self._connections)
        _close(done)

    def close(self) -> None:
        with self._lock:
            self._closed = True
        self.drop()

    def counts(self) -> tuple[int, int]:
        """(connections, sessions) open now."""
        with self._lock:
            alive = [c for c in self._connections if c.transport.is_active()]
            return len(alive), sum(c.sessions for c in alive)

    def _remove(self, unwanted: Iterable[Connection]) -> list[Connection]:
        done = list(unwanted)
        self._connections = [c for c in self._connections if c not in done]
        return done


def _close(connections: Iterable[Connection]) -> None:
    for connection in connections:
        log.debug("closing the connection to %s port %d", connection.login.address, connection.login.port)
        connection.close()
