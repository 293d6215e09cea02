"""Leave of the running agent: asked before a drill, renewed all along, given back at the end."""

import http.client
import json
import logging
import os
import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from agent.drill.begun import DrillRefused

log = logging.getLogger("paramedic.drill")

LEASE = 60.0
"""Seconds that the agent's leave holds when nothing more is heard of the drill."""
_EVERY = 5.0
_ANSWERS_WITHIN = 20.0


class Leave:
    """`scope`: title, hosts, checks and services of the drill. `lost`: why the drill must give way at once."""

    def __init__(self, socket_path: Path, id: str, scope: Mapping[str, object]) -> None:
        self.lost: str | None = None
        self._socket = socket_path
        self._id = id
        self._scope = {**scope, "lease": LEASE}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="leave", daemon=True)

    def begin(self) -> bool:
        """False when no agent runs. Raises DrillRefused with the agent's own reason, or why it cannot be asked."""
        try:
            status, text = self._post((self._id,), self._scope)
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            return False
        except (OSError, http.client.HTTPException) as error:
            raise DrillRefused(f"the running agent cannot be asked for leave on {self._socket}: {error}") from error
        if status >= 300:
            raise DrillRefused(f"the running agent gives no leave: {text}")
        self._thread.start()
        return True

    def end(self, reason: str) -> None:
        """The agent watches for itself again. Where it cannot be told, that is so when the lease is over."""
        self._over.set()
        if not self._thread.is_alive():
            return
        self._thread.join(_ANSWERS_WITHIN)
        try:
            status, text = self._post((self._id, "end"), {"reason": reason})
        except (OSError, http.client.HTTPException) as error:
            log.warning("the running agent could not be told that %s is over: %s", self._id, error)
        else:
            if status >= 300:
                log.warning("the running agent was told that %s is over: %s", self._id, text)

    def _keep(self) -> None:
        """An agent that has gone away takes its leave with it only when it is back and says so."""
        while not self._over.wait(_EVERY):
            try:
                status, text = self._post((self._id,), self._scope)
            except (OSError, http.client.HTTPException) as error:
                log.warning("the running agent does not answer: %s", error)
                continue
            if 400 <= status < 500:
                self.lost = text
                return

    def _post(self, path: tuple[str, ...], body: Mapping[str, object]) -> tuple[int, str]:
        """Status, and the sentence with it. Raises OSError, HTTPException."""
        connection = _Connection(self._socket)
        try:
            target = "/v1/exercises/" + "/".join(quote(part, safe="") for part in path)
            headers = {"Content-Type": "application/json", "Connection": "close"}
            connection.request("POST", target, json.dumps(body), headers)
            response = connection.getresponse()
            return response.status, _sentence(response.read())
        finally:
            connection.close()


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("paramedic", timeout=_ANSWERS_WITHIN)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(os.fspath(self._path))


def _sentence(content: bytes) -> str:
    try:
        said: Any = json.loads(content)
    except ValueError:
        return ""
    return str(said.get("error") or said.get("text") or "") if isinstance(said, dict) else ""
