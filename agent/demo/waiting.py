"""Waiting for a server that was just started, and finding it a free port."""

import random
import socket
import time
from collections.abc import Callable
from typing import TypeVar

from agent.errors import ParamedicError

POLL = 0.02
"""Seconds between two looks."""

T = TypeVar("T")


class SiteError(ParamedicError):
    """A part of the throwaway site did not start, or did not do what it was told."""


def until(condition: Callable[[], T], *, within: float, what: str, failure: type[Exception] = SiteError) -> T:
    """The first truthy answer of `condition`; `failure`, naming `what`, after `within` seconds."""
    deadline = time.monotonic() + within
    while not (value := condition()):
        if time.monotonic() >= deadline:
            raise failure(f"after {within:g} s still not: {what} (last seen: {value!r})")
        time.sleep(POLL)
    return value


def free_port(address: str = "127.0.0.1") -> int:
    """A TCP port nobody listens on now, below those that the kernel gives to outgoing connections (ip(7),
    `ip_local_port_range`): no connection takes it before the caller does, and another process hardly ever.
    """
    while True:
        port = random.randint(10_000, 32_000)  # noqa: S311 - no secret
        try:
            with socket.create_server((address, port)):
                return port
        except OSError:
            continue


def answers(address: str, port: int, greeting: bytes = b"") -> bool:
    """Whether something accepts connections there and, if `greeting` is given, says it first."""
    try:
        with socket.create_connection((address, port), timeout=2) as connection:
            return connection.recv(len(greeting)) == greeting if greeting else True
    except OSError:
        return False
