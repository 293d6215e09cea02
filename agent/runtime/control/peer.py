"""Who speaks: the UNIX user at the other end of the socket, as the kernel knows him."""

import asyncio
import re
import socket
import struct
from asyncio.trsock import TransportSocket
from dataclasses import dataclass

from fastapi import Request
from uvicorn.protocols.http.h11_impl import H11Protocol

CLAIM_HEADER = "paramedic-for"
"""Who the client says it acts for: sudo's SUDO_USER. A claim, and believed only of root, who may claim anything."""

_ASKS_WITHIN = 30.0
"""Seconds a caller has until his request is whole, and to take the answer and make the next request."""
_UCRED = struct.Struct("3i")
_USER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}")


@dataclass(frozen=True, slots=True)
class Peer:
    """SO_PEERCRED, unix(7): process, user and group when the connection was made. The group is the primary one."""

    pid: int
    uid: int
    gid: int


def peer_of(connection: socket.socket | TransportSocket) -> Peer:
    """The process at the other end of a connected UNIX socket."""
    return Peer(*_UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)))


class PeerProtocol(H11Protocol):
    """uvicorn's HTTP, and every request of the connection knows its `peer`: `request.state.peer`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "peer": peer_of(transport.get_extra_info("socket"))}
        self._silence = self.loop.call_later(_ASKS_WITHIN, self._hang_up)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing keeps the connection's memory any longer: who asks a hundred times a second would hold 3,000."""
        self._silence.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """His time begins anew."""
        self._silence.cancel()
        self._silence = self.loop.call_later(_ASKS_WITHIN, self._hang_up)
        super().on_response_complete()

    def _hang_up(self) -> None:
        """uvicorn itself bounds only the pause after a request; who never finishes one, or never takes the answer,
        would keep his place. Not on him whom we let wait.
        """
        if self.cycle is None or self.cycle.more_body or self.cycle.response_complete:
            self.transport.abort()


def claimed(request: Request, user: str) -> str | None:
    """For whom `user`, who calls, says he acts, if that may be believed."""
    claim = request.headers.get(CLAIM_HEADER, "")
    peer: Peer = request.state.peer
    return claim if peer.uid == 0 and _USER_NAME.fullmatch(claim) and claim != user else None
