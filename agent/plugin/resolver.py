"""Names to addresses, within a time: getaddrinfo has no limit of its own.

With a silent name server it returns after 10 s by default, and after minutes where resolv.conf(5) says so. So it
is called in a thread of its own, which whoever asked leaves behind when the time is over.
"""

import socket
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

Found = tuple[int, int, int, str, tuple[Any, ...]]
"""As getaddrinfo has it: family, type, protocol, canonical name, address."""

MOST = 64
"""Look-ups under way at once: a dead name server must not cost a thread for each name there is."""

FRESH = 5.0
"""Seconds during which a look-up is shared. An older one may hang on a name server that is back by now."""

_LookUp = tuple[float, "Future[Sequence[Found]]"]

_lock = threading.Lock()
_under_way: dict[tuple[str, int], _LookUp] = {}
_room = threading.BoundedSemaphore(MOST)


def resolve(host: str, port: int, seconds: float) -> Sequence[Found]:
    """Addresses for a TCP connection. Raises TimeoutError after `seconds`, socket.gaierror, UnicodeError."""
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        pass  # a name
    deadline = time.monotonic() + seconds
    with _lock:
        began, answer = _under_way.get((host, port), (-FRESH, None))
        mine = answer is None or time.monotonic() - began >= FRESH
        if mine:
            look_up = time.monotonic(), Future[Sequence[Found]]()
            _under_way[host, port] = look_up
            answer = look_up[1]
    if mine:
        _begin(host, port, look_up, seconds)
    assert answer is not None
    return answer.result(max(0.0, deadline - time.monotonic()))


def _begin(host: str, port: int, look_up: _LookUp, seconds: float) -> None:
    """Whatever comes of it goes into the look-up's future."""
    if not _room.acquire(timeout=seconds):
        _end(host, port, look_up)
        look_up[1].set_exception(TimeoutError("too many names are being resolved"))
        return
    try:
        threading.Thread(target=_carry_out, args=(host, port, look_up), name=f"resolve {host}", daemon=True).start()
    except RuntimeError as error:
        _end(host, port, look_up)
        _room.release()
        look_up[1].set_exception(socket.gaierror(socket.EAI_AGAIN, f"no thread is left here to resolve it: {error}"))


def _carry_out(host: str, port: int, look_up: _LookUp) -> None:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        look_up[1].set_exception(error)
    else:
        look_up[1].set_result(found)
    finally:
        _end(host, port, look_up)
        _room.release()


def _end(host: str, port: int, look_up: _LookUp) -> None:
    with _lock:
        if _under_way.get((host, port)) is look_up:
            del _under_way[host, port]
