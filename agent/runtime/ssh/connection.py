"""One authenticated connection and what runs over it."""

from collections.abc import Callable
from typing import Literal

import paramiko

from agent.errors import HostUnreachable
from agent.model.inventory import Login
from agent.runtime.ssh.deadline import Deadline
from agent.runtime.ssh.failure import Failure, NoRoom, StaleConnection
from agent.runtime.ssh.wire import Transport

SESSIONS = 8
"""Commands at once over one connection. sshd's MaxSessions is 10 unless somebody changed it; a host that allows
fewer is believed."""

USES = 1000
"""Channels over one connection before it is replaced: paramiko remembers the number of every channel it ever
opened, and a daemon's connections would otherwise live, and grow, for ever."""

PROBE = 2.0
"""Seconds a jump host has to show that it is there."""

Kind = Literal["session", "direct-tcpip"]


NOWHERE = ("127.0.0.1", 0)
"""Where a tunnel is said to come from."""


class _Refused(Exception):
    """The host will not open this channel; the connection is sound."""


class Connection:
    """Counts are guarded by the lock of the `Route` it belongs to; opening a channel needs no lock."""

    def __init__(self, transport: Transport, login: Login, now: float) -> None:
        self.transport = transport
        self.login = login
        self.sessions = 0
        self.tunnels = 0
        self.uses = 0
        self.room = SESSIONS
        self.retired = False
        self.last_used = now
        self.on_close: Callable[[], None] | None = None

    @property
    def usable(self) -> bool:
        return not self.retired and self.uses < USES and self.transport.is_active()

    @property
    def idle(self) -> bool:
        return self.sessions == 0 and self.tunnels == 0

    def has_room(self, kind: Kind) -> bool:
        return kind == "direct-tcpip" or self.sessions < self.room

    def take(self, kind: Kind) -> None:
        self.uses += 1
        self._count(kind, 1)

    def give_back(self, kind: Kind, now: float) -> None:
        self.last_used = now
        self._count(kind, -1)

    def _count(self, kind: Kind, change: int) -> None:
        if kind == "session":
            self.sessions += change
        else:
            self.tunnels += change

    def open_session(self, timeout: float) -> paramiko.Channel:
        """Raises StaleConnection, or NoRoom: nothing was started, another connection may do."""
        try:
            return self._open("session", None, timeout)
        except _Refused as refusal:
            raise NoRoom("the host refuses to open a session") from refusal

    def open_tunnel(self, address: str, port: int, timeout: float) -> paramiko.Channel:
        """RFC 4254 7.2. Raises StaleConnection, or Failure when this host cannot or will not reach the address."""
        try:
            return self._open("direct-tcpip", (address, port), timeout)
        except _Refused as refusal:
            raise Failure(HostUnreachable, f"it opens no way to {address} port {port}: {refusal}") from refusal
        except StaleConnection as silence:
            if self._answers():
                text = f"{address} port {port} does not answer it within {timeout:g} s"
                raise Failure(HostUnreachable, text) from silence
            raise

    def _answers(self) -> bool:
        """Tells a silent host behind this one from a silent connection to this one."""
        try:
            self._open("session", None, PROBE).close()
        except _Refused:
            return True
        except StaleConnection:
            return False
        return True

    def _open(self, kind: Kind, destination: tuple[str, int] | None, timeout: float) -> paramiko.Channel:
        """Of several refusals at once paramiko reports the reason for one only, the others as a bare SSHException."""
        deadline = Deadline(timeout)
        try:
            return self.transport.open_channel(kind, destination, NOWHERE, timeout=timeout)
        except paramiko.ChannelException as error:
            raise _Refused(error.text.lower()) from error
        except (paramiko.SSHException, EOFError, OSError) as error:
            if self.transport.is_active() and not deadline.passed:
                raise _Refused("refused") from error
            raise StaleConnection("the host does not answer on an established connection") from error

    def close(self) -> None:
        self.transport.close()
        then, self.on_close = self.on_close, None
        if then is not None:
            then()
