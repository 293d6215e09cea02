"""Speaking to the running agent: HTTP over its UNIX socket, JSON in and out."""

import http.client
import json
import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from agent.cli.exits import Code, Failure
from agent.cli.places import is_trusted
from agent.runtime.control.exchange import AnswerTooLong, exchange

_CLAIM_HEADER = "paramedic-for"
_CODES = {403: Code.NOT_ALLOWED, 503: Code.NO}
_ANSWERS_WITHIN = 30.0
"""Seconds; an act is answered when it is committed, by the agent's own limit within 15."""


class NoAgent(Failure):
    """Nobody answers: no socket, or a stale one."""

    def __init__(self, text: str) -> None:
        super().__init__(Code.NO_AGENT, text)


class AgentClient:
    """One agent. `get` and `post` raise NoAgent, or Failure with what the agent said."""

    def __init__(self, sockets: Sequence[Path], *, within: float = _ANSWERS_WITHIN) -> None:
        self._sockets = sockets
        self._within = within

    def get(self, *path: str, **query: object) -> Any:
        asked = {name: str(value) for name, value in query.items() if value is not None}
        return self._answer("GET", path, urlencode(asked), None, self._within)

    def post(self, *path: str, body: Mapping[str, object] | None = None, within: float | None = None) -> Any:
        return self._answer("POST", path, "", body, within or self._within)

    def _answer(
        self, method: str, path: Sequence[str], query: str, body: Mapping[str, object] | None, within: float
    ) -> Any:
        connected = self._connected(within)
        try:
            status, content = exchange(
                connected, method, path, query=query, body=body, headers=_headers(), within=within
            )
            return _understood(status, content)
        except TimeoutError:
            text = f"the agent has not answered within {within:g} s; what was asked may still be done"
            raise Failure(Code.NO, text) from None
        except AnswerTooLong as error:
            raise Failure(Code.NO, str(error)) from None
        except (OSError, http.client.HTTPException) as error:
            raise NoAgent(
                f"the agent went away before it answered ({error}); what was asked may still be done"
            ) from None

    def _connected(self, within: float) -> socket.socket:
        tried = []
        for path in self._sockets:
            if not path.is_absolute() and not is_trusted(path):
                tried.append(f"{path} (not used: it belongs neither to you nor to root)")
                continue
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.settimeout(within)
            try:
                connection.connect(os.fspath(path))
            except PermissionError:
                connection.close()
                raise Failure(Code.NOT_ALLOWED, _not_allowed(path)) from None
            except (FileNotFoundError, NotADirectoryError):
                tried.append(f"{path} (no such socket)")
            except ConnectionRefusedError:
                tried.append(f"{path} (nobody listens there any more)")
            except OSError as error:
                tried.append(f"{path} ({error.strerror or error})")
            else:
                return connection
            connection.close()
        raise NoAgent(_nobody(tried))


def _headers() -> dict[str, str]:
    headers = {}
    behind = os.environ.get("SUDO_USER", "")
    if os.geteuid() == 0 and behind.isascii() and behind.isprintable() and behind:
        headers[_CLAIM_HEADER] = behind
    return headers


def _understood(status: int, content: bytes) -> Any:
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        answer = None
    if status < 300 and answer is not None:
        return answer
    code = _CODES.get(status, Code.INTERNAL if status >= 500 else Code.NO)
    if isinstance(answer, dict) and isinstance(answer.get("error"), str):
        raise Failure(code, answer["error"], {name: value for name, value in answer.items() if name != "error"})
    raise Failure(code, f"the agent answered {status} {http.client.responses.get(status, '')}".rstrip())


def _not_allowed(path: Path) -> str:
    return (
        f"you may not speak to the agent on {path}\n"
        f"its owner and its group may (ls -l {path}): join the group, or use sudo"
    )


def _nobody(tried: Sequence[str]) -> str:
    return "\n".join(
        [
            "no running agent answers; tried",
            *(f"  {each}" for each in tried),
            "start one: systemctl start paramedic, or: paramedic run --config DIR",
            "or name its socket: paramedic --socket PATH …, or PARAMEDIC_SOCKET=PATH",
        ]
    )
