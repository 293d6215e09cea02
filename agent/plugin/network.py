"""Connections with a deadline for the whole, and whose fault it is when there is none.

A refused or silent server is an answer to the question "is it up?"; a name that does not resolve here
or a machine without a network is not: then nobody was asked.
"""

import errno
import socket
import ssl
import time
from collections.abc import Sequence
from http.client import RemoteDisconnected
from typing import Any

from agent.errors import NeighbourSilent
from agent.model.quantities import say_duration
from agent.model.text import one_line
from agent.plugin.resolver import resolve

Address = tuple[int, tuple[Any, ...]]
"""Address family, and what connect() takes for it."""

_OURS = frozenset(
    {
        errno.ENETUNREACH,
        errno.ENETDOWN,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOBUFS,
        errno.ENOMEM,
        errno.EADDRNOTAVAIL,
        errno.EAFNOSUPPORT,
        errno.EACCES,
        errno.EPERM,
    }
)
"""Errors of connect() that say something about this machine, not about the one asked."""


def connect(host: str, port: int, seconds: float) -> socket.socket:
    """A connected TCP socket within `seconds` for all addresses of `host` together.

    `socket.create_connection` would spend its timeout on every address anew. Each address gets an equal
    share of what is left, so that a dead IPv6 path does not starve IPv4. Resolving the name is within the limit.

    Raises NeighbourSilent when the name does not resolve or this machine has no way out; otherwise the OSError
    of the last address that had its say (TimeoutError, ConnectionRefusedError, …).
    """
    deadline = time.monotonic() + seconds
    addresses = _resolve(host, port, seconds)
    try:
        return connect_any(addresses, deadline - time.monotonic())
    except OSError as error:
        if error.errno in _OURS:
            raise NeighbourSilent(f"no way from here to {host} port {port}: {say_failure(error)}") from error
        raise


def connect_any(addresses: Sequence[Address], seconds: float) -> socket.socket:
    """The first address that accepts. Raises the OSError of the last that had its say."""
    deadline = time.monotonic() + seconds
    failure: OSError | None = None
    for tried, address in enumerate(addresses):
        left = deadline - time.monotonic()
        if left <= 0:
            break
        try:
            return _open(address, left / (len(addresses) - tried))
        except OSError as error:
            if failure is None or error.errno not in _OURS:
                failure = error
    raise failure or TimeoutError("no time to connect")


def _resolve(host: str, port: int, seconds: float) -> Sequence[Address]:
    try:
        return [(found[0], found[4]) for found in resolve(host, port, seconds)]
    except TimeoutError as error:
        text = f"no answer from the name server within {say_duration(seconds)}"
        raise NeighbourSilent(f"cannot resolve {one_line(host, 100)}: {text}") from error
    except (socket.gaierror, UnicodeError) as error:
        text = str(error.strerror) if isinstance(error, socket.gaierror) else "not a host name"
        raise NeighbourSilent(f"cannot resolve {one_line(host, 100)}: {text}") from error


def _open(address: Address, seconds: float) -> socket.socket:
    family, place = address
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(seconds)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.connect(place)
    except OSError:
        connection.close()
        raise
    return connection


def say_failure(error: BaseException) -> str:
    """Why nobody answered, in a few words, from the innermost cause that a client library wrapped."""
    cause = _innermost(error)
    match cause:
        case ssl.SSLCertVerificationError():
            return f"certificate not accepted: {one_line(cause.verify_message or str(cause))}"
        case ssl.SSLError():
            return f"TLS failed: {one_line((cause.reason or str(cause)).replace('_', ' ').lower())}"
        case TimeoutError():
            return "no answer in time"
        case RemoteDisconnected():
            return "connection closed without an answer"
        case OSError() if cause.strerror:
            return one_line(cause.strerror).lower()
    return one_line(str(cause) or type(cause).__name__)


def timed_out(error: BaseException) -> bool:
    """Whether a time-out lies beneath what a client library made of it."""
    return isinstance(_innermost(error), TimeoutError)


def say_silence(seconds: float) -> str:
    """What to say when the deadline passed."""
    return f"no answer within {say_duration(seconds)}"


def _innermost(error: BaseException) -> BaseException:
    """Follow causes, and `reason` and arguments where urllib3 and requests keep what they caught."""
    seen = {id(error)}
    while True:
        context = None if error.__suppress_context__ else error.__context__
        inner = [error.__cause__, getattr(error, "reason", None), *error.args, context]
        deeper = next((each for each in inner if isinstance(each, BaseException) and id(each) not in seen), None)
        if deeper is None:
            return error
        seen.add(id(deeper))
        error = deeper
