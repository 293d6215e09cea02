"""One request to an agent's control socket, from the other side of it: HTTP over UNIX, JSON in."""

import http.client
import json
import socket
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

LONGEST = 256 << 20
"""Bytes of an answer: more than the longest story, and less than would use up a machine."""


class AnswerTooLong(http.client.HTTPException):
    """More than LONGEST."""

    def __init__(self) -> None:
        super().__init__(f"the agent's answer is longer than {LONGEST >> 20} MiB")


def exchange(
    connected: socket.socket,
    method: str,
    path: Sequence[str],
    *,
    query: str = "",
    body: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
    within: float,
) -> tuple[int, bytes]:
    """Status and content; the socket is closed. `within`: seconds for each part of it.

    Raises OSError and HTTPException: AnswerTooLong, and IncompleteRead for content that breaks off.
    """
    target = "/v1/" + "/".join(quote(part, safe="") for part in path) + (f"?{query}" if query else "")
    connected.settimeout(within)
    connection = _Connection(connected)
    try:
        told = {"Content-Type": "application/json", "Connection": "close", **(headers or {})}
        connection.request(method, target, None if body is None else json.dumps(body), told)
        response = connection.getresponse()
        content = response.read(LONGEST + 1)
        if len(content) > LONGEST:
            raise AnswerTooLong
        if response.length:  # a read of so many bytes at the most does not complain itself
            raise http.client.IncompleteRead(content, response.length)
        return response.status, content
    finally:
        connection.close()


class _Connection(http.client.HTTPConnection):
    """Over a socket that is connected already."""

    def __init__(self, connected: socket.socket) -> None:
        super().__init__("paramedic")
        self.sock = connected

    def send(self, data: Any) -> None:
        try:
            super().send(data)
        except BrokenPipeError:
            return  # the agent has answered before it heard all; its answer is there to be read
