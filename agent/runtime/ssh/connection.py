"""One authenticated connection and what runs over it."""

from collections.abc import Callable
from typing import Literal

import paramiko

from agent.errors import HostUnreachable
from agent.model.inventory import Login
from agent.runtime.ssh.failure import Failure, StaleConnection
from agent.runtime.ssh.wire import Transport

SESSIONS = 8
"""Commands at once over one connection. sshd's MaxSessions is 10 unless somebody changed it."""

USES = 1000
"""Channels over one connection before it is replaced: paramiko remembers the number of every channel it ever
opened, and a daemon's connections would otherwise live, and grow, for ever."""

PROBE = 2.0
"""Seconds a jump host has to show that it is there."""

Kind = Literal["session", "direct-tcpip"]


class Connection:
    """Counts are guarded by the lock of the `Route` it belongs to; opening a channel needs no lock."""

    def __init__(self, transport: Transport, login: Login, now: float) -> None:
        self.transport = transport
        self.login = login
        self.sessions = 0
        self.tunnels = 0
        self.uses = 0
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
        return kind == "direct-tcpip" or self.sessions < SESSIONS

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
        """Raises StaleConnection: nothing was started, another connection may do."""
        try:
            return self.transport.open_session(timeout=timeout)
        except paramiko.ChannelException as error:
            raise StaleConnection("the host refuses to open one more session") from error
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise StaleConnection("the host does not open a session on an established connection") from error

    def open_tunnel(self, address: str, port: int, timeout: float) -> paramiko.Channel:
        """RFC 4254 7.2. Raises StaleConnection, or Failure when this host cannot or will not reach the address."""
        try:
            return self.transport.open_channel("direct-tcpip", (address, port), ("127.0.0.1", 0), timeout=timeout)
        except paramiko.ChannelException as error:
            text = f"it opens no way to {address} port {port}: {error.text.lower()}"
            raise Failure(HostUnreachable, text) from error
        except (paramiko.SSHException, EOFError, OSError) as error:
            if self._answers():
                text = f"{address} port {port} does not answer it within {timeout:g} s"
                raise Failure(HostUnreachable, text) from error
            raise StaleConnection("it does not answer on an established connection") from error

    def _answers(self) -> bool:
        """Tells a silent host behind this one from a silent connection to this one."""
        try:
            self.transport.open_session(timeout=PROBE).close()
        except paramiko.ChannelException:
            return True
        except (paramiko.SSHException, EOFError, OSError):
            return False
        return True

    def close(self) -> None:
        self.transport.close()
        then, self.on_close = self.on_close, None
        if then is not None:
            then()
