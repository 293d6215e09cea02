"""Commands on hosts over pooled SSH connections."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import paramiko

from agent.errors import CommandTimedOut, ConnectionLost
from agent.model.command_result import CommandResult
from agent.model.inventory import Login
from agent.runtime.neighbours import Neighbours
from agent.runtime.ssh.connect import Trust, connect
from agent.runtime.ssh.connection import Connection
from agent.runtime.ssh.deadline import Deadline
from agent.runtime.ssh.failure import Failure, Lost
from agent.runtime.ssh.keys import KeyRing
from agent.runtime.ssh.known_hosts import KnownHostsFiles
from agent.runtime.ssh.route import Route
from agent.runtime.ssh.session import Session
from agent.runtime.ssh.wire import Transport

SWEEP = 5.0
"""Seconds between two looks for idle connections."""


@dataclass(frozen=True, slots=True)
class PoolStats:
    """`connections` and `sessions` are open now; `opened` is the number of connections ever made."""

    connections: int
    sessions: int
    opened: int


class SshPool:
    """Runs commands on hosts; thread-safe, made for many worker threads. Close it when done.

    Connections are kept by login and reused, up to SESSIONS commands at once over each, and closed when unused
    for the login's idle timeout. `clock` gives seconds and decides only about that.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        passphrases: Callable[[str], str] = str,
        neighbours: Neighbours | None = None,
    ) -> None:
        """`passphrases`: from the name that a login gives to the passphrase itself; may raise UnknownSecret.
        `neighbours` are told whether hosts could be reached.
        """
        self._neighbours = neighbours or Neighbours()
        self._clock = clock
        self._trust = Trust(KeyRing(passphrases), KnownHostsFiles())
        self._lock = threading.Lock()
        self._routes: dict[Login, Route] = {}
        self._opened = 0
        self._closing = threading.Event()
        self._sweeper: threading.Thread | None = None

    def run(
        self,
        name: str,
        login: Login,
        command: str,
        *,
        timeout: float,
        stdin: bytes | None = None,
        output_limit: int = 65536,
    ) -> CommandResult:
        """Run `command` by the login shell of `login.user`; a non-zero status is a result, not an error.

        `name` is the host's name in the inventory, for errors. `timeout`: seconds from the start of the command;
        connecting has the login's own, and the way through a jump host the same again. `output_limit`: bytes
        kept of each of the two outputs, half from the beginning, half from the end. Without `stdin` the command
        reads end of file. A command killed by signal n has status 128 + n. A command that exits and leaves a
        background process holding its output is over a second after it exits.

        Raises HostUnreachable, HostKeyUnknown, HostKeyChanged, LoginRefused: nothing was started;
        CommandTimedOut, ConnectionLost: what the command did is not known.
        """
        route = self._route(login)
        route.names.add(name)
        try:
            connection, channel = self._session(name, route)
            try:
                return _run(Session(channel, command, stdin, output_limit), name, timeout)
            finally:
                route.give_back(connection, "session")
        except Failure as failure:
            raise failure.kind(name, failure.text) from failure

    def _session(self, name: str, route: Route) -> tuple[Connection, paramiko.Channel]:
        """Ready for a command, on a connection to be given back. Raises Failure."""
        attempt = self._neighbours.attempt(name)
        try:
            opened = route.open("session", Connection.open_session)
        except Failure as failure:
            attempt.failed(failure.text)
            raise
        attempt.answered()
        return opened

    def drop(self, name: str) -> None:
        """Close all connections used under this name; a command in progress ends with ConnectionLost."""
        for route in self._all_routes():
            if name in route.names:
                route.drop()

    def close_idle(self) -> None:
        """What the pool does by itself every SWEEP seconds."""
        for route in self._all_routes():
            route.close_idle()

    def close(self) -> None:
        """Close all connections. Commands in progress end with ConnectionLost, new ones with HostUnreachable."""
        self._closing.set()
        for route in self._all_routes():
            route.close()

    def stats(self) -> PoolStats:
        counts = [route.counts() for route in self._all_routes()]
        return PoolStats(sum(c for c, _ in counts), sum(s for _, s in counts), self._opened)

    def _all_routes(self) -> list[Route]:
        with self._lock:
            return list(self._routes.values())

    def _route(self, login: Login) -> Route:
        with self._lock:
            route = self._routes.get(login)
            if route is None:
                route = self._routes[login] = Route(login, self._dial, self._clock)
                if self._closing.is_set():
                    route.close()
            if self._sweeper is None:
                self._sweeper = threading.Thread(target=self._sweep, name="ssh idle connections", daemon=True)
                self._sweeper.start()
            return route

    def _sweep(self) -> None:
        while not self._closing.wait(SWEEP):
            self.close_idle()

    def _dial(self, login: Login) -> Connection:
        """A new connection, through the jump host's route where there is one. Raises Failure."""
        if login.jump is None:
            return self._made(connect(login, self._trust, None), login)
        jump = self._route(login.jump)
        try:
            via, tunnel = jump.open(
                "direct-tcpip", lambda c, _: c.open_tunnel(login.address, login.port, login.connect_timeout)
            )
        except Failure as failure:
            raise Failure(failure.kind, f"jump host {login.jump.address}: {failure.text}") from failure
        try:
            connection = self._made(connect(login, self._trust, tunnel), login)
        except BaseException:
            jump.give_back(via, "direct-tcpip")
            raise
        connection.on_close = lambda: jump.give_back(via, "direct-tcpip")
        return connection

    def _made(self, transport: Transport, login: Login) -> Connection:
        with self._lock:
            self._opened += 1
        return Connection(transport, login, self._clock())


def _run(session: Session, name: str, timeout: float) -> CommandResult:
    try:
        return session.run(Deadline(timeout))
    except Lost as lost:
        raise ConnectionLost(name, "the connection broke while the command was running") from lost
    except TimeoutError as late:
        so_far = session.so_far(status=-1)
        text = f"the command did not end within {timeout:g} s"
        raise CommandTimedOut(name, text, so_far.stdout, so_far.stderr) from late
