"""The control socket as a file: made private, replaced when stale, never taken from an agent that lives."""

import errno
import os
import socket
import stat
from pathlib import Path

from agent.errors import ParamedicError
from agent.runtime.control.peer import peer_of

_MODE = 0o660
_FOLDER_MODE = 0o750
_LONGEST = 107
"""Bytes of a path in sockaddr_un, unix(7), its final NUL apart."""
_BACKLOG = 128


class SocketError(ParamedicError):
    """The control socket cannot be opened there."""


class SocketFile:
    """A listening UNIX socket: its owner and group may connect. Raises SocketError."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        if len(os.fsencode(self.path)) > _LONGEST:
            raise SocketError(f"{self.path}: a socket's path may have {_LONGEST} bytes at most")
        try:
            self.path.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
            _clear(self.path)
            self.listening = _bound(self.path)
            self._inode = self.path.stat().st_ino
        except OSError as error:
            raise SocketError(f"cannot open the control socket {self.path}: {error.strerror}") from error

    def remove(self) -> None:
        """Close it, and take the file away unless it is another's by now."""
        self.listening.close()
        try:
            if self.path.lstat().st_ino == self._inode:
                self.path.unlink()
        except OSError:
            return  # gone with its folder, as systemd does with a runtime directory


def _clear(path: Path) -> None:
    """Take away what a dead agent left."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise SocketError(f"{path} is in the way: it is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as trial:
        trial.settimeout(1.0)
        refused = trial.connect_ex(os.fspath(path))
        if refused == 0:
            raise SocketError(f"another agent (process {peer_of(trial).pid}) answers on {path}")
    if refused != errno.ECONNREFUSED:
        raise SocketError(f"{path} is in the way: {os.strerror(refused)}")
    path.unlink(missing_ok=True)


def _bound(path: Path) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Linux takes the file's mode from the socket: so there is no moment in which others may connect.
        os.fchmod(listening.fileno(), _MODE)
        listening.bind(os.fspath(path))
        path.chmod(_MODE)  # what the umask took away
        listening.listen(_BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening
