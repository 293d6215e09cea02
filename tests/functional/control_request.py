"""Speaks to the control API as any program on the machine may."""

import http.client
import json
import os
import socket
from pathlib import Path
from typing import Any

_WITHIN = 30


def request(
    path: Path, method: str, target: str, body: object = None, content: bytes | None = None, **headers: str
) -> tuple[int, Any]:
    """Status and JSON body (text where it is none)."""
    connection = http.client.HTTPConnection("paramedic", timeout=_WITHIN)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(_WITHIN)
    connection.sock.connect(os.fspath(path))
    content = content if content is not None else None if body is None else json.dumps(body).encode()
    sent = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, target, content, sent)
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    try:
        return response.status, json.loads(text)
    except ValueError:
        return response.status, text


def me() -> str:
    import pwd

    return pwd.getpwuid(os.geteuid()).pw_name
