"""Who speaks: the UNIX user at the other end of the socket, as the kernel knows him."""

import asyncio
import pwd
import re
import socket
import struct
from asyncio.trsock import TransportSocket
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from uvicorn.protocols.http.h11_impl import H11Protocol

CLAIM_HEADER = "paramedic-for"
"""Who the client says it acts for: sudo's SUDO_USER. A claim, and believed only of root, who may claim anything."""

_ASKS_WITHIN = 30.0
"""Seconds a caller has until the head of his first request is whole."""
_UCRED = struct.Struct("3i")
_USER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}")


@dataclass(frozen=True, slots=True)
class Peer:
    """SO_PEERCRED, unix(7): process, user and group when the connection was made. The group is the primary one."""

    pid: int
    uid: int
    gid: int

    @property
    def user(self) -> str:
        """Name of the user, `uid 1001` for one without."""
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return f"uid {self.uid}"


def peer_of(connection: socket.socket | TransportSocket) -> Peer:
    """The process at the other end of a connected UNIX socket."""
    return Peer(*_UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)))


class PeerProtocol(H11Protocol):
    """uvicorn's HTTP, and every request of the connection knows its `peer`: `request.state.peer`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "peer": peer_of(transport.get_extra_info("socket"))}
        self.loop.call_later(_ASKS_WITHIN, self._hang_up_on_silence)

    def _hang_up_on_silence(self) -> None:
        """uvicorn itself bounds only the pause after a request; who never finishes one would keep his place."""
        if self.cycle is None:
            self.transport.close()


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks or acts; `acting_for` is a claim."""

    peer: Peer
    acting_for: str | None = None

    @property
    def actor(self) -> str:
        """What the record says: `alice`, `uid 1001`, `root (for alice)`."""
        user = self.peer.user
        return f"{user} (for {self.acting_for})" if self.acting_for else user


def _caller(request: Request) -> Caller:
    peer: Peer = request.state.peer
    claim = request.headers.get(CLAIM_HEADER, "")
    believed = peer.uid == 0 and _USER_NAME.fullmatch(claim) and claim != peer.user
    return Caller(peer, claim if believed else None)


WhoCalls = Annotated[Caller, Depends(_caller)]
"""Annotate a parameter of a route with it."""
