"""An SSH server that lets everyone in and then does not do its work, which OpenSSH cannot be told to do."""

import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import paramiko
from paramiko.common import AUTH_SUCCESSFUL, OPEN_SUCCEEDED

from agent.model.inventory import Login
from tests.functional.ssh_login import make_key


class ContraryServer:
    """`starts`: confirm that the command was started, then close the channel without an exit status;
    else refuse to start it. For one connection."""

    def __init__(self, folder: Path, *, starts: bool) -> None:
        self._key = make_key(folder / "contrary_key")
        self._starts = starts
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        known_hosts = folder / "contrary_known_hosts"
        kind, blob = self._key.with_suffix(".pub").read_text().split()[:2]
        known_hosts.write_text(f"[127.0.0.1]:{port} {kind} {blob}\n")
        self.login = Login("127.0.0.1", port=port, key_file=str(self._key), known_hosts=str(known_hosts))
        self._thread = threading.Thread(target=self._serve)
        self._transport: paramiko.Transport | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.join(30)
        self._listener.close()
        if self._transport is not None:
            self._transport.close()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        self._transport = paramiko.Transport(connection)
        self._transport.add_server_key(paramiko.PKey.from_path(self._key))
        self._transport.start_server(server=_Contrary(self._starts))


class _Contrary(paramiko.ServerInterface):
    def __init__(self, starts: bool) -> None:
        self._starts = starts

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return AUTH_SUCCESSFUL

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        if self._starts:
            threading.Thread(target=channel.close).start()
        return self._starts
