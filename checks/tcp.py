"""Whether something listens on a TCP port, and what it says."""

import socket
import time
from collections.abc import Mapping, Sequence
from typing import ClassVar

from pydantic import Field

from agent.model.inventory import Host
from agent.model.observation import Answer, Verdict
from agent.model.pattern import Expression
from agent.model.text import one_line
from agent.model.threshold import Reading, Unit
from agent.plugin.api import CheckPorts, CheckType
from agent.plugin.network import connect, say_failure, say_silence

_KEPT = 65536
"""Bytes in which the expected text must appear."""


class Tcp(CheckType):
    """Connects to a TCP port from this machine; on demand sends a text first and waits for an answer.

    Refused, reset and no answer in time are critical. A name that does not resolve, or no way out of
    this machine, is UNKNOWN: nobody was asked. The time limit is for all addresses of the host together.

    Example:
        cache:
          kind: tcp
          on: group:cache
          port: 6379
          send: "PING\\r\\n"
          expect: \\+PONG
          every: 15s
          warning: latency > 1s
    """

    kind: ClassVar[str] = "tcp"
    readings: ClassVar[Mapping[str, Reading] | None] = {
        "latency": Reading(Unit.SECONDS, "until connected, or until the expected text had come"),
    }
    host: str | None = Field(None, description="Name or address to connect to; default: the host the check is on.")
    port: int = Field(ge=1, le=65535, description="Port to connect to.")
    send: str | None = Field(None, description="Text to send once connected; within double quotes \\r\\n ends a line.")
    expect: Expression | None = Field(
        None, description="Regular expression to be found in the first 64KiB that come back."
    )

    def ask(self, target: Host, ports: CheckPorts) -> Sequence[Answer]:
        began = time.monotonic()
        try:
            with connect(self.host or target.target, self.port, ports.timeout) as connection:
                wrong = self._converse(connection, began + ports.timeout)
        except TimeoutError:
            return [self._critical(say_silence(ports.timeout))]
        except OSError as error:
            return [self._critical(say_failure(error))]
        latency = time.monotonic() - began
        if wrong:
            return [self._critical(wrong)]
        return [Answer({"latency": latency}, message=f"port {self.port} answers in {latency * 1000:.0f}ms")]

    def _critical(self, text: str) -> Answer:
        return Answer({}, Verdict.CRITICAL, one_line(f"port {self.port}: {text}"))

    def _converse(self, connection: socket.socket, deadline: float) -> str:
        """What is wrong with the answer; empty when nothing is. Raises OSError."""
        if self.send is not None:
            connection.settimeout(_left(deadline))
            connection.sendall(self.send.encode())
        if self.expect is None:
            return ""
        received = bytearray()
        while len(received) < _KEPT:
            try:
                connection.settimeout(_left(deadline))
                piece = connection.recv(4096)
            except TimeoutError:
                return f"expected {self.expect.pattern!r}, got in time only {_quoted(received)}"
            if not piece:
                break
            received += piece
            if self.expect.is_in(received.decode("utf-8", "replace")):
                return ""
        return f"expected {self.expect.pattern!r}, got {_quoted(received)}"


def _left(deadline: float) -> float:
    """Seconds. Raises TimeoutError when none is left: where something is always there to read, no read would."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _quoted(received: bytes | bytearray) -> str:
    return repr(one_line(received[:400].decode("utf-8", "replace"), 80)) if received else "nothing"
