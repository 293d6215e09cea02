"""Logins for the tests' own sshd."""

import dataclasses
import subprocess
from pathlib import Path
from typing import Any

from agent.model.inventory import Login
from tests.neighbours.sshd import Sshd


def login_to(server: Sshd, **changes: Any) -> Login:
    """How to log in to `server` with its client key; `changes` are fields of Login."""
    login = Login(
        address=server.address,
        port=server.port,
        user=server.user,
        key_file=str(server.client_key),
        known_hosts=str(server.known_hosts),
        connect_timeout=20.0,
    )
    return dataclasses.replace(login, **changes)


def make_key(path: Path, *, passphrase: str = "", kind: str = "ed25519") -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", path.name, "-f", path], check=True)
    return path


def let_in(server: Sshd, key: Path, options: str = "") -> None:
    """Add a public key to those the server accepts; `options` as in sshd(8), AUTHORIZED_KEYS FILE FORMAT."""
    with (server.folder / "authorized_keys").open("a") as accepted:
        accepted.write(f"{options} " if options else "")
        accepted.write(key.with_name(f"{key.name}.pub").read_text())
