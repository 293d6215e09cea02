"""What can go wrong on the way, before anyone knows under which name the host was asked for."""

from agent.errors import HostError


class Failure(Exception):
    """No command was started. `kind` is the error the caller will see; the pool adds the host's inventory name."""

    def __init__(self, kind: type[HostError], text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text


class StaleConnection(Exception):
    """A connection turned out to be of no use before anything was started on it: another one may do."""


class NoRoom(StaleConnection):
    """The host will not open one more session over this connection."""


class Lost(Exception):
    """The connection ended while a command was running."""
