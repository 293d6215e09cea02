"""Speaks to the control API as any program on the machine may."""

import http.client
import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
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
    return response.status, _as_json(text)


def me() -> str:
    import pwd

    return pwd.getpwuid(os.geteuid()).pw_name


@dataclass(frozen=True)
class Person:
    """A UNIX user as the kernel knows him."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()


_AS_PERSON = """
import http.client, json, os, socket, sys
"".encode("iso-8859-1")  # what is imported only when it is needed could not be read any more
path, uid, gid, groups, requests = json.loads(sys.stdin.read())
os.chdir(os.path.dirname(path))  # the folders above may be closed to others
os.setgroups(groups); os.setresgid(gid, gid, gid); os.setresuid(uid, uid, uid)
answers = []
for method, target, body, claim in requests:
    connection = http.client.HTTPConnection("paramedic", timeout=30)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(30)
    connection.sock.connect(os.path.basename(path))
    headers = {"Content-Type": "application/json", **({"paramedic-for": claim} if claim else {})}
    connection.request(method, target, None if body is None else json.dumps(body), headers)
    response = connection.getresponse()
    answers.append((response.status, response.read().decode()))
    connection.close()
print(json.dumps(answers))
"""


def requests_as(
    person: Person, path: Path, *requests: tuple[str, str, object], claim: str = ""
) -> list[tuple[int, Any]]:
    """Method, target and body of each, sent by a process that became that person. Needs root.

    The socket and its folder must be open to him. `claim`: for whom he says he acts.
    """
    asked = [path.as_posix(), person.uid, person.gid, person.groups, [(*each, claim) for each in requests]]
    done = subprocess.run(
        [sys.executable, "-I", "-c", _AS_PERSON],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=4 * _WITHIN,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [(status, _as_json(text)) for status, text in json.loads(done.stdout)]


def open_to_all(path: Path) -> None:
    """So that roles alone decide."""
    path.parent.chmod(0o755)
    path.chmod(0o666)


def _as_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
