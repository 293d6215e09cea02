"""Leave of the running agent: asked before a drill, renewed all along, given back at the end.

An agent that is started while the drill is under way is asked as soon as it answers.
"""

import http.client
import json
import logging
import os
import socket
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.drill.begun import DrillRefused
from agent.runtime.control.exchange import exchange

log = logging.getLogger("paramedic.drill")

LEASE = 60.0
"""Seconds that the agent's leave holds when nothing more is heard of the drill."""
_EVERY = 5.0
_PAUSE = 1.0
_ILL = ("WARNING", "CRITICAL")
_ANSWERS_WITHIN = 20.0
_NOBODY_THERE = (FileNotFoundError, ConnectionRefusedError, NotADirectoryError)


class Leave:
    """`scope`: title, hosts, checks and services of the drill. `lost`: why the drill must give way at once."""

    def __init__(self, socket_path: Path, id: str, scope: Mapping[str, object]) -> None:
        self.lost: str | None = None
        self._scope_seen = (set(_texts(scope.get("checks"))), set(_texts(scope.get("hosts"))))
        self._socket = socket_path
        self._id = id
        self._scope = {**scope, "lease": LEASE}
        self._given = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="leave", daemon=True)

    def begin(self) -> bool:
        """False when no agent runs. Raises DrillRefused with the agent's own reason, or why it cannot be asked."""
        try:
            status, text = self._post(("exercises", self._id), self._scope)
        except _NOBODY_THERE:
            self._thread.start()
            return False
        except (OSError, http.client.HTTPException) as error:
            raise DrillRefused(f"the running agent cannot be asked for leave on {self._socket}: {error}") from error
        if status >= 300:
            raise DrillRefused(f"the running agent gives no leave: {text}")
        self._given = True
        self._thread.start()
        return True

    def end(self, reason: str) -> None:
        """The agent watches for itself again. Where it cannot be told, that is so when the lease is over."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(_ANSWERS_WITHIN)
        if not self._given:
            return
        try:
            status, text = self._post(("exercises", self._id, "end"), {"reason": reason})
        except (OSError, http.client.HTTPException) as error:
            log.warning("the running agent could not be told that %s is over: %s", self._id, error)
        else:
            if status >= 300:
                log.warning("the running agent was told that %s is over: %s", self._id, text)

    def wait_until_well(self, within: float) -> None:
        """Until the agent too has seen that all is well again, at the longest `within` seconds: what it still takes
        for ill when the drill is over, it takes for real.
        """
        end = time.monotonic() + within
        refused: set[str] = set()
        while self._given and time.monotonic() < end:
            try:
                ill = self._ill()
                for check in ill:
                    status, text = self._post(("checks", check, "ask"), {})
                    if status >= 300 and check not in refused:
                        log.warning("the running agent does not ask %s now: %s", check, text)
                        refused.add(check)
            except (OSError, http.client.HTTPException) as error:
                log.warning("whether the running agent has seen that all is well is not known: %s", error)
                return
            if not ill:
                return
            time.sleep(_PAUSE)

    def _ill(self) -> list[str]:
        """Checks of ours that the agent does not find well on hosts of ours."""
        checks, hosts = self._scope_seen
        return [
            str(check["name"])
            for check in _told(self._socket, "checks").get("checks", ())
            if check["name"] in checks
            and any(s["host"] in hosts | {None} and s["status"] in _ILL for s in check["subjects"])
        ]

    def _keep(self) -> None:
        """An agent that has gone away takes its leave with it only when it is back and says so."""
        while not self._over.wait(_EVERY if self._given else _PAUSE):
            try:
                status, text = self._post(("exercises", self._id), self._scope)
            except (OSError, http.client.HTTPException) as error:
                if self._given:
                    log.warning("the running agent's leave could not be renewed: %s", error)
                continue
            self._given |= status < 300
            if 400 <= status < 500:
                self.lost = text  # and renewed all the same: there is time to undo what was done

    def _post(self, path: tuple[str, ...], body: Mapping[str, object]) -> tuple[int, str]:
        """Status, and the sentence with it. Raises OSError, HTTPException."""
        status, said = _asked(self._socket, "POST", path, body)
        return status, _sentence(said)


def given(socket_path: Path) -> dict[str, float]:
    """Drills that have the running agent's leave, and since when (epoch). Raises OSError, HTTPException."""
    listed = _told(socket_path, "status").get("exercises", ())
    return {str(each["id"]): float(each["since"]) for each in listed}


def give_back(socket_path: Path, id: str, reason: str) -> None:
    """For a drill that is over and could not do it itself. Raises OSError, HTTPException."""
    _asked(socket_path, "POST", ("exercises", id, "end"), {"reason": reason})


def _told(socket_path: Path, what: str) -> Mapping[str, Any]:
    """Raises OSError, HTTPException: a refusal tells nothing."""
    status, content = _asked(socket_path, "GET", (what,), None)
    if status >= 300 or not isinstance(content, dict):
        raise http.client.HTTPException(f"it answered {status} {_sentence(content)}".rstrip())
    return content


def _asked(socket_path: Path, method: str, path: tuple[str, ...], body: Mapping[str, object] | None) -> tuple[int, Any]:
    """Raises OSError, HTTPException."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connected:
        connected.settimeout(_ANSWERS_WITHIN)
        connected.connect(os.fspath(socket_path))
        status, content = exchange(connected, method, path, body=body, within=_ANSWERS_WITHIN)
        return status, _read(content)


def _read(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None


def _sentence(said: Any) -> str:
    return str(said.get("error") or said.get("text") or "") if isinstance(said, dict) else ""


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list | tuple) else ()
