"""The control API served on its UNIX socket, in a thread of its own."""

import logging
import socket
import threading
from pathlib import Path

import uvicorn
from prometheus_client import CollectorRegistry

from agent.model.access import Access
from agent.runtime.control.answer import Farewell
from agent.runtime.control.api import control_api
from agent.runtime.control.peer import PeerProtocol
from agent.runtime.control.port import Control
from agent.runtime.control.roles import Roles
from agent.runtime.control.socket_file import SocketError, SocketFile

log = logging.getLogger("paramedic.control")

_STARTS_WITHIN = 10.0
_CONNECTIONS = 100
"""Beyond these a caller is told to come back (503)."""


class ControlServer:
    """Use once: `start`, `use`, `stop`. The socket's folder is made where it is missing (0750)."""

    def __init__(
        self,
        control: Control,
        socket_path: Path,
        access: Access | None = None,
        *,
        metrics: CollectorRegistry | None = None,
    ) -> None:
        """`access`: who may do what; see `Roles`."""
        self._control = control
        self._path = socket_path
        self._access = access
        self._roles: Roles | None = None
        self._metrics = metrics
        self._file: SocketFile | None = None
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Returns when requests are answered. Raises SocketError, also when another agent answers there."""
        self._file = file = SocketFile(self._path)
        self._roles = roles = Roles(self._access, file.path)
        config = uvicorn.Config(
            Farewell(control_api(self._control, roles, self._metrics)),
            http=PeerProtocol,
            ws="none",
            loop="asyncio",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=_CONNECTIONS,
            timeout_graceful_shutdown=2,
        )
        self._server = server = _Server(config)
        self._thread = threading.Thread(
            target=server.run, kwargs={"sockets": [file.listening]}, name="control", daemon=True
        )
        self._thread.start()
        if not server.answering.wait(_STARTS_WITHIN):
            self.stop(1.0)
            raise SocketError(f"the control API on {file.path} did not start")

    def use(self, access: Access | None) -> None:
        """Roles after a reload."""
        if self._roles is not None:
            self._roles.use(access)

    def stop(self, within: float) -> bool:
        """Answer what is under way, then end; False if that took longer than `within` seconds."""
        if self._server is None or self._thread is None or self._file is None:
            return True
        self._server.should_exit = True
        self._thread.join(within)
        self._file.remove()
        return not self._thread.is_alive()


class _Server(uvicorn.Server):
    """Says when it answers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.answering = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.answering.set()
