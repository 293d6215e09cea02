"""What lies under paramiko: a socket set up for short commands, and a transport that tells of signals.

Three things make stock paramiko slow or costly, and none of them is its cryptography:

- Nagle's algorithm and delayed acknowledgements wait for each other: 40 ms per step. Hence TCP_NODELAY on
  our side and TCP_QUICKACK while a connection is young, since sshd keeps Nagle on for plain commands.
- Its reader thread asks ten times a second whether it shall stop. Ours sleeps for POLL seconds and is woken
  by shutting the socket down.
- It reads every packet with two system calls. We read ahead.
"""

import logging
import signal
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import cast

import paramiko
from paramiko.common import MSG_CHANNEL_FAILURE, MSG_CHANNEL_REQUEST, cMSG_CHANNEL_REQUEST
from paramiko.packet import Packetizer

POLL = 15.0
"""Seconds between two looks of an idle reader thread, and how long a send may make no progress at all."""

READ_AHEAD = 32768
EAGER_READS = 64
"""Reads that acknowledge at once: more than a handshake and the first commands take, few against a flood."""

WINDOW = 512 * 1024
"""Bytes a command may send before we take them: bounds what a flood can pile up in memory per session."""

KEEPALIVE = {socket.TCP_KEEPIDLE: 20, socket.TCP_KEEPINTVL: 5, socket.TCP_KEEPCNT: 4}
"""The kernel notices a vanished peer within 40 s (tcp(7)) and ends the connection; no wake-up of ours is needed."""

UNACKNOWLEDGED = 30_000
"""Milliseconds (TCP_USER_TIMEOUT) after which data the peer's kernel does not acknowledge ends the connection."""

KEY_EXCHANGES = ("curve25519-sha256@libssh.org", "ecdh-sha2-nistp256")
"""Preferred, as they cost a millisecond; the finite-field groups that paramiko also knows take a hundred."""

CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes192-ctr", "aes256-ctr")
MACS = ("hmac-sha2-256", "hmac-sha2-512", "hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com")
RSA_SIGNATURES = ("rsa-sha2-512", "rsa-sha2-256")

NOT_STARTED = -2
"""In place of an exit status."""

logging.getLogger("paramiko").setLevel(logging.WARNING)
# What the transport's thread reports as an error, traceback and all, reaches our caller as an exception.
logging.getLogger("paramiko.transport").setLevel(logging.CRITICAL)


def tune(connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in KEEPALIVE.items():
        connection.setsockopt(socket.IPPROTO_TCP, option, value)


class Wire:
    """The socket-like object that paramiko.Transport asks for, over a TCP socket or a channel of a jump host.

    Only the transport's own thread receives.
    """

    def __init__(self, stream: socket.socket | paramiko.Channel) -> None:
        self._stream = stream
        self._eager = EAGER_READS if isinstance(stream, socket.socket) else 0
        self._ahead = b""
        self._taken = 0
        self._closed = False

    def settimeout(self, seconds: float) -> None:
        self._stream.settimeout(max(seconds, POLL))

    def recv(self, size: int) -> bytes:
        if self._taken == len(self._ahead):
            self._ahead, self._taken = self._stream.recv(READ_AHEAD), 0
            if self._eager and isinstance(self._stream, socket.socket):
                self._eager -= 1
                # The kernel drops back to delayed acknowledgements by itself: tcp(7), "not permanent".
                self._stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        data = self._ahead[self._taken : self._taken + size]
        self._taken += len(data)
        return data

    def send(self, data: bytes) -> int:
        """paramiko would try a send that timed out again, for ever; a peer that takes nothing is lost."""
        try:
            return self._stream.send(data)
        except TimeoutError as error:
            raise ConnectionAbortedError("the peer takes no data") from error

    def close(self) -> None:
        """Wakes the reader thread, which a mere close would leave asleep."""
        if self._closed:
            return
        self._closed = True
        if isinstance(self._stream, socket.socket):
            with suppress(OSError):
                self._stream.shutdown(socket.SHUT_RDWR)
        with suppress(OSError, EOFError, paramiko.SSHException):  # a channel says good-bye, perhaps to nobody
            self._stream.close()


class _Packets(Packetizer):
    """Without the timer thread that paramiko starts for each handshake: ours has its own deadline."""

    def start_handshake(self, timeout: float) -> None:
        return


def _channel_request(channel: paramiko.Channel, message: paramiko.Message) -> None:
    """RFC 4254 6.10: a command killed by a signal has no exit status but an `exit-signal`.

    paramiko passes over it; we give the status a shell would give, 128 plus the signal's number.
    """
    request = paramiko.Message(message.get_remainder())
    if request.get_text() != "exit-signal":
        channel._handle_request(message)  # type: ignore[attr-defined]
        return
    request.get_boolean()
    number = getattr(signal, f"SIG{request.get_text()}", 0)
    channel.exit_status = 128 + number
    channel.status_event.set()


def _channel_failure(channel: paramiko.Channel, message: paramiko.Message) -> None:
    """The host will not start the command. To paramiko that looks just like a connection that broke."""
    channel.exit_status = NOT_STARTED
    channel._request_failed(message)  # type: ignore[attr-defined]


class Transport(paramiko.Transport):
    """An SSH connection tuned for short commands.

    A channel's exit_status is 128 + n after signal n, NOT_STARTED if the host refused the command, and -1 if
    the channel ended without saying more. `host_key_kinds`: what known_hosts holds, to be asked for first.
    """

    _channel_handler_table = {
        **paramiko.Transport._channel_handler_table,  # type: ignore[attr-defined]
        MSG_CHANNEL_REQUEST: _channel_request,
        MSG_CHANNEL_FAILURE: _channel_failure,
    }

    def __init__(self, wire: Wire, host_key_kinds: tuple[str, ...]) -> None:
        super().__init__(cast("socket.socket", wire), default_window_size=WINDOW, packetizer_class=_Packets)
        options = self.get_security_options()
        options.kex = _first(KEY_EXCHANGES, options.kex)
        options.ciphers = CIPHERS
        options.digests = MACS
        known = [name for kind in host_key_kinds for name in (RSA_SIGNATURES if kind == "ssh-rsa" else (kind,))]
        options.key_types = _first(known, options.key_types)


def start_command(channel: paramiko.Channel, command: str) -> None:
    """RFC 4254 6.5. Channel.exec_command waits for the host's confirmation without any time limit; this does not.

    Raises EOFError or SSHException.
    """
    request = paramiko.Message()
    request.add_byte(cMSG_CHANNEL_REQUEST)
    request.add_int(channel.remote_chanid)
    request.add_string("exec")
    request.add_boolean(True)
    request.add_string(command)
    channel.transport._send_user_message(request)  # type: ignore[union-attr]


def _first(preferred: Sequence[str], offered: Sequence[str]) -> tuple[str, ...]:
    """`offered` with the preferred ones in front; what the library does not offer is left out."""
    front = tuple(name for name in preferred if name in offered)
    return front + tuple(name for name in offered if name not in front)
