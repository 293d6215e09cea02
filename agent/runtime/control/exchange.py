"""One request to an agent's control socket, from the other side of it: HTTP over UNIX, JSON in."""

import http.client
import json
import socket
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

LONGEST = 256 << 20
"""Bytes of an answer: more than the longest story, and less than would use up a machine."""


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
    """Status and content, of which one byte more than LONGEST is read at the most; the socket is closed. `within`:
    seconds for each part of it. Raises OSError and HTTPException.
    """
    target = "/v1/" + "/".join(quote(part, safe="") for part in path) + (f"?{query}" if query else "")
    connection = _Connection(connected, within)
    try:
        told = {"Content-Type": "application/json", "Connection": "close", **(headers or {})}
        connection.request(method, target, json.dumps(body) if body else None, told)
        response = connection.getresponse()
        return response.status, response.read(LONGEST + 1)
    finally:
        connection.close()


class _Connection(http.client.HTTPConnection):
    """Over a socket that is connected already."""

    def __init__(self, connected: socket.socket, within: float) -> None:
        super().__init__("paramedic", timeout=within)
        self.sock = connected

    def send(self, data: Any) -> None:
        try:
            super().send(data)
        except BrokenPipeError:
            return  # the agent has answered before it heard all; its answer is there to be read
